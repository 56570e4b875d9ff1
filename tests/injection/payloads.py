"""The collection of hostile texts, by kind.

What runs calls `pwn`, what is loaded comes from pwn.example, what is merely added carries "pwn" in its name. The kinds
stand in `payloads.json`, after OWASP's and PortSwigger's lists of filter evasions; what is only long is made here.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

_LONG = (
    "W" * 4000,
    "i" * 3900 + "<script>pwn(1)</script>",
    "<b>" * 1300,
    "<div>" * 700 + "<img src=x onerror=pwn(1)>",
    "<img src=x onerror=pwn(1)>" * 150,
    "pwn" + "\u0301" * 3900,
    "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466" * 500,
    "ท" * 3900 + " pwn",
    "的" * 3900 + " pwn",
    "\u0627" * 3900 + " pwn",
    "https://pwn.example/" + "a" * 3900,
    "a" * 60 + "@" + "b" * 3800 + ".pwn.example",
    "[" * 1900 + "](javascript:pwn(1))",
    "[pwn](" * 650,
    "> " * 1900 + "<script>pwn(1)</script>",
    "- " * 1900 + "pwn",
    "*" * 3900 + "pwn",
    "**pwn" * 700,
    "|" * 3900 + "pwn",
    "|pwn" * 300 + "|\n" + "|-" * 300 + "|\n" + "|<svg onload=pwn(1)>" * 100 + "|",
    "```\n" + "pwn" * 1200 + "\n```",
    "`" * 3900 + "pwn",
    "# pwn\n" * 600,
    "pwn\n" * 900,
    "\n" * 1900 + "pwn",
    "\t" * 3900 + "pwn",
    "&lt;" * 900 + "pwn",
    "\u202e" * 3900 + "pwn",
    "<!--" * 900 + "pwn",
    "%3Cscript%3Epwn(1)%3C/script%3E" * 100,
)


def _read() -> dict[str, tuple[str, ...]]:
    listed: dict[str, list[str]] = json.loads((Path(__file__).parent / "payloads.json").read_text("utf-8"))
    return {**{kind: tuple(texts) for kind, texts in listed.items()}, "long": _LONG}


BY_KIND = _read()
PAYLOADS = tuple(text for texts in BY_KIND.values() for text in texts)


def batches(texts: Sequence[str], size: int) -> list[tuple[str, ...]]:
    """Texts in groups of at most so many."""
    return [tuple(texts[first : first + size]) for first in range(0, len(texts), size)]

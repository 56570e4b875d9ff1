"""Names of files as they are safe to show, and to save under on any system."""

from __future__ import annotations

import re
import unicodedata

LONGEST_NAME = 200  # Bytes of UTF-8; file systems take 255.
# Control and format characters (bidirectional overrides among them), surrogates, private and unassigned ones, lines.
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])", re.IGNORECASE)
_NAMELESS = "file"


def safe_name(name: str) -> str:
    """A file's name without folders and without what misleads people or file systems; never empty.

    Args:
        name: As the sender calls it.
    """
    name = unicodedata.normalize("NFC", re.split(r"[/\\]", name)[-1])
    name = "".join(c for c in name if unicodedata.category(c) not in _UNSEEN)
    name = " ".join(re.sub(r'[<>:"|?*]', "_", name).split()).rstrip(". ")
    stem, dot, extension = name.rpartition(".")
    if not dot:
        stem, extension = extension, ""
    stem, ending = stem.strip(". ") or _NAMELESS, dot + extension
    if _RESERVED.fullmatch(stem.partition(".")[0].strip()):
        stem = f"_{stem}"
    room = LONGEST_NAME - len(ending.encode())
    if room < len(_NAMELESS):
        stem, ending, room = stem + ending, "", LONGEST_NAME
    return stem.encode()[:room].decode("utf-8", "ignore").rstrip(". ") + ending


def extension_of(name: str) -> str:
    """The extension of a name, in lower case and without its dot; empty where there is none."""
    stem, dot, extension = name.rpartition(".")
    return extension.lower() if dot and stem else ""

"""axe-core over a page: what automated checks of WCAG 2.2, level AA, and of good practice find."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

_SCRIPT = Path(__file__).parent / "vendor" / "axe.min.js"
_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
_RUN = """async ([script, tags]) => {
  if (!window.axe) (0, eval)(script);
  const found = await axe.run(document, { runOnly: { type: "tag", values: tags }, resultTypes: ["violations"] });
  return found.violations.flatMap((rule) =>
    rule.nodes.map((node) => `${rule.id}: ${node.target.flat().join(" ")}: ${node.failureSummary}`));
}"""


@functools.cache
def _script() -> str:
    return _SCRIPT.read_text("utf-8")


def violations(page: Page) -> list[str]:
    """What axe finds on a page, shadow roots included: rule, place and how to mend it, a line each."""
    _settle(page)
    found: Any = page.evaluate(_RUN, [_script(), _TAGS])
    return [" ".join(str(line).split()) for line in found]


def _settle(page: Page) -> None:
    """Let transitions end: a colour half-way there has another contrast."""
    page.evaluate(
        """async () => {
          const running = () => document.getAnimations({ subtree: true })
            .filter((one) => one.effect.getComputedTiming().iterations !== Infinity);
          await Promise.allSettled(running().map((one) => one.finished));
        }"""
    )

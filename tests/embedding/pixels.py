"""Pictures of pages, compared."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from playwright.sync_api import FloatRect, Page

Picture = npt.NDArray[np.int16]
# A pixel whose colours differ by less, of 255, looks the same: glyphs are smoothed a little differently at times.
_SAME = 8


def picture(page: Page, box: FloatRect, inside: int = 0) -> Picture:
    """What a visitor sees of a part of the window.

    Not Playwright's screenshot: that one moves fixed elements of a page that overflows to the top or to the left.

    Args:
        page: With nothing that blinks or moves.
        box: The part, in CSS pixels.
        inside: How much to leave out along each edge.

    Returns:
        Array of shape (height, width, 3).
    """
    session = page.context.new_cdp_session(page)
    taken: Any = session.send("Page.captureScreenshot", {"captureBeyondViewport": False})
    session.detach()
    whole = np.asarray(Image.open(io.BytesIO(base64.b64decode(taken["data"]))).convert("RGB"), dtype=np.int16)
    left, top = round(box["x"]) + inside, round(box["y"]) + inside
    width, height = round(box["width"]) - 2 * inside, round(box["height"]) - 2 * inside
    return whole[top : top + height, left : left + width]


def different(first: Picture, second: Picture) -> int:
    """How many pixels differ between two pictures of one size."""
    return int((np.abs(first - second).max(axis=2) > _SAME).sum())

"""Images of articles: files in `public/images/` and `internal/images/` of the knowledge base.

An article shows one of its own audience as `![what it shows](images/till.png)`; `../images/till.png` is the same. Width
and height are read from the file, so that pages can keep the place free while it loads.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

from bot.knowledge.article import Audience

MAX_BYTES = 2_000_000
MAX_PIXELS = 5_000
MEDIA_TYPES = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp", "GIF": "image/gif"}
_EXTENSIONS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP", ".gif": "GIF"}

NAME = r"[a-z0-9][a-z0-9_-]{0,79}\.(?:png|jpe?g|webp|gif)"
# Where a page gets one.
FOLDER = "/help/images/"
_SOURCE = r"(?:\.{1,2}/)*images/"
_WRITTEN = re.compile(
    r"!\[([^\]\n]*)\]"  # what it shows
    rf"\(<?{_SOURCE}([^\s)>]*)>?"  # the file
    r"""(?:\s+["'][^)\n]*["'])?\)"""  # a title, which is dropped
)


@dataclass(frozen=True)
class Image:
    """An image as it can be served.

    Attributes:
        file: Where it stands.
        media_type: By its content.
        width: In pixels.
        height: In pixels.
        digest: Changes when the content does; 16 hexadecimal digits.
    """

    file: Path
    media_type: str
    width: int
    height: int
    digest: str

    @property
    def path(self) -> str:
        """The path of a public image on our site, which tells its size."""
        return f"{FOLDER}{self.file.name}?w={self.width}&h={self.height}&v={self.digest}"


class ImageProblem(ValueError):
    """An image cannot be shown.

    Args:
        message: What is wrong.
        remedy: What to do about it.
    """

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


class Images:
    """The images of a knowledge base; a file is read again when it has changed.

    Args:
        folder: Of the knowledge base.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[Path, tuple[tuple[int, int], Image]] = {}

    def load(self, name: str, audience: Audience) -> Image:
        """An image by its file's name.

        Raises:
            ImageProblem: There is none that can be shown.
        """
        if not re.fullmatch(NAME, name):
            raise ImageProblem(
                f"'images/{name}' is no name for an image.",
                "Write lower-case letters, digits, hyphens, and .png, .jpg, .webp or .gif, as in images/till-2.png.",
            )
        file = self._folder / audience / "images" / name
        try:
            found = file.stat()
            state = (found.st_mtime_ns, found.st_size)
            known = self._read.get(file)
            if known is None or known[0] != state:
                known = self._read[file] = (state, read_image(file))
        except OSError as error:
            raise ImageProblem(
                f"There is no image {audience}/images/{name}.", "Put the file there, or correct its name."
            ) from error
        return known[1]

    def find(self, name: str, audience: Audience) -> Image | None:
        """An image by its file's name; None where there is none that can be shown."""
        try:
            return self.load(name, audience)
        except ImageProblem:
            return None


def read_image(file: Path) -> Image:
    """Read a file's kind and size.

    Raises:
        ImageProblem: It is no image that browsers show, not what its name says, or too large.
        OSError: It cannot be read.
    """
    from PIL import Image as Pillow  # Only where there are images.
    from PIL import UnidentifiedImageError

    data = file.read_bytes()
    if len(data) > MAX_BYTES:
        raise ImageProblem(
            f"The image {file.name} has {len(data):,} bytes; {MAX_BYTES:,} are the most.", "Save it smaller."
        )
    try:
        with Pillow.open(file, formats=tuple(MEDIA_TYPES)) as opened:
            kind, (width, height) = opened.format or "", opened.size
    except (UnidentifiedImageError, Pillow.DecompressionBombError, Warning, ValueError, SyntaxError) as error:
        raise ImageProblem(
            f"The file {file.name} is no PNG, JPEG, WebP or GIF, or far too large.",
            "Save the image as one of these, 1,400 pixels wide.",
        ) from error
    if kind != _EXTENSIONS[file.suffix]:
        raise ImageProblem(f"The image {file.name} is a {kind} by its content.", "Give it the right ending.")
    if max(width, height) > MAX_PIXELS:
        raise ImageProblem(
            f"The image {file.name} has {width} × {height} pixels; {MAX_PIXELS} a side are the most.",
            "Save it smaller; 1,400 pixels are enough.",
        )
    return Image(file, MEDIA_TYPES[kind], width, height, hashlib.sha256(data).hexdigest()[:16])


def named(markdown: str) -> Iterator[tuple[str, str]]:
    """(what it shows, file's name) of every image of the knowledge base in an article's text, in order."""
    for block in MarkdownIt("commonmark").enable("table").parse(markdown):
        for token in block.children or ():
            source = str(token.attrs.get("src", ""))
            if token.type == "image" and (match := re.fullmatch(rf"{_SOURCE}(.*)", source)):
                yield token.content.strip(), match.group(1)


def written_out(markdown: str) -> set[str]:
    """Names of the images that `link_images` finds: written in one piece, without brackets in the words."""
    return {match.group(2) for match in _WRITTEN.finditer(markdown)}


def link_images(markdown: str, resolve: Callable[[str], Image | None]) -> str:
    """Point images of the knowledge base at their paths on our site; one that is not there becomes text.

    Args:
        markdown: With images such as `![The till](images/till.png)`.
        resolve: The image of a file's name, or None if the reader has no such image.
    """

    def replace(match: re.Match[str]) -> str:
        image = resolve(match.group(2))
        return f"![{match.group(1)}]({image.path})" if image else match.group(1)

    return _WRITTEN.sub(replace, markdown)

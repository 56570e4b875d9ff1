"""Small files of each kind, right and wrong ones."""

from __future__ import annotations

import io
import zipfile

from PIL import Image

_OFFICE = {"docx": "word/document.xml", "xlsx": "xl/workbook.xml", "pptx": "ppt/presentation.xml"}
_OPEN = {"odt": "text", "ods": "spreadsheet", "odp": "presentation"}


def picture(form: str, size: tuple[int, int] = (8, 6), color: str = "red") -> bytes:
    """A picture as a PNG, JPEG, GIF or WebP file."""
    made = io.BytesIO()
    Image.new("RGB", size, color).save(made, form)
    return made.getvalue()


def archive(*entries: tuple[str, bytes]) -> bytes:
    """A ZIP file."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as file:
        for name, content in entries:
            file.writestr(name, content)
    return made.getvalue()


def office(extension: str, types: bytes = b"<Types/>", *more: tuple[str, bytes]) -> bytes:
    """An Office document, as far as it matters here."""
    return archive(("[Content_Types].xml", types), (_OFFICE[extension], b"<x/>"), *more)


def open_document(extension: str, *more: tuple[str, bytes]) -> bytes:
    """An OpenDocument file, as far as it matters here."""
    media_type = f"application/vnd.oasis.opendocument.{_OPEN[extension]}".encode()
    return archive(("mimetype", media_type), ("content.xml", b"<x/>"), *more)


def film(brand: bytes) -> bytes:
    """The beginning of a file of the MP4 family."""
    return b"\0\0\0\x18ftyp" + brand + b"\0\0\0\0" + brand + brand + b"\0" * 64


PNG = picture("PNG")
PDF = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<<>>\nendobj\n"
RIGHT: dict[str, bytes] = {
    "png": PNG,
    "jpg": picture("JPEG"),
    "jpeg": picture("JPEG"),
    "gif": picture("GIF"),
    "webp": picture("WEBP"),
    "heic": film(b"heic"),
    "pdf": PDF,
    "mp4": film(b"isom"),
    "mov": film(b"qt  "),
    "txt": "Çay soğuk. 茶凉了。ชาเย็น".encode(),
    "log": b"\x1b[31m09:00 ERROR\x1b[0m no paper\r\n\x0c",
    "csv": "a;b\r\nç;ğ\r\n".encode("cp1254"),
    **{extension: office(extension) for extension in _OFFICE},
    **{extension: open_document(extension) for extension in _OPEN},
}

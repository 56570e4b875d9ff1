"""Files on their way out: always to be saved, never to be run."""

from __future__ import annotations

from urllib.parse import quote

from fastapi import Response

from bot.attachments.store import File

# Should a browser show it all the same, nothing in it runs, loads or belongs to this origin.
_HEADERS = {
    "content-security-policy": "sandbox; default-src 'none'",
    "x-content-type-options": "nosniff",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "private, no-store",
}

# Under the digest of its content, a picture is the same for everybody and for good.
FOR_GOOD = {
    "content-security-policy": "sandbox; default-src 'none'",
    "x-content-type-options": "nosniff",
    "cross-origin-resource-policy": "cross-origin",
    "cache-control": "public, max-age=31536000, immutable",
}


def download(file: File, data: bytes) -> Response:
    """A file to save under its name. Pictures can be shown by `<img>` too, which does not look at the disposition."""
    disposition = f"attachment; filename*=UTF-8''{quote(file.name, safe='')}"
    return Response(data, media_type=file.media_type, headers={**_HEADERS, "content-disposition": disposition})

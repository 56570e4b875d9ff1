"""What the routes of files take and give, for the API's description."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Path, Query
from pydantic import BaseModel, Field

from bot.attachments.limits import MOST_FILES
from bot.errors import ErrorBody

Responses = dict[int | str, dict[str, Any]]

ID_PATTERN = "^[0-9a-f]{32}$"
Ids = Annotated[list[Annotated[str, Field(pattern=ID_PATTERN)]], Field(max_length=MOST_FILES)]
AttachmentId = Annotated[str, Path(pattern=ID_PATTERN, description="Of the file.")]
Name = Annotated[str, Query(min_length=1, max_length=500, description="Of the file, with its extension.")]
ClientId = Annotated[
    str,
    Query(pattern="^[A-Za-z0-9_-]{1,100}$", description="Your own id for it. The same id again is the same file."),
]


class AttachmentOut(BaseModel):
    """A file."""

    id: str
    name: str = Field(description="As its sender called it, made safe to save under.")
    media_type: str = Field(description="As its content shows it.")
    size: int = Field(description="In bytes.")


def _error(status: int, description: str) -> Responses:
    return {status: {"model": ErrorBody, "description": description}}


TAKEN: Responses = {
    200: {"model": AttachmentOut, "description": "Kept before under the same id."},
    **_error(409, "The id was used for another file (`duplicate_id`)."),
    **_error(413, "The file is too large (`file_too_large`)."),
    **_error(422, "Empty, of a kind that is not taken, or infected (`file_empty`, `file_type`, `file_infected`)."),
    **_error(503, "The file could not be scanned (`file_unscanned`), or too much is under way (`overloaded`)."),
}
DOWNLOAD: Responses = {
    200: {
        "content": {"*/*": {"schema": {"type": "string", "format": "binary"}}},
        "description": "The file, to be saved, with the media type of its content.",
    }
}
# The body is the file itself, whatever media type it is sent with.
FILE_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "The file.",
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}

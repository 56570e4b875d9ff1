"""Why a file is refused. Nothing of a refused file is kept."""

from __future__ import annotations

from bot.errors import ConversationError, InvalidInput


class FilesOff(ConversationError):
    """No files are taken here."""

    code = "files_off"
    status = 403


class FileEmpty(InvalidInput):
    """There is nothing in the file."""

    code = "file_empty"


class FileType(InvalidInput):
    """Files of this kind are not taken, or the content is not what the name says."""

    code = "file_type"


class FileInfected(InvalidInput):
    """The scanner found something in the file."""

    code = "file_infected"


class FileTooLarge(InvalidInput):
    """The file is larger than what is taken."""

    code = "file_too_large"
    status = 413


class TooManyFiles(ConversationError):
    """The conversation has had its share of files for today."""

    code = "too_many_files"
    status = 429


class FileUnscanned(ConversationError):
    """The scanner could not look at the file, so it is not taken."""

    code = "file_unscanned"
    status = 503

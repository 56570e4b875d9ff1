"""The way of a file in: read with a limit, checked, scanned, kept."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterable, Callable

from sqlalchemy.orm import Session

from bot.attachments import store
from bot.attachments.errors import FilesOff, FileTooLarge
from bot.attachments.kinds import media_type_of
from bot.attachments.limits import Limits
from bot.attachments.names import safe_name
from bot.attachments.scanner import Scanner
from bot.attachments.store import CUSTOMER, File
from bot.conversation import events
from bot.conversation.changes import Changes
from bot.errors import Overloaded

# Files under way may hold so many times the largest one in memory, and those of one address half of it: whoever sends
# slowly on purpose leaves room for others.
_AT_ONCE = 8
_OF_ADDRESS = 4
_READ_SECONDS = 180.0


class Intake:
    """Takes files in; all in one event loop.

    Args:
        limits: What is taken.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self._scanner = Scanner(self.limits.scanner, self.limits.scan_seconds) if self.limits.scanner else None
        self._held = 0
        self._held_by: Counter[str] = Counter()

    async def take(
        self,
        changes: Changes,
        conversation_id: str,
        by: str,
        client_id: str,
        name: str,
        content: AsyncIterable[bytes],
        demand: Callable[[Session], object] = lambda session: None,
        address: str = "",
    ) -> tuple[File, bool]:
        """Take a file; (it, whether it is new). The same client_id with the same content is the same file.

        Args:
            changes: Makes transactions.
            conversation_id: It is for.
            by: `customer`, or a principal's label.
            client_id: The sender's own id for it.
            name: As the sender calls it.
            content: Piece by piece.
            demand: Raises where the sender may not write to the conversation any more.
            address: It comes from; empty where that does not tell senders apart.

        Raises:
            FilesOff, FileTooLarge, FileEmpty, FileType, FileInfected, FileUnscanned, TooManyFiles: See each of them.
            DuplicateId: The client_id belongs to another file.
            Overloaded: Too many files are under way, or this one took too long.
        """
        if not self.limits.enabled:
            raise FilesOff("Files are not taken here.", "Write a message instead.", rule="files_off")
        name = safe_name(name)
        data = bytearray()
        try:
            await self._read(name, content, data, address)
            return await self._keep(changes, conversation_id, by, client_id, name, bytes(data), demand)
        finally:
            self._held -= len(data)
            self._held_by[address] -= len(data)
            if not self._held_by[address]:
                del self._held_by[address]

    async def _read(self, name: str, content: AsyncIterable[bytes], into: bytearray, address: str) -> None:
        try:
            async with asyncio.timeout(_READ_SECONDS):
                async for piece in content:
                    into += piece
                    self._held += len(piece)
                    self._held_by[address] += len(piece)
                    self._demand_limits(name, len(into), address)
        except TimeoutError:
            raise Overloaded("The file took too long.", "Send it again.") from None

    def _demand_limits(self, name: str, size: int, address: str) -> None:
        most = self.limits.max_bytes
        if size > most:
            raise FileTooLarge(
                f"'{name}' is larger than {most:,} bytes.", "Send a smaller file.", rule="file_large", name=name
            )
        if self._held > _AT_ONCE * most or (address and self._held_by[address] > _OF_ADDRESS * most):
            raise Overloaded("Too many files are under way.", "Send it again in a few seconds.")

    async def _keep(
        self,
        changes: Changes,
        conversation_id: str,
        by: str,
        client_id: str,
        name: str,
        data: bytes,
        demand: Callable[[Session], object],
    ) -> tuple[File, bool]:
        def twin_or_room(session: Session) -> File | None:
            twin = store.find_twin(session, conversation_id, by, client_id, data)
            if twin is None and by == CUSTOMER:
                store.demand_room(session, conversation_id, len(data), self.limits.daily_bytes)
            return store.shown(twin) if twin else None

        def known() -> File | None:
            with changes.reading() as session:
                return twin_or_room(session)

        if (twin := await asyncio.to_thread(known)) is not None:
            return twin, False
        media_type = await asyncio.to_thread(media_type_of, name, data, self.limits.types)
        if self._scanner:
            await self._scanner.scan(name, data)

        def keep() -> tuple[File, bool]:
            with changes.transaction() as session:
                events.locked(session, conversation_id)
                demand(session)
                if (twin := twin_or_room(session)) is not None:
                    return twin, False
                made = store.keep(session, conversation_id, by, client_id, name, media_type, data)
                return store.shown(made), True

        return await asyncio.to_thread(keep)

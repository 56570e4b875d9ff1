"""What happens in a conversation, as server-sent events for its visitor.

What lasts has the number of its event as its id: `message`, `owner`, `case`, `rating`, `read`. Who is typing has none.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

from bot.channels.webchat.bodies import (
    CaseEvent,
    MessageOut,
    OwnerEvent,
    RatingEvent,
    ReadEvent,
    TypingEvent,
    Typist,
)
from bot.conversation.delivery import Reader
from bot.conversation.events import Happened

BATCH = 200
# So often a reader looks for what another process stored.
HEARTBEAT_SECONDS = 5.0
# Who passes a case on by choice, as events name them.
_PEOPLE = frozenset({"person", "token", "key", "operator"})
_STILL_HERE = ": still here\n\n"

Shown = MessageOut | OwnerEvent | CaseEvent | RatingEvent | ReadEvent
_NAMES = {
    MessageOut: "message",
    OwnerEvent: "owner",
    CaseEvent: "case",
    RatingEvent: "rating",
    ReadEvent: "read",
    TypingEvent: "typing",
}
# Gives the events after a number, each with its number, at most BATCH; None stands for what visitors do not get.
Read = Callable[[int], Awaitable[list[tuple[int, Shown | None]]]]


def shown_event(happened: Happened, faces: Mapping[str, str]) -> Shown | None:
    """An event that is no message as the visitor gets it; None for what visitors do not get.

    Args:
        happened: The event.
        faces: Paths of people's pictures by their ids.
    """
    data, at = happened.data, happened.created_at
    if happened.kind == "owner":
        # Where tags routed a case, its queue would tell what was made of the customer's words.
        told = data["owner"] != "queue" or happened.by.partition(":")[0] in _PEOPLE
        name = (data["name"] or None) if told else None
        return OwnerEvent(owner=data["owner"], name=name, picture=faces.get(data.get("person", "")), created_at=at)
    if happened.kind == "case":
        return CaseEvent(number=data["case"], open=data["open"], created_at=at)
    if happened.kind == "rating":
        return RatingEvent(case=data["case"], csat=data["csat"], effort=data["effort"], created_at=at)
    if happened.kind == "read":
        return ReadEvent(number=data["number"], by="team", created_at=at)
    return None


async def follow(
    read: Read, reader: Reader, number: int, wait: float | None, over: Callable[[], Awaitable[bool]]
) -> AsyncIterator[str]:
    """The stream after an event's number.

    Args:
        read: Gives events.
        reader: The conversation's bell, heard since before anything was read.
        number: Of the last event seen.
        wait: Seconds to wait for events if there are none, and end; None goes on for good.
        over: Whether to end now.
    """
    yield "retry: 2000\n\n"
    clock = asyncio.get_running_loop().time
    end = None if wait is None else clock() + wait
    typing: dict[Typist, bool | None] = {"bot": None, "agent": False}
    came = False
    while not await over():
        batch = await read(number)
        for number, event in batch:
            came = True
            if event is not None:
                yield _frame(event, number)
        for who, before in typing.items():
            now = any(typist.partition(":")[0] == who for typist in reader.typists)
            if before != now:
                typing[who] = now
                yield _frame(TypingEvent(typing=now, who=who))
        if len(batch) == BATCH:
            continue
        left = HEARTBEAT_SECONDS if end is None else end - clock()
        if end is not None and (came or left <= 0):
            return
        if not await reader.wait(min(left, HEARTBEAT_SECONDS)):
            yield _STILL_HERE


def _frame(event: Shown | TypingEvent, number: int | None = None) -> str:
    identifier = "" if number is None else f"id: {number}\n"
    return f"{identifier}event: {_NAMES[type(event)]}\ndata: {event.model_dump_json()}\n\n"

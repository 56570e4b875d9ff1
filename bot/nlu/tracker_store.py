"""Rasa's memory of conversations, bounded: what matters lives in Refill's database."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, Optional

from rasa.core.tracker_store import SerializedTrackerAsText, TrackerStore
from rasa.shared.core.domain import Domain
from rasa.shared.core.trackers import DialogueStateTracker


class BoundedTrackerStore(TrackerStore, SerializedTrackerAsText):
    """Keeps the trackers used last, in memory.

    Args:
        domain: Of the model.
        host: Not used; Rasa passes it to every store.
        event_broker: Told of new events, if there is one.
        limit: Trackers kept; at least 1. Sender ids are rotated, so old ones are never asked for again.
    """

    def __init__(
        self,
        domain: Domain,
        host: Optional[str] = None,
        event_broker: Any = None,
        limit: int = 2000,
        **kwargs: Any,
    ) -> None:
        if limit < 1:
            raise ValueError(f"limit must be at least 1. Currently, it is {limit}.")
        self._limit = limit
        self._trackers: OrderedDict[str, str] = OrderedDict()
        super().__init__(domain, event_broker, **kwargs)

    async def save(self, tracker: DialogueStateTracker) -> None:
        """Keep a tracker, dropping the one used longest ago when there are too many."""
        await self.stream_events(tracker)
        self._trackers[tracker.sender_id] = self.serialise_tracker(tracker)
        self._trackers.move_to_end(tracker.sender_id)
        while len(self._trackers) > self._limit:
            self._trackers.popitem(last=False)

    async def retrieve(self, sender_id: str) -> Optional[DialogueStateTracker]:
        """The tracker of a sender, or None."""
        if sender_id not in self._trackers:
            return None
        self._trackers.move_to_end(sender_id)
        return self.deserialise_tracker(sender_id, self._trackers[sender_id])

    async def delete(self, sender_id: str) -> None:
        """Forget a sender."""
        self._trackers.pop(sender_id, None)

    async def keys(self) -> list[str]:
        """The senders kept."""
        return list(self._trackers)

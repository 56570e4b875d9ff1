"""When deliveries are looked for, tried and tried again."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from bot.outbox.sender import CONNECT_SECONDS, WHOLE_SECONDS


@dataclass(frozen=True)
class Backoff:
    """How long to wait between two tries: twice as long each time, give or take a fifth.

    Attributes:
        first: Seconds after the first try.
        longest: Seconds at most.
    """

    first: float = 1.0
    longest: float = 600.0

    def seconds(self, tries: int) -> float:
        """To wait after so many tries, at least one."""
        whole = min(self.longest, self.first * 2.0 ** min(tries - 1, 60))
        return whole * random.SystemRandom().uniform(0.8, 1.2)


@dataclass(frozen=True)
class Timing:
    """Seconds; tests have shorter ones.

    Attributes:
        poll: Between two looks into the outbox, when no bell rings.
        idle: Between two looks for a first webhook.
        lease: For which a process holds what it delivers without renewing.
        connect: To connect to a receiver.
        whole: For a whole post.
        backoff: Between two tries.
    """

    poll: float = 1.0
    idle: float = 2.0
    lease: float = 30.0
    connect: float = CONNECT_SECONDS
    whole: float = WHOLE_SECONDS
    backoff: Backoff = field(default_factory=Backoff)

"""How to import, and what came of it."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

from bot.errors import KnowledgeError
from bot.knowledge.article import Audience, Topic

State = Literal["added", "updated", "published", "unchanged", "removed", "deleted", "conflict", "unread"]

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,59}")


@dataclass(frozen=True)
class Options:
    """How to import.

    Args:
        name: Of the source, the same at every import of it: lower-case letters, digits and hyphens, at most 60.
        audience: Of new articles; internal if it is not given. `public`, when given, also publishes the articles
            imported earlier.
        language: Of all documents, whatever they say; without it, theirs if they say one, else it is detected.
        topics: Of new articles whose document names none.
        overwrite: Take the source's text also where an article was edited by hand.
        prune: Delete articles whose document is gone, unless they were edited by hand.
        dry_run: Write nothing.

    Raises:
        KnowledgeError: The name breaks its rule, or there are no topics.
    """

    name: str
    audience: Audience | None = None
    language: str | None = None
    topics: tuple[Topic, ...] = ("how_to",)
    overwrite: bool = False
    prune: bool = False
    dry_run: bool = False

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise KnowledgeError(
                f"An import's name must be lower-case letters, digits and hyphens. Currently, it is {self.name!r}.",
                "Give one with --name, as in `--name crema-help`.",
            )
        if not self.topics:
            raise KnowledgeError("An import needs a topic for its articles.", f"One of {', '.join(get_args(Topic))}.")


@dataclass(frozen=True)
class Entry:
    """What became of one document; file is relative to the knowledge base."""

    state: State
    key: str
    file: str | None = None
    reason: str = ""
    remedy: str = ""


@dataclass
class Report:
    """What an import did.

    Attributes:
        entries: One per document, article that is gone, and thing that could not be read.
        lost_images: Images without an https address that were left out of added and updated articles.
        restricted: Documents that stay internal for all that `public` was asked for.
        looked_for_removed: False if something that may hold several documents could not be read.
    """

    entries: list[Entry] = field(default_factory=list)
    lost_images: int = 0
    restricted: int = 0
    looked_for_removed: bool = True

    @property
    def counts(self) -> dict[State, int]:
        """How many there are of each state."""
        found = Counter(entry.state for entry in self.entries)
        return {state: found[state] for state in get_args(State)}

    def to_json(self) -> dict[str, Any]:
        """For `refill import --json`."""
        return {
            "counts": self.counts,
            "lost_images": self.lost_images,
            "restricted": self.restricted,
            "looked_for_removed": self.looked_for_removed,
            "entries": [asdict(entry) for entry in self.entries],
        }

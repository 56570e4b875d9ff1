"""A small deterministic encoder, articles and knowledge bases for tests that need no real one."""

from __future__ import annotations

import functools
import re
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from bot.encoder.encoder import Role, TextEncoder, Vectors
from bot.knowledge.article import Article, parse_article
from bot.knowledge.build import Built, ensure_index
from bot.knowledge.calibration import FEATURES, Calibration
from bot.knowledge.centring import Centres
from bot.knowledge.index import Index, Shelf, embed, texts_of
from bot.knowledge.retriever import Mix
from bot.settings import Settings, load_settings

DIMENSIONS = 256
FRONT_MATTER = {
    "id": "refund-a-sale",
    "title": "Refund a sale",
    "language": "en",
    "audience": "public",
    "topics": "[how_to]",
    "questions": '["How do I give money back?"]',
    "updated": "2026-10-12",
}
OFF_TOPIC = tuple(
    f"{verb} {noun}"
    for verb in ("tell me about", "who invented", "sing of", "draw")
    for noun in ("the moon", "whales in winter", "football scores", "old castles", "volcanoes", "jazz")
)


@functools.cache
def _word(word: str) -> Vectors:
    """A direction of its own for a word, the same each time."""
    direction: Vectors = np.random.default_rng(zlib.crc32(word.encode())).normal(size=DIMENSIONS).astype(np.float32)
    return direction


class WordEncoder:
    """Bag of words as unit vectors: texts that share words are near. Keeps the texts it was given."""

    parts = (DIMENSIONS,)

    def __init__(self, fingerprint: str = "words") -> None:
        self._fingerprint = fingerprint
        self.encoded: list[str] = []

    @property
    def fingerprint(self) -> str:
        """Names the model."""
        return self._fingerprint

    def encode(self, texts: Sequence[str], role: Role, progress: Callable[[int], None] | None = None) -> Vectors:
        """Unit vectors of shape (len(texts), DIMENSIONS)."""
        self.encoded.extend(texts)
        if progress:
            progress(len(texts))
        if not texts:
            return np.zeros((0, 0), dtype=np.float32)
        return np.stack([self._vector(text) for text in texts])

    @staticmethod
    def _vector(text: str) -> Vectors:
        vector = np.sum([_word(word) for word in re.findall(r"\w+", text.lower()) or ["\0"]], axis=0)
        result: Vectors = vector / np.linalg.norm(vector)
        return result


def article_text(body: str = "Open **Sales** and touch **Refund**.", /, **changes: str | None) -> str:
    """The text of an article's file; a key set to None is left out."""
    keys = {**FRONT_MATTER, **changes}
    lines = [f"{key}: {value}" for key, value in keys.items() if value is not None]
    return "\n".join(["---", *lines, "---", "", body, ""])


def article(identifier: str, body: str = "Open **Sales** and touch **Refund**.", /, **changes: str | None) -> Article:
    """An article with an id and what else is to be different."""
    return parse_article(article_text(body, id=identifier, **changes), Path(f"{identifier}.md"))


def write(root: Path, place: str, text: str | bytes) -> Path:
    """Write a file below `root/knowledge_base`."""
    file = root / "knowledge_base" / place
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8"))
    return file


def put(root: Path, identifier: str, body: str = "Open **Sales**.", /, **changes: str | None) -> Path:
    """Write an article where its audience and language belong."""
    place = f"{changes.get('audience', 'public')}/{changes.get('language', 'en')}/{identifier}.md"
    return write(root, place, article_text(body, id=identifier, **changes))


def project(root: Path, off_topic: Sequence[str] = OFF_TOPIC) -> Settings:
    """Settings of a project at root, with the bot's off-topic examples."""
    file = root / "data" / "nlu" / "out_of_scope.yml"
    file.parent.mkdir(parents=True, exist_ok=True)
    lines = "".join(f"    - {text}\n" for text in off_topic)
    file.write_text(f'version: "3.1"\nnlu:\n- intent: out_of_scope\n  examples: |\n{lines}', "utf-8")
    return load_settings(root, environ={})


def build(root: Path, encoder: TextEncoder | None = None) -> Built:
    """The index of the project at root."""
    return ensure_index(project(root), encoder or WordEncoder())


def by_question_score(answer_at: float = 0.9, clarify_at: float = 0.3) -> Calibration:
    """Probabilities read off the question score alone: even odds for the top at 0.9, for the choices at 0.5."""
    rest = (0.0,) * (FEATURES - 2)
    return Calibration(
        mix=Mix(0.5, 0.0),
        mean=(0.0,) * FEATURES,
        scale=(1.0,) * FEATURES,
        top=(0.0, 40.0, *rest, -36.0),
        among=(0.0, 40.0, *rest, -20.0),
        # The second question is not answered, and so tells from where on choices are offered.
        points=((answer_at, 1.0, 1.0), (0.0, 0.0, 1.0)),
        among_points=((1.0, 1.0, 1.0), (clarify_at, float(clarify_at <= 1), 1.0)),
    )


def shelf_of(*articles: Article) -> Shelf:
    """A shelf of articles, not centred, with WordEncoder's vectors."""
    return embed(texts_of(articles), WordEncoder()).shelf(Centres({}))


def index_of(*articles: Article, calibration: Calibration | None = None) -> Index:
    """An index of articles, not centred, with WordEncoder's vectors and no classifier."""
    made = calibration or by_question_score()
    return Index(
        {
            "public": shelf_of(*(one for one in articles if one.audience == "public")),
            "internal": shelf_of(*(one for one in articles if one.audience == "internal")),
        },
        Centres({}),
        {"public": made.to_json(), "internal": made.to_json()},
        {"public": None, "internal": None},
        "build-made",
    )

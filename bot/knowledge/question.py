"""How a message asks: in few words that lean on the question before, or two things at once."""

from __future__ import annotations

import re
from dataclasses import dataclass

from bot.language import script_language


@dataclass(frozen=True)
class _Manner:
    """How a language leans on what was said, and joins questions.

    Attributes:
        leans: Openings and endings of a question that goes on from another.
        joins: What stands between two questions in one sentence.
        unit: What its length is counted in.
        short: A question of at most so many units says too little by itself.
        leaning: One that opens or ends so may have as many as this.
        least: Fewest units of a part that is a question of its own.
    """

    leans: re.Pattern[str]
    joins: re.Pattern[str]
    unit: re.Pattern[str]
    short: int
    leaning: int
    least: int


_WORD = re.compile(r"\w+")
_CHARACTER = re.compile(r"\w")
# English and Turkish share a script and, here, a table: a short text does not tell them apart.
_LATIN = _Manner(
    leans=re.compile(
        r"^(and|but|or|also|then|so|what about|how about|what if|same|peki|ya|ve|ama|bir de|ayrıca)\b|"
        r"\b(too|as well|instead|de|da|için de|ise)\s*(mi|mı|mu|mü)?\W*$",
        re.IGNORECASE,
    ),
    joins=re.compile(
        r"[,;]?\s+(?:and also|and (?=how|what|where|when|can|do|does|is|why|which|who)|also,? |oh and|plus,? |"
        r"ayrıca|bir de|ve (?=nasıl|ne|nerede|kaç|hangi|neden)|peki)\s*",
        re.IGNORECASE,
    ),
    unit=_WORD,
    short=4,
    leaning=10,
    least=3,
)
_CHINESE = _Manner(
    leans=re.compile(r"^(那|那么|还有|如果|要是|换成)|呢\W*$"),
    joins=re.compile(r"[，,；;]?\s*(?:另外|还有|顺便问一下|再问一下|以及)[，,]?\s*"),
    unit=_CHARACTER,
    short=7,
    leaning=16,
    least=4,
)
_THAI = _Manner(
    leans=re.compile(r"^(แล้ว|ถ้า|และ|ส่วน)|(ล่ะ|ละ|ด้วยไหม|ด้วยมั้ย)\s*(ครับ|คะ|ค่ะ)?\W*$"),
    joins=re.compile(r"\s+(?:แล้วก็|และก็|อีกอย่าง|อีกเรื่อง|และ|แล้ว)\s*"),
    unit=_CHARACTER,
    short=16,
    leaning=45,
    least=8,
)
_STOPS = re.compile(r"(?<=[.?!。？！；\n])\s*")
_MOST_PARTS = 3


def _manner(text: str) -> _Manner:
    return {"zh": _CHINESE, "th": _THAI}.get(script_language(text) or "", _LATIN)


def leans(text: str) -> bool:
    """Whether a question says too little by itself: "and on the tablet?", "on the tablet"."""
    manner = _manner(text)
    return len(manner.unit.findall(text)) <= manner.short or goes_on(text)


def goes_on(text: str) -> bool:
    """Whether its first or last words say that it goes on from the question before: "and on the tablet?"."""
    manner = _manner(text)
    return len(manner.unit.findall(text)) <= manner.leaning and bool(manner.leans.search(text.strip()))


def parts(text: str) -> list[str]:
    """The questions a message may be made of, at most three; one, the whole, where nothing separates them."""
    manner = _manner(text)
    pieces = [piece.strip() for stop in _STOPS.split(text) for piece in manner.joins.split(stop)]
    questions = [piece for piece in pieces if len(manner.unit.findall(piece)) >= manner.least]
    return questions if 2 <= len(questions) <= _MOST_PARTS else [text]

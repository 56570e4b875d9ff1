"""Cut a message into sentences and clauses, by their places in the text."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc

# Shorter ones belong to their neighbour: "OK.", "Hi!"; a Chinese or Thai character says more than a Latin one.
_SHORTEST = {"zh": 4, "th": 10}
_SHORTEST_LATIN = 12
# Thai writes no full stop. A space ends a sentence or clause once enough was said.
_THAI_SENTENCE = 45
_ENDS = "!.?…。！？｡\n"
_CLAUSE = {
    "en": r"\s+(?=(?:but|and|because|also|although|though|while|since|so|plus|btw|otherwise|unless|if)\b)",
    "tr": r"\s+(?=(?:ama|ve|çünkü|cunku|fakat|ancak|ayrıca|ayrica|yoksa|hem|üstelik|bir de)\b)",
    "zh": r"(?=但是|不过|而且|另外|顺便|因为|所以|如果|還有|还有|另外)",
    # "since" ends in the word for "but".
    "th": r"\s+|(?<!ตั้ง)(?=แต่)|(?=เพราะ|ถ้า|แล้วก็|อีกอย่าง)",
}
_PAUSE = r"\s*[,;:–—，；、：()（）]+\s*|\s+-+\s+|\s*\.{2,}\s*|\n+"


@dataclass(frozen=True)
class Span:
    """A stretch of a text: from start to end, in characters."""

    start: int
    end: int


@functools.lru_cache(maxsize=4)
def _pipeline(language: str) -> Language:
    import spacy
    from spacy.language import Language

    if language != "th":
        pipeline = spacy.blank(language)
        pipeline.add_pipe("sentencizer", config={"punct_chars": list(_ENDS)})
        return pipeline
    # spaCy has no Thai sentences: boundaries are set at spaces, with the tokenizer that cuts there.
    if not Language.has_factory("thai_sentences"):
        Language.component("thai_sentences", func=_thai_sentences)
    pipeline = spacy.blank("xx")
    pipeline.add_pipe("thai_sentences")
    return pipeline


def _thai_sentences(doc: Doc) -> Doc:
    begin = 0
    for token in doc:
        before = doc.text[begin : token.idx]
        ended = before.rstrip(" ").endswith(tuple(_ENDS)) or ("\n" in before[-2:])
        enough = len(before.strip()) >= _THAI_SENTENCE and before.endswith(" ")
        token.is_sent_start = token.i == 0 or ended or enough
        if token.is_sent_start:
            begin = token.idx
    return doc


def sentences(text: str, language: str) -> list[Span]:
    """Sentences of a text, in order, without the space around them; none of an empty text."""
    doc = _pipeline(language)(text)
    found = (_strip(text, sentence.start_char, sentence.end_char) for sentence in doc.sents)
    return [span for span in found if span.start < span.end]


def clauses(text: str, sentence: Span, language: str) -> list[Span]:
    """Clauses of a sentence, in order: what stands between pauses and conjunctions."""
    cuts = [sentence.start]
    found = []
    for match in re.finditer(f"{_PAUSE}|{_CLAUSE[language]}", text[sentence.start : sentence.end], re.IGNORECASE):
        found.append(_strip(text, cuts[-1], sentence.start + match.start()))
        cuts.append(sentence.start + match.end())
    found.append(_strip(text, cuts[-1], sentence.end))
    return _merge(text, found, language)


def _strip(text: str, start: int, end: int) -> Span:
    part = text[start:end]
    return Span(start + len(part) - len(part.lstrip()), end - len(part) + len(part.rstrip()))


def _merge(text: str, spans: list[Span], language: str) -> list[Span]:
    """Spans in which one that is too short is joined to the one before it, or after it at the beginning."""
    shortest = _SHORTEST.get(language, _SHORTEST_LATIN)
    merged: list[Span] = []
    for span in spans:
        if span.end <= span.start:
            continue
        if merged and (span.end - span.start < shortest or merged[-1].end - merged[-1].start < shortest):
            merged[-1] = Span(merged[-1].start, span.end)
        else:
            merged.append(span)
    return merged

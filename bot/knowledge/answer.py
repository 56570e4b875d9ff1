"""The decision: answer with a passage, clarify with choices, or hand off."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from bot.encoder.encoder import TextEncoder, for_retrieval
from bot.knowledge.article import Article, Audience
from bot.knowledge.calibration import CHOICES, Calibration, threshold, told_by
from bot.knowledge.images import Image, Images, link_images
from bot.knowledge.index import Index, Shelf
from bot.knowledge.keywords import terms
from bot.knowledge.question import goes_on, leans, parts
from bot.knowledge.render import link_articles
from bot.knowledge.retriever import Candidate, Query, chunk_scores, rank
from bot.language import detect

Decision = Literal["answer", "clarify", "hand_off"]

OPENING_CHARACTERS = 500
# A part of a message must be about one of as many subjects as this that the whole is about.
_ABOUT = 6
# The opening answers alone where it is better than every section by this much.
_CLEARLY = 0.05


@dataclass(frozen=True)
class Citation:
    """Where a passage stands."""

    article_id: str
    title: str
    url: str
    language: str


@dataclass(frozen=True)
class Alternative:
    """An article the question may have meant."""

    article_id: str
    title: str
    language: str


@dataclass(frozen=True)
class Answer:
    """What to do with a question, and why.

    Attributes:
        decision: `answer`, `clarify` or `hand_off`.
        confidence: Probability that the top article answers the question.
        article_id: The top article; None if nothing was found.
        language: Of the answer's text; None without one.
        answer: The passage as Markdown; None unless the decision is `answer`.
        citations: Where the passage stands.
        alternatives: For `clarify`, up to three articles to choose from, the most probable first.
    """

    decision: Decision
    confidence: float
    article_id: str | None
    language: str | None
    answer: str | None
    citations: tuple[Citation, ...]
    alternatives: tuple[Alternative, ...]

    def to_json(self) -> dict[str, Any]:
        """A form for JSON."""
        return asdict(self)


# Nothing was found.
NO_ANSWER = Answer("hand_off", 0.0, None, None, None, (), ())


@dataclass(frozen=True)
class _Found:
    """A question, the subjects found for it, and the probabilities that the first, or one of the first, is right."""

    query: Query
    candidates: list[Candidate]
    top: float
    among: float


class _View:
    """What one audience may see, by id and by subject, and what is fitted on that."""

    def __init__(self, audience: Audience, index: Index, answer_precision: float, clarify_coverage: float) -> None:
        self.audience = audience
        self.shelves = index.for_audience(audience)
        self.calibration = Calibration.from_json(index.calibration[audience])
        self.head = index.heads[audience]
        points, among_points = self.calibration.points, self.calibration.among_points
        self.answer_at, self.clarify_at = answer_precision, clarify_coverage
        if points:
            self.answer_at = threshold(points, answer_precision)
            # Choices are offered where there is no answer: only there it counts how often one of them is right.
            fitted = zip(points, among_points, strict=True)
            self.clarify_at = threshold([among for top, among in fitted if top[0] < self.answer_at], clarify_coverage)
        self.by_id: dict[str, tuple[Shelf, Article]] = {}
        self.by_subject: dict[str, dict[str, Article]] = {}
        for shelf in self.shelves:
            for article in shelf.articles:
                self.by_id[article.id] = (shelf, article)
                self.by_subject.setdefault(article.subject, {})[article.language] = article

    def article(self, subject: str, language: str | None) -> Article:
        """The subject's article in the language wanted, else its original."""
        return self.by_subject[subject].get(language or "") or self.by_id[subject][1]


class Answerer:
    """Answers questions from an index.

    Args:
        index: To search.
        encoder: The one the index was built with.
        answer_precision: Share of answers that must be right, between 0 and 1.
        clarify_coverage: Least probability that the right article is among the choices, between 0 and 1.
        base_url: Put before `/help/<id>` in links.
        images: Of the knowledge base; without it, articles show the words for them.

    Attributes:
        build: Names the index.
    """

    def __init__(
        self,
        index: Index,
        encoder: TextEncoder,
        answer_precision: float = 0.95,
        clarify_coverage: float = 0.8,
        base_url: str = "",
        images: Images | None = None,
    ) -> None:
        self.build = index.build
        self._encoder = for_retrieval(encoder)
        self._centres = index.centres
        self._views = {
            audience: _View(audience, index, answer_precision, clarify_coverage) for audience in get_args(Audience)
        }
        self._base_url = base_url.rstrip("/")
        self._images = images

    def thresholds(self, audience: Audience = "public") -> tuple[float, float]:
        """Probabilities from which on it answers and clarifies."""
        view = self._views[audience]
        return view.answer_at, view.clarify_at

    def decide(
        self, question: str, audience: Audience = "public", language: str | None = None, before: str | None = None
    ) -> Answer:
        """Decide what to do with a question.

        Args:
            question: As the person wrote it.
            audience: Who asks; only what they may see is searched.
            language: The person's language, preferred for the answer; default: that of the question.
            before: The person's question before this one; one that leans on it is understood with it.
        """
        view = self._views[audience]
        found = self._found(view, question, language)
        if found is None:
            return NO_ANSWER
        language = language or found.query.language
        if before and found.top < view.answer_at and leans(question):
            together = self._found(view, f"{before}\n{question}", language)
            if together is not None and together.top > found.top and self._adds(view, question, before, together):
                found = together
        elif (both := self._in_parts(view, question, language, found)) is not None:
            return both
        choices = [view.article(candidate.subject, language) for candidate in found.candidates[:CHOICES]]
        if found.top >= view.answer_at:
            return self._answered(view, choices[0], found.query, found.top)
        if found.among >= view.clarify_at:
            alternatives = tuple(Alternative(a.id, a.title, a.language) for a in choices)
            return Answer("clarify", found.top, choices[0].id, None, None, (), alternatives)
        return Answer("hand_off", found.top, choices[0].id, None, None, (), ())

    def _found(self, view: _View, question: str, language: str | None) -> _Found | None:
        """What an audience may see that may answer a question; None if there is nothing."""
        query = self._query(view, question, language)
        candidates = rank(view.shelves, query, view.calibration.mix) if query else []
        if query is None or not candidates:
            return None
        return _Found(query, candidates, *view.calibration.probabilities(candidates))

    def _adds(self, view: _View, question: str, before: str, together: _Found) -> bool:
        """Whether a question changes what is found for the one before; a word alone may be about something new."""
        if goes_on(question):
            return True
        earlier = self._found(view, before, None)
        return earlier is None or earlier.candidates[0].subject != together.candidates[0].subject

    def _in_parts(self, view: _View, question: str, language: str | None, whole: _Found) -> Answer | None:
        """The answers to a message that asks two things; None unless each is sure and the whole is about both."""
        asked = parts(question)
        if len(asked) < 2:
            return None
        about = {candidate.subject for candidate in whole.candidates[:_ABOUT]}
        sure: dict[str, _Found] = {}
        for part in asked:
            found = self._found(view, part, language)
            if found is not None and found.top >= view.answer_at and found.candidates[0].subject in about:
                sure.setdefault(found.candidates[0].subject, found)
        if len(sure) < 2:
            return None
        answers = [
            self._answered(view, view.article(subject, language), found.query, found.top, brief=True)
            for subject, found in sure.items()
        ]
        text = "\n\n".join(f"**{answer.citations[0].title}**\n\n{answer.answer}" for answer in answers)
        citations = tuple(citation for answer in answers for citation in answer.citations)
        confidence = min(answer.confidence for answer in answers)
        return Answer("answer", confidence, answers[0].article_id, answers[0].language, text, citations, ())

    def rank(
        self, question: str, audience: Audience = "public", language: str | None = None
    ) -> list[tuple[Article, float]]:
        """Articles with their scores, best first, one for each subject; none for an empty question."""
        view = self._views[audience]
        found = self._found(view, question, language)
        candidates = found.candidates if found else []
        return [(view.article(candidate.subject, language), candidate.score) for candidate in candidates]

    def likely(
        self, question: str, audience: Audience = "public", language: str | None = None, count: int = CHOICES
    ) -> list[tuple[Article, float]]:
        """Articles with the probability that they answer a question, best first, one for each subject.

        Args:
            question: As the person wrote it; an empty one finds nothing.
            audience: Whose articles are searched.
            language: Preferred for the articles.
            count: So many at most.
        """
        view = self._views[audience]
        found = self._found(view, question, language)
        if found is None:
            return []
        ranked = found.candidates
        likely = []
        for place, candidate in enumerate(ranked[:count]):
            # Each is judged as if it stood first.
            top, _ = view.calibration.probabilities([candidate, *ranked[:place], *ranked[place + 1 :]])
            likely.append((view.article(candidate.subject, language or found.query.language), min(top, found.top)))
        return likely

    def article_answer(self, article_id: str, question: str = "", audience: Audience = "public") -> Answer | None:
        """The passage of an article that was chosen by name; None if the audience has no such article."""
        article = self.find(article_id, audience)
        if article is None:
            return None
        view = self._views[audience]
        query = self._query(view, question, article.language) or self._query(view, article.title, article.language)
        return self._answered(view, article, query, 1.0) if query else None

    def find(self, article_id: str, audience: Audience = "public") -> Article | None:
        """An article the audience may see, by id."""
        found = self._views[audience].by_id.get(article_id)
        return found[1] if found else None

    def articles(self, audience: Audience = "public") -> list[Article]:
        """Every article the audience may see, by language and title."""
        found = [article for _, article in self._views[audience].by_id.values()]
        return sorted(found, key=lambda article: (article.language, article.title))

    def link(self, article: Article) -> str:
        """The article's own address, or its page in the help centre; internal articles have only their own."""
        if article.url:
            return str(article.url)
        return f"{self._base_url}/help/{article.id}" if article.audience == "public" else ""

    def with_links(self, markdown: str, article: Article, audience: Audience) -> str:
        """Text of an article with its links to other articles, in the article's language, and images made good.

        Internal articles' images are nowhere to be had: their text shows what is in them.
        """
        view = self._views[audience]

        def resolve(slug: str) -> str | None:
            if slug not in view.by_subject:
                return None
            return self.link(view.article(slug, article.language)) or None

        def image(name: str) -> Image | None:
            return self.image(name) if article.audience == "public" else None

        return link_articles(link_images(markdown, image), resolve)

    def image(self, name: str) -> Image | None:
        """A public image by its file's name; None if there is none, or only an internal one."""
        return self._images.find(name, "public") if self._images else None

    def _query(self, view: _View, question: str, language: str | None) -> Query | None:
        """A question as it is searched for; None for an empty one."""
        text = question.strip()
        if not text:
            return None
        detected = detect(text, language)
        vector = self._centres.apply(self._encoder.encode([text], "query"), [detected], "query")[0]
        parts = self._centres.parts or (len(vector),)
        return Query(vector, parts, detected, tuple(terms(text)), told_by(view.head, vector))

    def _answered(self, view: _View, article: Article, query: Query, confidence: float, brief: bool = False) -> Answer:
        shelf = view.by_id[article.id][0]
        citation = Citation(article.id, article.title, self.link(article), article.language)
        passage = self.with_links(_passage(shelf, article, query, brief), article, view.audience)
        return Answer("answer", confidence, article.id, article.language, passage, (citation,), ())


def _passage(shelf: Shelf, article: Article, query: Query, brief: bool) -> str:
    """The section nearest to the question, after the opening where that is short: it says the answer in brief."""
    scored = chunk_scores(shelf, article, query)
    opening = scored[0][0]
    sections = scored[1:] if not opening.heading and len(opening.text) <= OPENING_CHARACTERS else scored
    best, score = max(sections or scored, key=lambda pair: pair[1])
    if sections is not scored and (brief or scored[0][1] >= score + _CLEARLY):
        return opening.text
    heading = f"**{best.heading}**\n\n" if best.heading else ""
    section = heading + best.text
    return section if best is opening or sections is scored else f"{opening.text}\n\n{section}"

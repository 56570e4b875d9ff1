"""What an article says to a customer's message, for the person who answers it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.errors import InvalidInput
from bot.knowledge.answer import Answerer, Citation
from bot.knowledge.article import Audience

MOST = 3
# Less probable ones only distract.
_LEAST = 0.1


@dataclass(frozen=True)
class Suggestion:
    """A passage that may answer.

    Attributes:
        audience: `internal` ones must never be sent to a customer as they are.
        probability: That the article answers.
        passage: Markdown; in a public one, links lead to public articles only.
        url: Of the article; empty where it has none.
    """

    article_id: str
    title: str
    language: str
    audience: Audience
    probability: float
    passage: str
    url: str


def suggest(text: str, language: str, answerer: Answerer) -> list[Suggestion]:
    """Passages of public and internal articles, the most probable first.

    Args:
        text: What the customer wrote.
        language: Of the conversation, preferred for the articles.
        answerer: In force.
    """
    found = []
    for article, probability in answerer.likely(text, "internal", language, MOST):
        # Seen through its own audience: a public passage must not name what is internal.
        answer = answerer.article_answer(article.id, text, article.audience)
        if probability >= _LEAST and answer is not None and answer.answer is not None:
            found.append(
                Suggestion(
                    article.id,
                    article.title,
                    article.language,
                    article.audience,
                    probability,
                    answer.answer,
                    answerer.link(article),
                )
            )
    return found


def public_citations(answerer: Answerer, ids: Sequence[str]) -> list[Citation]:
    """Citations to go with a reply to a customer.

    Args:
        answerer: In force.
        ids: Of public articles.

    Raises:
        InvalidInput: There is no public article with such an id.
    """
    found = []
    for one in dict.fromkeys(ids):
        article = answerer.find(one, "public")
        if article is None:
            raise InvalidInput(
                f"There is no public article {one!r}.", "Only public articles can be cited.", rule="article_not_public"
            )
        found.append(Citation(article.id, article.title, answerer.link(article), article.language))
    return found

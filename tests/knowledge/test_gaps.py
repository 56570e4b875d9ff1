"""Questions without a good answer: put together by meaning, whatever their order, and judged."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Sequence

import numpy as np
import pytest

from bot.encoder.encoder import Encoder, Vectors, for_retrieval
from bot.knowledge.answer import Answerer
from bot.knowledge.build import ensure_index
from bot.knowledge.centring import Centres
from bot.knowledge.gaps import (
    ASKS_AGAIN,
    STANDARD_NEAR,
    Gap,
    Kind,
    Nearest,
    Question,
    Reason,
    Verdict,
    asks_again,
    assess,
    cluster,
    f_score,
    find_gaps,
    fit_near,
)
from bot.language import detect
from bot.settings import Settings
from tests.knowledge.fakes import WordEncoder, article, index_of

MOMENT = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
MILK = ("can i order oat milk", "oat milk order", "order oat milk please")
CHAIRS = ("rent chairs", "where to rent chairs")


def question(
    text: str,
    conversation: str = "a",
    *,
    language: str = "en",
    reason: Reason = "no_answer",
    minute: int = 0,
    article_id: str | None = None,
    confidence: float = 0.0,
) -> Question:
    """A question that went without a good answer."""
    moment = MOMENT + dt.timedelta(minutes=minute)
    return Question(text, language, reason, conversation, moment, article_id, confidence)


def found(questions: Sequence[Question], near: float = 0.5) -> list[Gap]:
    """Their gaps, with vectors of words."""
    return find_gaps(questions, WordEncoder().encode([q.text for q in questions], "query"), near)


def made(size: int, subjects: int, seed: int = 0, noise: float = 0.6) -> tuple[Vectors, np.ndarray]:
    """Unit vectors around so many directions, and which of them each belongs to."""
    random_numbers = np.random.default_rng(seed)
    centres = random_numbers.normal(size=(subjects, 64))
    truth = random_numbers.integers(0, subjects, size)
    vectors = centres[truth] + noise * random_numbers.normal(size=(size, 64))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float32), truth


def test_nothing() -> None:
    assert find_gaps([], np.zeros((0, 0), np.float32)) == []


def test_one_question() -> None:
    one = question("oat milk")
    assert found([one]) == [Gap((one,))]


def test_questions_that_ask_the_same_are_one_gap() -> None:
    gaps = found([question(text, text) for text in (*CHAIRS, *MILK)])
    assert [{q.text for q in gap.questions} for gap in gaps] == [set(MILK), set(CHAIRS)]


def test_most_conversations_come_first_then_most_questions_then_the_newest() -> None:
    insistent = [question("rent chairs", "angry", minute=minute) for minute in range(9)]
    two = [question("oat milk", "b"), question("oat milk", "c")]
    older, newer = question("parking", "d", minute=1), question("opening hours", "e", minute=2)
    gaps = found([older, newer, *insistent, *two])
    assert [gap.questions[0].text for gap in gaps] == ["oat milk", "rent chairs", "opening hours", "parking"]
    assert [(gap.conversations, len(gap.questions)) for gap in gaps] == [(2, 2), (1, 9), (1, 1), (1, 1)]


def test_same_words_are_always_together() -> None:
    (gap,) = found([question("Oat  milk?", "a"), question("oat milk?", "b"), question("OAT MILK?", "c")], 0.999)
    assert len(gap.questions) == 3
    assert len(gap.wordings) == 1


@pytest.mark.parametrize("seed", range(8))
def test_order_does_not_matter(seed: int) -> None:
    vectors, _ = made(300, 12, seed)
    languages = ("en", "zh", "tr", "th")
    rows = [
        question(f"text {row % 250}", f"conversation {row % 40}", language=languages[row % 4], minute=row % 7)
        for row in range(300)
    ]
    rows = [rows[row % 250] if row >= 250 else rows[row] for row in range(300)]
    vectors = vectors[[row % 250 for row in range(300)]]
    order = list(range(300))
    random.Random(seed).shuffle(order)
    assert find_gaps([rows[i] for i in order], vectors[order], 0.4) == find_gaps(rows, vectors, 0.4)


@pytest.mark.parametrize("seed", range(8))
def test_every_question_is_in_one_gap(seed: int) -> None:
    vectors, _ = made(200, 10, seed, noise=1.5)
    rows = [question(f"text {row}", f"{row}") for row in range(200)]
    gaps = find_gaps(rows, vectors, 0.4)
    assert sorted(q.text for gap in gaps for q in gap.questions) == sorted(q.text for q in rows)


@pytest.mark.parametrize("noise", [0.2, 0.5])
def test_clear_subjects_are_found_exactly(noise: float) -> None:
    vectors, truth = made(1000, 15, noise=noise)
    assert f_score(cluster(vectors, np.ones(1000, np.int64), 0.5), truth) == 1.0


def test_a_text_asked_often_leads() -> None:
    """Weights count: the frequent one takes its neighbour, not the other way round."""
    angles = np.deg2rad([0.0, 50.0, 100.0])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    near = float(np.cos(np.deg2rad(55)))
    heavy_first = cluster(vectors, np.array([100, 1, 1]), near)
    heavy_last = cluster(vectors, np.array([1, 1, 100]), near)
    assert heavy_first[0] == heavy_first[1] != heavy_first[2]
    assert heavy_last[0] != heavy_last[1] == heavy_last[2]


@pytest.mark.slow
def test_many_questions() -> None:
    vectors, truth = made(20_000, 2_000, noise=0.4)
    assert f_score(cluster(vectors, np.ones(20_000, np.int64), 0.7), truth) > 0.95


def test_vectors_must_match() -> None:
    with pytest.raises(ValueError, match=r"for each question: 1\. There are 2\."):
        find_gaps([question("x")], np.ones((2, 4), np.float32))


@pytest.mark.parametrize("near", [0.0, 1.0, -0.5, float("nan")])
def test_near_is_a_cosine(near: float) -> None:
    with pytest.raises(ValueError, match="near must be between 0 and 1"):
        found([question("x")], near)


def test_what_a_gap_tells() -> None:
    gap = Gap(
        (
            question("oat milk", "a", minute=5),
            question("oat milk ", "b", minute=1),
            question("milk from oats", "b", reason="thumb_down", minute=9),
            question("yulaf sütü", "c", language="tr", minute=3),
            question("OAT MILK", "c", language="tr", minute=3),
        )
    )
    assert gap.conversations == 3
    assert gap.languages == ("en", "tr")
    assert gap.reasons == {"no_answer": 4, "thumb_down": 1}
    assert ((gap.first - MOMENT).seconds, (gap.last - MOMENT).seconds) == (60, 540)
    assert [q.text for q in gap.wordings] == ["oat milk", "milk from oats", "yulaf sütü"]
    assert [q.text for q in gap.examples] == ["oat milk", "yulaf sütü", "milk from oats"]


def test_f_score() -> None:
    truth = np.array([0, 0, 1, 1])
    assert f_score(np.array([5, 5, 9, 9]), truth) == 1.0
    # One heap: everything that belongs together is, half of it should not be.
    assert f_score(np.zeros(4, np.int64), truth, beta=1.0) == pytest.approx(2 / 3)
    assert f_score(np.arange(4), truth, beta=1.0) == pytest.approx(2 / 3)
    assert f_score(np.arange(4), truth, beta=0.5) > f_score(np.zeros(4, np.int64), truth, beta=0.5)


def test_near_is_fitted_on_the_knowledge_base() -> None:
    words = ["milk", "chairs", "printer", "refund", "stamp", "invoice", "tax", "tip", "table", "menu", "drawer", "pin"]
    articles = [
        article(word, title=f"{word} {word}", questions=f'["{word} how", "{word} why", "{word} where now please"]')
        for word in words
    ]
    shelves = index_of(*articles).for_audience("public")
    vectors = shelves[0].questions.reconstruct_n(0, shelves[0].questions.ntotal)
    truth = np.array([owner for owner, _ in shelves[0].question_texts])
    scores = {near: f_score(cluster(vectors, np.ones(len(truth), np.int64), near), truth) for near in (0.3, 0.4, 0.6)}
    assert scores[0.6] > scores[0.4] > scores[0.3]
    assert fit_near(shelves) == 0.6


def test_near_of_a_small_knowledge_base() -> None:
    assert fit_near(index_of(article("one"), article("two")).for_audience("public")) == STANDARD_NEAR
    assert fit_near(()) == STANDARD_NEAR


# What kind of gap


def judged(*answers: Nearest, reason: Reason = "no_answer") -> Verdict:
    """The verdict on a gap of as many wordings as there are answers."""
    gap = Gap(tuple(question(f"text {number}", reason=reason) for number in range(len(answers))))
    by_text = {f"text {number}": answer for number, answer in enumerate(answers)}
    return assess(gap, lambda text, language: by_text[text])


@pytest.mark.parametrize(
    ("answers", "kind", "article_id", "probability"),
    [
        ([Nearest(None, 0.0, False)], "no_article", None, 0.0),
        ([Nearest("a", 0.2, False)], "no_article", "a", 0.2),
        ([Nearest("a", 0.6, False)], "not_found", "a", 0.6),
        ([Nearest("a", 0.95, True)], "answered_by_now", "a", 0.95),
        ([Nearest("a", 0.9, True), Nearest("b", 0.3, False)], "no_article", "a", 0.45),
        ([Nearest("a", 0.6, False), Nearest("a", 0.6, False), Nearest("b", 0.1, False)], "no_article", "a", 0.4),
        ([Nearest("a", 0.8, True), Nearest("a", 0.8, True), Nearest("b", 0.3, False)], "answered_by_now", "a", 1.6 / 3),
    ],
)
def test_kind_of_a_gap_without_an_answer(
    answers: list[Nearest], kind: Kind, article_id: str | None, probability: float
) -> None:
    verdict = judged(*answers)
    assert (verdict.kind, verdict.article_id) == (kind, article_id)
    assert verdict.probability == pytest.approx(probability)


def test_article_that_did_not_help() -> None:
    bad: list[Reason] = ["thumb_down", "did_not_help", "handed_off", "rephrased"]
    rows = [question(reason, reason=reason, article_id="refunds", confidence=0.9) for reason in bad]
    rows += [question("x", reason="thumb_down", article_id="other", confidence=0.2), question("y")]

    def never(text: str, language: str) -> Nearest:
        raise AssertionError("the article that answered is known")

    verdict = assess(Gap(tuple(rows)), never)
    assert (verdict.kind, verdict.article_id) == ("not_helpful", "refunds")
    assert verdict.probability == pytest.approx(0.9)


def test_only_some_wordings_are_asked_again() -> None:
    asked: list[str] = []

    def nearest(text: str, language: str) -> Nearest:
        asked.append(text)
        return Nearest("a", 0.1, False)

    assess(Gap(tuple(question(f"text {number}") for number in range(50))), nearest)
    assert asked == [f"text {number}" for number in range(5)]


# With the real encoder

SAME = {
    "wholesale beans": (
        ("en", "Do you sell coffee beans wholesale?"),
        ("tr", "Toptan kahve çekirdeği satıyor musunuz?"),
        ("zh", "你们批发咖啡豆吗？"),
        ("th", "ขายเมล็ดกาแฟแบบขายส่งไหม"),
    ),
    "crypto": (
        ("en", "Can my guests pay with bitcoin?"),
        ("tr", "Müşterilerim bitcoin ile ödeyebilir mi?"),
        ("zh", "客人可以用比特币付款吗？"),
        ("th", "ลูกค้าจ่ายด้วยบิตคอยน์ได้ไหม"),
    ),
    "drone": (
        ("en", "Can a drone deliver our orders?"),
        ("tr", "Siparişlerimizi drone ile teslim edebilir misiniz?"),
        ("zh", "可以用无人机送我们的订单吗？"),
        ("th", "ใช้โดรนส่งออเดอร์ได้ไหม"),
    ),
}


@pytest.fixture(scope="module")
def near_and_centres(settings: Settings, encoder: Encoder, answerer: Answerer) -> tuple[float, Centres]:
    """Of the shipped knowledge base, which `answerer` has indexed."""
    index = ensure_index(settings, encoder).index
    return fit_near(index.for_audience("public")), index.centres


@pytest.mark.encoder
def test_languages_come_together(encoder: Encoder, near_and_centres: tuple[float, Centres]) -> None:
    near, centres = near_and_centres
    rows = [question(text, text, language=language) for same in SAME.values() for language, text in same]
    encoded = for_retrieval(encoder).encode([q.text for q in rows], "query")
    vectors = centres.apply(encoded, [q.language for q in rows], "query")
    gaps = find_gaps(rows, vectors[:, : centres.parts[0]], near)
    assert [sorted(gap.languages) for gap in gaps] == [["en", "th", "tr", "zh"]] * len(SAME)
    assert sorted(sorted(q.text for q in gap.questions) for gap in gaps) == sorted(
        sorted(text for _, text in same) for same in SAME.values()
    )


@pytest.mark.encoder
def test_near_of_the_shipped_knowledge_base(near_and_centres: tuple[float, Centres]) -> None:
    assert near_and_centres[0] == STANDARD_NEAR


@pytest.mark.encoder
def test_two_subjects_are_hardly_ever_taken_for_a_repetition(settings: Settings, encoder: Encoder) -> None:
    from bot.knowledge.loader import load_knowledge_base

    articles = [a for a in load_knowledge_base(settings.knowledge_folder).articles if a.language == "en"]
    pairs = [(a.subject, text) for a in articles[::3] for text in a.questions]
    vectors = encoder.encode([text for _, text in pairs], "query")
    subjects = np.array([subject for subject, _ in pairs])
    different = (subjects[:, None] != subjects)[np.triu_indices(len(pairs), 1)]
    cosines = (vectors @ vectors.T)[np.triu_indices(len(pairs), 1)]
    assert (cosines[different] >= ASKS_AGAIN).mean() <= 0.002


@pytest.mark.encoder
@pytest.mark.parametrize(
    ("earlier", "later", "again"),
    [
        ("How do I refund a sale?", "how can I refund a sale", True),
        ("How do I refund a sale?", "How do I refund a sale?", True),
        ("Satışı nasıl iade ederim?", "satış iadesi nasıl yapılır", True),
        ("How do I refund a sale?", "Which printers work with the register?", False),
        ("打印机不打印", "怎么更改套餐？", False),
    ],
)
def test_asking_again(encoder: Encoder, earlier: str, later: str, again: bool) -> None:
    assert asks_again(encoder, earlier, later) is again
    assert detect(earlier) == detect(later)

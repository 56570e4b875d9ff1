"""Measuring by the product's own path, and the two commands that do it."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

import bot.encoder.encoder
from bot import cli
from bot.knowledge import cli as evaluate_cli
from bot.knowledge.build import background
from bot.knowledge.evaluate import (
    AnswersReport,
    answerer_over,
    as_articles,
    as_knowledge_base,
    decide_each,
    doubts,
    search_each,
)
from bot.knowledge.examples import EvaluationError, Example, SquadFile
from bot.knowledge.vectors import StoredEncoder
from bot.settings import SETTINGS, Settings
from tests.knowledge.fakes import WordEncoder, project

pytestmark = pytest.mark.slow

WORDS = ("milk", "cups", "beans", "foam", "grinder", "napkin", "receipt", "refund", "tip", "shift", "menu", "table")
WAYS = ("where is the {}", "how do I set up my {}", "{} is broken again", "change our {} for tomorrow", "{} please")
TRAIN = [Example(way.format(word), word) for word in WORDS for way in WAYS]
INSIDE = [Example(f"I need help with the {word} today", word) for word in WORDS]
OUTSIDE = [Example(text, None) for text in ("purple elephants dance", "zodiac signs", "marathon training", "")]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A project without articles; its own examples of what is off topic."""
    return project(tmp_path)


def evaluated(train: Sequence[Example], test: Sequence[Example], settings: Settings) -> AnswersReport:
    base = as_knowledge_base(train)
    encoder = WordEncoder()
    return decide_each(answerer_over(base.articles, base.off_topic, settings, encoder), base, test)


def squad(*paragraphs: tuple[str, list[str]]) -> dict[str, Any]:
    """A file of one document."""
    entries = [{"context": text, "qas": [{"question": each} for each in asked]} for text, asked in paragraphs]
    return {"data": [{"paragraphs": entries}]}


# Labels as articles ---------------------------------------------------------------------------------------------------


def test_each_label_is_an_article_asked_for_with_its_texts() -> None:
    base = as_knowledge_base([*TRAIN[:10], Example("ignore me", None), Example("", "milk")])
    assert [article.title for article in base.articles] == ["milk", "cups"]
    assert base.articles[0].questions == tuple(way.format("milk") for way in WAYS)
    assert [base.labels[article.id] for article in base.articles] == ["milk", "cups"]
    assert base.off_topic == ("ignore me",)
    assert base.language == "en"


@pytest.mark.parametrize(
    ("label", "title"),
    [
        ("card_arrival", "card arrival"),
        ("cardArrival", "card Arrival"),
        ("refund-a/sale.", "refund a sale"),
        ("退款", "退款"),
        ("?!", "?!"),
        ("x" * 400, "x" * 300),
    ],
)
def test_a_title_is_the_words_of_its_label(label: str, title: str) -> None:
    base = as_knowledge_base([Example("where is it", label), Example("another", "other")])
    assert base.articles[0].title == base.articles[0].body == title
    assert base.labels[base.articles[0].id] == label


def test_long_texts_are_cut_to_what_an_article_takes() -> None:
    base = as_knowledge_base([Example("word " * 100, "milk"), Example("cups", "cups")])
    assert base.articles[0].questions == (("word " * 60).strip(),)


def test_an_article_has_the_language_of_its_texts() -> None:
    chinese = [Example(text, "refund") for text in ("我想退款", "退款要多久", "怎么申请退款")]
    base = as_knowledge_base([*chinese, *TRAIN[:15], Example("ok", "short")])
    assert [article.language for article in base.articles] == ["zh", "en", "en", "en", "en"]
    assert base.language == "en"


@pytest.mark.parametrize("train", [[], [Example("a", "milk")], [Example("a", None)], [Example("", "x"), *TRAIN[:5]]])
def test_fewer_than_two_labels_are_nothing_to_decide(train: list[Example]) -> None:
    with pytest.raises(EvaluationError, match=r"has [01] labels with texts; it must have at least 2"):
        as_knowledge_base(train)


def test_doubtful_files_are_told() -> None:
    train = [
        *TRAIN,
        Example("where is the milk", "cups"),
        Example("nothing", None),
        Example("x" * 301, "milk"),
        Example("", "milk"),
    ]
    test = [*INSIDE, Example("a", "tea"), Example("b", "tea"), Example("c", None)]
    assert doubts(train, test) == [
        "2 test rows have a label the training file has not, and count as wrong: 'tea'",
        "1 training texts have several labels: 'where is the milk'",
        "1 training rows are out of scope; they teach what not to answer.",
        "1 training texts are cut to 300 characters.",
        "1 training rows have no text and are left out.",
    ]


def test_good_files_leave_no_doubt() -> None:
    assert doubts(TRAIN, [*INSIDE, *OUTSIDE]) == []


def test_many_values_are_told_by_some() -> None:
    found = doubts(TRAIN, [Example("a", f"new {number}") for number in range(9)])
    assert found[0].endswith("'new 4' and 4 more")


# Decisions ------------------------------------------------------------------------------------------------------------


def test_each_question_is_decided_as_the_product_does(settings: Settings) -> None:
    steps: list[int] = []
    base = as_knowledge_base(TRAIN)
    answerer = answerer_over(base.articles, base.off_topic, settings, WordEncoder())
    report = decide_each(answerer, base, [*INSIDE, *OUTSIDE], steps.append)
    assert sum(steps) == len(report.rows) == len(INSIDE) + len(OUTSIDE)
    for example, row in zip([*INSIDE, *OUTSIDE], report.rows, strict=True):
        answer = answerer.decide(example.text, "public", "en")
        assert row.label == example.label
        assert row.confidence == answer.confidence
        assert row.answered == (answer.decision == "answer")
        assert row.top == (base.labels[answer.article_id] if answer.article_id else None)
        assert bool(row.choices) == (answer.decision == "clarify")
    assert report.scores.accuracy_no_rejection == 1.0
    assert report.scores.auroc is not None
    assert report.scores.auroc > 0.9
    assert report.scores.ms_per_question > 0


def test_an_unknown_label_counts_as_wrong(settings: Settings) -> None:
    known = evaluated(TRAIN, INSIDE, settings)
    report = evaluated(TRAIN, [*INSIDE, Example("where is the milk", "tea")], settings)
    assert known.scores.accuracy_no_rejection == 1.0
    assert report.scores.accuracy_no_rejection == len(INSIDE) / (len(INSIDE) + 1)
    assert report.rows[-1].top == "milk"


def test_choices_are_counted_apart(settings: Settings) -> None:
    eager = settings.replace(answering__answer_precision=0.999, answering__clarify_coverage=0.01)
    report = evaluated(TRAIN[:25], INSIDE[:5], eager)
    clarified = [row for row in report.rows if row.choices]
    assert clarified
    assert report.clarified == len(clarified) / len(report.rows)
    assert report.choice_right == sum(row.label in row.choices for row in clarified) / len(clarified)
    assert report.scores.precision is None


def test_training_rows_out_of_scope_are_off_topic_texts(settings: Settings) -> None:
    encoder = WordEncoder()
    base = as_knowledge_base([*TRAIN, Example("juggling lessons", None)])
    answerer_over(base.articles, base.off_topic, settings, encoder)
    assert {*background(settings).off_topic, "juggling lessons"} <= set(encoder.encoded)


def test_questions_are_not_encoded_by_what_the_articles_were_built_with(settings: Settings) -> None:
    asked, built = WordEncoder(), WordEncoder()
    base = as_knowledge_base(TRAIN)
    answerer = answerer_over(base.articles, base.off_topic, settings, asked, built_with=built)
    assert asked.encoded == []
    decide_each(answerer, base, INSIDE)
    assert {example.text for example in INSIDE} <= set(asked.encoded)
    assert not {example.text for example in INSIDE} & set(built.encoded)


def test_vectors_of_articles_are_kept_in_a_store_that_is_empty_yet(settings: Settings, tmp_path: Path) -> None:
    base = as_knowledge_base(TRAIN)
    store = StoredEncoder(WordEncoder(), tmp_path / "vectors")
    answerer_over(base.articles, base.off_topic, settings, WordEncoder(), built_with=store)
    assert len(store) >= len(TRAIN)


def test_warming_up_leaves_the_questions_new(settings: Settings) -> None:
    encoder = WordEncoder()
    base = as_knowledge_base(TRAIN)
    answerer = answerer_over(base.articles, base.off_topic, settings, encoder)
    decide_each(answerer, base, INSIDE)
    times = {example.text: encoder.encoded.count(example.text) for example in INSIDE}
    assert set(times.values()) == {1}


# Passages -------------------------------------------------------------------------------------------------------------

PASSAGES = [
    (f"The {word} stands beside the counter and belongs to {word} number {n}.", n) for n, word in enumerate(WORDS)
]
SEARCHED = SquadFile.model_validate(squad(*((text, [f"whose is the {WORDS[n]}?"]) for text, n in PASSAGES)))


def test_each_paragraph_is_an_article_without_variants() -> None:
    articles = as_articles(SEARCHED)
    assert [article.body for article in articles] == SEARCHED.passages
    assert len({article.title for article in articles}) == 1
    assert len({article.id for article in articles}) == len(articles)
    assert {article.questions for article in articles} == {()}
    assert {article.language for article in articles} == {"en"}
    assert {article.language for article in as_articles(SEARCHED, "tr")} == {"tr"}


def test_each_question_finds_its_own_paragraph(settings: Settings) -> None:
    articles = as_articles(SEARCHED)
    steps: list[int] = []
    scores = search_each(answerer_over(articles, (), settings, WordEncoder()), articles, SEARCHED, steps.append)
    assert scores.accuracy_at_1 > 0.9
    assert sum(steps) == len(WORDS)


def test_a_question_that_asks_for_another_paragraph_is_not_right(settings: Settings) -> None:
    articles = as_articles(SEARCHED)
    shifted = SquadFile.model_validate(squad(*((text, [f"whose is the {WORDS[n - 1]}?"]) for text, n in PASSAGES)))
    scores = search_each(answerer_over(articles, (), settings, WordEncoder()), articles, shifted)
    assert scores.accuracy_at_1 < 0.1
    assert scores.mrr_at_10 < 0.6


# The commands ---------------------------------------------------------------------------------------------------------

Evaluate = Callable[..., tuple[int, str, str]]


@pytest.fixture
def evaluate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Evaluate:
    """Runs `refill evaluate` in a project of its own, with an encoder of words."""
    project(tmp_path)
    for setting in SETTINGS:
        monkeypatch.delenv(setting.variable, raising=False)
    monkeypatch.setenv("REFILL_ROOT", str(tmp_path))
    monkeypatch.setattr(bot.encoder.encoder, "load_encoder", lambda settings: WordEncoder())
    for module in (cli, evaluate_cli):
        monkeypatch.setattr(module, "err", Console(stderr=True, highlight=False, width=400))
    monkeypatch.setattr(evaluate_cli, "out", Console(highlight=False, width=200))

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["refill", "evaluate", *map(str, arguments)])
        try:
            cli.main()
            status = 0
        except SystemExit as end:
            status = int(end.code or 0)
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return run


def table(file: Path, examples: Iterable[Example]) -> Path:
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(("text", "label"))
        writer.writerows((example.text, example.label or "") for example in examples)
    return file


def test_answers_as_json(evaluate: Evaluate, tmp_path: Path, settings: Settings) -> None:
    train, test = table(tmp_path / "train.csv", TRAIN), table(tmp_path / "test.csv", [*INSIDE, *OUTSIDE])
    status, out, _ = evaluate("answers", "--train", train, "--test", test, "--json")
    found = json.loads(out)
    expected = evaluated(TRAIN, [*INSIDE, *OUTSIDE], settings).scores
    assert status == 0
    assert list(found) == [*expected.__dataclass_fields__]
    assert found["mcc"] == pytest.approx(expected.mcc, abs=1e-4)
    assert found["aurc"] == pytest.approx(expected.aurc, abs=1e-4)


def test_answers_as_a_table(evaluate: Evaluate, tmp_path: Path) -> None:
    train, test = table(tmp_path / "train.csv", TRAIN), table(tmp_path / "test.csv", INSIDE)
    status, out, err = evaluate("answers", "--train", train, "--test", test)
    assert status == 0
    rows = {line.split("│")[1].strip(): line.split("│")[2].strip() for line in out.splitlines() if "│" in line}
    assert rows["accuracy_no_rejection"] == "1.000"
    assert rows["auroc"] == "none"
    assert {"clarified", "choice right"} <= rows.keys()
    assert "Asking 12 questions" in err
    assert "!" not in err


def test_answers_tell_doubts_on_standard_error(evaluate: Evaluate, tmp_path: Path) -> None:
    train = table(tmp_path / "train.csv", [*TRAIN, Example("where is the milk", "cups")])
    test = table(tmp_path / "test.csv", [*INSIDE, Example("hello", "tea")])
    status, out, err = evaluate("answers", "--train", train, "--test", test, "--json")
    assert status == 0
    assert "1 training texts have several labels: 'where is the milk'" in err
    assert "and count as wrong: 'tea'" in err
    assert json.loads(out)["oos_recall"] is None


def test_answers_without_labels_fail_before_the_encoder_is_loaded(evaluate: Evaluate, tmp_path: Path) -> None:
    train, test = table(tmp_path / "train.csv", TRAIN[:5]), table(tmp_path / "test.csv", INSIDE)
    status, out, err = evaluate("answers", "--train", train, "--test", test)
    assert (status, out) == (1, "")
    assert "at least 2" in err
    assert "Loading the encoder" not in err


def squad_file(file: Path, content: dict[str, Any]) -> Path:
    file.write_text(json.dumps(content), "utf-8")
    return file


def test_retrieval_as_json_and_as_a_table(evaluate: Evaluate, tmp_path: Path) -> None:
    both = squad_file(tmp_path / "both.json", SEARCHED.model_dump())
    status, out, err = evaluate("retrieval", "--queries", both, "--passages", both, "--json")
    assert status == 0
    assert list(json.loads(out)) == ["accuracy_at_1", "mrr_at_10", "recall_at_5"]
    assert json.loads(out)["accuracy_at_1"] > 0.9
    assert "Asking 12 questions" in err
    status, out, _ = evaluate("retrieval", "--queries", both, "--passages", both)
    assert status == 0
    assert "recall_at_5" in out


def test_retrieval_checks_what_it_is_given(evaluate: Evaluate, tmp_path: Path) -> None:
    both = squad_file(tmp_path / "both.json", SEARCHED.model_dump())
    fewer = squad_file(tmp_path / "fewer.json", squad(("Only one.", ["which?"])))
    status, _, err = evaluate("retrieval", "--queries", fewer, "--passages", both)
    assert status == 1
    assert "1 paragraphs in --queries and 12 in --passages" in err
    status, _, err = evaluate("retrieval", "--queries", both, "--passages", both, "--passage-language", "xx")
    assert status == 1
    assert "--passage-language must be one of en, zh, tr, th" in err

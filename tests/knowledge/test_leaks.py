"""Nothing of an internal article reaches a customer: not its texts, not its title, not its id."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from bot.knowledge.answer import Answerer
from bot.knowledge.build import Background, answerer, assemble, index_folder
from bot.knowledge.calibration import Calibration
from bot.knowledge.index import MANIFEST, Index, read_manifest
from tests.knowledge.fakes import OFF_TOPIC, WordEncoder, article, build, project, put

# Each appears in one place of the internal article and nowhere else.
CANARIES = (
    "zanzibarid",
    "zanzibarurl",
    "zanzibartitle",
    "zanzibarquestion",
    "zanzibarproduct",
    "zanzibarheading",
    "zanzibarbody",
)
CANARY = "zanzibar"
INSIDE = "zanzibarid-discounts"
WORDS = ("milk", "cups", "beans", "foam", "grinder", "napkin", "sugar", "lids")


@dataclass
class Project:
    """An indexed project and who answers from it."""

    root: Path
    answerer: Answerer


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Project:
    root = tmp_path_factory.mktemp("project")
    for word in WORDS:
        questions = f'["where is the {word}", "more {word} please"]'
        put(root, word, f"See [the rules]({INSIDE}.md).\n\n## {word}\n\nAll.", title=f"The {word}", questions=questions)
    put(
        root,
        INSIDE,
        "Opening.\n\n## zanzibarheading\n\nGive zanzibarbody percent. See [milk](milk.md).",
        title="zanzibartitle discounts",
        questions='["which zanzibarquestion discount may I give?"]',
        product="zanzibarproduct",
        url="https://zanzibarurl.example/discounts",
        audience="internal",
    )
    encoder = WordEncoder()
    settings = project(root)
    return Project(root, answerer(settings, build(root, encoder).index, encoder))


ASKED = (
    "zanzibartitle discounts",
    "which zanzibarquestion discount may I give?",
    "zanzibarheading",
    "Give zanzibarbody percent. See milk.",
    "zanzibarproduct",
    INSIDE,
    "discount",
    "the rules",
    "where is the milk",
)


def test_the_canaries_are_in_the_internal_files(made: Project) -> None:
    folder = index_folder(project(made.root))
    home = folder / str(read_manifest(folder)["folder"])
    text = "".join(file.read_text("utf-8") for file in home.glob("internal.*.jsonl"))
    assert all(canary in text for canary in CANARIES)


def test_no_public_file_of_the_index_has_a_canary(made: Project) -> None:
    folder = index_folder(project(made.root))
    home = folder / str(read_manifest(folder)["folder"])
    public = [file for file in home.iterdir() if not file.name.startswith("internal.")]
    assert {file.name for file in public} >= {"public.articles.jsonl", "public.chunks.faiss", "public.questions.faiss"}
    for file in (*public, folder / MANIFEST):
        # A public article may name the file it links to; what a customer is shown is tested below.
        assert CANARY.encode() not in file.read_bytes().replace(f"({INSIDE}.md)".encode(), b"")


def test_the_public_shelf_has_as_many_vectors_as_public_texts(made: Project) -> None:
    shelf = made.answerer._views["public"].shelves
    assert len(shelf) == 1
    assert shelf[0].questions.ntotal == 3 * len(WORDS)
    assert shelf[0].chunks.ntotal == 2 * len(WORDS)


@pytest.mark.parametrize("question", ASKED)
@pytest.mark.parametrize("language", ["en", "th", None])
def test_no_answer_to_a_customer_has_a_canary(made: Project, question: str, language: str | None) -> None:
    found = made.answerer.decide(question, "public", language)
    assert CANARY not in json.dumps(found.to_json())


@pytest.mark.parametrize("question", ASKED[:6])
def test_an_employee_finds_it(made: Project, question: str) -> None:
    found = made.answerer.decide(question, "internal", "en")
    assert found.article_id == INSIDE


def test_it_cannot_be_asked_for_by_name(made: Project) -> None:
    assert made.answerer.article_answer(INSIDE, "zanzibartitle") is None
    assert made.answerer.find(INSIDE) is None
    assert made.answerer.find(INSIDE, "internal") is not None


def test_it_is_in_no_list_and_no_count(made: Project) -> None:
    listed = made.answerer.articles("public")
    assert len(listed) == len(WORDS)
    assert {article.audience for article in listed} == {"public"}


@pytest.mark.parametrize("word", WORDS)
def test_a_link_to_it_becomes_text(made: Project, word: str) -> None:
    article = made.answerer.find(word)
    assert article is not None
    assert INSIDE in article.body
    shown = made.answerer.with_links(article.body, article, "public")
    assert shown.startswith("See the rules.")
    assert CANARY not in shown
    answered = made.answerer.article_answer(word, f"the rules {word}")
    assert answered is not None
    assert CANARY not in json.dumps(answered.to_json())


def test_a_customers_question_is_ranked_without_the_internal_shelf(made: Project) -> None:
    """An internal article that fits perfectly does not even displace the choices."""
    found = made.answerer.decide("which zanzibarquestion discount may I give?", "public", "en")
    assert found.article_id in {None, *WORDS}
    assert {choice.article_id for choice in found.alternatives} <= set(WORDS)


# What customers are told does not depend on what employees may see ----------------------------------------------------

PUBLIC = tuple(
    article(
        word,
        f"Clean the {word} each day.",
        title=f"The {word}",
        questions=f'["where is the {word}", "my {word} broke", "new {word} please"]',
    )
    for word in (*WORDS, "straw", "tray", "apron", "till", "stamp", "spoon", "crate", "oven", "knife", "fridge")
)
# They take questions away from public articles, in their own words too, and bring in many words of their own.
INTERNAL = tuple(
    article(
        f"{CANARY}-{word}",
        f"The {word} rule. Only leads clean the {word}.",
        title=f"The {word}",
        questions=f'["where is the {word}", "who may clean the {word}", "my {word} is gone", "{word} {CANARY}"]',
        audience="internal",
    )
    for word in WORDS
)
BACKGROUND = Background(OFF_TOPIC, ("hello there", "thank you", "I want a person"))


@pytest.fixture(scope="module", params=[1, len(INTERNAL)])
def with_and_without(request: pytest.FixtureRequest) -> tuple[Index, Index]:
    """The index of the public articles alone, and with internal ones."""
    return (
        assemble(PUBLIC, BACKGROUND, WordEncoder()),
        assemble((*PUBLIC, *INTERNAL[: request.param]), BACKGROUND, WordEncoder()),
    )


def test_an_internal_article_changes_no_public_decision(with_and_without: tuple[Index, Index]) -> None:
    without, with_it = (Answerer(index, WordEncoder()) for index in with_and_without)
    asked = [f"{start} {word}" for start in ("where is my", "clean the", "broken", CANARY) for word in WORDS]
    decided = [without.decide(text, "public", "en") for text in (*asked, *ASKED, *OFF_TOPIC, "")]
    assert {found.decision for found in decided} >= {"answer", "hand_off"}
    assert [with_it.decide(text, "public", "en") for text in (*asked, *ASKED, *OFF_TOPIC, "")] == decided
    for text in asked:
        ranked, ranked_with = (one.rank(text) for one in (without, with_it))
        assert [(found.id, score) for found, score in ranked_with] == [(found.id, score) for found, score in ranked]


def test_an_internal_article_changes_nothing_that_is_fitted_for_customers(
    with_and_without: tuple[Index, Index],
) -> None:
    without, with_it = with_and_without
    assert Calibration.from_json(without.calibration["public"]).points
    assert with_it.calibration["public"] == without.calibration["public"]
    heads = [index.heads["public"] for index in with_and_without]
    assert heads[0] is not None
    assert heads[1] is not None
    assert heads[0].subjects == heads[1].subjects
    assert heads[0].weights.tobytes() == heads[1].weights.tobytes()
    assert heads[0].bias.tobytes() == heads[1].bias.tobytes()
    assert with_it.centres.means.keys() == without.centres.means.keys()
    assert all(with_it.centres.means[key].tobytes() == mean.tobytes() for key, mean in without.centres.means.items())
    thresholds = [Answerer(index, WordEncoder()).thresholds("public") for index in with_and_without]
    assert thresholds[0] == thresholds[1]


def test_what_is_fitted_for_employees_is_fitted_on_both(with_and_without: tuple[Index, Index]) -> None:
    without, with_it = with_and_without
    assert without.calibration["internal"] == without.calibration["public"]
    assert with_it.calibration["internal"] != with_it.calibration["public"]
    heads = with_it.heads
    assert heads["internal"] is not None
    assert heads["public"] is not None
    assert set(heads["internal"].subjects) - set(heads["public"].subjects) == {
        found.id for found in with_it.shelves["internal"].articles
    }


def test_employees_find_what_is_theirs(with_and_without: tuple[Index, Index]) -> None:
    _, with_it = with_and_without
    found = Answerer(with_it, WordEncoder()).rank(f"{WORDS[0]} {CANARY}", "internal")
    assert found[0][0].id == f"{CANARY}-{WORDS[0]}"

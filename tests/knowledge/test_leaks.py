"""Nothing of an internal article reaches a customer: not its texts, not its title, not its id."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from bot.knowledge.answer import Answerer
from bot.knowledge.build import answerer, index_folder
from bot.knowledge.index import MANIFEST, read_manifest
from tests.knowledge.fakes import WordEncoder, build, project, put

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
    text = (home / "internal.json").read_text("utf-8")
    assert all(canary in text for canary in CANARIES)


def test_no_public_file_of_the_index_has_a_canary(made: Project) -> None:
    folder = index_folder(project(made.root))
    home = folder / str(read_manifest(folder)["folder"])
    public = [file for file in home.iterdir() if not file.name.startswith("internal.")]
    assert {file.name for file in public} >= {"public.json", "public.chunks.faiss", "public.questions.faiss"}
    texts = json.loads((home / "public.json").read_text("utf-8"))
    for article in texts["articles"]:
        # A public article may name the file it links to; what a customer is shown is tested below.
        article["body"] = article["body"].replace(f"({INSIDE}.md)", "")
    texts["chunks"] = [
        (number, heading, text.replace(f"({INSIDE}.md)", "")) for number, heading, text in texts["chunks"]
    ]
    assert CANARY not in json.dumps(texts)
    for file in (*public, folder / MANIFEST):
        if file.name != "public.json":
            assert CANARY.encode() not in file.read_bytes()


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

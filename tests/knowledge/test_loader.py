"""Loading a folder of articles: what is broken is named, the rest is used."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.errors import KnowledgeError
from bot.knowledge.article import ArticleError
from bot.knowledge.loader import KnowledgeBase, load_knowledge_base
from tests.knowledge.fakes import article_text, put, write


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project with one good article in each audience."""
    put(tmp_path, "good")
    put(tmp_path, "good-inside", audience="internal")
    return tmp_path


def load(root: Path) -> KnowledgeBase:
    return load_knowledge_base(root / "knowledge_base")


def only_error(root: Path) -> ArticleError:
    """The one thing wrong with the knowledge base; the good articles still load."""
    found = load(root)
    assert {"good", "good-inside"} <= {article.id for article in found.articles}
    assert len(found.errors) == 1
    assert found.errors[0].remedy
    return found.errors[0]


def test_good_articles_load(root: Path) -> None:
    put(root, "good-th", language="th", translation_of="good")
    found = load(root)
    assert {article.id for article in found.articles} == {"good", "good-inside", "good-th"}
    assert found.errors == ()


def test_broken_front_matter_is_named_by_file_and_line(root: Path) -> None:
    write(root, "public/en/bad.md", article_text(id="bad", audience="everyone"))
    error = only_error(root)
    assert str(error).startswith("knowledge_base/public/en/bad.md:5: 'audience' is not valid")


def test_no_path_of_the_machine_is_shown(root: Path) -> None:
    write(root, "public/en/bad.md", "no front matter")
    assert str(root) not in str(only_error(root))


def test_a_duplicate_id_names_both_files(root: Path) -> None:
    write(root, "public/en/second.md", article_text(id="good"))
    error = only_error(root)
    assert error.file == Path("knowledge_base/public/en/second.md")
    assert error.line == 2
    assert "The id 'good' is taken by knowledge_base/public/en/good.md." in error.message


def test_a_duplicate_id_is_named_with_its_line(root: Path) -> None:
    text = article_text(id=None).replace("language:", "id: good\nlanguage:")
    write(root, "public/en/second.md", text)
    assert only_error(root).line == 3


def test_an_id_is_taken_across_audiences(root: Path) -> None:
    put(root, "good-inside")
    found = load(root)
    assert [str(error.file) for error in found.errors] == ["knowledge_base/public/en/good-inside.md"]


def test_invalid_utf_8_is_named_with_its_line(root: Path) -> None:
    write(root, "public/en/bad.md", article_text(id="bad").encode() + b"caf\xe9\n")
    error = only_error(root)
    assert error.line == article_text().count("\n") + 1
    assert "not valid UTF-8" in error.message
    assert error.remedy == "Save it as UTF-8."


@pytest.mark.parametrize(
    ("place", "changes", "message"),
    [
        ("public/en/bad.md", {"audience": "internal"}, "Its audience is 'internal' but it stands in 'public/en/'"),
        ("internal/en/bad.md", {"audience": "public"}, "Its audience is 'public' but it stands in 'internal/en/'"),
        ("public/tr/bad.md", {"language": "en"}, "Its language is 'en' but it stands in 'public/tr/'"),
        ("public/bad.md", {}, "Its language is 'en' but it stands in 'public/'"),
        ("bad.md", {}, "Its audience is 'public' but it stands in"),
        ("drafts/en/bad.md", {}, "Its audience is 'public' but it stands in 'drafts/en/'"),
    ],
)
def test_an_article_in_the_wrong_folder_is_not_used(
    root: Path, place: str, changes: dict[str, str | None], message: str
) -> None:
    write(root, place, article_text(id="bad", **changes))
    error = only_error(root)
    assert message in error.message
    assert "Move it to" in error.remedy


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"translation_of": "nothing"}, "a translation of 'nothing', which is not there"),
        ({"translation_of": "good-tr"}, "a translation of 'good-tr', which is a translation itself"),
        ({"translation_of": "good-inside"}, "a translation of 'good-inside', which has another audience"),
        ({"translation_of": "bad"}, "a translation of 'bad', which is a translation itself"),
    ],
)
def test_a_translation_needs_an_original_of_its_audience(
    root: Path, changes: dict[str, str | None], message: str
) -> None:
    put(root, "good-tr", language="tr", translation_of="good")
    put(root, "bad", language="th", **changes)
    error = only_error(root)
    assert error.file == Path("knowledge_base/public/th/bad.md")
    assert message in error.message
    assert "`translation_of`" in error.remedy


def test_an_internal_translation_of_a_public_article_is_not_used(root: Path) -> None:
    put(root, "bad", audience="internal", language="tr", translation_of="good")
    assert "which has another audience" in only_error(root).message


def test_a_translation_of_a_broken_article_is_named_as_well(root: Path) -> None:
    write(root, "public/en/bad.md", article_text("", id="bad"))
    put(root, "bad-th", language="th", translation_of="bad")
    assert [error.file.name for error in load(root).errors] == ["bad.md", "bad-th.md"]


def test_two_translations_into_one_language_are_named(root: Path) -> None:
    put(root, "good-th", language="th", translation_of="good")
    put(root, "good-th-2", language="th", translation_of="good")
    assert "good-th" in only_error(root).message


def test_a_folder_called_like_an_article_is_named(root: Path) -> None:
    (root / "knowledge_base/public/en/folder.md").mkdir()
    assert "cannot be read" in only_error(root).message


def test_other_files_are_no_articles(root: Path) -> None:
    write(root, "public/en/notes.txt", "not an article")
    write(root, "README", "not an article")
    assert load(root).errors == ()


def test_many_errors_at_once(root: Path) -> None:
    for number in range(5):
        write(root, f"public/en/bad-{number}.md", b"\xff" if number % 2 else b"---")
    found = load(root)
    assert len(found.errors) == 5
    assert len(found.articles) == 2


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(KnowledgeError, match="There is no knowledge base at") as caught:
        load(tmp_path)
    assert "knowledge.folder" in caught.value.remedy


def test_no_article_at_all(tmp_path: Path) -> None:
    (tmp_path / "knowledge_base").mkdir()
    with pytest.raises(KnowledgeError, match="No article in") as caught:
        load(tmp_path)
    assert "public/<language>/*.md" in caught.value.remedy


def test_no_usable_article_names_the_first_problem(tmp_path: Path) -> None:
    write(tmp_path, "public/en/bad.md", "no front matter")
    with pytest.raises(KnowledgeError, match=r"First problem: knowledge_base/public/en/bad\.md:1: "):
        load(tmp_path)


def test_the_fingerprint_changes_with_an_article(root: Path) -> None:
    before = load(root).fingerprint
    assert load(root).fingerprint == before
    put(root, "good", "Something else.")
    changed = load(root).fingerprint
    put(root, "third")
    assert len({before, changed, load(root).fingerprint}) == 3

"""Importing: what is checked of every document, whatever source it comes from."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.errors import KnowledgeError
from bot.knowledge.importers import run as module
from bot.knowledge.importers.folder import read_path
from bot.knowledge.importers.report import Options
from bot.knowledge.importers.source import Document, Unread
from bot.knowledge.loader import load_knowledge_base
from tests.knowledge.importers.files import articles, bring, docx, pdf, snapshot
from tests.knowledge.importers.test_helpdesk import intercom, page, zendesk


def test_a_document_becomes_an_article(tmp_path: Path) -> None:
    document = Document(
        "guide/refund.md",
        "Refund a sale",
        "Open **Sales**.",
        url="https://help.crema.example/refund",
        language="tr-TR",
        questions=("How do I refund?", "Refund a sale", "how do i refund", "How do I refund?"),
        topics=("billing",),
        updated=dt.date(2026, 3, 2),
    )
    report = bring(tmp_path, document)
    assert report.counts["added"] == 1
    place, article = articles(tmp_path).popitem()
    assert place == "internal/tr/crema/refund-a-sale.md"
    assert (article.id, article.title, article.language, article.audience) == (
        "refund-a-sale",
        "Refund a sale",
        "tr",
        "internal",
    )
    assert article.questions == ("How do I refund?", "how do i refund")
    assert (article.topics, article.updated) == (("billing",), dt.date(2026, 3, 2))
    assert str(article.url) == "https://help.crema.example/refund"
    assert article.source == "crema:guide/refund.md"
    assert article.body == "Open **Sales**."
    assert load_knowledge_base(tmp_path / "knowledge_base").errors == ()


def test_what_a_document_does_not_say(tmp_path: Path) -> None:
    bring(tmp_path, Document("a", "", "## Kasayı açmak\n\nÇekmeceyi açmak için düğmeye basın."))
    article = articles(tmp_path)["internal/tr/crema/kasayi-acmak.md"]
    assert article.title == "Kasayı açmak"
    assert article.topics == ("how_to",)
    assert article.updated == dt.datetime.now(dt.UTC).date()
    assert (article.url, article.questions) == (None, ())


def test_options_for_new_articles(tmp_path: Path) -> None:
    bring(tmp_path, Document("a", "A", "Text", language="de"), audience="public", language="th", topics=("access",))
    article = articles(tmp_path)["public/th/crema/a.md"]
    assert (article.language, article.audience, article.topics) == ("th", "public", ("access",))


@pytest.mark.parametrize(
    ("document", "reason", "remedy"),
    [
        (Document("a", "A", " \0\n\u200b"), "It has no text.", "Write some"),
        (Document("", "A", "x"), "Its key must have 1 to 2048 characters.", "shorter"),
        (Document("k" * 2049, "A", "x"), "Its key must have 1 to 2048 characters.", "shorter"),
        (Document("a", "A", "x" * 1_000_001), "It has more than 1,000,000 characters.", "Split it"),
        (Document("a", "A", "x", language="de"), "Its language is 'de'.", "--language"),
        (Document("a", "A", "x", language="\0"), "Its language is ''.", "--language"),
        (Document("a", "A", "x", topics=("gardening",)), "Its topic is 'gardening'.", "Write one of how_to, defect"),
        (Document("b", "A", "other"), "It is there twice, with different content.", "Keep one"),
    ],
)
def test_a_document_that_breaks_a_rule_is_named(tmp_path: Path, document: Document, reason: str, remedy: str) -> None:
    report = bring(tmp_path, Document("b", "B", "good"), document)
    bad = [entry for entry in report.entries if entry.state == "unread"]
    assert len(bad) == 1
    assert bad[0].reason.startswith(reason)
    assert remedy in bad[0].remedy
    assert [article.title for article in articles(tmp_path).values()] == ["B"]


def test_a_document_given_twice_is_taken_once(tmp_path: Path) -> None:
    report = bring(tmp_path, Document("b", "B", "x"), Document("b", "B", "x"))
    assert {state: count for state, count in report.counts.items() if count} == {"added": 1}


@pytest.mark.parametrize(
    ("key", "title"),
    [
        ("../../etc/passwd", "../../public/en/x"),
        ("/etc/passwd", "/etc/passwd"),
        ("a\nid: other", "A\n---\nid: other"),
        ("a: b # c", "'\"!{}[]&*%@`"),
        ("c\\d\u2028e", "true"),
        ("12", "2026-01-01"),
        ("退款", "退款"),
        ("x" * 2048, "word " * 200),
    ],
)
def test_no_key_or_title_breaks_out_of_its_place(tmp_path: Path, key: str, title: str) -> None:
    for _ in range(2):
        bring(tmp_path, Document(key, title, "Text.", language="en"))
        assert [place.rsplit("/", 1)[0] for place in articles(tmp_path)] == ["internal/en/crema"]
        assert load_knowledge_base(tmp_path / "knowledge_base").errors == ()
    assert [path for path in snapshot(tmp_path) if not path.startswith("knowledge_base/internal/en/crema/")] == []
    assert len(snapshot(tmp_path)) == 1


def test_ids_are_unlike_each_other_and_unlike_others(tmp_path: Path) -> None:
    bring(tmp_path, Document("a", "Refund", "x"), name="first")
    documents = [Document(str(number), "Refund", "x") for number in range(3)]
    bring(tmp_path, *documents, name="second")
    found = {article.source: article.id for article in articles(tmp_path).values()}
    assert len(set(found.values())) == 4
    bring(tmp_path, *reversed(documents), name="second")
    assert {article.source: article.id for article in articles(tmp_path).values()} == found


def test_too_many_documents_end_the_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_DOCUMENTS", 3)
    asked = 0

    def endless() -> Iterator[Document]:
        nonlocal asked
        while True:
            asked += 1
            yield Document(str(asked), f"Title {asked}", "x")

    report = module.import_documents(endless(), tmp_path / "knowledge_base", Options("crema"))
    assert (asked, report.counts["added"]) == (4, 3)
    assert "more than 3 documents" in report.entries[0].reason
    assert not report.looked_for_removed


def test_nothing_is_written_if_nothing_could_be_read(tmp_path: Path) -> None:
    report = bring(tmp_path, Unread("a", "It is broken.", "Mend it."))
    assert report.counts["unread"] == 1
    assert snapshot(tmp_path) == {}


@pytest.mark.parametrize("name", ["", "Crema", "a b", "../x", "-a", "x" * 61, "a:b"])
def test_a_bad_name(name: str) -> None:
    with pytest.raises(KnowledgeError, match="An import's name must be") as caught:
        Options(name)
    assert "--name" in caught.value.remedy


def test_no_topics() -> None:
    with pytest.raises(KnowledgeError, match="needs a topic"):
        Options("crema", topics=())


def test_progress_is_told(tmp_path: Path) -> None:
    told: list[str] = []
    documents = [Document(str(number), f"Title {number}", "x") for number in range(2)]
    module.import_documents(documents, tmp_path / "knowledge_base", Options("crema"), told.append)
    assert told == ["1 read", "2 read", "1 of 2 merged", "2 of 2 merged"]


def test_a_folder_of_everything_twice(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "tr").mkdir(parents=True)
    (source / "a.md").write_text("# Refund\n\nSee [fees](tr/b.html) <br> and `x`.\n\n---\n\n\tcode  \n", "utf-8")
    (source / "tr" / "b.html").write_text("<h1>Ücretler</h1><p>Bkz. <a href='../a.md'>iade</a>\x0b\x85.", "utf-8")
    (source / "c.csv").write_text("question,answer\nHow?,So  \nWhy?,So\nWhen?,<b>Now</b>\n", "utf-8")
    (source / "d.json").write_text(json.dumps([page(zendesk(), zendesk(locale="tr"))]), "utf-8")
    (source / "e.json").write_text(json.dumps({"type": "list", "data": [intercom()]}), "utf-8")
    (source / "f.pdf").write_bytes(pdf([[(700, 20, "Day"), (650, 11, "Close the drawer: # 1 - 2.")]]))
    (source / "g.docx").write_bytes(docx([("Title", "Count"), ("", "---")]))
    folder = tmp_path / "knowledge_base"
    report = module.import_documents(read_path(source), folder, Options("crema"))
    assert report.counts["added"] == 10
    before = snapshot(folder)
    base = load_knowledge_base(folder)
    assert (len(base.articles), base.errors) == (10, ())
    assert [article.id for article in base.articles if article.translation_of] == [
        "refund-a-sale-en-us-tr",
        "refund-a-sale-tr",
    ]
    again = module.import_documents(read_path(source), folder, Options("crema"))
    assert (again.counts["unchanged"], again.counts["updated"], snapshot(folder)) == (10, 0, before)
    (source / "c.csv").write_text("question,answer\nHow?,Else\nWhy?,Else\nWhen?,<b>Now</b>\n", "utf-8")
    changed = module.import_documents(read_path(source), folder, Options("crema"))
    assert (changed.counts["unchanged"], changed.counts["updated"]) == (9, 1)

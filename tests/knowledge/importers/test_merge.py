"""Importing again: what changed at the source, what people changed, and what is gone."""

from __future__ import annotations

import datetime as dt
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.errors import KnowledgeError
from bot.knowledge.article import Article, article_text
from bot.knowledge.importers.report import Report
from bot.knowledge.importers.source import Document, Unread
from bot.knowledge.loader import load_knowledge_base
from tests.knowledge.fakes import put
from tests.knowledge.importers.files import articles, bring, snapshot

DAY = dt.date(2026, 3, 2)
REFUND = Document("refund", "Refund a sale", "Open **Sales**.", language="en", questions=("How?", "Why?"), updated=DAY)
FEES = Document("fees", "Fees", "See [refunds](refund) and [more](nowhere).", language="en", updated=DAY)
REFUND_TR = Document("refund/tr", "İade", "**Satışlar**'ı aç.", language="tr", translation_of="refund", updated=DAY)
ALL = (REFUND, FEES, REFUND_TR)
PLACE = "internal/en/crema/refund-a-sale.md"


def counted(report: Report) -> dict[str, int]:
    return {state: count for state, count in report.counts.items() if count}


def edit(root: Path, place: str = PLACE, /, to: str = "", **changes: Any) -> Article:
    """Change an article as a person does, and perhaps move its file."""
    folder = root / "knowledge_base"
    article = articles(root)[place]
    changed = Article.model_validate(article.model_dump(mode="json") | changes)
    (folder / place).unlink()
    target = folder / (to or place)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(article_text(changed), "utf-8")
    return changed


def test_an_unchanged_source_changes_no_file(tmp_path: Path) -> None:
    assert counted(bring(tmp_path, *ALL)) == {"added": 3}
    before = snapshot(tmp_path)
    assert counted(bring(tmp_path, *ALL)) == {"unchanged": 3}
    assert counted(bring(tmp_path, *reversed(ALL))) == {"unchanged": 3}
    assert snapshot(tmp_path) == before


def test_one_change_changes_one_file(tmp_path: Path) -> None:
    bring(tmp_path, *ALL)
    before = snapshot(tmp_path)
    for document in ALL:
        changed = [replace(d, body=f"{d.body} Now.") if d is document else d for d in ALL]
        assert counted(bring(tmp_path, *changed)) == {"updated": 1, "unchanged": 2}
        assert len({place for place, raw in snapshot(tmp_path).items() if raw != before[place]}) == 1
        assert counted(bring(tmp_path, *ALL)) == {"updated": 1, "unchanged": 2}
        assert snapshot(tmp_path) == before


def test_a_date_alone_is_no_change(tmp_path: Path) -> None:
    bring(tmp_path, *ALL)
    assert counted(bring(tmp_path, *(replace(d, updated=dt.date(2026, 4, 1)) for d in ALL))) == {"unchanged": 3}


def test_a_change_keeps_what_people_have_set(tmp_path: Path) -> None:
    bring(tmp_path, *ALL)
    edit(
        tmp_path,
        topics=["billing", "how_to"],
        questions=["Mine?", "How?"],
        product="Register",
        translation_of=None,
    )
    newer = replace(
        REFUND,
        title="Give money back",
        body="New text.",
        url="https://h.example/refund",
        questions=("How?", "Why?", "When?"),
        updated=dt.date(2026, 5, 1),
    )
    assert counted(bring(tmp_path, newer, FEES, REFUND_TR)) == {"updated": 1, "unchanged": 2}
    article = articles(tmp_path)[PLACE]
    assert (article.id, article.title, article.body) == ("refund-a-sale", "Give money back", "New text.")
    assert (article.topics, article.product) == (("billing", "how_to"), "Register")
    assert article.questions == ("Mine?", "How?", "When?")
    assert (str(article.url), article.updated) == ("https://h.example/refund", dt.date(2026, 5, 1))


def test_a_question_the_source_has_dropped_goes(tmp_path: Path) -> None:
    bring(tmp_path, *ALL)
    bring(tmp_path, replace(REFUND, questions=("Why?",)), FEES, REFUND_TR)
    article = articles(tmp_path)[PLACE]
    assert (article.questions, article.updated) == (("Why?",), DAY)


def test_an_address_set_by_hand_stays(tmp_path: Path) -> None:
    bring(tmp_path, *ALL)
    edit(tmp_path, url="https://h.example/mine")
    assert counted(bring(tmp_path, *ALL)) == {"unchanged": 3}
    assert str(articles(tmp_path)[PLACE].url) == "https://h.example/mine"


@pytest.mark.parametrize("changes", [{"body": "By hand."}, {"title": "By hand"}, {"imported": []}])
def test_a_text_edited_by_hand_is_not_overwritten(tmp_path: Path, changes: dict[str, Any]) -> None:
    bring(tmp_path, *ALL)
    edit(tmp_path, **changes)
    before = snapshot(tmp_path)
    newer = (replace(REFUND, body="New text."), FEES, REFUND_TR)
    report = bring(tmp_path, *newer)
    assert counted(report) == {"conflict": 1, "unchanged": 2}
    assert snapshot(tmp_path) == before
    conflict = next(entry for entry in report.entries if entry.state == "conflict")
    assert (conflict.key, conflict.file) == ("refund", PLACE)
    assert "edited by hand" in conflict.reason
    assert "--overwrite" in conflict.remedy
    assert counted(bring(tmp_path, *newer, overwrite=True)) == {"updated": 1, "unchanged": 2}
    assert articles(tmp_path)[PLACE].body == "New text."


def test_an_edited_text_whose_source_did_not_change_is_left_alone(tmp_path: Path) -> None:
    bring(tmp_path, *ALL)
    edit(tmp_path, body="By hand.")
    assert counted(bring(tmp_path, *ALL, overwrite=True)) == {"unchanged": 3}
    assert articles(tmp_path)[PLACE].body == "By hand."


def test_the_same_change_on_both_sides_is_no_conflict(tmp_path: Path) -> None:
    bring(tmp_path, *ALL)
    edit(tmp_path, body="New text.")
    newer = (replace(REFUND, body="New text."), FEES, REFUND_TR)
    assert counted(bring(tmp_path, *newer)) == {"updated": 1, "unchanged": 2}
    assert counted(bring(tmp_path, *newer)) == {"unchanged": 3}


def test_an_article_that_was_moved_is_updated_where_it_is(tmp_path: Path) -> None:
    bring(tmp_path, REFUND, FEES)
    edit(tmp_path, to="public/en/returns/money.md", audience="public")
    assert counted(bring(tmp_path, REFUND, FEES)) == {"unchanged": 2}
    assert counted(bring(tmp_path, replace(REFUND, body="New."), FEES)) == {"updated": 1, "unchanged": 1}
    assert sorted(articles(tmp_path)) == ["internal/en/crema/fees.md", "public/en/returns/money.md"]
    assert articles(tmp_path)["public/en/returns/money.md"].body == "New."


def test_asking_for_public_publishes_what_was_imported_before(tmp_path: Path) -> None:
    bring(tmp_path, *ALL)
    assert counted(bring(tmp_path, *ALL, audience="public")) == {"published": 3}
    assert sorted(articles(tmp_path)) == [
        "public/en/crema/fees.md",
        "public/en/crema/refund-a-sale.md",
        "public/tr/crema/refund-a-sale-tr.md",
    ]
    assert load_knowledge_base(tmp_path / "knowledge_base").errors == ()
    for audience in (None, "internal", "public"):
        assert counted(bring(tmp_path, *ALL, audience=audience)) == {"unchanged": 3}


def test_what_only_some_may_read_is_never_published_by_an_import(tmp_path: Path) -> None:
    secret = replace(FEES, restricted=True)
    for _ in range(2):
        report = bring(tmp_path, REFUND, secret, audience="public")
        assert report.restricted == 1
    assert sorted(articles(tmp_path)) == ["internal/en/crema/fees.md", "public/en/crema/refund-a-sale.md"]


def test_links_between_documents_lead_to_their_articles(tmp_path: Path) -> None:
    bring(tmp_path, *ALL)
    assert articles(tmp_path)["internal/en/crema/fees.md"].body == "See [refunds](refund-a-sale.md) and more."


def test_translations(tmp_path: Path) -> None:
    bring(tmp_path, REFUND_TR, REFUND)
    article = articles(tmp_path)["internal/tr/crema/refund-a-sale-tr.md"]
    assert article.translation_of == "refund-a-sale"
    assert load_knowledge_base(tmp_path / "knowledge_base").errors == ()


def test_a_translation_waits_for_the_audience_of_its_original(tmp_path: Path) -> None:
    bring(tmp_path, REFUND)
    edit(tmp_path, to="public/en/refund-a-sale.md", audience="public")
    bring(tmp_path, REFUND, REFUND_TR)
    place = "internal/tr/crema/refund-a-sale-tr.md"
    assert articles(tmp_path)[place].translation_of is None
    assert load_knowledge_base(tmp_path / "knowledge_base").errors == ()
    edit(tmp_path, place, to="public/tr/refund-a-sale-tr.md", audience="public")
    assert counted(bring(tmp_path, REFUND, REFUND_TR)) == {"updated": 1, "unchanged": 1}
    assert articles(tmp_path)["public/tr/refund-a-sale-tr.md"].translation_of == "refund-a-sale"


def test_what_is_gone_is_reported_and_deleted_only_when_asked(tmp_path: Path) -> None:
    bring(tmp_path, *ALL)
    before = snapshot(tmp_path)
    report = bring(tmp_path, REFUND, REFUND_TR)
    assert counted(report) == {"unchanged": 2, "removed": 1}
    assert (report.entries[-1].file, snapshot(tmp_path)) == ("internal/en/crema/fees.md", before)
    assert "--prune" in report.entries[-1].remedy
    assert counted(bring(tmp_path, REFUND, REFUND_TR, prune=True)) == {"unchanged": 2, "deleted": 1}
    assert counted(bring(tmp_path, REFUND, REFUND_TR, prune=True)) == {"unchanged": 2}
    assert "internal/en/crema/fees.md" not in articles(tmp_path)


def test_what_is_gone_but_was_edited_is_not_deleted(tmp_path: Path) -> None:
    bring(tmp_path, *ALL)
    edit(tmp_path, "internal/en/crema/fees.md", body="By hand.")
    report = bring(tmp_path, REFUND, REFUND_TR, prune=True)
    assert counted(report) == {"unchanged": 2, "conflict": 1}
    assert articles(tmp_path)["internal/en/crema/fees.md"].body == "By hand."


@pytest.mark.parametrize(
    ("unread", "expected"),
    [
        (Unread("fees", "x", "y"), {"unchanged": 2, "unread": 1}),
        (Unread("faq.csv", "x", "y", several=True), {"unchanged": 2, "unread": 1}),
        (Unread("other", "x", "y"), {"unchanged": 2, "unread": 1, "deleted": 1}),
        (Unread("fees", "x", "y", withdrawn=True), {"unchanged": 2, "unread": 1, "deleted": 1}),
    ],
)
def test_what_could_not_be_read_is_not_gone(tmp_path: Path, unread: Unread, expected: dict[str, int]) -> None:
    bring(tmp_path, *ALL)
    assert counted(bring(tmp_path, REFUND, REFUND_TR, unread, prune=True)) == expected


def test_another_source_under_the_same_name_is_refused(tmp_path: Path) -> None:
    bring(tmp_path, *ALL)
    before = snapshot(tmp_path)
    with pytest.raises(KnowledgeError, match="3 articles were imported as 'crema' before") as caught:
        bring(tmp_path, Document("x", "X", "x"), prune=True)
    assert "--name" in caught.value.remedy
    assert snapshot(tmp_path) == before


def test_sources_do_not_touch_each_others_articles_nor_those_by_hand(tmp_path: Path) -> None:
    put(tmp_path, "by-hand", "source: crema:refund")
    bring(tmp_path, *ALL, name="crema-old")
    before = snapshot(tmp_path)
    bring(tmp_path, *ALL)
    after = snapshot(tmp_path)
    assert before.items() < after.items()
    assert len(after) == 7


def test_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    assert counted(bring(tmp_path, *ALL, dry_run=True)) == {"added": 3}
    assert snapshot(tmp_path) == {}
    bring(tmp_path, *ALL)
    before = snapshot(tmp_path)
    newer = replace(REFUND, body="New.")
    report = bring(tmp_path, newer, REFUND_TR, audience="public", prune=True, dry_run=True)
    assert counted(report) == {"published": 2, "deleted": 1}
    assert snapshot(tmp_path) == before


def test_an_article_broken_by_hand_is_a_conflict(tmp_path: Path) -> None:
    bring(tmp_path, *ALL)
    file = tmp_path / "knowledge_base" / PLACE
    file.write_text(file.read_text("utf-8").replace("audience: internal", "audience: everyone"), "utf-8")
    before = snapshot(tmp_path)
    report = bring(tmp_path, replace(REFUND, body="New."), FEES, REFUND_TR, overwrite=True, prune=True)
    assert counted(report) == {"conflict": 1, "unchanged": 2}
    assert "Its article is broken" in next(entry for entry in report.entries if entry.reason).reason
    assert snapshot(tmp_path) == before


def test_a_copy_instead_of_a_move_is_a_conflict(tmp_path: Path) -> None:
    bring(tmp_path, REFUND, FEES)
    file = tmp_path / "knowledge_base" / PLACE
    copy = tmp_path / "knowledge_base" / "public/en/refund-a-sale.md"
    copy.parent.mkdir(parents=True)
    copy.write_bytes(file.read_bytes())
    report = bring(tmp_path, replace(REFUND, body="New."), FEES)
    assert counted(report) == {"conflict": 1, "unchanged": 1}
    assert f"{PLACE} and public/en/refund-a-sale.md" in next(e for e in report.entries if e.reason).reason


def test_another_file_in_the_way_is_not_overwritten(tmp_path: Path) -> None:
    bring(tmp_path, REFUND)
    blocking = tmp_path / "knowledge_base/public/en/crema/refund-a-sale.md"
    blocking.parent.mkdir(parents=True)
    blocking.write_text("mine", "utf-8")
    assert counted(bring(tmp_path, REFUND, audience="public")) == {"conflict": 1}
    assert blocking.read_text("utf-8") == "mine"
    assert PLACE in snapshot(tmp_path / "knowledge_base")


def test_a_file_that_cannot_be_written_does_not_stop_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(source: Path, target: Path) -> None:
        if target.name == "fees.md":
            raise OSError(28, "No space left on device")
        Path(source).rename(target)

    monkeypatch.setattr(os, "replace", full)
    report = bring(tmp_path, *ALL)
    assert counted(report) == {"added": 2, "conflict": 1}
    assert "No space left" in next(entry for entry in report.entries if entry.reason).reason


def test_images_left_out_are_counted_once(tmp_path: Path) -> None:
    document = replace(REFUND, lost_images=3)
    assert bring(tmp_path, document).lost_images == 3
    assert bring(tmp_path, document).lost_images == 0


def test_a_report_as_json(tmp_path: Path) -> None:
    report = bring(tmp_path, REFUND, Unread("x", "It is broken.", "Mend it.")).to_json()
    assert report["counts"] == {
        "added": 1,
        "updated": 0,
        "published": 0,
        "unchanged": 0,
        "removed": 0,
        "deleted": 0,
        "conflict": 0,
        "unread": 1,
    }
    assert report["entries"][0]["remedy"] == "Mend it."

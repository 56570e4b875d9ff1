"""Files and folders of every kind, and files that must not or cannot be read."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from bot.errors import KnowledgeError
from bot.knowledge.importers import folder as module
from bot.knowledge.importers.folder import Format, read_path
from bot.knowledge.importers.source import Document, Unread
from tests.knowledge.importers.files import docx, pdf, split
from tests.knowledge.importers.test_helpdesk import intercom, page, zendesk


def lay(root: Path, **files: str | bytes) -> Path:
    """A folder with files; two underscores in a name stand for a slash, one at its end part for the dot."""
    for name, content in files.items():
        file = root / "source" / name.replace("__", "/").replace("_", ".")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return root / "source"


def read(path: Path, wanted: Format | None = None) -> tuple[dict[str, Document], list[Unread]]:
    documents, unread = split(read_path(path, wanted))
    assert len({document.key for document in documents}) == len(documents)
    return {document.key: document for document in documents}, unread


def test_a_folder_of_everything(tmp_path: Path) -> None:
    source = lay(
        tmp_path,
        a_md="# Refund\n\nOpen.",
        en__b_txt="Open it.",
        tr__c_html="<title>Kasa</title><p>Aç",
        d_pdf=pdf([[(700, 11, "Close the drawer.")]]),
        e_docx=docx([("Title", "Count"), ("", "Count it.")]),
        f_csv="question,answer\nHow?,So.\n",
        g_jsonl='{"question": "How?", "answer": "So."}',
        h_json=json.dumps(page(zendesk())),
        i_json=json.dumps({"type": "list", "data": [intercom()]}),
        k_png=b"\x89PNG",
        l_png=b"\x89PNG",
    )
    (source / ".hidden.md").write_text("secret")
    (source / ".git").mkdir()
    (source / ".git" / "x.md").write_text("secret")
    documents, unread = read(source)
    assert {key: document.title for key, document in documents.items()} == {
        "a.md": "Refund",
        "en/b.txt": "B",
        "tr/c.html": "Kasa",
        "d.pdf": "D",
        "e.docx": "Count",
        "f.csv:How?": "How?",
        "g.jsonl:How?": "How?",
        "360001": "Refund a sale (en-us)",
        "3": "Refund a sale",
        "3/tr": "Satışı iade et",
    }
    assert [documents[key].language for key in ("a.md", "en/b.txt", "tr/c.html")] == [None, "en", "tr"]
    assert [(item.key, item.reason) for item in unread] == [
        ("3/zh-cn", "It is a draft."),
        ("*.png", "2 files of a kind that is not read."),
    ]


def test_one_file_has_its_name_or_its_rows_as_keys(tmp_path: Path) -> None:
    source = lay(tmp_path, x__a_md="Open.", x__b_csv="question,answer\nHow?,So.\n")
    assert list(read(source / "x" / "a.md")[0]) == ["a.md"]
    assert list(read(source / "x" / "b.csv")[0]) == ["How?"]


def test_the_format_that_is_asked_for(tmp_path: Path) -> None:
    source = lay(tmp_path, a_md="Open.", b_html="<p>Open.", c_json=json.dumps(page(zendesk())), d_data="So **it** is.")
    assert list(read(source, "html")[0]) == ["b.html"]
    assert list(read(source, "zendesk")[0]) == ["360001"]
    assert read(source, "html")[1] == []
    assert read(source / "d.data", "markdown")[0]["d.data"].body == "So **it** is."


def test_pages_of_one_export_belong_together(tmp_path: Path) -> None:
    source = lay(tmp_path, p1_json=json.dumps(page(zendesk(locale="tr"))), p2_json=json.dumps(page(zendesk())))
    assert {key: document.translation_of for key, document in read(source)[0].items()} == {
        "360001": None,
        "360001/tr": "360001",
    }


def test_what_an_html_page_says_of_itself(tmp_path: Path) -> None:
    html = '<html lang="tr"><link rel="canonical" href="https://h.example/a"><h1>Kasa</h1><p>Aç <img src="data:,">'
    document = read(lay(tmp_path, en__a_html=html))[0]["en/a.html"]
    assert (document.language, document.url, document.lost_images) == ("tr", "https://h.example/a", 1)


def test_names_are_one_spelling_on_every_machine(tmp_path: Path) -> None:
    source = lay(tmp_path)
    source.mkdir()
    (source / "cafe\u0301.md").write_text("Open.", "utf-8")
    assert list(read(source)[0]) == ["caf\u00e9.md"]


def test_links_out_of_the_folder_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "key.md").write_text("secret")
    source = lay(tmp_path, a_md="Open.")
    (source / "b.md").symlink_to(tmp_path / "secret" / "key.md")
    (source / "c").symlink_to(tmp_path / "secret")
    (source / "d.md").symlink_to(source / "a.md")
    (source / "e.md").symlink_to(source / "e.md")
    documents, unread = read(source)
    assert sorted(documents) == ["a.md", "d.md"]
    assert {item.key: item.reason for item in unread} == {
        "b.md": "It is a link that leads out of the folder.",
        "c": "It is a link to a folder.",
        "e.md": "It cannot be read: Too many levels of symbolic links.",
    }


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    source = lay(tmp_path, a_md="Open.")
    os.mkfifo(source / "b.md")
    documents, unread = read(source)
    assert list(documents) == ["a.md"]
    assert [(item.key, item.reason) for item in unread] == [("b.md", "It is not a regular file.")]


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_FILE_BYTES", 2**20)
    source = lay(tmp_path, a_md=b"x" * (2**20 + 1), b_md=b"x" * 2**20)
    documents, unread = read(source)
    assert list(documents) == ["b.md"]
    assert [(item.key, item.reason) for item in unread] == [("a.md", "It has 1.0 MiB; at most 1 MiB are read.")]


@pytest.mark.parametrize(
    ("name", "raw", "reason", "several"),
    [
        ("a.md", b"caf\xe9", "It is not valid UTF-8 (line 1).", False),
        ("a.md", b"---\ntitle: a: b\n---\nx", "Its front matter is not valid YAML (line 2).", False),
        ("a.html", b"<div>" * 3000, "It is nested too deeply.", False),
        ("a.pdf", b"x", "It is not a valid PDF.", False),
        ("a.docx", b"x", "It is not a valid DOCX file.", False),
        ("a.csv", b"\0\0", "It is not a text file.", True),
        ("a.jsonl", b"caf\xe9", "It is not valid UTF-8 (line 1).", True),
        ("a.json", b"{\n  x", "It is not valid JSON (line 2).", True),
        ("a.json", b"[" * 100_000, "It is not valid JSON.", True),
        ("a.json", b'{"a": 1}', "It is neither a Zendesk nor an Intercom export.", True),
    ],
)
def test_a_bad_file_is_named_and_the_others_are_read(
    tmp_path: Path, name: str, raw: bytes, reason: str, several: bool
) -> None:
    source = lay(tmp_path, z_md="Open.")
    (source / name).write_bytes(raw)
    documents, unread = read(source)
    assert list(documents) == ["z.md"]
    assert [(item.key, item.reason, item.several) for item in unread] == [(name, reason, several)]
    assert unread[0].remedy


def test_a_folder_that_cannot_be_read_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = lay(tmp_path, a_md="Open.", x__b_md="Open.")
    scandir = os.scandir

    def denied(path: str) -> object:
        if str(path).endswith("x"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", denied)
    documents, unread = read(source)
    assert list(documents) == ["a.md"]
    assert unread == [
        Unread("x", "The folder cannot be read: Permission denied.", "Check its permissions.", several=True)
    ]


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(KnowledgeError, match="There is nothing at"):
        read(tmp_path / "nothing")

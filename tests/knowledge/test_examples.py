"""Reading questions and passages: what is taken, and what is said when it cannot be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bot.knowledge.examples import EvaluationError, Example, SquadFile, check_same_shape, read_examples, read_squad


def csv_file(folder: Path, content: str | bytes) -> Path:
    file = folder / "some.csv"
    file.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    return file


def squad(*documents: list[tuple[str, list[str]]]) -> dict[str, Any]:
    """A file of documents, each a list of (paragraph, its questions)."""
    return {
        "data": [
            {"paragraphs": [{"context": text, "qas": [{"question": q, "id": "1"} for q in asked]} for text, asked in d]}
            for d in documents
        ],
        "version": "1.1",
    }


def squad_file(folder: Path, content: Any) -> Path:
    file = folder / "some.json"
    file.write_text(json.dumps(content), "utf-8")
    return file


@pytest.mark.parametrize("column", ["label", "category", "intent", "Label ", " CATEGORY"])
def test_the_label_has_several_names(tmp_path: Path, column: str) -> None:
    assert read_examples(csv_file(tmp_path, f"text,{column}\nwhere is it,milk\n")) == [Example("where is it", "milk")]


def test_the_first_of_the_names_is_taken(tmp_path: Path) -> None:
    file = csv_file(tmp_path, "intent,number,label,text\nwrong,7,milk,where is it\n")
    assert read_examples(file) == [Example("where is it", "milk")]


def test_rows_are_read_as_they_stand(tmp_path: Path) -> None:
    content = (
        '\ufefftext,label\r\n" a ""b"", c ",milk\r\n\r\n牛奶在哪里,"cups, large"\r\n"two\nlines",milk\r\n'
        "nothing,\r\nnot here,NO_NODES_DETECTED\r\n,milk\r\n"
    )
    assert read_examples(csv_file(tmp_path, content)) == [
        Example('a "b", c', "milk"),
        Example("牛奶在哪里", "cups, large"),
        Example("two\nlines", "milk"),
        Example("nothing", None),
        Example("not here", None),
        Example("", "milk"),
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        ("\n\n", "is empty"),
        ("text,label\n", "no rows"),
        ("sentence,label\na,b\n", "has the columns sentence, label; it must have `text` and one of label"),
        ("text,topic\na,b\n", "has the columns text, topic"),
        ("text;label\na;b\n", "has the columns text;label"),
        ("text,label\na,b,c\n", r"some\.csv:2: there are 3 cells where the first line has 2"),
        ("text,label\nx,y\na\n", r"some\.csv:3: there are 1 cells where the first line has 2"),
        ('text,label\nx,y\n"a,b\n', r"some\.csv:3: this is not valid CSV"),
        ('text,label\n"a" b,c\n', r"some\.csv:2: this is not valid CSV"),
        ("text,label\n" + "x" * 200_000 + ",y\n", r"some\.csv:2: this is not valid CSV: field larger"),
        ("text,label\ncaf\u00e9,b\n".encode("latin-1"), "is not valid UTF-8"),
    ],
)
def test_a_file_that_is_not_such_a_table_is_named(tmp_path: Path, content: str | bytes, message: str) -> None:
    with pytest.raises(EvaluationError, match=message) as caught:
        read_examples(csv_file(tmp_path, content))
    assert "some.csv" in caught.value.message
    assert caught.value.remedy


@pytest.mark.parametrize("read", [read_examples, read_squad])
def test_a_file_that_cannot_be_opened_is_named(tmp_path: Path, read: Any) -> None:
    for file in (tmp_path / "missing", tmp_path):
        with pytest.raises(EvaluationError, match="cannot be read: ") as caught:
            read(file)
        assert str(file) in caught.value.message


def test_paragraphs_and_questions_are_read_in_order(tmp_path: Path) -> None:
    content = squad([("Milk is white.", ["white?", "colour?"]), ("Cups hold it.", [])], [("Beans.", ["which?"])])
    found = read_squad(squad_file(tmp_path, content))
    assert found.passages == ["Milk is white.", "Cups hold it.", "Beans."]
    assert found.questions == [(0, "white?"), (0, "colour?"), (2, "which?")]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "the file: Input should be"),
        ({"data": [{"paragraphs": [{"qas": []}]}]}, r"data\.0\.paragraphs\.0\.context: Field required"),
        ({"data": [{"paragraphs": [{"context": " ", "qas": []}]}]}, r"data\.0\.paragraphs\.0\.context: "),
        ({"data": [{"paragraphs": [{"context": "x", "qas": [{}]}]}]}, r"qas\.0\.question: Field required"),
        ({"data": []}, "has no paragraphs"),
        ({"data": [{"paragraphs": []}]}, "has no paragraphs"),
    ],
)
def test_a_file_that_is_not_squad_is_named(tmp_path: Path, content: Any, message: str) -> None:
    with pytest.raises(EvaluationError, match=message) as caught:
        read_squad(squad_file(tmp_path, content))
    assert caught.value.remedy


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b'{"data": NaN}'])
def test_a_file_that_is_not_json_is_named(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "some.json"
    file.write_bytes(content)
    with pytest.raises(EvaluationError, match=r"some\.json is not in the format of SQuAD"):
        read_squad(file)


ONE = SquadFile.model_validate(squad([("a", ["?"]), ("b", [])], [("c", [])]))


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (squad([("a", []), ("b", [])]), "--queries has 2 documents and --passages 1"),
        (squad([("a", [])], [("b", []), ("c", [])]), "Document 1 has 2 paragraphs in --queries and 1 in --passages"),
    ],
)
def test_files_of_different_shape_do_not_belong_together(other: dict[str, Any], message: str) -> None:
    with pytest.raises(EvaluationError, match=message):
        check_same_shape(ONE, SquadFile.model_validate(other))


def test_questions_are_needed_on_one_side_only() -> None:
    silent = SquadFile.model_validate(squad([("a", []), ("b", [])], [("c", [])]))
    check_same_shape(ONE, silent)
    with pytest.raises(EvaluationError, match="has no questions"):
        check_same_shape(silent, ONE)

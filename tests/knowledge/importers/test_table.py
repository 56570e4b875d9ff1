"""Tables of questions and answers."""

from __future__ import annotations

import pytest

from bot.knowledge.importers.source import Document
from bot.knowledge.importers.table import read_csv, read_jsonl
from tests.knowledge.importers.files import split

CSV = """question,answer,title,url,language,topic,id
How do I pay?,"By card,
or cash.",Ways to pay,https://h.example/pay,en,billing,pay
can i use cash,"By card,
or cash.",,,en,,
,,,,,,
Nasıl öderim?,Kartla.,,,tr,"billing, how_to",
"""


def test_rows_with_one_answer_make_one_document() -> None:
    documents, unread = split(read_csv(CSV, "faq.csv"))
    assert unread == []
    assert documents == [
        Document(
            "pay",
            "Ways to pay",
            "By card,\nor cash.",
            url="https://h.example/pay",
            language="en",
            questions=("How do I pay?", "can i use cash"),
            topics=("billing",),
        ),
        Document(
            "Nasıl öderim?",
            "Nasıl öderim?",
            "Kartla.",
            language="tr",
            questions=("Nasıl öderim?",),
            topics=("billing", "how_to"),
        ),
    ]


@pytest.mark.parametrize("delimiter", [";", "\t", ","])
def test_other_separators(delimiter: str) -> None:
    documents, unread = split(read_csv(f" Question {delimiter}ANSWER\nHow?{delimiter}So.\n", "faq.csv"))
    assert [(document.title, document.body) for document in documents] == [("How?", "So.")]
    assert unread == []


def test_answers_in_html_become_markdown() -> None:
    documents, _ = split(read_csv("question,answer\nHow?,<p>So <b>it</b> is</p><script>x</script>\n", "faq.csv"))
    assert documents[0].body == "So **it** is"


@pytest.mark.parametrize(
    ("text", "key", "reason", "remedy"),
    [
        ("", "f.csv", "Line 1 has no column question and no column answer. Found: none.", "Name the columns question"),
        ("q,answer\na,b\n", "f.csv", "Line 1 has no column question. Found: q, answer.", "Name the columns question"),
        ("question,answer\na,b\nHow?,\n", "f.csv:3", "Line 3 has no answer.", "Fill it in"),
        ("question,answer\na,b\nHow?\n", "f.csv:3", "Line 3 has no answer.", "Fill it in"),
        ("question,answer\na,b\nHow?,So, or so\n", "f.csv:3", "Line 3 has 3 cells for 2 columns.", "in quotes"),
        ('question,answer\na,b\n"How?"x,So\n', "f.csv", "Line 3 is not valid CSV", "Correct its quotes"),
        ('question,answer\na,b\nHow?,"So\n', "f.csv", "Line 3 is not valid CSV", "Correct its quotes"),
        ("question,answer\na,b\nA,c\na,d\n", "f.csv:4", "Line 4 has the question of line 2, but", "Keep one"),
        ("question,answer,id\na,b,1\nc,d,1\n", "f.csv:3", "Line 3 has the id of line 2, but another", "Keep one"),
        (f"question,answer\na,b\nHow?,{'x' * 140_000}\n", "f.csv", "Line 3 is not valid CSV", "not read"),
    ],
)
def test_a_bad_line_is_named_and_the_others_are_read(text: str, key: str, reason: str, remedy: str) -> None:
    documents, unread = split(read_csv(text, "f.csv"))
    assert len(unread) == 1
    assert unread[0].key == key
    assert unread[0].reason.startswith(reason)
    assert remedy in unread[0].remedy
    assert unread[0].several
    assert ("a,b" in text and "q,a" not in text) == bool(documents)


def test_lines_of_json() -> None:
    text = '{"question": "How?", "answer": "So.", "id": 7, "more": [1]}\n\n{"Question": "Else?", "ANSWER": "So."}\n'
    documents, unread = split(read_jsonl(text, "f.jsonl"))
    assert [(document.key, document.questions) for document in documents] == [("7", ("How?", "Else?"))]
    assert unread == []


@pytest.mark.parametrize("line", ["{", "[1]", '"a"', "[" * 100_000, "null"])
def test_a_broken_line_of_json_is_named(line: str) -> None:
    documents, unread = split(read_jsonl(f'{{"question": "a", "answer": "b"}}\n{line}\n', "f.jsonl"))
    assert len(documents) == 1
    assert [(item.key, item.reason) for item in unread] == [("f.jsonl:2", "Line 2 is not a JSON object.")]


def test_lines_of_json_without_an_answer_are_named() -> None:
    _, unread = split(read_jsonl('{"question": "a", "answer": null}', "f.jsonl"))
    assert unread[0].reason == "Line 1 has no answer."

"""Read what `refill evaluate` is given: labelled questions as CSV, passages with questions as JSON."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, Field, ValidationError

from bot.errors import KnowledgeError

NO_LABEL = "NO_NODES_DETECTED"
LABEL_COLUMNS = ("label", "category", "intent")


class EvaluationError(KnowledgeError):
    """A file of questions or passages cannot be used."""

    code = "evaluation"


@dataclass(frozen=True)
class Example:
    """A question and its label; None: out of scope."""

    text: str
    label: str | None


class _Question(BaseModel):
    question: str


class _Paragraph(BaseModel):
    context: str = Field(min_length=1, pattern=r"\S")
    qas: list[_Question]


class _Document(BaseModel):
    paragraphs: list[_Paragraph]


class SquadFile(BaseModel):
    """A file in the format of SQuAD 1.1; what is not needed is not looked at."""

    data: list[_Document]

    @property
    def passages(self) -> list[str]:
        """Every paragraph, in order."""
        return [paragraph.context for document in self.data for paragraph in document.paragraphs]

    @property
    def questions(self) -> list[tuple[int, str]]:
        """(number of its paragraph, question), in order."""
        paragraphs = [paragraph for document in self.data for paragraph in document.paragraphs]
        return [(number, each.question) for number, paragraph in enumerate(paragraphs) for each in paragraph.qas]


def read_examples(file: Path) -> list[Example]:
    """Read a CSV file with the columns `text` and `label` (or `category`, or `intent`).

    An empty label and NO_NODES_DETECTED mean out of scope.

    Raises:
        EvaluationError: It cannot be read, is not such a file, or has no rows.
    """
    lines = _csv_lines(file)
    if not lines:
        raise EvaluationError(f"{file} is empty.", "Write a first line `text,label` and a line for each question.")
    header = [name.strip().lower() for name in lines[0][1]]
    label_column = next((name for name in LABEL_COLUMNS if name in header), None)
    if "text" not in header or label_column is None:
        raise EvaluationError(
            f"{file} has the columns {', '.join(header)}; it must have `text` and one of {', '.join(LABEL_COLUMNS)}.",
            "Name them in the first line, separated by commas.",
        )
    examples = []
    for number, cells in lines[1:]:
        if len(cells) != len(header):
            raise EvaluationError(
                f"{file}:{number}: there are {len(cells)} cells where the first line has {len(header)}.",
                'Put a text with commas into double quotes; write "" for a quote in it.',
            )
        label = cells[header.index(label_column)].strip()
        text = cells[header.index("text")].strip()
        examples.append(Example(text, None if label in ("", NO_LABEL) else label))
    if not examples:
        raise EvaluationError(f"{file} has no rows below its first line.", "Write a line for each question.")
    return examples


def _csv_lines(file: Path) -> list[tuple[int, list[str]]]:
    """(line number, cells) of each row that is not blank."""
    reader = None
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.reader(stream, strict=True)
            return [(reader.line_num, cells) for cells in reader if cells]
    except OSError as error:
        raise EvaluationError(f"{file} cannot be read: {error.strerror}.", "Check the path.") from error
    except UnicodeDecodeError as error:
        raise EvaluationError(f"{file} is not valid UTF-8.", "Save it as UTF-8.") from error
    except csv.Error as error:
        line = reader.line_num if reader else 1
        raise EvaluationError(
            f"{file}:{line}: this is not valid CSV: {error}.", 'Close each quote; write "" for a quote in a text.'
        ) from error


def read_squad(file: Path) -> SquadFile:
    """Read a JSON file in the format of SQuAD 1.1.

    Raises:
        EvaluationError: It cannot be read, is not such a file, or has no paragraphs.
    """
    try:
        found = SquadFile.model_validate_json(file.read_bytes())
    except OSError as error:
        raise EvaluationError(f"{file} cannot be read: {error.strerror}.", "Check the path.") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        raise EvaluationError(
            f"{file} is not in the format of SQuAD: {place}: {first['msg']}.",
            'Write {"data": [{"paragraphs": [{"context": "…", "qas": [{"question": "…"}]}]}]}.',
        ) from error
    if not found.passages:
        raise EvaluationError(f"{file} has no paragraphs.", "Give a file with some.")
    return found


def check_same_shape(queries: SquadFile, passages: SquadFile) -> None:
    """Make sure that every paragraph of one file has its counterpart at the same place in the other.

    Raises:
        EvaluationError: They differ in documents or paragraphs, or there is no question.
    """
    remedy = "Give two translations of one file, as xquad.tr.json and xquad.en.json are."
    if len(queries.data) != len(passages.data):
        raise EvaluationError(
            f"--queries has {len(queries.data)} documents and --passages {len(passages.data)}.", remedy
        )
    for number, (one, other) in enumerate(zip(queries.data, passages.data, strict=True), 1):
        if len(one.paragraphs) != len(other.paragraphs):
            raise EvaluationError(
                f"Document {number} has {len(one.paragraphs)} paragraphs in --queries and {len(other.paragraphs)} "
                "in --passages.",
                remedy,
            )
    if not queries.questions:
        raise EvaluationError("--queries has no questions.", "Give a file whose paragraphs have `qas`.")

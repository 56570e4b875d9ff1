"""The cache, batching and checks of the encoder, on a counting stand-in for the model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import pytest

from bot.encoder.encoder import Encoder, Vectors, clean, encoder_folder, load_encoder
from bot.encoder.materialise import GRAPHS, MANIFEST, is_built
from bot.errors import EncoderError
from bot.settings import Settings, load_settings

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


class CountingModel:
    """Gives each text a unit vector of its own and keeps what it was asked."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, list[str]]] = []

    @property
    def texts(self) -> list[str]:
        """Every text asked, in order."""
        return [text for _, texts in self.calls for text in texts]

    def encode(self, texts: Sequence[str], prompt_name: str, batch_size: int, show_progress_bar: bool) -> Vectors:
        """As SentenceTransformer.encode."""
        assert len(texts) <= batch_size
        assert not show_progress_bar
        self.calls.append((prompt_name, list(texts)))
        return np.stack([self.vector(text, prompt_name) for text in texts])

    @staticmethod
    def vector(text: str, role: str) -> Vectors:
        """The vector of a text."""
        angle = sum(text.encode()) + 0.5 * (role == "passage") + len(text) / 7
        return np.array([np.cos(angle), np.sin(angle)], dtype=np.float32)


@pytest.fixture
def model() -> CountingModel:
    return CountingModel()


def made(model: CountingModel, cache_size: int = 100) -> Encoder:
    return Encoder(cast("SentenceTransformer", model), "stand-in", cache_size)


def test_a_text_is_encoded_once(model: CountingModel) -> None:
    encoder = made(model)
    first = encoder.encode(["milk", "milk", "cups"], "query")
    again = encoder.encode(["cups", "milk"], "query")
    assert sorted(model.texts) == ["cups", "milk"]
    assert np.array_equal(again, first[[2, 0]])


def test_roles_do_not_share_vectors(model: CountingModel) -> None:
    encoder = made(model)
    query, passage = encoder.encode(["milk"], "query"), encoder.encode(["milk"], "passage")
    assert [role for role, _ in model.calls] == ["query", "passage"]
    assert not np.array_equal(query, passage)


def test_order_is_kept_over_batches_and_lengths(model: CountingModel) -> None:
    texts = ["x" * (97 * number % 101) + str(number) for number in range(100)]
    vectors = made(model).encode(texts, "passage")
    assert np.array_equal(vectors, np.stack([model.vector(text, "passage") for text in texts]))
    assert len(model.calls) > 1


def test_texts_of_like_length_share_a_batch(model: CountingModel) -> None:
    texts = [("long " * 50 if number % 2 else "short") + str(number) for number in range(64)]
    made(model).encode(texts, "query")
    assert [{len(text) > 50 for text in batch} for _, batch in model.calls] == [{False}, {True}]


def test_the_cache_forgets_what_was_used_longest_ago(model: CountingModel) -> None:
    encoder = made(model, cache_size=2)
    for text in ("one", "two", "one", "three", "one", "two"):
        encoder.encode([text], "query")
    assert model.texts == ["one", "two", "three", "two"]


def test_more_texts_than_the_cache_holds(model: CountingModel) -> None:
    encoder = made(model, cache_size=3)
    texts = [f"text {number}" for number in range(70)]
    vectors = encoder.encode(texts, "query")
    assert np.array_equal(vectors[69], model.vector("text 69", "query"))
    assert len(encoder._cache) == 3


def test_changing_a_result_does_not_change_the_cache(model: CountingModel) -> None:
    encoder = made(model)
    encoder.encode(["milk"], "query")[0] = 7
    assert np.array_equal(encoder.encode(["milk"], "query")[0], model.vector("milk", "query"))


def test_no_texts_give_no_vectors(model: CountingModel) -> None:
    assert made(model).encode([], "query").shape == (0, 0)
    assert model.calls == []


def test_progress_adds_up_to_the_number_of_texts(model: CountingModel) -> None:
    encoder = made(model)
    encoder.encode(["text 0", "text 1"], "query")
    steps: list[int] = []
    encoder.encode([f"text {number}" for number in range(50)], "query", steps.append)
    assert steps == [2, 32, 16]


def test_progress_counts_a_repeated_text_each_time(model: CountingModel) -> None:
    steps: list[int] = []
    made(model).encode(["milk", "milk", "milk", "cups"], "query", steps.append)
    assert sum(steps) == 4


def test_dimensions_and_fingerprint(model: CountingModel) -> None:
    encoder = made(model)
    assert encoder.dimensions == 2
    assert encoder.fingerprint == "stand-in"


@pytest.mark.parametrize("size", [0, -1])
def test_a_cache_holds_at_least_one_text(model: CountingModel, size: int) -> None:
    with pytest.raises(ValueError, match=rf"cache_size must be at least 1\. Currently, it is {size}\."):
        made(model, cache_size=size)


@pytest.mark.parametrize(
    ("raw", "cleaned"),
    [("a\x00b", "a b"), ("\ud83d", "?"), ("a\udc00b", "a?b"), ("☕ ก 茶 ş", "☕ ก 茶 ş"), ("", "")],
)
def test_clean_takes_out_what_no_tokenizer_takes(model: CountingModel, raw: str, cleaned: str) -> None:
    assert clean(raw) == cleaned
    made(model).encode([raw], "query")
    assert model.texts == [cleaned]


# Loading -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def copied(settings: Settings, tmp_path: Path) -> Settings:
    """Settings of a root whose encoder is the real one, file by file, so that one can be broken."""
    root = tmp_path / "root"
    source = encoder_folder(settings)
    for file in source.rglob("*"):
        if file.is_file():
            target = root / "models" / "encoder" / file.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(file)
    return load_settings(root, environ={})


def broken(settings: Settings, name: str, content: bytes | None) -> None:
    file = encoder_folder(settings) / name
    file.unlink()
    if content is not None:
        file.write_bytes(content)


def test_no_encoder_at_all(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match="no encoder in encoder/") as caught:
        load_encoder(load_settings(tmp_path, environ={}))
    assert caught.value.remedy == "Run `refill setup`."


@pytest.mark.encoder
@pytest.mark.parametrize("name", [MANIFEST, GRAPHS["float32"]])
def test_an_unfinished_encoder_is_built_first(copied: Settings, name: str) -> None:
    broken(copied, name, None)
    with pytest.raises(EncoderError, match="no encoder in encoder/") as caught:
        load_encoder(copied)
    assert caught.value.remedy == "Run `refill setup`."


@pytest.mark.encoder
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("modules.json", None),
        ("modules.json", b"[]"),
        ("modules.json", b"not json"),
        ("config.json", None),
        ("config.json", b"{}"),
        ("config_sentence_transformers.json", None),
        ("tokenizer.json", None),
        ("tokenizer.json", b"{}"),
        (GRAPHS["float32"], b""),
        (GRAPHS["float32"], b"not a graph"),
        ("1_Pooling/config.json", None),
        ("1_Pooling/config.json", b"{}"),
    ],
)
def test_a_damaged_encoder_says_how_to_rebuild_it(copied: Settings, name: str, content: bytes | None) -> None:
    broken(copied, name, content)
    with pytest.raises(EncoderError) as caught:
        load_encoder(copied)
    assert caught.value.remedy == "Run `refill setup --rebuild encoder`."


@pytest.mark.encoder
@pytest.mark.parametrize("change", [{"encoder__model": "another/model"}, {"encoder__model": "folder"}])
def test_an_encoder_of_another_name_is_not_used(copied: Settings, change: dict[str, str]) -> None:
    with pytest.raises(EncoderError, match="for the settings in force"):
        load_encoder(copied.replace(**change))


@pytest.mark.parametrize(
    ("manifest", "built"),
    [
        ('{"format": 2, "model": ""}', True),
        ('{"format": 3, "model": ""}', False),
        ('{"format": 2, "model": "other"}', False),
        ("[]", False),
        ("", False),
    ],
)
def test_is_built_reads_the_manifest(tmp_path: Path, manifest: str, built: bool) -> None:
    (tmp_path / "onnx").mkdir()
    (tmp_path / GRAPHS["float32"]).write_bytes(b"graph")
    (tmp_path / MANIFEST).write_text(manifest, "utf-8")
    assert is_built(tmp_path, "", "float32") is built
    assert not is_built(tmp_path, "", "int8")


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_batches_encoded_at_once_give_the_same_in_the_same_order(threads: int) -> None:
    texts = [f"text {number} " + "x" * (number % 40) for number in range(150)]
    done: list[int] = []
    model = CountingModel()
    encoder = Encoder(cast("SentenceTransformer", model), "test", threads=threads)
    vectors = encoder.encode(texts, "query", done.append)
    np.testing.assert_array_equal(vectors, np.stack([CountingModel.vector(text, "query") for text in texts]))
    assert sum(done) == len(texts)
    assert len(model.calls) == 5


def test_threads_must_be_positive(model: CountingModel) -> None:
    with pytest.raises(ValueError, match=r"threads must be at least 1\. Currently, it is 0\."):
        Encoder(cast("SentenceTransformer", model), "test", threads=0)


def test_only_a_model_with_states_is_read(model: CountingModel) -> None:
    with pytest.raises(EncoderError, match=r"gives no states of tokens\. Load it from a materialised folder\."):
        made(model).read("milk")

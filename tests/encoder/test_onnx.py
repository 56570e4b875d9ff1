"""The onnxruntime module: windows over long texts, and its checks."""

from __future__ import annotations

import pytest
import torch

from bot.encoder.encoder import Encoder, encoder_folder
from bot.encoder.materialise import GRAPHS
from bot.encoder.onnx import OnnxTransformer
from bot.errors import EncoderError
from bot.settings import Settings

pytestmark = pytest.mark.encoder


@pytest.fixture(scope="module")
def transformer(encoder: Encoder) -> OnnxTransformer:
    module = encoder._model[0]
    assert isinstance(module, OnnxTransformer)
    return module


def test_short_texts_are_one_window_each(transformer: OnnxTransformer) -> None:
    given = transformer.preprocess(["milk", "no milk in the coffee", ""])
    assert given["window_text"].tolist() == [0, 1, 2]
    assert given["input_ids"].shape == given["attention_mask"].shape
    assert given["attention_mask"].sum(dim=1).tolist() == [3, 7, 2]
    assert set(given["input_ids"][given["attention_mask"] == 0].tolist()) == {1}


def test_long_texts_are_cut_into_windows_that_lose_no_token(transformer: OnnxTransformer) -> None:
    text = "coffee " * 1200
    given = transformer.preprocess(["milk", text, "cups"], prompt="query: ")
    owners = given["window_text"].tolist()
    assert owners == sorted(owners)
    assert owners.count(1) == 3
    assert given["input_ids"].shape[1] == 512
    rows = (given["window_text"] == 1).nonzero().flatten()
    content = [
        token
        for row in rows.tolist()
        for token in given["input_ids"][row][given["attention_mask"][row] == 1].tolist()[1:-1]
    ]
    assert content == transformer.tokenizer.encode("query: " + text).ids[1:-1]


def test_windows_are_weighted_by_their_content(transformer: OnnxTransformer) -> None:
    given = transformer.preprocess(["coffee " * 600, "milk"])
    content = given["attention_mask"].sum(dim=1) - 2
    weights = transformer.forward(given)["attention_mask"]
    assert weights.shape[0] == 2
    assert torch.allclose(weights[0].sum(), content[:2].sum().float(), atol=1e-3)
    assert torch.allclose(weights[1].sum(), content[2].float(), atol=1e-3)


def test_threads_must_be_positive(settings: Settings) -> None:
    with pytest.raises(ValueError, match=r"threads must be at least 1\. Currently, it is 0\."):
        OnnxTransformer(encoder_folder(settings), GRAPHS["float32"], threads=0)


def test_it_is_not_saved(transformer: OnnxTransformer, tmp_path: object) -> None:
    with pytest.raises(EncoderError, match="is not saved"):
        transformer.save(str(tmp_path))


def test_places_are_those_of_the_words_in_the_text(transformer: OnnxTransformer) -> None:
    text = "No milk, çünkü ไม่มีนม 没有牛奶"
    given = transformer.preprocess([text, "milk"], prompt="query: ")
    places = given["places"][0].tolist()
    assert places[0] == places[-1] == [0, 0]
    named = [text[start:end] for start, end in places if end > start]
    assert any("milk" in part for part in named)
    assert "".join(named).replace(" ", "") == text.replace(" ", "")
    padded = given["attention_mask"][1] == 0
    assert given["places"][1][padded].sum() == 0


def test_states_on_the_way_belong_to_the_same_reading(encoder: Encoder) -> None:
    text = "The printer of our second café is dead."
    alone = encoder.read(text)
    together = encoder.read_all(["milk", text, "a longer text about cups and saucers " * 3])[1]
    assert len(alone) == len(together) == 1
    assert alone[0].states.shape == (len(alone[0].places), encoder.dimensions)
    assert alone[0].places.tolist() == together[0].places.tolist()
    assert abs(alone[0].states - together[0].states).max() < 1e-3


def test_a_message_that_was_encoded_is_not_encoded_again_to_be_read(
    encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    transformer = encoder._model[0]
    assert isinstance(transformer, OnnxTransformer)
    spied = spy_on(monkeypatch, transformer)
    encoder.encode(["nobody wrote this sentence before today"], "query")
    encoder.read("nobody wrote this sentence before today")
    assert spied == [1]


def spy_on(monkeypatch: pytest.MonkeyPatch, transformer: OnnxTransformer) -> list[int]:
    """How many texts each call of the model had."""
    calls: list[int] = []
    forward = transformer.forward

    def counted(features: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        calls.append(len(features["input_ids"]))
        return forward(features)

    monkeypatch.setattr(transformer, "forward", counted)
    return calls


def test_a_very_long_message_is_read_in_windows(encoder: Encoder) -> None:
    text = "coffee " * 1200
    windows = encoder.read(text)
    assert len(windows) == 3
    assert windows[-1].places.max() >= len(text.rstrip())

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

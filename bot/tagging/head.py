"""The tagger's own layers: they go on from the shared encoder's states two thirds of the way, and are trained further.

The last third of the encoder's layers is copied and fine-tuned (Howard and Ruder, 2018, arXiv:1801.06146: lower layers
stay as they are). Above it, each output has a query vector: the softmax of its products with the token vectors says how
much each token counts (Yang et al., 2016, "Hierarchical Attention Networks"). A logit is the sum of a linear function
of the tokens so weighed and one of their mean. Where an example names the words that carry a tag, the weight on those
words is trained too, so that the weights can be shown as evidence.
"""

from __future__ import annotations

import copy
import math
import random
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from bot.encoder.encoder import Reading
from bot.encoder.materialise import branch_layer, quiet_libraries
from bot.tagging.examples import Example
from bot.tagging.graph import padded
from bot.tagging.recipe import Recipe
from bot.tagging.tags import SENTIMENTS, TAGS

# What the head says of a message; neutral is neither negative nor positive.
OUTPUTS: tuple[str, ...] = (*TAGS, "urgent", "negative", "positive")
_FAR = -1e4


class Head(torch.nn.Module):
    """Logits and evidence from the states of a message's tokens.

    Args:
        layers: Of the encoder, to be trained further; may be none.
        dimensions: Of a state.
        dropout: Share of a token vector's numbers left out in training.
    """

    def __init__(self, layers: Sequence[torch.nn.Module], dimensions: int, dropout: float = 0.1) -> None:
        super().__init__()
        self.layers = torch.nn.ModuleList(layers)
        self.query = torch.nn.Linear(dimensions, len(OUTPUTS), bias=False)
        self.value = torch.nn.Linear(dimensions, len(OUTPUTS), bias=False)
        self.mean = torch.nn.Linear(dimensions, len(OUTPUTS))
        self.dropout = torch.nn.Dropout(dropout)
        torch.nn.init.zeros_(self.query.weight)
        torch.nn.init.normal_(self.value.weight, std=0.02)
        torch.nn.init.constant_(self.mean.bias, -2.0)

    def forward(self, states: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Read messages.

        Args:
            states: Shape (messages, tokens, dimensions).
            mask: Shape (messages, tokens); 1 for a token, 0 for padding.

        Returns:
            Logits of shape (messages, outputs), and how much each token counts for each, (messages, tokens, outputs).
        """
        blocked = (1 - mask[:, None, None, :]) * _FAR
        for layer in self.layers:
            out = layer(states, blocked)
            states = out[0] if isinstance(out, tuple) else out
        states = self.dropout(states)
        scores = self.query(states) / 8 + (1 - mask[..., None]) * _FAR
        weights = torch.softmax(scores, dim=1)
        logits = (weights * self.value(states)).sum(dim=1)
        mean = (states * mask[..., None]).sum(dim=1) / mask.sum(dim=1, keepdim=True)
        return logits + self.mean(mean), weights


def new_head(folder: Path, dropout: float) -> Head:
    """A head with the last third of an encoder's layers, as they are there.

    Args:
        folder: A materialised encoder. One whose layers cannot be copied gives a head without any.
        dropout: As in Head.
    """
    from transformers import AutoModel

    with quiet_libraries():
        model = AutoModel.from_pretrained(folder, attn_implementation="sdpa")
    layers = getattr(getattr(model, "encoder", None), "layer", [])
    kept = [copy.deepcopy(layer) for layer in layers[branch_layer(len(layers)) :]]
    return Head(kept, model.config.hidden_size, dropout)


@dataclass(frozen=True)
class Material:
    """An example as the head reads it.

    Attributes:
        states: Of its tokens, shape (tokens, dimensions), float16.
        places: As in `Reading`.
        targets: Shape (outputs,), 0 or 1.
        known: Shape (outputs,); 0 where nobody knows.
        evidence: Shape (tokens, outputs), bool; all False in a column without named evidence.
    """

    states: NDArray[np.float16]
    places: NDArray[np.int64]
    targets: NDArray[np.float32]
    known: NDArray[np.float32]
    evidence: NDArray[np.bool_]


def targets_of(example: Example) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """What an example carries and what is known of it, each of shape (outputs,), 0 or 1."""
    carried = {*example.tags, example.sentiment, *(["urgent"] if example.urgent else [])}
    known = [("sentiment" if name in SENTIMENTS else name) in example.known for name in OUTPUTS]
    return np.array([name in carried for name in OUTPUTS], dtype=np.float32), np.array(known, dtype=np.float32)


def material(example: Example, reading: Reading) -> Material:
    """An example with its states; of a very long one, its first window."""
    targets, known = targets_of(example)
    evidence = np.zeros((len(reading.places), len(OUTPUTS)), dtype=np.bool_)
    starts, ends = reading.places.T
    for name, spans in example.evidence.items():
        for start, end in spans:
            evidence[:, OUTPUTS.index(name)] |= (ends > starts) & (starts < end) & (ends > start)
    return Material(
        reading.states.astype(np.float16),
        reading.places,
        targets,
        known,
        evidence,
    )


def stack(items: Sequence[NDArray[Any]]) -> tuple[torch.Tensor, torch.Tensor]:
    """As `bot.tagging.graph.padded`, in tensors."""
    stacked, mask = padded(items)
    return torch.from_numpy(stacked), torch.from_numpy(mask)


def fit(
    head: Head,
    examples: Sequence[Material],
    recipe: Recipe,
    progress: Callable[[int, int], None] = lambda more, total: None,
    threads: int = 1,
    seed: int = 0,
) -> None:
    """Train a head.

    Args:
        head: Changed in place.
        examples: To learn from.
        recipe: How.
        progress: Called with the examples seen since the last call and those to be seen in all.
        threads: Parts of a batch that are worked on at the same time; at least 1. With several, what is random comes
            in another order each time. Threads of torch's own would wait for each other at every step, which takes
            many times as long where something else uses the processor.
        seed: Of what is random.
    """
    torch.manual_seed(seed)
    rng = random.Random(seed)  # noqa: S311  (no secret)
    groups: list[dict[str, Any]] = [
        {"params": list(head.layers.parameters()), "lr": recipe.rate},
        {"params": [p for name, p in head.named_parameters() if not name.startswith("layers.")]},
    ]
    optimiser = torch.optim.AdamW(
        [group for group in groups if group["params"]], lr=recipe.head_rate, weight_decay=recipe.decay
    )
    steps = recipe.epochs * math.ceil(len(examples) / recipe.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser,
        [group["lr"] for group in optimiser.param_groups],
        total_steps=steps + 1,
        pct_start=0.1,
        anneal_strategy="linear",
    )
    head.train()
    half = _half_is_faster(head, examples[: recipe.batch], recipe)
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(recipe.epochs):
            for rows in _batches([len(example.states) for example in examples], recipe.batch, rng):
                optimiser.zero_grad()
                _backward(head, [examples[row] for row in rows], recipe.evidence, half, pool, threads)
                torch.nn.utils.clip_grad_norm_(head.parameters(), 1.0)
                optimiser.step()
                schedule.step()
                progress(len(rows), recipe.epochs * len(examples))
    head.eval()


def _batches(lengths: Sequence[int], size: int, rng: random.Random) -> list[list[int]]:
    """Rows in random batches, of like length so that little is spent on padding."""
    rows = list(range(len(lengths)))
    rng.shuffle(rows)
    found: list[list[int]] = []
    pool = 20 * size
    for start in range(0, len(rows), pool):
        part = sorted(rows[start : start + pool], key=lambda row: lengths[row])
        found.extend(part[first : first + size] for first in range(0, len(part), size))
    rng.shuffle(found)
    return found


def _backward(
    head: Head, chosen: Sequence[Material], weight: float, half: bool, pool: ThreadPoolExecutor, threads: int
) -> None:
    """Set the gradient of a batch, part by part."""
    parameters = list(head.parameters())
    size = math.ceil(len(chosen) / threads)
    parts = [chosen[start : start + size] for start in range(0, len(chosen), size)]

    def gradient(part: Sequence[Material]) -> tuple[torch.Tensor, ...]:
        loss = _loss(head, part, weight, half) * (len(part) / len(chosen))
        return torch.autograd.grad(loss, parameters, allow_unused=True, materialize_grads=True)

    for found in pool.map(gradient, parts):
        for parameter, added in zip(parameters, found, strict=True):
            parameter.grad = added if parameter.grad is None else parameter.grad + added


def _half_is_faster(head: Head, examples: Sequence[Material], recipe: Recipe) -> bool:
    """Whether this processor multiplies in bfloat16 faster than in float32; some do so two or three times faster."""

    def seconds(half: bool) -> float:
        begun = time.process_time()
        _loss(head, examples, recipe.evidence, half).backward()
        return time.process_time() - begun

    for half in (False, True):
        seconds(half)  # The first time of each takes longer.
    return seconds(True) < 0.8 * seconds(False)


def _loss(head: Head, chosen: Sequence[Material], weight: float, half: bool) -> torch.Tensor:
    """Cross-entropy of what is known, and of the weight on the words that are named as evidence."""
    states, mask = stack([example.states for example in chosen])
    with torch.autocast("cpu", torch.bfloat16, enabled=half):
        logits, weights = head(states, mask)
    logits, weights = logits.float(), weights.float()
    targets = torch.from_numpy(np.stack([example.targets for example in chosen]))
    known = torch.from_numpy(np.stack([example.known for example in chosen]))
    losses = torch.nn.functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    total = (losses * known).sum() / len(chosen)
    evidence, _ = stack([example.evidence for example in chosen])
    named = evidence.any(dim=1)
    if weight and bool(named.any()):
        held = (weights * evidence).sum(dim=1)[named]
        total = total - weight * (held + 1e-6).log().sum() / len(chosen)
    return total


def export(head: Head) -> bytes:
    """The head as an ONNX graph: states, mask → logits, weights; shapes as in `Head.forward`.

    Its weights are rounded to 8 bits: three times as fast, and as good on examples left out.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic

    head.eval()
    example = torch.zeros(2, 5, head.query.in_features), torch.ones(2, 5)
    axes = {0: "messages", 1: "tokens"}
    with tempfile.TemporaryDirectory() as scratch, quiet_libraries(), torch.inference_mode():
        whole, rounded = Path(scratch) / "head.onnx", Path(scratch) / "rounded.onnx"
        torch.onnx.export(
            head,
            example,
            str(whole),
            input_names=["states", "mask"],
            output_names=["logits", "weights"],
            dynamic_axes={"states": axes, "mask": axes, "logits": {0: "messages"}, "weights": axes},
            opset_version=17,
            dynamo=False,
        )
        quantize_dynamic(whole, rounded, weight_type=QuantType.QInt8)
        return rounded.read_bytes()

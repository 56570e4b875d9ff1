"""How the tagger's head is trained; without torch, for those who only ask whether it would be another one."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Recipe:
    """Chosen by cross-validation on data/tags; `benchmarks/tagging.py` shows the figures.

    Attributes:
        epochs: Passes over the examples.
        rate: Greatest learning rate of the copied layers.
        head_rate: The same of what is new above them.
        evidence: Weight of the evidence's part of the loss.
        batch: Examples a step.
        dropout: Share of a token vector's numbers left out in training.
        decay: Of weights.
    """

    epochs: int = 4
    rate: float = 6e-4
    head_rate: float = 3e-3
    evidence: float = 0.3
    batch: int = 32
    dropout: float = 0.1
    decay: float = 0.01

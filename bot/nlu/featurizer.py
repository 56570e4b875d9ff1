"""Sentence vectors for Rasa's pipeline, asked of Refill's encoder over loopback.

`POST {url}/encode` with `{"texts": [...], "role": "query"}` answers with the vectors as float32, little endian, one row
after the other; the header `x-dimensions` tells a row's length.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import requests
from rasa.engine.graph import GraphComponent
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.nlu.featurizers.dense_featurizer.dense_featurizer import DenseFeaturizer
from rasa.nlu.tokenizers.tokenizer import Tokenizer
from rasa.shared.exceptions import InvalidConfigException, RasaException
from rasa.shared.nlu.constants import FEATURE_TYPE_SENTENCE, TEXT
from rasa.shared.nlu.training_data.features import Features
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData

DEFAULT_URL = "http://127.0.0.1:5055"
_BATCH = 256


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.MESSAGE_FEATURIZER, is_trainable=False)
class SentenceEncoderFeaturizer(DenseFeaturizer, GraphComponent):
    """Sentence features of shape (1, dimensions) from the shared encoder.

    Configuration:
        scale: The unit vectors are multiplied by it. A linear classifier with a fixed penalty reads long vectors as
            more telling; what fits is chosen by cross-validation (see docs/dialogue.md).
        timeout: Seconds to wait for the encoder.

    The encoder's address is the environment's REFILL_ENCODER_URL, so that a model is not bound to a port.
    """

    @classmethod
    def required_components(cls) -> list[type]:
        """Rasa wants tokens before features."""
        return [Tokenizer]

    @staticmethod
    def get_default_config() -> dict[str, Any]:
        """Options and their defaults."""
        return {**DenseFeaturizer.get_default_config(), "scale": 1.0, "timeout": 5.0}

    @classmethod
    def validate_config(cls, config: dict[str, Any]) -> None:
        """Refuse options that make no sense."""
        for name in ("scale", "timeout"):
            if config.get(name, 1) <= 0:
                raise InvalidConfigException(f"{name} must be greater than 0. Currently, it is {config[name]}.")

    def __init__(self, config: dict[str, Any], name: str) -> None:
        super().__init__(name, config)
        self._url = os.environ.get("REFILL_ENCODER_URL", DEFAULT_URL).rstrip("/") + "/encode"
        self._session = requests.Session()
        self._session.trust_env = False  # a proxy has no business between two processes on one machine

    @classmethod
    def create(
        cls, config: dict[str, Any], model_storage: Any, resource: Any, execution_context: Any
    ) -> SentenceEncoderFeaturizer:
        """Make the component, as Rasa asks for it."""
        return cls(config, execution_context.node_name)

    def process(self, messages: list[Message]) -> list[Message]:
        """Add the features of each message's text."""
        texts = [message.get(TEXT) for message in messages]
        spoken = [number for number, text in enumerate(texts) if text]
        for start in range(0, len(spoken), _BATCH):
            part = spoken[start : start + _BATCH]
            for number, vector in zip(part, self._encode([texts[number] for number in part]), strict=True):
                messages[number].add_features(
                    Features(vector.reshape(1, -1), FEATURE_TYPE_SENTENCE, TEXT, self._identifier)
                )
        return messages

    def process_training_data(self, training_data: TrainingData) -> TrainingData:
        """Add the features of all training examples."""
        self.process(training_data.training_examples)
        return training_data

    def _encode(self, texts: list[str]) -> np.ndarray[Any, Any]:
        """Scaled vectors, shape (len(texts), dimensions)."""
        try:
            response = self._session.post(
                self._url, json={"texts": texts, "role": "query"}, timeout=self._config["timeout"] + len(texts) / 10
            )
            response.raise_for_status()
            width = int(response.headers["x-dimensions"])
            vectors = np.frombuffer(response.content, dtype="<f4").reshape(len(texts), width)
        except (requests.RequestException, KeyError, ValueError) as error:
            raise RasaException(f"The encoder at {self._url} does not answer: {error}") from error
        return vectors * np.float32(self._config["scale"])

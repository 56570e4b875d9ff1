"""What Refill knows of a turn becomes entities, and so slots, without a further call.

The dialogue client sends `metadata: {"slots": {...}}` with each message; only scalars listed in the configuration pass.
"""

from __future__ import annotations

from typing import Any

from rasa.engine.graph import GraphComponent
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.nlu.extractors.extractor import EntityExtractorMixin
from rasa.shared.nlu.constants import ENTITIES
from rasa.shared.nlu.training_data.message import Message


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.ENTITY_EXTRACTOR, is_trainable=False)
class ContextExtractor(EntityExtractorMixin, GraphComponent):
    """Adds an entity for each slot named in the configuration that the message's metadata carries."""

    @staticmethod
    def get_default_config() -> dict[str, Any]:
        """Names of the slots that may be set this way."""
        return {"slots": ["language"]}

    def __init__(self, config: dict[str, Any]) -> None:
        self._slots = list(config["slots"])

    @classmethod
    def create(
        cls, config: dict[str, Any], model_storage: Any, resource: Any, execution_context: Any
    ) -> ContextExtractor:
        """Make the component, as Rasa asks for it."""
        return cls(config)

    def process(self, messages: list[Message]) -> list[Message]:
        """Add the entities."""
        for message in messages:
            given = (message.get("metadata") or {}).get("slots") or {}
            found = [
                {"entity": name, "value": given[name], "start": 0, "end": 0, "confidence_entity": 1.0}
                for name in self._slots
                if isinstance(given.get(name), (str, int, float))
            ]
            if found:
                entities = list(message.get(ENTITIES, [])) + self.add_extractor_name(found)
                message.set(ENTITIES, entities, add_to_output=True)
        return messages

"""Words of English, Turkish, Chinese and Thai, with their places in the text."""

from __future__ import annotations

import logging
from typing import Any

import regex
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.nlu.tokenizers.tokenizer import Token, Tokenizer
from rasa.shared.nlu.training_data.message import Message

# Runs of one script; what is left are words as Unicode knows them, with inner apostrophes, points and hyphens.
_RUNS = regex.compile(
    r"(?V1)(?P<thai>\p{Thai}+)|(?P<han>\p{Han}+)"
    r"|(?P<word>[[\p{L}\p{N}_]--[\p{Thai}\p{Han}]][[\p{L}\p{M}\p{N}_]--[\p{Thai}\p{Han}]]*"
    r"(?:['’.\-@][[\p{L}\p{M}\p{N}_]--[\p{Thai}\p{Han}]]+)*)"
)


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.MESSAGE_TOKENIZER, is_trainable=False)
class MultilingualTokenizer(Tokenizer):
    """Splits Chinese by jieba, Thai by PyThaiNLP's dictionary, everything else at word boundaries."""

    @staticmethod
    def get_default_config() -> dict[str, Any]:
        """Options of Rasa's tokenizers."""
        return {"intent_tokenization_flag": False, "intent_split_symbol": "_", "token_pattern": None}

    @classmethod
    def create(
        cls, config: dict[str, Any], model_storage: Any, resource: Any, execution_context: Any
    ) -> MultilingualTokenizer:
        """Make the component, as Rasa asks for it."""
        import jieba

        jieba.setLogLevel(logging.WARNING)
        return cls(config)

    @staticmethod
    def required_packages() -> list[str]:
        """Packages that must be installed in Rasa's runtime."""
        return ["jieba", "pythainlp"]

    def tokenize(self, message: Message, attribute: str) -> list[Token]:
        """Tokens of one attribute; a text without a word is one token."""
        text = message.get(attribute)
        tokens = [
            Token(text[start:end], start, end)
            for match in _RUNS.finditer(text)
            for start, end in _cut(match.group(), match.lastgroup, match.start())
        ]
        result: list[Token] = self._apply_token_pattern(tokens or [Token(text, 0)])
        return result


def _cut(run: str, script: str | None, offset: int) -> list[tuple[int, int]]:
    """(start, end) of the words in a run of one script."""
    if script == "han":
        import jieba

        return [(offset + start, offset + end) for _, start, end in jieba.tokenize(run)]
    if script == "thai":
        from pythainlp.tokenize import word_tokenize

        words = word_tokenize(run, engine="newmm", keep_whitespace=True)
    else:
        words = [run]
    places = []
    for word in words:
        places.append((offset, offset + len(word)))
        offset += len(word)
    return places

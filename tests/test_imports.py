"""The one-way flow between the parts, and that nothing is loaded or read before it is needed."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = sorted(file for folder in ("bot", "actions") for file in (ROOT / folder).rglob("*.py"))

# What stands below knows nothing of what stands above it.
ABOVE = (
    "bot.conversation",
    "bot.dialogue",
    "bot.handoff",
    "bot.success",
    "bot.customers",
    "bot.people",
    "bot.outbox",
    "bot.channels",
    "bot.desk",
    "actions",
)
FORBIDDEN = {
    "bot.conversation": ("bot.channels", "bot.desk", "actions", "bot.app", "bot.cli"),
    "bot.dialogue": ("bot.channels", "bot.desk", "bot.app", "bot.cli"),
    "bot.handoff": ("bot.channels", "bot.desk", "bot.app", "bot.cli"),
    "bot.success": ("bot.channels", "bot.desk", "actions", "bot.app", "bot.cli"),
    "bot.customers": ("bot.channels", "bot.desk", "actions", "bot.app", "bot.cli"),
    "bot.outbox": ("bot.channels", "bot.desk", "actions", "bot.app", "bot.cli", "bot.dialogue", "bot.knowledge"),
    "bot.people": ("bot.channels", "bot.desk", "actions", "bot.app", "bot.cli", "bot.outbox"),
    "bot.network": (*ABOVE, "bot.app", "bot.cli", "bot.knowledge", "bot.storage"),
    "bot.knowledge": (*ABOVE, "bot.app", "bot.cli", "bot.storage"),
    "bot.tagging": (*ABOVE, "bot.app", "bot.cli", "bot.knowledge"),
    "bot.encoder": (*ABOVE, "bot.app", "bot.cli", "bot.knowledge", "bot.storage"),
    "bot.settings": (*ABOVE, "bot.app", "bot.cli", "bot.knowledge", "bot.encoder", "bot.storage"),
    "bot.errors": ("bot.",),
    "actions": ("bot.channels", "bot.desk", "bot.app", "bot.cli"),
}
HEAVY = ("torch", "faiss", "sentence_transformers", "sqlalchemy", "fastapi")
MAY_READ_ENVIRONMENT = ("bot/settings.py", "bot/bootstrap.py", "bot/dialogue/training.py", "bot/nlu/")
WAYS_TO_THE_ENVIRONMENT = {"environ", "environb", "getenv", "getenvb", "putenv", "unsetenv"}


def name_of(file: Path) -> str:
    """A module's dotted name."""
    return ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imported(file: Path) -> Iterator[str]:
    """Every module a file imports, at the top or within a function."""
    package = name_of(file).split(".") if file.name == "__init__.py" else name_of(file).split(".")[:-1]
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def below(module: str, parent: str) -> bool:
    return module == parent or module.startswith(parent.rstrip(".") + ".")


@pytest.mark.parametrize("part", FORBIDDEN)
def test_the_flow_goes_one_way(part: str) -> None:
    wrong = [
        f"{name_of(file)} imports {module}"
        for file in MODULES
        if below(name_of(file), part)
        for module in imported(file)
        if any(below(module, other) for other in FORBIDDEN[part])
    ]
    assert wrong == []


def test_the_rules_meet_real_imports() -> None:
    """The test above would pass if imports were not found."""
    assert "bot.knowledge.index" in set(imported(ROOT / "bot/knowledge/build.py"))
    assert "bot.encoder.onnx.OnnxTransformer" in set(imported(ROOT / "bot/encoder/encoder.py"))
    assert "bot.conversation.service" in set(imported(ROOT / "bot/channels/webchat/state.py"))


@pytest.mark.parametrize("file", sorted((ROOT / "bot/nlu").glob("*.py")), ids=name_of)
def test_rasas_components_import_nothing_else_of_bot(file: Path) -> None:
    others = {module for module in imported(file) if below(module, "bot") and not below(module, "bot.nlu")}
    assert others - {"bot"} == set()


def environment_readers(file: Path) -> list[str]:
    """Lines where a file reads or changes the environment."""
    found = []
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        attribute = isinstance(node, ast.Attribute) and node.attr in WAYS_TO_THE_ENVIRONMENT
        of_os = isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "os"
        brought = isinstance(node, ast.ImportFrom) and node.module == "os"
        names = {alias.name for alias in node.names} if isinstance(node, ast.ImportFrom) else set()
        if (attribute and of_os) or (brought and names & WAYS_TO_THE_ENVIRONMENT):
            found.append(f"{file.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}")
    return found


def test_the_environment_is_read_in_one_place() -> None:
    readers = [line for file in MODULES for line in environment_readers(file)]
    assert [line for line in readers if not line.startswith(MAY_READ_ENVIRONMENT)] == []
    assert any(line.startswith("bot/settings.py") for line in readers)


def test_no_module_reads_the_environment_when_it_is_imported() -> None:
    for file in MODULES:
        tree = ast.parse(file.read_text("utf-8"))
        outside = [
            node
            for statement in tree.body
            if not isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.If))
            for node in ast.walk(statement)
        ]
        found = [n for n in outside if isinstance(n, ast.Attribute) and n.attr in WAYS_TO_THE_ENVIRONMENT]
        assert found == [], name_of(file)


def loaded_by(code: str) -> set[str]:
    """Top-level modules loaded after running code in a fresh interpreter."""
    script = f"import json, sys\n{code}\nprint(json.dumps(sorted({{name.split('.')[0] for name in sys.modules}})))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    return set(json.loads(done.stdout))


def test_the_command_line_starts_without_what_it_may_not_need() -> None:
    loaded = loaded_by("import bot.cli")
    assert "typer" in loaded
    assert loaded & set(HEAVY) == set()


def test_searching_starts_without_the_model_and_the_server() -> None:
    loaded = loaded_by("import bot.knowledge.answer, bot.encoder.encoder, bot.conversation.models")
    assert "faiss" in loaded
    assert loaded & {"torch", "sentence_transformers", "fastapi", "lingua", "sklearn"} == set()

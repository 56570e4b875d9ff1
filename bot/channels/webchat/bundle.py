"""One script of the widget's modules, so that a website loads one file.

Each module becomes a function of its own, which runs when the first other module needs it; what only `await import()`
reaches runs when that is first called. Style sheets become strings. The forms below are all it knows:

    import { a, b as c } from "./other.js";        import css from "./chat.css";
    export function a() {}                          export class B {}
    export const c = 1;                             const { a } = await import("./other.js");

Everything else about modules is an error that names file and line.
"""

from __future__ import annotations

import functools
import gzip
import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import rcssmin
import tree_sitter_javascript
from tree_sitter import Language, Node, Parser, Tree

from bot.errors import RefillError

WIDGET = Path(__file__).parent / "widget"
ENTRY = "index.js"

_FILE = re.compile(r"\./([A-Za-z0-9_-]+\.(?:js|css))")
_RUN = """(()=>{"use strict";const __made=[],__modules=[%s],
__use=(n)=>__made[n]??=__modules[n](),__later=async(n)=>__use(n);__use(0)})();
"""


class BundleError(RefillError):
    """The widget's modules cannot be made into one script.

    Args:
        file: Name of the module.
        line: Line in it, from 1.
        message: What is wrong.
        remedy: What to write instead.
    """

    code = "bundle"

    def __init__(self, file: str, line: int, message: str, remedy: str) -> None:
        super().__init__(f"{file}:{line}: {message}", remedy)


@dataclass(frozen=True)
class Bundle:
    """The script as it is sent.

    Attributes:
        script: Minified, UTF-8.
        zipped: The same, gzip.
        digest: Changes when the script does; 16 hexadecimal digits.
    """

    script: bytes
    zipped: bytes
    digest: str


@dataclass
class _Module:
    """A module on its way into the script."""

    name: str
    imports: list[tuple[str, list[str], int]] = field(default_factory=list)
    later: list[tuple[str, int]] = field(default_factory=list)
    exports: list[str] = field(default_factory=list)
    edits: list[tuple[int, int, str]] = field(default_factory=list)
    source: bytes = b""

    def body(self, number: dict[str, int]) -> str:
        """The function that runs it."""
        text, end = [], 0
        for start, stop, put in sorted(self.edits):
            text += [self.source[end:start].decode(), re.sub(r"<(.+?)>", lambda m: str(number[m.group(1)]), put)]
            end = stop
        text.append(self.source[end:].decode())
        return f"()=>{{{minified(''.join(text))}\nreturn{{{','.join(self.exports)}}}}}"


def current_bundle(folder: Path = WIDGET) -> Bundle:
    """The script of a folder of modules; made again only when a file has changed.

    Raises:
        BundleError: A module has a form that is not known.
    """
    files = sorted((*folder.glob("*.js"), *folder.glob("*.css")))
    return _bundle(folder, tuple((file.name, file.stat().st_mtime_ns) for file in files))


@functools.lru_cache(maxsize=4)
def _bundle(folder: Path, files: tuple[tuple[str, int], ...]) -> Bundle:
    script = make_script(folder).encode()
    return Bundle(script, gzip.compress(script, 9, mtime=0), hashlib.sha256(script).hexdigest()[:16])


def make_script(folder: Path, entry: str = ENTRY) -> str:
    """The modules that the entry reaches as one classic script, minified.

    Raises:
        BundleError: A module has a form that is not known, or what it imports is not there.
    """
    modules: dict[str, _Module] = {}
    waiting = [(entry, "index", 1)]
    while waiting:
        name, by, line = waiting.pop(0)
        if name in modules:
            continue
        if not (folder / name).is_file():
            raise BundleError(by, line, f"There is no '{name}'.", f"Make the file in {folder.name}/, or correct it.")
        made = modules[name] = _read(folder / name)
        waiting += [(other, name, line) for other, _, line in made.imports]
        waiting += [(other, name, line) for other, line in made.later]
    for module in modules.values():
        for other, names, line in module.imports:
            if missing := [wanted for wanted in names if wanted not in modules[other].exports]:
                raise BundleError(module.name, line, f"'{other}' does not export {missing[0]}.", "Export it there.")
    _refuse_circles(modules, entry)
    number = {name: place for place, name in enumerate(modules)}
    return _RUN % ",\n".join(module.body(number) for module in modules.values())


def _refuse_circles(modules: dict[str, _Module], entry: str) -> None:
    done: set[str] = set()

    def visit(name: str, way: Sequence[str]) -> None:
        for other, _, line in modules[name].imports:
            if other in (*way, name):
                circle = " → ".join((*way, name, other))
                raise BundleError(
                    name, line, f"Modules import each other: {circle}.", "Move what both need to a third module."
                )
            if other not in done:
                visit(other, (*way, name))
        done.add(name)

    for name in (entry, *modules):
        visit(name, ())


def minified(script: str) -> str:
    """A script without its comments and the space nothing needs; lines end where they ended, unless that is no matter.

    Strings, templates and regular expressions stay as they are, and so do names: gzip makes up for most of that.
    """
    text: list[str] = []
    end = 0
    source = script.encode()
    for token in _tokens(_parse(source).root_node):
        gap, word = source[end : token.start_byte], _text(token)
        last = text[-1] if text else ";"
        if b"\n" in gap and last[-1] not in "{([,;:?=&|" and word[0] not in ")],;:?=&|.":
            text.append("\n")
        elif gap and (_joins(last[-1], word[0]) or (last[-1] == word[0] and word[0] in "+-/")):
            text.append(" ")
        text.append(word)
        end = token.end_byte
    return "".join(text)


def _joins(left: str, right: str) -> bool:
    """Whether two characters side by side would read as one word."""
    return all(one.isalnum() or one in "_$#\\" or ord(one) > 127 for one in (left, right))


def _tokens(node: Node) -> Iterator[Node]:
    if node.type == "comment":
        return
    if not node.children or node.type in ("string", "template_string", "regex"):
        if node.end_byte > node.start_byte:
            yield node
        return
    for child in node.children:
        yield from _tokens(child)


def _parse(source: bytes) -> Tree:
    return Parser(Language(tree_sitter_javascript.language())).parse(source)


def _read(file: Path) -> _Module:
    source = file.read_bytes()
    if file.suffix == ".css":
        text = json.dumps(rcssmin.cssmin(source.decode()), ensure_ascii=False)
        return _Module(file.name, exports=["css"], source=f"const css={text};".encode())
    module = _Module(file.name, source=source)
    tree = _parse(source)
    if tree.root_node.has_error:
        broken = next(node for node in _nodes(tree.root_node) if node.is_error or node.is_missing)
        raise _problem(module, broken, "This is not JavaScript.", "Correct the line.")
    for node in tree.root_node.children:
        if node.type == "import_statement":
            _import(module, node)
        elif node.type == "export_statement":
            _export(module, node)
    for node in _nodes(tree.root_node):
        if node.type == "import" and node.parent is not None and node.parent.type not in ("import_statement", "import"):
            _import_later(module, node.parent)
        elif node.type == "await_expression" and not _in_function(node):
            raise _problem(module, node, "A module cannot wait while it loads.", "Put the await into a function.")
    return module


def _problem(module: _Module, node: Node, message: str, remedy: str) -> BundleError:
    return BundleError(module.name, node.start_point.row + 1, message, remedy)


def _text(node: Node) -> str:
    return (node.text or b"").decode()


def _nodes(root: Node) -> Iterator[Node]:
    yield root
    for child in root.children:
        yield from _nodes(child)


def _in_function(node: Node) -> bool:
    above = node.parent
    while above is not None:
        if "function" in above.type or above.type == "method_definition":
            return True
        above = above.parent
    return False


def _target(module: _Module, node: Node, source: Node | None) -> str:
    """Name of the file a module names."""
    match = _FILE.fullmatch(_text(source)[1:-1]) if source is not None and source.type == "string" else None
    if match is None:
        raise _problem(
            module, node, "Only files beside this one can be imported.", 'Write their name out, as in "./other.js".'
        )
    return match.group(1)


def _import(module: _Module, node: Node) -> None:
    target = _target(module, node, node.child_by_field_name("source"))
    clause = next((child for child in node.children if child.type == "import_clause"), None)
    inner = clause.named_children[0] if clause is not None and len(clause.named_children) == 1 else None
    style = target.endswith(".css")
    if inner is None or inner.type != ("identifier" if style else "named_imports"):
        raise _problem(
            module,
            node,
            "This form of import is not known.",
            'Write `import { a, b } from "./other.js"`, or `import css from "./chat.css"`.',
        )
    line = node.start_point.row + 1
    if style:
        names, taken = ["css"], [f"css:{_text(inner)}"]
    else:
        pairs = [_text(one).split(" as ") for one in inner.named_children if one.type == "import_specifier"]
        names, taken = [pair[0].strip() for pair in pairs], [":".join(part.strip() for part in pair) for pair in pairs]
    module.imports.append((target, names, line))
    module.edits.append((node.start_byte, node.end_byte, f"const{{{','.join(taken)}}}=__use(<{target}>);"))


def _export(module: _Module, node: Node) -> None:
    declared = node.child_by_field_name("declaration")
    known = {"function_declaration", "generator_function_declaration", "class_declaration"}
    if declared is not None and not any(child.type == "default" for child in node.children):
        if declared.type in known:
            names = [declared.child_by_field_name("name")]
        elif declared.type == "lexical_declaration" and _text(declared).startswith("const"):
            makers = [child for child in declared.named_children if child.type == "variable_declarator"]
            names = [maker.child_by_field_name("name") for maker in makers]
        else:
            names = []
        if names and all(name is not None and name.type == "identifier" for name in names):
            module.exports += [_text(name) for name in names if name is not None]
            module.edits.append((node.start_byte, declared.start_byte, ""))
            return
    raise _problem(
        module, node, "This form of export is not known.", "Write `export` before a function, a class, or a const."
    )


def _import_later(module: _Module, node: Node) -> None:
    """An `import("./other.js")`; a call is the parent of its word `import`."""
    arguments = node.child_by_field_name("arguments") if node.type == "call_expression" else None
    if arguments is None or len(arguments.named_children) != 1:
        raise _problem(module, node, "This use of `import` is not known.", 'Write `await import("./other.js")`.')
    target = _target(module, node, arguments.named_children[0])
    module.later.append((target, node.start_point.row + 1))
    module.edits.append((node.start_byte, node.end_byte, f"__later(<{target}>)"))

"""One script of the widget's modules: what it does with each form, what it refuses, and how large it is."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from bot.channels.webchat.bundle import WIDGET, BundleError, current_bundle, make_script, minified

MOST_BYTES = 45_000

MODULES = {
    "index.js": """
        import { h, LINES as lines } from "./dom.js";
        import css from "./look.css";
        /** @param {import("./chat.js").Chat} chat, which is only a comment */
        export const later = async () => {
          const { Chat } = await import("./chat.js");
          return new Chat().said();
        };
        globalThis.told = [h("a"), lines, css];
        globalThis.open = later;
    """,
    "dom.js": """
        globalThis.order = [...(globalThis.order ?? []), "dom"];
        export function h(tag) { return `<${tag}${ `//${1 + 1}` }>`; } // gone
        export const LINES = "a\\nb /* kept */", other = /["'/*]/.test('"');
    """,
    "chat.js": """
        import { h } from "./dom.js";
        globalThis.order.push("chat");
        export class Chat {
          #word = "here"
          said() { return h(this.#word) + (5 - -1) }
        }
        export async function unused() {}
    """,
    "look.css": """
        :host { all: initial !important; }  /* gone */
        .a > .b { width: calc(1px + 2%); content: "“ /* x */"; }
    """,
}


def folder_of(path: Path, modules: dict[str, str]) -> Path:
    """A folder with these modules."""
    for name, text in modules.items():
        (path / name).write_text(text, "utf-8")
    return path


@pytest.mark.browser
def test_modules_run_as_they_would_by_themselves(tmp_path: Path, chromium: Browser) -> None:
    script = make_script(folder_of(tmp_path, MODULES))
    page = chromium.new_page()
    page.add_script_tag(content=script)
    css = ':host{all:initial!important}.a>.b{width:calc(1px + 2%);content:"“ /* x */"}'
    assert page.evaluate("told") == ["<a//2>", "a\nb /* kept */", css]
    assert page.evaluate("order") == ["dom"]
    assert page.evaluate("open()") == "<here//2>6"
    assert page.evaluate("Promise.all([open(), open()])") == ["<here//2>6"] * 2
    assert page.evaluate("order") == ["dom", "chat"]
    page.close()


@pytest.mark.parametrize(
    ("module", "line", "told"),
    [
        ('\nimport * as dom from "./dom.js";', 2, "import is not known"),
        ('import dom from "./dom.js";', 1, "import is not known"),
        ('import "./dom.js";', 1, "import is not known"),
        ('import { css } from "./look.css";', 1, "import is not known"),
        ('import { h } from "./dom.js";\nimport { g } from "./dom.js";', 2, "'dom.js' does not export g"),
        ('import { h } from "../dom.js";', 1, "Only files beside this one"),
        ('import { h } from "https://example.com/dom.js";', 1, "Only files beside this one"),
        ('import { h } from "./gone.js";', 1, "There is no 'gone.js'"),
        ("const a = 1;\nexport default a;", 2, "export is not known"),
        ("const a = 1;\nexport { a };", 2, "export is not known"),
        ('export * from "./dom.js";', 1, "export is not known"),
        ("export let a = 1;", 1, "export is not known"),
        ("export const { a } = { a: 1 };", 1, "export is not known"),
        ("const name = './dom.js';\nconst load = () => import(name);", 2, "Only files beside this one"),
        ("const load = () => import(`./dom.js`);", 1, "Only files beside this one"),
        ("const where = () => import.meta.url;", 1, "use of `import` is not known"),
        ('const made = 1;\nconst dom = await import("./dom.js");', 2, "cannot wait while it loads"),
        ("const a = ;", 1, "not JavaScript"),
        ('import { a } from "./circle.js";\nexport const b = 1;', 1, "index.js → circle.js → index.js"),
    ],
)
def test_other_forms_are_refused_by_file_and_line(tmp_path: Path, module: str, line: int, told: str) -> None:
    circle = {"circle.js": 'import { b } from "./index.js";\nexport const a = () => b;'}
    folder = folder_of(tmp_path, {**MODULES, **circle, "index.js": module})
    with pytest.raises(BundleError) as caught:
        make_script(folder)
    assert told in str(caught.value)
    assert caught.value.message.startswith((f"index.js:{line}: ", "circle.js:1: "))
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("written", "short"),
    [
        ("const a = 1\nlet b = a\n;[a].map(String)", "const a=1\nlet b=a;[a].map(String)"),
        ("return\n  1;", "return\n1;"),
        ("a = b + +c - -d / /e/.source", "a=b+ +c- -d/ /e/.source"),
        ("f(`  ${ a  //x\n } // kept`) // gone", "f(`  ${ a  //x\n } // kept`)"),
        ("if (a) {\n  b();\n}\nelse {\n  c();\n}", "if(a){b();}\nelse{c();}"),
        ("x = a ?\n  b :\n  c", "x=a?b:c"),
        ("é = ü in ñ", "é=ü in ñ"),
        ("class A {\n  #x = 1\n  static y\n}", "class A{#x=1\nstatic y\n}"),
    ],
)
def test_space_goes_and_meaning_stays(written: str, short: str) -> None:
    assert minified(written) == short


def test_a_changed_file_makes_another_script(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, MODULES)
    before = current_bundle(folder)
    assert current_bundle(folder) is before
    (folder / "look.css").write_text(".a { top: 0 }", "utf-8")
    after = current_bundle(folder)
    assert after.digest != before.digest
    assert gzip.decompress(after.zipped) == after.script


def test_the_widget_is_small() -> None:
    assert len(current_bundle().zipped) <= MOST_BYTES


def test_the_entry_reaches_every_module_of_the_widget() -> None:
    """A module nobody imports is one that was forgotten."""
    names = {file.name for file in WIDGET.iterdir() if file.suffix in (".js", ".css")}
    texts = "\n".join(file.read_text("utf-8") for file in WIDGET.glob("*.js"))
    assert {name for name in names if f'"./{name}"' not in texts} == {"index.js"}


@pytest.mark.browser
def test_the_widget_is_a_script_a_browser_takes(chromium: Browser) -> None:
    page = chromium.new_page()
    check: Any = page.evaluate(
        "text => { try { new Function(text); return 'taken' } catch (error) { return String(error) } }",
        current_bundle().script.decode(),
    )
    page.close()
    assert check == "taken"

// The keyboard: one key for each thing people do often; none while they type.

import * as composer from "./composer.js";
import * as list from "./list.js";
import { undoLast } from "./toasts.js";

function types(element) {
  return element.closest?.("input, textarea, select, [contenteditable]") !== null;
}

function press(name) {
  const button = document.querySelector(`#case-head [data-key="${name}"]`);
  if (button) button.click();
}

function openMenu(name) {
  const menu = document.querySelector(`#case-head details[data-menu="${name}"]`);
  if (!menu) return;
  menu.open = true;
  menu.querySelector("select, .menu-box button")?.focus();
}

function walk(step) {
  const row = list.neighbour(step);
  if (!row) return;
  row.focus();
  row.scrollIntoView({ block: "nearest" });
}

/** Show the overview of keys. */
export function help() {
  const dialog = document.getElementById("keys");
  if (!dialog.open) dialog.showModal();
}

const actions = {
  j: () => walk(1),
  k: () => walk(-1),
  c: () => press("claim"),
  r: () => composer.choose("reply"),
  n: () => composer.choose("note"),
  t: () => openMenu("transfer"),
  e: () => openMenu("resolve"),
  b: () => press("return"),
  u: () => undoLast(),
  "/": () => document.getElementById("search-text").focus(),
  "?": () => help(),
};

/** Listen, once for the page. */
export function start() {
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (event.key === "Escape") {
      if (types(event.target)) event.target.blur();
      return;
    }
    if (types(event.target) || document.querySelector("dialog[open]")) return;
    const act = actions[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });
  document.addEventListener("click", (event) => {
    if (event.target.closest?.("[data-help]")) help();
  });
}

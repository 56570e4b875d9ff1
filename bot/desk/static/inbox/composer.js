// Writing: replies to the customer and notes for the team, each in a box and draft of its own.

import * as files from "./files.js";
import { newId, part, post } from "./server.js";
import { say } from "./words.js";

const DRAFT_MILLISECONDS = 700;
const TYPING_MILLISECONDS = 3000;
const IN_VIEW_MILLISECONDS = 1000;

const composer = () => document.getElementById("composer");
const box = (kind) => document.getElementById(`box-${kind}`);
const area = (kind) => document.getElementById(`${kind}-text`);
let timer = null;
let typedAt = 0;
let newest = { number: 0, at: 0, others: false };

function path(what) {
  return `/desk/cases/${composer().dataset.case}/${what}`;
}

/** Show the box for replies or the one for notes. What was typed in one never moves to the other. */
export function choose(mode, focus = true) {
  if (!composer() || (mode === "reply" && !box("reply"))) return;
  if (composer().dataset.mode === "reply" && mode === "note") typing(false);
  composer().dataset.mode = mode;
  for (const kind of ["reply", "note"]) {
    if (box(kind)) box(kind).hidden = kind !== mode;
    document.getElementById(`mode-${kind}`)?.setAttribute("aria-selected", String(kind === mode));
  }
  if (focus) area(mode)?.focus();
}

function grow(element) {
  element.style.height = "auto";
  element.style.height = `${Math.min(element.scrollHeight + 2, window.innerHeight * 0.4)}px`;
}

function typing(on) {
  if (on && Date.now() - typedAt < TYPING_MILLISECONDS) return;
  if (!on && !typedAt) return;
  typedAt = on ? Date.now() : 0;
  post(path("typing"), { on: on ? "yes" : "no" }).catch(() => {});
}

async function keepDraft(kind, alive = false) {
  clearTimeout(timer);
  timer = null;
  const seen = box("reply")?.elements.seen_number.value ?? newest.number;
  const values = { kind, text: area(kind).value, seen_number: seen };
  const response = await post(path("draft"), values, alive).catch(() => null);
  const saved = document.getElementById("saved");
  if (saved && response?.ok && values.text.trim()) saved.textContent = say("saved");
}

/** A message has come: whoever writes on with it before them has seen it; a colleague's reply asks first. */
export function arrived(number, author) {
  if (number <= newest.number) return;
  newest = { number, at: Date.now(), others: newest.others || author === "agent" };
  const form = box("reply");
  if (form && !area("reply").value.trim()) seen();
}

function seen() {
  box("reply").elements.seen_number.value = newest.number;
  newest.others = false;
}

function written(kind) {
  grow(area(kind));
  document.getElementById("saved").textContent = "";
  const inView = document.getElementById("newer").hidden && document.visibilityState === "visible";
  if (kind === "reply") {
    const read = inView && Date.now() - newest.at > IN_VIEW_MILLISECONDS && !newest.others;
    if (!area("reply").value.trim() || read) seen();
    typing(area("reply").value !== "");
  }
  clearTimeout(timer);
  timer = setTimeout(() => keepDraft(kind), DRAFT_MILLISECONDS);
}

/** Put text where the caret stands. */
function insert(kind, text) {
  choose(kind);
  const field = area(kind);
  if (!field) return;
  const before = field.value.slice(0, field.selectionStart);
  const glue = before && !/\s$/.test(before) ? "\n\n" : "";
  field.setRangeText(glue + text, field.selectionStart, field.selectionEnd, "end");
  written(kind);
  field.focus();
}

function attach(article, title) {
  const list = document.getElementById("attached");
  if (!list || list.querySelector(`[value="${CSS.escape(article)}"]`)) return;
  const chip = document.createElement("li");
  const name = document.createElement("span");
  name.textContent = title;
  const field = document.createElement("input");
  field.type = "hidden";
  field.name = "citation";
  field.value = article;
  const remove = document.createElement("button");
  remove.type = "button";
  remove.textContent = "×";
  remove.setAttribute("aria-label", say("remove", { title }));
  remove.addEventListener("click", () => {
    chip.remove();
    area("reply").focus();
  });
  chip.append(name, field, remove);
  list.append(chip);
  choose("reply");
}

// Saved replies ----------------------------------------------------------------------------------------------------

const pop = () => document.getElementById("saved-pop");

async function openSaved() {
  const html = await part(path("replies"));
  if (html === null || !pop()) return;
  document.getElementById("saved-list").innerHTML = html;
  pop().hidden = false;
  document.querySelector("[data-saved-replies]").setAttribute("aria-expanded", "true");
  const find = document.getElementById("saved-find");
  find.value = "";
  find.focus();
}

function closeSaved(focus = true) {
  if (!pop() || pop().hidden) return;
  pop().hidden = true;
  document.querySelector("[data-saved-replies]")?.setAttribute("aria-expanded", "false");
  if (focus) area("reply")?.focus();
}

function filterSaved(words) {
  const wanted = words.toLocaleLowerCase();
  let shown = 0;
  for (const item of pop().querySelectorAll("li")) {
    item.hidden = !item.textContent.toLocaleLowerCase().includes(wanted);
    shown += item.hidden ? 0 : 1;
  }
  const none = pop().querySelector(".none[hidden], .none[data-filtered]");
  if (none && pop().querySelector("li")) {
    none.dataset.filtered = "yes";
    none.hidden = shown > 0;
  }
}

function walkSaved(step) {
  const items = [...pop().querySelectorAll("li:not([hidden]) button")];
  if (!items.length) return;
  const at = items.indexOf(document.activeElement) + step;
  if (at < 0) document.getElementById("saved-find").focus();
  else items[Math.min(at, items.length - 1)].focus();
}

// Sending ----------------------------------------------------------------------------------------------------------

function sent(form) {
  const kind = form.dataset.kind;
  clearTimeout(timer);
  form.elements.text.value = "";
  grow(form.elements.text);
  document.getElementById("stale").replaceChildren();
  document.getElementById("saved").textContent = "";
  form.elements.client_id.value = newId();
  if (kind === "reply") {
    document.getElementById("attached").replaceChildren();
    files.clear();
    typing(false);
    seen();
  }
  form.elements.text.focus();
}

/** Begin with a case that was opened. */
export function mount(lastNumber) {
  newest = { number: lastNumber, at: 0, others: false };
  typedAt = 0;
  timer = null;
  for (const kind of ["reply", "note"]) if (area(kind)) grow(area(kind));
}

/** Leave the case: what was typed is kept. */
export function unmount() {
  if (composer() && timer) keepDraft(composer().dataset.mode, true);
  if (composer() && typedAt) typing(false);
}

/** Another box to write in, where who may write has changed; what is being typed stays. */
export async function refresh() {
  if (!composer()) return;
  const html = await part(path("composer"));
  if (html === null || !composer()) return;
  const fresh = document.createElement("div");
  fresh.innerHTML = html;
  const before = Boolean(box("reply"));
  const after = Boolean(fresh.querySelector("#box-reply"));
  if (before === after && Boolean(composer().querySelector(".modes")) === Boolean(fresh.querySelector(".modes"))) {
    const hint = fresh.querySelector("#reply-text")?.placeholder;
    if (hint && area("reply")) area("reply").placeholder = hint;
    return;
  }
  const note = area("note")?.value ?? "";
  const focused = composer().contains(document.activeElement);
  if (before && area("reply").value.trim()) await keepDraft("reply");
  composer().replaceWith(fresh.firstElementChild);
  window.htmx.process(composer());
  if (area("note") && note) area("note").value = note;
  if (focused) area(composer().dataset.mode)?.focus();
}

/** Listen, once for the page. */
export function start() {
  files.start();
  document.addEventListener("input", (event) => {
    if (event.target === area("reply")) written("reply");
    else if (event.target === area("note")) written("note");
    else if (event.target.id === "saved-find") filterSaved(event.target.value);
  });
  document.addEventListener("keydown", (event) => {
    const field = event.target;
    if (field === area("reply") || field === area("note")) {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
        event.preventDefault();
        if (field.value.trim() || (field === area("reply") && files.attached())) field.form.requestSubmit();
      } else if (event.key === "/" && field === area("reply") && /(^|\s)$/.test(field.value.slice(0, field.selectionStart))) {
        event.preventDefault();
        openSaved();
      }
    } else if (pop()?.contains(field)) {
      if (event.key === "Escape") {
        event.stopPropagation();
        closeSaved();
      } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
        event.preventDefault();
        walkSaved(event.key === "ArrowDown" ? 1 : -1);
      } else if (event.key === "Tab") {
        event.preventDefault();
        walkSaved(event.shiftKey ? -1 : 1);
      } else if (event.key === "Enter" && field.id === "saved-find") {
        event.preventDefault();
        pop().querySelector("li:not([hidden]) button")?.click();
      }
    }
  });
  document.addEventListener("click", (event) => {
    const on = (selector) => event.target.closest?.(selector);
    const tab = on("[role=tab][data-mode]");
    if (tab) choose(tab.dataset.mode);
    else if (on("[data-saved-replies]")) pop().hidden ? openSaved() : closeSaved();
    else if (on("[data-insert-reply]")) {
      closeSaved(false);
      insert("reply", on("[data-insert-reply]").dataset.insertReply);
    } else if (on("[data-insert-note]")) insert("note", on("[data-insert-note]").dataset.insertNote);
    else if (on("[data-insert]")) {
      const { insert: text, article, title } = on("[data-insert]").dataset;
      insert("reply", text);
      attach(article, title);
    } else if (on("[data-attach]")) attach(on("[data-attach]").dataset.attach, on("[data-attach]").dataset.title);
    else if (on("[data-send-anyway]")) {
      box("reply").elements.seen_number.value = on("[data-send-anyway]").dataset.sendAnyway;
      box("reply").requestSubmit();
    } else if (on("[data-keep-writing]")) {
      box("reply").elements.seen_number.value = on("[data-keep-writing]").dataset.keepWriting;
      newest.others = false;
      document.getElementById("stale").replaceChildren();
      area("reply").focus();
    } else if (!pop()?.hidden && !pop()?.contains(event.target)) closeSaved(false);
  });
  document.addEventListener("desk:done", (event) => {
    if (event.target.matches?.("form.box")) sent(event.target);
  });
  window.addEventListener("pagehide", unmount);
}

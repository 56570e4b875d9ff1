// The list of cases: it follows what happens and keeps its place; opening a case swaps the pane beside it.

import { part, Stream } from "./server.js";
import * as notices from "./notices.js";
import { say, showTimes } from "./words.js";

const panes = () => document.getElementById("panes");
const list = () => document.getElementById("list");
let opened = () => {};
let asked = 0;

function query() {
  return new URLSearchParams(new FormData(document.getElementById("search"))).toString();
}

/** Put fresh rows in the place of the old ones; scroll and focus stay where they are. */
function replace(html) {
  const box = document.createElement("div");
  box.innerHTML = html;
  const queues = box.querySelector("#queues");
  const focused = document.activeElement?.id;
  if (queues) {
    queues.removeAttribute("hx-swap-oob");
    const view = document.activeElement?.dataset?.view;
    document.getElementById("queues").replaceWith(queues);
    if (view) queues.querySelector(`[data-view="${view}"]`)?.focus({ preventScroll: true });
    showView();
  }
  const top = list().scrollTop;
  list().replaceChildren(...box.childNodes);
  list().scrollTop = top;
  if (focused?.startsWith("row-")) document.getElementById(focused)?.focus({ preventScroll: true });
  showTimes(list());
  mark();
}

/** Where the views stand in one line, show the present one. */
function showView() {
  const row = document.querySelector("#queues ul");
  const view = row.querySelector("[aria-current]");
  if (view) row.scrollLeft = view.offsetLeft - (row.clientWidth - view.offsetWidth) / 2;
}

/** Ask for the list as it is now; of several questions at once only the last one's answer counts. */
export async function refresh() {
  const mine = ++asked;
  const html = await part(`/desk/list?${query()}&current=${panes().dataset.case}`);
  if (html !== null && mine === asked) replace(html);
}

let timer = null;

/** Soon, and once for many changes. */
export function refreshSoon() {
  clearTimeout(timer);
  timer = setTimeout(refresh, 150);
}

function mark() {
  for (const row of list().querySelectorAll("[data-open]")) {
    if (row.dataset.open === panes().dataset.case) row.setAttribute("aria-current", "true");
    else row.removeAttribute("aria-current");
  }
}

/** Open a case in the pane. */
export async function open(number, push = true) {
  const path = `/desk/cases/${number}?${query()}`;
  const html = await part(path + "&pane=yes");
  if (html === null) {
    location.assign(path);
    return;
  }
  show(html, String(number), push ? path : null);
}

/** Leave the case; the pane is empty, phones show the list. */
export async function leave(push = true) {
  const html = await part("/desk/nothing");
  show(html ?? "", "", push ? `/desk?${query()}` : null);
}

function show(html, number, path) {
  const pane = document.getElementById("pane");
  pane.innerHTML = html;
  panes().dataset.case = number;
  window.htmx.process(pane);
  if (path) history.pushState({ desk: true }, "", path);
  mark();
  notices.read(number);
  const title = pane.querySelector("h1")?.textContent.trim().replace(/\s+/g, " ");
  notices.setTitle(title ? `${title} · ${say("title")}` : say("title"));
  showTimes(pane);
  opened();
  if (number) pane.focus({ preventScroll: true });
  else document.querySelector(".row[aria-current], .row")?.focus({ preventScroll: true });
}

/** The row after or before the one that is open or has the focus. */
export function neighbour(step) {
  const rows = [...list().querySelectorAll("[data-open]")];
  if (!rows.length) return null;
  const focused = rows.indexOf(document.activeElement);
  const at = focused >= 0 ? focused : rows.findIndex((row) => row.dataset.open === panes().dataset.case);
  const next = at < 0 ? (step > 0 ? 0 : rows.length - 1) : at + step;
  return rows[next] ?? null;
}

/** The case to go on with when one is done: the next in the list, else the one before. */
export function following(number) {
  const rows = [...list().querySelectorAll("[data-open]")];
  const at = rows.findIndex((row) => row.dataset.open === String(number));
  return (rows[at + 1] ?? rows[at - 1])?.dataset.open ?? null;
}

function begin() {
  const form = document.getElementById("search");
  let typed = null;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    history.replaceState({ desk: true }, "", `${location.pathname}?${query()}`);
    refresh();
  });
  form.addEventListener("change", (event) => {
    if (event.target.matches("select")) form.requestSubmit();
  });
  document.getElementById("search-text").addEventListener("input", () => {
    clearTimeout(typed);
    typed = setTimeout(() => form.requestSubmit(), 300);
  });
}

/** Follow the list; `whenOpened` is called whenever the pane shows something else. */
export function start(whenOpened) {
  opened = whenOpened;
  begin();
  showView();
  mark();
  new Stream("/desk/events", panes().dataset.events, {
    change: (data) => JSON.parse(data).changed && refreshSoon(),
    notice: (data) => notices.tell(JSON.parse(data), open),
    gone: () => location.reload(),
  });
  document.addEventListener("click", (event) => {
    if (event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey) return;
    const row = event.target.closest("a[data-open]");
    const back = event.target.closest("a[data-back]");
    if (!row && !back) return;
    event.preventDefault();
    if (row) open(row.dataset.open);
    else leave();
  });
  window.addEventListener("popstate", () => {
    const number = location.pathname.match(/^\/desk\/cases\/(\d+)$/)?.[1];
    if (number) open(number, false);
    else leave(false);
  });
}

// The open case, live: what is said, who looks, who types; its parts are asked for again when they are outdated.

import * as composer from "./composer.js";
import { part, post, Stream } from "./server.js";
import { say, showTimes } from "./words.js";

const NEAR_PIXELS = 80;
const POLL_MILLISECONDS = 15_000;
const READ_MILLISECONDS = 500;
let stream = null;
let poll = null;
let waiting = new Map();
let sideWanted = false;
let newest = 0; // Number of the last message here, and of the last one told to be read.
let told = 0;
let telling = null;

const article = () => document.getElementById("case");
const thread = () => document.getElementById("thread");

function atEnd() {
  return thread().scrollHeight - thread().scrollTop - thread().clientHeight < NEAR_PIXELS;
}

function toEnd() {
  thread().scrollTop = thread().scrollHeight;
  document.getElementById("newer").hidden = true;
}

/** Add entries that are not there yet; the view stays where it is unless it stood at the end. */
function add(html) {
  const box = document.createElement("ol");
  box.innerHTML = html;
  const followed = atEnd();
  for (const entry of [...box.children]) {
    const number = Number(entry.dataset.event);
    if (document.querySelector(`#thread [data-event="${number}"]`)) continue;
    document.getElementById("entries").append(entry);
    article().dataset.after = String(Math.max(Number(article().dataset.after), number));
    if (entry.dataset.number) {
      newest = Math.max(newest, Number(entry.dataset.number));
      composer.arrived(Number(entry.dataset.number), entry.classList.contains("by-agent") ? "agent" : "other");
    }
  }
  showTimes(document.getElementById("entries"));
  if (followed) toEnd();
  else document.getElementById("newer").hidden = false;
  tellRead();
}

/** Tell that what stands here was read, while somebody can see it; several messages at once. */
function tellRead() {
  clearTimeout(telling);
  telling = setTimeout(async () => {
    if (!article() || document.visibilityState !== "visible" || newest <= told) return;
    const before = told;
    told = newest;
    const response = await post(`/desk/cases/${article().dataset.number}/read`, { number: told }).catch(() => null);
    if (!response?.ok) told = before;
  }, READ_MILLISECONDS);
}

/** Show below the last message of a person which the customer has seen that they have. */
function showSeen(number, at) {
  document.getElementById("seen")?.remove();
  const message = document.getElementById(`message-${number}`);
  if (!message) return;
  const followed = atEnd();
  const mark = document.createElement("p");
  mark.className = "seen";
  mark.id = "seen";
  const time = document.createElement("time");
  time.dateTime = time.dataset.at = at;
  mark.append(`${say("read")} `, time);
  message.append(mark);
  showTimes(message);
  if (followed) toEnd();
}

/** Ask for parts of the page anew, each once for many changes. */
function outdated(...names) {
  for (const name of names) {
    clearTimeout(waiting.get(name));
    waiting.set(name, setTimeout(() => again(name), 120));
  }
}

function again(name) {
  if (name === "composer") {
    composer.refresh();
    return;
  }
  const element = document.getElementById(name === "head" ? "case-head" : name);
  if (!element) return;
  // What somebody is in the middle of stays: an open menu, a field.
  if (element.querySelector("details[open] :focus, input:focus, select:focus, textarea:focus, details[open].menu")) {
    waiting.set(name, setTimeout(() => again(name), 1000));
    return;
  }
  const focused = element.contains(document.activeElement);
  element.addEventListener("htmx:beforeSwap", () => focused && refocus(element.id), { once: true });
  window.htmx.trigger(element, "refresh");
}

/** Keep the keyboard where it was, though the part it was in is another one now. */
function refocus(id) {
  requestAnimationFrame(() => {
    const fresh = document.getElementById(id);
    const next = fresh?.querySelector(".case-actions .button, .case-actions summary, button, a");
    if (document.activeElement === document.body) next?.focus({ preventScroll: true });
  });
}

function changed(kinds) {
  if (kinds.includes("case") || kinds.includes("owner")) outdated("head", "composer");
  else if (kinds.includes("customer")) outdated("head");
  if (kinds.some((kind) => ["case", "tags", "rating", "account", "customer", "message"].includes(kind))) outdated("side");
}

async function catchUp() {
  if (!article()) return;
  const html = await part(`/desk/cases/${article().dataset.number}/entries?after=${article().dataset.after}`);
  if (html?.trim() && article()) add(html);
}

/** What was just done here shows at once, also when the stream is down. */
export function kick() {
  catchUp();
}

/** Begin with the case that stands in the pane, if any. */
export function mount() {
  composer.unmount();
  stream?.close();
  clearInterval(poll);
  for (const timer of waiting.values()) clearTimeout(timer);
  waiting = new Map();
  stream = null;
  const here = article();
  document.getElementById("panes").classList.toggle("has-case", Boolean(here));
  if (!here) return;
  composer.mount(Number(here.dataset.seen));
  newest = Number(here.dataset.seen);
  told = 0;
  tellRead();
  if (here.dataset.read) showSeen(here.dataset.read, here.dataset.readAt);
  if (sideWanted && !covers()) showSide(true);
  toEnd();
  thread().addEventListener("scroll", () => {
    if (thread() && atEnd()) document.getElementById("newer").hidden = true;
  });
  document.getElementById("newer").addEventListener("click", toEnd);
  const number = here.dataset.number;
  const ours = (handle) => (data, id) => article()?.dataset.number === number && handle(data, id);
  stream = new Stream(
    `/desk/cases/${number}/events`,
    here.dataset.after,
    {
      entry: ours(add),
      parts: ours((data) => changed(JSON.parse(data))),
      seen: ours((data) => {
        const { number, at } = JSON.parse(data);
        showSeen(number, at);
      }),
      lookers: ours((html) => (document.getElementById("presence").innerHTML = html.trim())),
      typing: ours((html) => {
        const followed = atEnd();
        const sign = document.getElementById("typing");
        sign.innerHTML = html;
        sign.hidden = !html.trim();
        if (followed) toEnd();
      }),
      gone: ours(() => location.assign("/desk")),
    },
    (down) => {
      document.getElementById("panes").classList.toggle("is-offline", down);
      document.getElementById("announce").textContent = down ? say("offline") : "";
    },
  );
  poll = setInterval(() => stream?.source.readyState !== EventSource.OPEN && catchUp(), POLL_MILLISECONDS);
}

/** Listen, once for the page. */
export function start() {
  document.addEventListener("click", (event) => {
    const jump = event.target.closest?.("[data-jump]");
    const side = event.target.closest?.("[data-side]");
    if (jump) {
      const message = document.getElementById(`message-${jump.dataset.jump}`);
      if (!message) return;
      event.preventDefault();
      uncover();
      message.scrollIntoView({ block: "center" });
      message.classList.add("is-found");
      setTimeout(() => message.classList.remove("is-found"), 2000);
    } else if (side) {
      sideWanted = !article().classList.contains("with-side");
      showSide(sideWanted);
      if (sideWanted) document.getElementById("side").querySelector("h2")?.scrollIntoView({ block: "nearest" });
    } else if (event.target.closest?.("#side :is([data-insert], [data-insert-note], [data-attach])")) uncover();
  });
  document.addEventListener("visibilitychange", tellRead);
  document.addEventListener("htmx:afterSwap", (event) => {
    if (!article()?.contains(event.target)) return;
    showTimes(article());
    showSide(article().classList.contains("with-side"));
  });
}

function showSide(on) {
  article().classList.toggle("with-side", on);
  document.querySelector("[data-side]")?.setAttribute("aria-expanded", String(on));
}

/** Whether what is known lies over the conversation, as it does where there is no place beside it. */
function covers() {
  return getComputedStyle(document.getElementById("side")).position === "absolute";
}

/** Let the conversation be seen. */
function uncover() {
  if (!covers()) return;
  sideWanted = false;
  showSide(false);
}

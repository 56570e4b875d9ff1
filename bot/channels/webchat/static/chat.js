/** The chat panel: opening and closing, the composer, and what stands around the conversation. */

import { Conversation } from "./conversation.js";
import { recall, remember } from "./storage.js";
import { View, fill } from "./view.js";

const MOST = 4000;
const WARN = 3600;
const OPEN = "refill.open";

const { language } = document.documentElement.dataset;
const words = (await (await fetch(`/static/locales/${language}.json`)).json()).chat;
const chat = document.querySelector("[data-chat]");
const part = (name) => chat.querySelector(`[data-${name}]`);
const [launcher, panel, scroller, text, confirmation] = ["launcher", "panel", "scroller", "text", "confirm"].map(part);
const whole = window.matchMedia("(max-width: 480px), (max-height: 480px)");
const touch = window.matchMedia("(pointer: coarse)");
const conversation = new Conversation(language);
const view = new View(part("log"), { verdict: part("verdict"), card: part("rating-card") }, words, conversation);
// In the visitor's own time zone.
const clock = { weekday: "long", day: "numeric", month: "long", hour: "2-digit", minute: "2-digit" };
const day = new Intl.DateTimeFormat(document.documentElement.lang, clock);

let opener = launcher;
let stuckAt = 0; // Where the chat scrolled to by itself; above it the visitor reads on their own.
let seen = null; // Number of the last message seen; null until those of the past are loaded.

function show(from) {
  opener = from;
  toggle(true);
}

function toggle(open, focus = true) {
  panel.hidden = !open;
  launcher.hidden = open;
  launcher.setAttribute("aria-expanded", String(open));
  fit();
  remember("sessionStorage", OPEN, open);
  draw();
  if (open) scrollTo(scroller.scrollHeight);
  if (focus) (open ? text : opener.hidden ? launcher : opener).focus();
}

/** A panel that fills the screen keeps the page behind it out of reach. */
function fit() {
  document.getElementById("page").inert = whole.matches && !panel.hidden;
}

function scrollTo(top) {
  scroller.scrollTop = top;
  stuckAt = scroller.scrollTop;
}

/** Height of the question above an answer, where it is short enough to be read with it. */
function context({ previousElementSibling: question }) {
  const height = question?.classList.contains("customer") ? question.offsetHeight + 16 : 0;
  return height < 150 ? height : 0;
}

function draw() {
  const { list, outbox, typists, connected, loaded } = conversation;
  const typing = typists.bot || typists.agent;
  const following = scroller.scrollTop >= stuckAt - 8;
  const first = view.draw();
  part("welcome").hidden = !loaded || list.length + outbox.length > 0;
  part("typing").hidden = !typing;
  const person = conversation.owner.name ?? words.agent;
  const sign = typists.agent ? fill(words.agent_typing, { name: person }) : words.typing;
  if (part("typist").textContent !== sign) part("typist").textContent = sign;
  part("restart").hidden = !list.length && !outbox.length;
  drawCase();
  const trouble = navigator.onLine ? (connected ? "" : words.reconnecting) : words.offline;
  part("connection").hidden = !trouble;
  part("connection").textContent = trouble;
  const mine = first?.classList.contains("customer");
  if (mine || (!first && typing && following)) scrollTo(scroller.scrollHeight);
  else if (first && following) scrollTo(first.offsetTop - context(first) - 12);
  // The sign of typing that goes leaves less to scroll: the visitor still follows.
  else if (following) stuckAt = Math.min(stuckAt, scroller.scrollTop);
  count(list);
}

/** The quiet bar of who waits: their case, their place, when people are back. */
function drawCase() {
  const { escalation: found, owner } = conversation;
  part("case").hidden = !found?.open;
  if (!found?.open) return;
  const { number, position, expected_minutes: minutes } = found;
  let told = fill(words.case, { number });
  if (owner.kind === "agent") told = fill(words.with_person, { number, name: owner.name ?? words.agent });
  else if (!found.open_now) told = fill(words.closed_until, { number, time: day.format(new Date(found.next_opening)) });
  else if (minutes) told = fill(words.place_time, { number, position, minutes });
  else if (position) told = fill(words.place, { number, position });
  part("case-text").textContent = told;
  const offered = owner.kind !== "agent" && !found.reachable;
  part("leave").hidden = !offered || !part("leave-form").hidden;
  if (!offered) part("leave-form").hidden = true;
  if (owner.kind === "agent") part("left").hidden = true;
}

function leave(open) {
  part("leave-form").hidden = !open;
  part("left").hidden = true;
  drawCase();
  (open ? part("email") : text).focus();
}

async function submitEmail(event) {
  event.preventDefault();
  const email = part("email").value.trim();
  let told = fill(words.left, { email });
  try {
    await conversation.leave(email);
    leave(false);
  } catch (error) {
    told = error.status ? error.message : words.unreachable;
  }
  part("left").textContent = told;
  part("left").hidden = false;
}

/** Messages that came while the panel was closed. */
function count(list) {
  if (!conversation.loaded) return;
  const last = list.at(-1)?.number ?? 0;
  if (seen === null || !panel.hidden || last < seen) seen = last;
  const unread = list.filter((message) => message.number > seen && message.author !== "customer").length;
  const told = unread ? fill(words.unread, { count: unread }) : "";
  part("badge").hidden = !unread;
  part("badge").textContent = unread || "";
  launcher.setAttribute("aria-label", unread ? `${words.open}, ${told}` : words.open);
  if (part("unread").textContent !== told) part("unread").textContent = told;
}

function measure() {
  text.style.height = "auto";
  text.style.height = `${text.scrollHeight + 2}px`;
  const length = [...text.value.trim()].length;
  const over = length - MOST;
  const told = over > 0 ? fill(words.too_long, { count: over }) : fill(words.counter, { count: length, most: MOST });
  part("counter").textContent = length > WARN ? told : "";
  part("counter").classList.toggle("over", over > 0);
  part("send").disabled = !length || over > 0;
}

function submit(event) {
  event.preventDefault();
  measure();
  if (part("send").disabled) return;
  conversation.send(text.value.trim());
  text.value = "";
  measure();
  text.focus();
}

launcher.addEventListener("click", () => show(launcher));
part("close").addEventListener("click", () => toggle(false));
part("composer").addEventListener("submit", submit);
text.addEventListener("input", measure);
text.addEventListener("input", () => text.value.trim() && conversation.type());
text.addEventListener("keydown", (event) => {
  // Enter that ends the input of a Chinese word (229 in Safari) sends nothing.
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing && event.keyCode !== 229) submit(event);
});
panel.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !event.isComposing && !confirmation.open) toggle(false);
});
part("person").addEventListener("click", () => conversation.send(words.person));
chat.querySelectorAll("[data-example]").forEach((button) => {
  button.addEventListener("click", () => conversation.send(button.textContent));
});
// Buttons among the messages vanish or close once used; the visitor goes on writing. Thumbs and ratings stay. On a touch
// screen the text box would bring up the keyboard, over the answer.
scroller.addEventListener("click", (event) => {
  const used = event.target.closest("button");
  if (used && !used.matches("[data-thumb], .rating *")) (touch.matches ? scroller : text).focus({ preventScroll: true });
});
part("leave").addEventListener("click", () => leave(true));
part("leave-form").addEventListener("submit", submitEmail);
part("restart").addEventListener("click", () => {
  confirmation.returnValue = "no";
  confirmation.showModal();
});
confirmation.addEventListener("close", () => {
  if (confirmation.returnValue === "yes") conversation.forget();
  text.focus();
});
document.querySelectorAll("[data-open-chat]").forEach((button) => {
  button.addEventListener("click", () => show(button));
});
document.querySelectorAll("[data-needs-chat]").forEach((shown) => (shown.hidden = false));
conversation.addEventListener("change", draw);
whole.addEventListener("change", fit);

toggle(recall("sessionStorage", OPEN) === true, false);
measure();

// The desk's working page: puts the parts together.

import * as composer from "./composer.js";
import * as conversation from "./conversation.js";
import * as keys from "./keys.js";
import * as list from "./list.js";
import * as notices from "./notices.js";
import { problem, toast } from "./toasts.js";
import { say, showTimes } from "./words.js";

const TICK_MILLISECONDS = 15_000;

function done(event) {
  const { text, case: number, undo, leave } = event.detail;
  const quiet = event.target.matches?.("form.box");
  if (!quiet) toast(text, undo ? number : null);
  for (const menu of document.querySelectorAll("#case-head details[open]")) menu.open = false;
  const open = document.getElementById("panes").dataset.case;
  if (leave && String(number) === open) {
    const next = list.following(number);
    if (next) list.open(next);
    else list.leave();
  } else if (String(number) === open) conversation.kick();
  else list.open(number);
  list.refreshSoon();
}

showTimes();
setInterval(showTimes, TICK_MILLISECONDS);
composer.start();
conversation.start();
keys.start();
list.start(conversation.mount);
conversation.mount();
document.addEventListener("desk:done", done);
document.addEventListener("desk:undone", (event) => list.open(event.detail.case));
document.addEventListener("htmx:sendError", () => problem(null));
document.addEventListener("htmx:responseError", () => problem(null));
document.addEventListener("htmx:afterSwap", (event) => {
  if (event.target.id === "toasts") setTimeout(() => event.target.querySelector(".notice")?.remove(), 12_000);
});
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible") notices.read(document.getElementById("panes").dataset.case);
});
document.addEventListener("click", (event) => {
  const link = event.target.closest?.("[data-transcript]");
  if (!link) return;
  const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
  link.search = new URLSearchParams({ zone: timeZone });
});
document.addEventListener("click", (event) => {
  const button = event.target.closest?.("[data-copy-link]");
  if (!button) return;
  navigator.clipboard?.writeText(new URL(button.dataset.copyLink, location.href).href).then(() => toast(say("copied")));
});
document.documentElement.dataset.inbox = "ready";

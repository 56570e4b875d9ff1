// The list of signals: actions without loading the page anew, and live changes.

import { part, Stream } from "./server.js";
import { problem, toast } from "./toasts.js";
import { showTimes } from "./words.js";

const box = () => document.getElementById("signals");
let timer = null;

async function refresh() {
  if (document.querySelector("#signals details[open]")) {
    timer = setTimeout(refresh, 2000);
    return;
  }
  const html = await part(`/desk/signals?${box().dataset.query}&list=yes`);
  if (html === null) return;
  box().innerHTML = html;
  window.htmx.process(box());
  showTimes(box());
}

function soon() {
  clearTimeout(timer);
  timer = setTimeout(refresh, 150);
}

showTimes();
setInterval(showTimes, 30_000);
new Stream("/desk/events", box().dataset.events, {
  change: (data) => JSON.parse(data).changed && soon(),
  gone: () => location.reload(),
});
document.addEventListener("desk:done", (event) => {
  for (const menu of document.querySelectorAll("#signals details[open]")) menu.open = false;
  toast(event.detail.text, event.detail.undo ? event.detail.case : null);
  soon();
});
document.addEventListener("desk:undone", soon);
document.addEventListener("htmx:sendError", () => problem(null));
document.addEventListener("htmx:responseError", () => problem(null));
document.documentElement.dataset.inbox = "ready";

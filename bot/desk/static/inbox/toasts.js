// Short messages at the bottom: what was done, with a way back for a minute; what went wrong.

import { post } from "./server.js";
import { say } from "./words.js";

const UNDO_SECONDS = 60;
const SHOWN_SECONDS = 6;
let last = null;

function place(toast, seconds) {
  const box = document.getElementById("toasts");
  while (box.children.length > 2) box.firstElementChild.remove();
  box.append(toast);
  const timer = setTimeout(() => toast.remove(), seconds * 1000);
  toast.addEventListener("mouseenter", () => clearTimeout(timer), { once: true });
}

/** Say that something was done; `undo` takes the number of the case whose last step can be taken back. */
export function toast(text, undo = null) {
  const element = document.createElement("p");
  element.className = "toast";
  const words = document.createElement("span");
  words.textContent = text;
  element.append(words);
  if (undo !== null) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "toast-undo";
    button.textContent = say("undo");
    button.addEventListener("click", () => undoLast());
    element.append(button);
    last = { element, undo, until: Date.now() + UNDO_SECONDS * 1000 };
  }
  const close = document.createElement("button");
  close.type = "button";
  close.className = "toast-close";
  close.setAttribute("aria-label", say("close"));
  close.textContent = "×";
  close.addEventListener("click", () => element.remove());
  element.append(close);
  place(element, undo === null ? SHOWN_SECONDS : UNDO_SECONDS);
}

/** Take back what the newest toast offers to take back. */
export async function undoLast() {
  if (!last || Date.now() > last.until) return;
  const { element, undo } = last;
  last = null;
  element.remove();
  const response = await post(`/desk/cases/${undo}/undo`, {}).catch(() => null);
  if (response?.ok) {
    const done = JSON.parse(response.headers.get("hx-trigger") || "{}")["desk:done"];
    document.dispatchEvent(new CustomEvent("desk:undone", { detail: { case: undo } }));
    if (done) toast(done.text);
  } else {
    const box = document.createElement("div");
    box.innerHTML = response ? await response.text() : "";
    problem(box.firstElementChild);
  }
}

/** Show what went wrong: an element the server made, or that it was not reached. */
export function problem(element) {
  if (!element) {
    toast(say("failed"));
    return;
  }
  place(element, SHOWN_SECONDS * 2);
}

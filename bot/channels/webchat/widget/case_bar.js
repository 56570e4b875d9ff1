/** The quiet bar of who waits: their case, their place, when people are back, and an address to write to. */

import { fill, h } from "./dom.js";

export function attachCaseBar(chat) {
  const { words, app } = chat;
  // In the visitor's own time zone.
  const day = app.format({ weekday: "long", day: "numeric", month: "long", hour: "2-digit", minute: "2-digit" });
  const back = (moment) => day.format(new Date(moment));
  const told = h("p", { "data-case-text": true });
  const offer = h("button", { type: "button", "data-leave": true, hidden: true, text: words.leave_email });
  const email = h("input", {
    type: "email",
    required: true,
    maxlength: "254",
    autocomplete: "email",
    "aria-label": words.email,
    placeholder: words.email,
    "data-email": true,
  });
  const save = h("button", { text: words.save });
  const form = h("form", { class: "leave", "data-leave-form": true, hidden: true }, email, save);
  const left = h("p", { role: "status", "data-left": true, hidden: true });
  const bar = h("div", { class: "strip case", "data-case": true, hidden: true }, told, offer, form, left);
  chat.part("case-bar").replaceWith(bar);

  function draw() {
    const { escalation: found, owner } = chat.conversation;
    bar.hidden = !found?.open;
    if (!found?.open) return;
    const { number, position, expected_minutes: minutes } = found;
    let text = fill(words.case, { number });
    if (owner.kind === "agent") text = fill(words.with_person, { number, name: owner.name ?? words.agent });
    else if (!found.open_now) text = fill(words.closed_until, { number, time: back(found.next_opening) });
    else if (minutes) text = fill(words.place_time, { number, position, minutes });
    else if (position) text = fill(words.place, { number, position });
    if (told.textContent !== text) told.textContent = text;
    const offered = owner.kind !== "agent" && !found.reachable;
    offer.hidden = !offered || !form.hidden;
    if (!offered) form.hidden = true;
    if (owner.kind === "agent") left.hidden = true;
  }

  function toggle(open) {
    form.hidden = !open;
    left.hidden = true;
    draw();
    if (open) email.focus();
    else chat.focus();
  }

  async function submit(event) {
    event.preventDefault();
    const address = email.value.trim();
    let outcome = fill(words.left, { email: address });
    try {
      await chat.conversation.leave(address);
      toggle(false);
    } catch (error) {
      outcome = error.message;
    }
    left.textContent = outcome;
    left.hidden = false;
  }

  offer.addEventListener("click", () => toggle(true));
  form.addEventListener("submit", submit);
  chat.on("change", draw);
  chat.on("conversation", () => {
    form.hidden = true;
    left.hidden = true;
  });
}

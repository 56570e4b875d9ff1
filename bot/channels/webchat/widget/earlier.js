/** The visitor's conversations, to go on with one of them. */

import css from "./earlier.css";
import { fill, h } from "./dom.js";

const MOST = 80; // Characters of a title.

export function attachEarlier(chat) {
  chat.style(css);
}

/** Show the list over the messages. */
export async function showEarlier(chat) {
  const { words, session } = chat;
  const place = h("div", { class: "earlier", role: "status", "data-earlier-list": true, "aria-busy": "true" });
  const shown = chat.overlay(words.earlier, place);
  try {
    const found = session.visitor ? await session.request("/api/v1/conversations") : { conversations: [] };
    if (!place.isConnected) return;
    const { conversations } = found;
    place.removeAttribute("role");
    if (conversations.length) place.replaceChildren(h("ul", {}, conversations.map((one) => row(chat, one))));
    else place.replaceChildren(h("p", { text: words.earlier_empty }));
  } catch {
    const again = h("button", { type: "button", text: words.retry, click: () => showEarlier(chat) });
    place.replaceChildren(h("p", { text: words.earlier_failed }), again);
  }
  place.removeAttribute("aria-busy");
  shown.querySelector("li button")?.focus();
}

/** One conversation: how it began, when something was said last, who answers, what is new. */
function row(chat, { id, title, last, owner, unread, updated_at }) {
  const { words, app } = chat;
  const who = { agent: owner.name ?? words.agent, queue: words.earlier_waiting, bot: words.bot }[owner.kind];
  const said = short(title || last.text || words.new_conversation);
  const current = id === chat.conversation.id ? "true" : null; // There nothing is new: it stands below.
  return h(
    "li",
    {},
    h(
      "button",
      { type: "button", "data-conversation": id, "aria-current": current, click: () => chat.go(id) },
      h("span", { class: "earlier-title", dir: "auto", text: said }),
      h("time", { datetime: updated_at, text: moment(app, new Date(updated_at)) }),
      h("span", { class: "earlier-who", text: who }),
      unread && !current ? h("span", { class: "earlier-new", text: fill(words.earlier_unread, { count: unread }) }) : null,
    ),
  );
}

function short(text) {
  const letters = [...text.replace(/\s+/g, " ").trim()];
  return letters.length > MOST ? `${letters.slice(0, MOST - 1).join("")}…` : letters.join("");
}

/** Today the time, else the day. */
function moment(app, at) {
  const today = at.toDateString() === new Date().toDateString();
  const year = at.getFullYear() === new Date().getFullYear() ? undefined : "numeric";
  const look = today ? { hour: "2-digit", minute: "2-digit" } : { day: "numeric", month: "short", year };
  return app.format(look).format(at);
}

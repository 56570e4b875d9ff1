/** What the panel is made of. Features put theirs into the places named in chat.js. */

import { h, icon } from "./dom.js";
import { mark } from "./faces.js";

/** The panel of a chat, hidden. */
export function panelOf(chat) {
  const { app, config, words } = chat;
  const { page } = app;
  const tool = (name, label, attributes) =>
    h("button", { class: "tool", type: "button", "aria-label": label, title: label, ...attributes }, icon(name));
  const framed = page && window.parent !== window;
  const example = (text) =>
    h("li", {}, h("button", { type: "button", "data-example": true, text, click: () => chat.send({ text }) }));
  const head = h(
    "div",
    { class: "panel-top" },
    h("span", { class: "panel-face", "data-face": true }, mark(app)),
    h(
      "div",
      { class: "panel-name" },
      h(page ? "h1" : "h2", { id: "chat-title", "data-title": true, text: words.title }),
      h("p", { "data-subtitle": true, text: words.subtitle }),
    ),
    h("div", { class: "tools", "data-header-tools": true }),
    page && !framed ? null : tool("close", words.close, { "data-close": true, click: () => app.close() }),
  );
  const welcome = h(
    "div",
    { class: "welcome", "data-welcome": true },
    h("p", { class: "greeting", text: words.greeting }),
    h("p", { class: "examples-title", id: "chat-examples", text: words.examples_title }),
    h("ul", { class: "examples", "aria-labelledby": "chat-examples" }, words.examples.map(example)),
  );
  const typing = h(
    "div",
    { class: "typing", role: "status", "data-typing": true, hidden: true },
    h("span", { class: "hidden", "data-typist": true, text: words.typing }),
    [h("i"), h("i"), h("i")],
  );
  const scroller = h(
    "div",
    { class: "scroller", role: "group", "aria-label": words.log, tabindex: "0", "data-scroller": true },
    welcome,
    h("div", { class: "log", role: "log", "aria-live": "polite", "aria-label": words.log, "data-log": true }),
    typing,
  );
  const talk = h(
    "div",
    { class: "talk", "data-talk": true },
    h("div", { "data-case-bar": true }),
    h("p", { class: "strip", role: "status", "data-connection": true, hidden: true }),
    h("div", { class: "strip ended", role: "alert", "data-ended": true, hidden: true }),
    scroller,
    h("form", { class: "composer", "data-composer": true }),
  );
  return h(
    "section",
    {
      class: "panel",
      id: "chat-panel",
      role: page ? "main" : "dialog",
      "aria-label": words.title,
      lang: config.tag,
      "data-panel": true,
      hidden: true,
    },
    head,
    h(
      "div",
      { class: "stage" },
      talk,
      h("div", { class: "overlay", role: "region", tabindex: "-1", "data-overlay": true, hidden: true }),
    ),
    h("p", { class: "toast", role: "status", "data-toast": true, hidden: true }),
    h("p", { class: "hidden", role: "status", "data-announcer": true }),
  );
}

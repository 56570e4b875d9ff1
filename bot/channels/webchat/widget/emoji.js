/** A small picker of emoji. Touch screens have one in their keyboard. */

import css from "./emoji.css";
import { h, icon } from "./dom.js";
import { outside } from "./outside.js";

const GROUPS = [
  "😀 😃 😄 😁 😆 😅 😂 🙂 😉 😊 😍 🥰 😘 😋 😎 🤓 🤔 🤨 😐 😴 😬 🙄 😕 😟 😢 😭 😤 😡 😱 🥳 🤯 🤗",
  "👍 👎 👌 ✌️ 🤞 👏 🙌 🙏 💪 👋 🤝 ☝️ 👇 👉 👈 🤷",
  "❤️ 🧡 💛 💚 💙 💜 🖤 💔 ✨ ⭐ 🔥 🎉 💯 ✅ ❌ ❗ ❓ ⚠️ 💬 ➡️",
  "☕ 🍵 🥐 🍰 🍪 🍕 🍎 🍓 🥛 🍺 🌞 🌧️ ❄️ 🌈 🌸 🌳 🐶 🐱",
  "💳 💶 🧾 🖨️ 📱 💻 📷 📎 📦 🛒 🔑 🔒 🔔 ⏰ 📅 ✏️",
].map((group) => group.split(" "));

export function attachEmoji(chat) {
  const { words, root } = chat;
  chat.style(css);
  let place = null;
  let stop = null;
  const button = h(
    "button",
    {
      class: "tool emoji-button",
      type: "button",
      "aria-label": words.emoji,
      title: words.emoji,
      "aria-haspopup": "dialog",
      "aria-expanded": "false",
      "data-emoji": true,
      click: () => (place ? close() : open()),
    },
    icon("smile"),
  );
  chat.part("composer-tools").append(button);

  function open() {
    const pick = (emoji) => {
      close(false);
      chat.composer.insert(emoji);
    };
    const choice = (emoji) => h("button", { type: "button", tabindex: "-1", text: emoji, click: () => pick(emoji) });
    const groups = GROUPS.flatMap((group, number) => {
      const label = words.emoji_groups[number];
      const grid = h("div", { class: "emoji-grid", role: "group", "aria-label": label }, group.map(choice));
      return [h("p", { "aria-hidden": "true", text: label }), grid];
    });
    place = h("div", { class: "emoji", role: "dialog", "aria-label": words.emoji, keydown: walk }, groups);
    chat.part("composer").append(place);
    button.setAttribute("aria-expanded", "true");
    stop = outside([place, button], () => close(false));
    focus(place.querySelector("button"));
  }

  function close(focused = true) {
    if (!place) return;
    place.remove();
    place = null;
    stop();
    button.setAttribute("aria-expanded", "false");
    if (focused) button.focus();
  }

  function focus(one) {
    place.querySelector("[tabindex='0']")?.setAttribute("tabindex", "-1");
    one.setAttribute("tabindex", "0");
    one.focus();
    one.scrollIntoView({ block: "nearest" });
  }

  function walk(event) {
    const all = [...place.querySelectorAll("button")];
    const at = all.indexOf(root.activeElement);
    const ahead = getComputedStyle(place).direction === "rtl" ? -1 : 1;
    const next = {
      ArrowRight: () => all[at + ahead],
      ArrowLeft: () => all[at - ahead],
      ArrowDown: () => below(all, all[at], 1),
      ArrowUp: () => below(all, all[at], -1),
      Home: () => all[0],
      End: () => all.at(-1),
    }[event.key];
    if (next) focus(next() ?? all[at]);
    else if (event.key === "Escape") close();
    else if (event.key === "Tab") return close(false);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  chat.on("close", () => close(false));
}

/** The nearest element one line further down, or up. */
function below(all, from, way) {
  const { left, top } = from.getBoundingClientRect();
  const lines = all
    .map((one) => ({ one, box: one.getBoundingClientRect() }))
    .filter(({ box }) => (box.top - top) * way > 1)
    .sort((a, b) => Math.abs(a.box.top - top) - Math.abs(b.box.top - top) || Math.abs(a.box.left - left) - Math.abs(b.box.left - left));
  return lines[0]?.one;
}

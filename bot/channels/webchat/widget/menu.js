/** The menu in the chat's head: another conversation, earlier ones, the transcript, sound, forgetting. */

import css from "./menu.css";
import { h, icon } from "./dom.js";
import { showEarlier } from "./earlier.js";
import { muted, mute } from "./notify.js";
import { outside } from "./outside.js";
import { remember } from "./storage.js";

const STEPS = { ArrowDown: 1, ArrowUp: -1 };

export function attachMenu(chat) {
  const { words, session, root } = chat;
  chat.style(css);
  const item = (name, look, label, act) => {
    const attributes = { type: "button", role: "menuitem", tabindex: "-1", [`data-${name}`]: true };
    return h("button", { ...attributes, click: () => choose(act) }, icon(look), h("span", { text: label }));
  };
  const fresh = item("new", "pen", words.new_conversation, () => chat.go(null));
  const past = item("earlier", "clock", words.earlier, () => showEarlier(chat));
  const file = item("download", "download", words.download, () => download(chat));
  const sound = item("sound", "sound", words.sound, () => mute(session, !muted(session)));
  sound.setAttribute("role", "menuitemcheckbox");
  sound.append(icon("check"));
  const forget = item("forget", "bin", words.forget, () => askToForget(chat));
  const items = [fresh, past, file, sound, forget];
  const menu = h("div", { class: "menu", id: "chat-menu", role: "menu", "aria-label": words.menu, hidden: true }, items);
  const button = h(
    "button",
    {
      class: "tool",
      type: "button",
      "aria-label": words.menu,
      title: words.menu,
      "aria-haspopup": "menu",
      "aria-expanded": "false",
      "aria-controls": "chat-menu",
      "data-menu": true,
    },
    icon("menu"),
  );
  const shut = [];
  chat.part("header-tools").append(button);
  button.after(menu);

  const usable = () => items.filter((one) => one.getAttribute("aria-disabled") !== "true");

  function open(last) {
    const { conversation } = chat;
    fresh.setAttribute("aria-disabled", String(conversation.empty));
    file.setAttribute("aria-disabled", String(!conversation.id || !conversation.messages.size));
    forget.setAttribute("aria-disabled", String(!session.visitor));
    sound.setAttribute("aria-checked", String(!muted(session)));
    menu.hidden = false;
    button.setAttribute("aria-expanded", "true");
    usable().at(last ? -1 : 0).focus();
    shut.push(outside([menu, button], () => close(false)));
  }

  function close(focus = true) {
    if (menu.hidden) return;
    menu.hidden = true;
    button.setAttribute("aria-expanded", "false");
    shut.splice(0).forEach((stop) => stop());
    if (focus) button.focus();
  }

  function choose(act) {
    if (root.activeElement?.getAttribute("aria-disabled") === "true") return;
    close();
    act();
  }

  button.addEventListener("click", () => (menu.hidden ? open() : close()));
  button.addEventListener("keydown", (event) => {
    if (!STEPS[event.key]) return;
    event.preventDefault();
    open(event.key === "ArrowUp");
  });
  menu.addEventListener("keydown", (event) => {
    const { key } = event;
    const all = usable();
    const at = all.indexOf(root.activeElement);
    if (STEPS[key]) all.at((at + STEPS[key]) % all.length).focus();
    else if (key === "Home" || key === "End") all.at(key === "Home" ? 0 : -1).focus();
    else if (key === "Escape") close();
    else if (key === "Tab") return close(false);
    else if (key.length === 1 && key !== " ") {
      const begins = (one) => one.textContent.toLocaleLowerCase().startsWith(key.toLocaleLowerCase());
      [...all.slice(at + 1), ...all].find(begins)?.focus();
      return;
    } else return;
    event.preventDefault();
    event.stopPropagation();
  });
  chat.on("close", () => close(false));
}

/** Save what was said as a file. */
async function download(chat) {
  const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
  const query = new URLSearchParams({ format: "html", zone: timeZone || "UTC", language: chat.config.language });
  try {
    const response = await chat.conversation.fetch(`transcript?${query}`, { accept: "text/html" });
    const [, name] = /filename="([^"]+)"/.exec(response.headers.get("content-disposition")) ?? [null, "conversation.html"];
    const address = URL.createObjectURL(await response.blob());
    const link = h("a", { href: address, download: name, hidden: true });
    chat.panel.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(address), 60_000);
  } catch {
    chat.toast(chat.words.download_failed);
  }
}

async function askToForget(chat) {
  const { forget_question: title, forget_text: text, forget_yes: yes, forget_no: no } = chat.words;
  if (await chat.confirm({ title, text, yes, no })) {
    const { session } = chat;
    session.forget({ revoke: true });
    for (const name of ["seen", "rung"]) remember("localStorage", session.key(name), null);
  }
  chat.focus();
}

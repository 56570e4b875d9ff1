/** What the whole widget shares, with or without an open chat. */

import css from "./launcher.css";
import { fill, h, icon } from "./dom.js";
import { Session } from "./session.js";
import { recall, remember } from "./storage.js";
import { call, pause } from "./transport.js";

const PAUSES = [2_000, 10_000, 60_000]; // Between tries to get the configuration.

function sheet(text) {
  const made = new CSSStyleSheet();
  made.replaceSync(text);
  return made;
}

const declared = (variables) => Object.entries(variables).map(([name, value]) => `${name}:${value}`).join(";");

/**
 * The widget on a page.
 *
 * Fields: `base` (address of the server, without a slash at its end), `options` (the script tag's data), `page` (it
 * fills the window), `host` (its element), `root` (its ShadowRoot), `session`, `context` (what the website told), and after
 * `start()` `config`, `words`, `launcher`; `chat` once it was made (see chat.js).
 */
export class App {
  #listeners = new Map();
  #loading = null;
  #starting = null;
  #dark = window.matchMedia("(prefers-color-scheme: dark)");
  chat = null;
  config = null;
  context = {};

  /**
   * @param base address of the server, without a slash at its end
   * @param options the script tag's data: language, theme, position, launcher, open, mode, title
   */
  constructor(base, options) {
    this.base = base;
    this.options = options;
    this.page = options.mode === "page";
    this.session = new Session(base);
    this.session.addEventListener("change", () => this.needed());
    this.#dark.addEventListener("change", () => this.host && this.#paint());
  }

  /** Get the configuration and show the launcher; again and again until it works. */
  start() {
    this.#starting ??= this.#start();
    return this.#starting;
  }

  /** Call a function at each event of a name; gives the function that takes it off. */
  on(name, listener) {
    if (!this.#listeners.has(name)) this.#listeners.set(name, new Set());
    this.#listeners.get(name).add(listener);
    return () => this.#listeners.get(name).delete(listener);
  }

  /** Tell the page of an event. A listener that fails stops nothing here. */
  emit(name, detail) {
    for (const listener of this.#listeners.get(name) ?? []) {
      try {
        listener(detail);
      } catch (error) {
        console.error(error);
      }
    }
  }

  /** Open the chat. `from` is the element the focus goes back to. */
  async open({ from } = {}) {
    const chat = await this.load();
    chat.show(from);
  }

  /** Close the chat. A page of its own stays as it is: the website around its frame closes that. */
  close() {
    if (this.page) this.emit("close");
    else this.chat?.hide();
  }

  /** The chat, made at the first call. */
  async load() {
    await this.start();
    this.#loading ??= import("./chat.js").then(({ openChat }) => (this.chat = openChat(this)));
    return this.#loading;
  }

  /** Load the chat where there is something to follow. */
  async needed() {
    if (!this.config || !this.session.conversation) return;
    if (!this.chat) await this.load();
  }

  /** What the website knows of the page and the visitor; a key set to null is forgotten. */
  setContext(values) {
    this.context = { ...this.context, ...values };
    this.emit("context", this.context);
  }

  /** End the session here, and close. */
  shutdown() {
    this.session.forget({ revoke: true }); // First, so that nothing more is told of who is leaving.
    this.close();
    remember("sessionStorage", this.session.key("open"), null);
    this.context = {};
  }

  /** Add styles to the shadow root. */
  style(text) {
    this.root.adoptedStyleSheets = [...this.root.adoptedStyleSheets, sheet(text)];
  }

  /** The time, a date, a number in the chat's language. */
  format(options) {
    return new Intl.DateTimeFormat(this.config.tag, options);
  }

  /** Show how many messages are new on the launcher. */
  unread(count) {
    const told = count ? fill(this.words.unread, { count }) : "";
    const [badge] = this.launcher.getElementsByClassName("badge");
    badge.hidden = !count;
    badge.textContent = count || "";
    this.launcher.setAttribute("aria-label", count ? `${this.words.open}, ${told}` : this.words.open);
    const status = this.root.querySelector("[data-unread]");
    if (status.textContent === told) return;
    status.textContent = told;
    this.emit("unread", { count });
  }

  async #start() {
    const config = await this.#configured();
    this.config = config;
    this.words = config.words;
    this.#build();
    const open = recall("sessionStorage", this.session.key("open")); // Null: the visitor has said nothing about it yet.
    const alone = this.page && window.parent === window;
    if (this.page || (open ?? "open" in this.options)) this.load().then((chat) => chat.show(null, !alone));
    else this.needed();
    this.emit("ready");
  }

  async #configured() {
    const { language } = this.options;
    const wanted = language || document.documentElement.lang || navigator.language;
    const url = `${this.base}/api/v1/widget?language=${encodeURIComponent(wanted)}`;
    for (let tries = 0; ; tries += 1) {
      try {
        return await (await call(url, { cache: "default" })).json();
      } catch (error) {
        const hint = `No answer from ${this.base}. Does the page's policy (connect-src) allow it?`;
        if (error.status || tries === 0) console.error(`Refill: ${error.status ? error.message : hint}`);
        if (error.status === 403) throw error;
        await pause(PAUSES[Math.min(tries, PAUSES.length - 1)]);
      }
    }
  }

  #build() {
    const { config, words } = this;
    this.host = h("refill-chat", { dir: config.direction });
    this.root = this.host.attachShadow({ mode: "open" });
    this.style(css);
    const { light, dark } = config.brand;
    this.style(`.chat{${declared(light)}}:host([data-scheme=dark]) .chat{${declared(dark)}}`);
    this.#paint();
    const side = this.options.position ?? config.brand.position;
    const hidden = this.page || this.options.launcher === "none";
    const says = { "aria-haspopup": "dialog", "aria-expanded": "false" };
    const look = { class: "launcher", type: "button", "data-launcher": true, ...says, hidden };
    this.launcher = h(
      "button",
      { ...look, "aria-label": words.open, click: () => this.open({ from: this.launcher }) },
      icon("chat"),
      h("span", { class: "badge", "data-badge": true, "aria-hidden": "true", hidden: true }),
    );
    const chat = { class: "chat", lang: config.tag, dir: config.direction, "data-chat": true, "data-side": side };
    this.place = h(
      "div",
      { ...chat, "data-mode": this.page ? "page" : null },
      this.launcher,
      h("p", { class: "hidden", role: "status", "data-unread": true }),
    );
    this.root.append(this.place);
    // Beside the body: what a website does to its own (transforms, hiding, making it inert) does not touch the chat.
    document.documentElement.append(this.host);
  }

  #paint() {
    const { theme } = this.options;
    const dark = theme === "dark" || (theme !== "light" && this.#dark.matches);
    this.host.dataset.scheme = dark ? "dark" : "light";
  }
}

/**
 * The chat's panel. What it is made of, `chat`, is what feature modules get; each exports one function
 * `attach<Feature>(chat)`, called once at the end of this file.
 *
 *   app, config, words, session   see app.js and session.js; `session.request("/api/v1/…", {body})` asks the server
 *   root                          the ShadowRoot
 *   part(name)                    the element with data-<name>; slots for features: header-tools, composer-tools,
 *                                 under-composer, overlay
 *   conversation                  the one shown, see conversation.js: emits "change" and "message"; `.id` may be null;
 *                                 `.request("read", {body})` asks below its address; `await .begin()` makes it
 *   shown                         whether the panel is open
 *   on(name, fn)                  "conversation": another one is shown; "change": it was drawn anew; "open"; "close";
 *                                 "sent" (the message): the visitor sent one. Gives the function that takes it off
 *   watch(fn)                     fn(element, entry) for each message, when it is first drawn and at each change of the
 *                                 conversation; `element` is `.message`, its `.extras` are for features
 *   go(id)                        show another conversation of the visitor's, null: a new one
 *   send(message)                 {text, choice?, attachments?} as the visitor
 *   composer                      see composer.js: `insert(text)`, `add({filled, busy, take})`, `measure()`
 *   reveal(element)               bring an element among the messages into view
 *   announce(text)                read out politely
 *   toast(text)                   show for some seconds, and read out
 *   overlay(title, ...content)    a view over the messages with a way back; gives its element; `closeOverlay()`
 *   confirm({title, text, yes, no})   ask; promises whether it was "yes"
 *   style(css)                    add a style sheet
 */

import chatCss from "./chat.css";
import messagesCss from "./messages.css";
import { attachAttachments } from "./attachments.js";
import { attachCaseBar } from "./case_bar.js";
import { attachComposer } from "./composer.js";
import { attachContext } from "./context.js";
import { Conversation } from "./conversation.js";
import { fill, h, icon } from "./dom.js";
import { attachEarlier } from "./earlier.js";
import { attachEmoji } from "./emoji.js";
import { face, mark } from "./faces.js";
import { attachMenu } from "./menu.js";
import { Messages } from "./messages.js";
import { attachNotify } from "./notify.js";
import { panelOf } from "./panel.js";
import { ask } from "./question.js";
import { attachReceipts } from "./receipts.js";
import { Screen } from "./screen.js";
import { recall, remember } from "./storage.js";

const TOAST_MS = 6000;
const MARGIN = 12;
const NEAR = 8;
const HUSH_MS = 500;
const FEATURES = [
  attachCaseBar,
  attachAttachments,
  attachEarlier,
  attachMenu,
  attachNotify,
  attachEmoji,
  attachReceipts,
  attachContext,
];

/** Make the chat of an app, closed. */
export function openChat(app) {
  return new Chat(app);
}

class Chat {
  #listeners = new Map();
  #messages;
  #opener = null;
  #aim = null;
  #stuckAt = 0; // Where the chat scrolled to by itself; above it the visitor reads on their own.
  #touch = window.matchMedia("(pointer: coarse)");
  #screen;
  #toast = null;
  #owner = null;
  #end = () => this.scroller.scrollHeight;

  constructor(app) {
    const { config, words, session, root } = app;
    Object.assign(this, { app, config, words, session, root, conversation: null });
    app.style(chatCss);
    app.style(messagesCss);
    this.panel = panelOf(this);
    app.place.append(this.panel);
    this.#screen = new Screen(app, this.panel);
    this.scroller = this.part("scroller");
    this.#messages = new Messages(this, this.part("log"));
    this.composer = attachComposer(this);
    this.#listen();
    this.#take(new Conversation(session, session.conversation, words, { language: config.language }, true));
    for (const attach of FEATURES) attach(this);
    this.#draw();
  }

  get shown() {
    return !this.panel.hidden;
  }

  part(name) {
    return this.root.querySelector(`[data-${name}]`);
  }

  on(name, listener) {
    if (!this.#listeners.has(name)) this.#listeners.set(name, new Set());
    this.#listeners.get(name).add(listener);
    return () => this.#listeners.get(name).delete(listener);
  }

  watch(decorate) {
    this.#messages.watch(decorate);
  }

  style(css) {
    this.app.style(css);
  }

  /** Open the panel. The focus goes into it, and back to `from` when it is closed; with quiet it stays where it is. */
  show(from, quiet = false) {
    this.#opener = from ?? (document.activeElement === document.body ? null : document.activeElement);
    this.#toggle(true);
    if (!quiet) this.focus();
  }

  hide() {
    if (!this.shown) return;
    this.#toggle(false);
    const { launcher } = this.app;
    const back = this.#opener?.isConnected && this.#opener.checkVisibility?.() !== false ? this.#opener : launcher;
    back.focus({ preventScroll: true });
  }

  /** Put the focus where the visitor writes. */
  focus() {
    this.part("text").focus({ preventScroll: true });
  }

  go(id) {
    this.closeOverlay();
    if (this.conversation.id === id) return;
    this.conversation.close();
    this.#begin(id);
    this.session.show(id);
  }

  send(message) {
    this.conversation.send(message);
    this.#emit("sent", message);
  }

  /** Bring an element among the messages into view. */
  reveal(element) {
    const { scroller } = this;
    const [outer, inner] = [scroller.getBoundingClientRect(), element.getBoundingClientRect()];
    if (inner.bottom + MARGIN > outer.bottom) scroller.scrollTop += inner.bottom + MARGIN - outer.bottom;
    if (inner.top - MARGIN < outer.top) scroller.scrollTop += inner.top - MARGIN - outer.top;
  }

  announce(text) {
    this.part("announcer").textContent = "";
    setTimeout(() => (this.part("announcer").textContent = text), 50); // The same words twice are two news.
  }

  toast(text) {
    const shown = this.part("toast");
    clearTimeout(this.#toast);
    shown.textContent = text;
    shown.hidden = false;
    this.#placeToast();
    this.#toast = setTimeout(() => (shown.hidden = true), TOAST_MS);
  }

  #placeToast() {
    this.part("toast").style.insetBlockEnd = `${this.part("composer").offsetHeight + MARGIN}px`;
  }

  overlay(title, ...content) {
    const place = this.part("overlay");
    const back = h(
      "button",
      { class: "tool", type: "button", "aria-label": this.words.back_to_chat, click: () => this.closeOverlay() },
      icon("back"),
    );
    const name = h("h3", { text: title, tabindex: "-1" });
    place.replaceChildren(h("div", { class: "overlay-top" }, back, name), h("div", { class: "overlay-body" }, content));
    place.setAttribute("aria-label", title);
    place.hidden = false;
    this.part("talk").inert = true;
    name.focus();
    return place;
  }

  closeOverlay() {
    const place = this.part("overlay");
    if (place.hidden) return;
    place.hidden = true;
    place.replaceChildren();
    this.part("talk").inert = false;
    if (this.shown) this.focus();
  }

  confirm(question) {
    return ask(this.panel, question);
  }

  #listen() {
    const { panel, scroller, session, app } = this;
    scroller.addEventListener("scroll", () => this.#scrolled());
    const sizes = new ResizeObserver(() => this.#resized());
    for (const element of [scroller, this.part("log")]) sizes.observe(element);
    panel.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || event.isComposing || event.defaultPrevented || this.part("confirm")) return;
      if (!this.part("overlay").hidden) this.closeOverlay();
      else if (!app.page) this.app.close();
      event.stopPropagation();
    });
    // Buttons among the messages vanish or close once used; the visitor goes on writing. Thumbs and ratings stay. On a
    // touch screen the text box would bring up the keyboard, over the answer: there the last message has the focus.
    scroller.addEventListener("click", (event) => {
      const used = event.target.closest("button");
      if (!used || used.closest("[data-thumb], .rating, [data-keeps-focus]")) return;
      if (!this.#touch.matches) return this.focus();
      const last = this.part("log").lastElementChild ?? scroller;
      last.tabIndex = last === scroller ? 0 : -1;
      last.focus({ preventScroll: true });
    });
    session.addEventListener("change", () => {
      if (session.conversation !== this.conversation.id) this.#swap(session.conversation);
      else if (!session.ended && this.conversation.stalled) this.conversation.adopt(session.conversation);
      this.#drawEnded();
    });
    session.addEventListener("forgotten", () => this.#swap(null, true));
    session.addEventListener("ended", () => {
      this.conversation.hide();
      this.#drawEnded();
    });
    window.addEventListener("storage", ({ key }) => key === session.key("seen") && this.#count());
  }

  /** Another conversation is the visitor's now; drop forgets what waits in this one. */
  #swap(id, drop = false) {
    const { conversation } = this;
    const mine = conversation.beginning || !conversation.empty;
    if (!drop && id && conversation.id === null && mine) return conversation.adopt(id);
    conversation.close(drop);
    this.#begin(id);
  }

  #begin(id) {
    const { session, words, config } = this;
    this.#take(new Conversation(session, id, words, { language: config.language }));
    this.#draw();
  }

  #take(conversation) {
    this.conversation = conversation;
    this.#messages.clear();
    this.#hush(Boolean(conversation.id));
    this.#stuckAt = 0;
    this.#aim = null;
    this.expired = false;
    const mine = (act) => (event) => conversation === this.conversation && act(event);
    conversation.addEventListener("change", mine(() => this.#draw()));
    conversation.addEventListener("message", mine(({ detail }) => this.app.emit("message", publicMessage(detail))));
    conversation.addEventListener("lost", mine(() => this.#lost()));
    this.#emit("conversation", conversation);
  }

  /** The server does not know the conversation (any more): begin another, with what still waits. */
  async #lost() {
    const { conversation, session } = this;
    const unknown = await session.unknown();
    if (conversation !== this.conversation) return;
    const waiting = conversation.outbox.filter(({ again, choice, text }) => text && !again && !choice);
    if (unknown) session.forget();
    else session.show(null);
    if (conversation === this.conversation) this.#swap(null, true);
    this.expired = true;
    for (const { text } of waiting) this.conversation.send({ text, again: true });
    this.#draw();
  }

  #toggle(open) {
    const { panel, app } = this;
    const change = panel.hidden === open;
    panel.hidden = !open;
    app.launcher.hidden = open || app.page || app.options.launcher === "none";
    app.launcher.setAttribute("aria-expanded", String(open));
    this.#screen.fit();
    if (!app.page) remember("sessionStorage", this.session.key("open"), open);
    this.#draw();
    if (open) this.#scrollTo(this.#end);
    if (!change) return;
    this.#emit(open ? "open" : "close");
    app.emit(open ? "open" : "close");
  }

  /** Scroll to where a function says, now and when sizes change while the visitor leaves it there. */
  #scrollTo(aim) {
    this.#aim = aim;
    this.scroller.style.overflowAnchor = "none"; // The browser would keep another place.
    this.scroller.scrollTop = aim();
    this.#stuckAt = this.scroller.scrollTop;
  }

  #resized() {
    this.#placeToast();
    if (this.shown && this.#aim) this.#scrollTo(this.#aim);
  }

  /** How far down one can scroll. */
  get #lowest() {
    return this.scroller.scrollHeight - this.scroller.clientHeight;
  }

  /** Where the browser keeps what the chat scrolled to: less far down while there is less to scroll. */
  get #kept() {
    return Math.min(this.#stuckAt, this.#lowest);
  }

  /** The visitor has scrolled elsewhere: there they stay. Who is at the end stays at the end. */
  #scrolled() {
    const { scrollTop, style } = this.scroller;
    if (Math.abs(scrollTop - this.#kept) <= NEAR) return;
    const ended = scrollTop >= this.#lowest - 1;
    this.#aim = ended ? this.#end : null;
    if (ended) this.#stuckAt = scrollTop;
    style.overflowAnchor = ended ? "none" : "";
  }

  #draw() {
    const { conversation, words, scroller } = this;
    const { typists, connected, loaded, empty } = conversation;
    const typing = typists.bot || typists.agent;
    const following = scroller.scrollTop >= this.#kept - NEAR;
    const first = this.#messages.draw(conversation, this.expired);
    if (loaded) this.#hush(false);
    this.part("welcome").hidden = !loaded || !empty;
    this.part("typing").hidden = !typing;
    const person = conversation.owner.name ?? words.agent;
    const sign = typists.agent ? fill(words.agent_typing, { name: person }) : words.typing;
    if (this.part("typist").textContent !== sign) this.part("typist").textContent = sign;
    this.#drawOwner();
    const trouble = navigator.onLine ? (connected ? "" : words.reconnecting) : words.offline;
    this.part("connection").hidden = !trouble;
    this.part("connection").textContent = trouble;
    this.#emit("change", conversation);
    const mine = first?.classList.contains("customer");
    if (mine || (!first && typing && following)) this.#scrollTo(this.#end);
    else if (first && following) this.#scrollTo(() => this.#top(first));
    // The sign of typing that goes leaves less to scroll: the visitor still follows.
    else if (following) this.#stuckAt = Math.min(this.#stuckAt, scroller.scrollTop);
    this.#count();
  }

  /** What was said long ago is not read out anew when it is loaded. */
  #hush(quiet) {
    const log = this.part("log");
    if (quiet) log.setAttribute("aria-live", "off");
    else if (log.ariaLive === "off") setTimeout(() => log.setAttribute("aria-live", "polite"), HUSH_MS);
  }

  /** Where the view begins so that a message is read from its first line; with its question, if all of it still fits. */
  #top(message) {
    if (!message.isConnected) return this.#stuckAt;
    const top = message.offsetTop - MARGIN;
    const end = this.#lowest;
    return end > top ? top - this.#context(message) : Math.max(top - this.#context(message), end);
  }

  /** Height of the question above an answer, where it is short enough to be read with it. */
  #context({ previousElementSibling: question }) {
    const height = question?.classList.contains("customer") ? question.offsetHeight + 16 : 0;
    return height < 150 ? height : 0;
  }

  /** Who answers: the person who has joined, else the company. */
  #drawOwner() {
    const { kind, name, picture } = this.conversation.owner;
    const person = kind === "agent" ? (name ?? this.words.agent) : null;
    const owner = JSON.stringify([person, picture]);
    if (owner === this.#owner) return;
    this.#owner = owner;
    this.part("face").replaceChildren(person ? face(this.app, { name: person, picture }) : mark(this.app));
    this.part("title").textContent = person ?? this.words.title;
    this.part("subtitle").textContent = person ? this.words.agent : this.words.subtitle;
  }

  /** A verified identity is over: nothing of it is shown until the website says anew who this is. */
  #drawEnded() {
    const { session, words } = this;
    const place = this.part("ended");
    place.hidden = !session.ended;
    if (!session.ended) return;
    const button = h("button", { type: "button", text: words.start_anonymously, click: () => session.forget() });
    place.replaceChildren(h("p", { text: words.errors.identity_expired }), button);
  }

  /** Messages that came while the panel was closed; the tabs share what was seen. */
  #count() {
    const { conversation, session } = this;
    if (!conversation.loaded) return;
    const key = session.key("seen");
    const { id, list, last } = conversation;
    const kept = recall("localStorage", key);
    const reading = this.shown && !document.hidden;
    let seen = Math.max(conversation.read.customer, kept?.id === id ? kept.number : 0);
    if (reading && id && last > seen) {
      seen = last;
      remember("localStorage", key, { id, number: seen });
    }
    const unread = list.filter(({ number, author }) => number > seen && author !== "customer");
    this.app.unread(this.shown ? 0 : unread.length);
  }

  #emit(name, detail) {
    for (const listener of this.#listeners.get(name) ?? []) listener(detail);
  }
}

/** What the website hears of a message. */
function publicMessage({ number, author, name, text, created_at }) {
  return { number, author, name, text, created_at };
}

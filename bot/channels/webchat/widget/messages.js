/** Draws a conversation. Elements are kept from one drawing to the next, so that only what is new is read out. */

import { fill, h, icon, safe } from "./dom.js";
import { face, mark } from "./faces.js";
import { ratingCard, showRating } from "./rating.js";

const ARTICLE = /^\/help\//;

export class Messages {
  #chat;
  #log;
  #words;
  #watchers = [];
  #drawn = new Map();
  #time;

  /**
   * @param chat see chat.js
   * @param log the element they are drawn in
   */
  constructor(chat, log) {
    this.#chat = chat;
    this.#log = log;
    this.#words = chat.words;
    this.#time = chat.app.format({ hour: "2-digit", minute: "2-digit" });
  }

  /** Call fn(element, entry) for each message when it is drawn, and at each change. */
  watch(decorate) {
    this.#watchers.push(decorate);
  }

  clear() {
    this.#drawn.clear();
    this.#log.replaceChildren();
  }

  /**
   * Bring the log up to date.
   *
   * @param conversation see conversation.js
   * @param expired an earlier conversation was lost, which is said first
   * @returns the first element that is new, if any
   */
  draw(conversation, expired) {
    const { list, outbox, entries: said } = conversation;
    const key = ({ client_id, event, number }) => client_id ?? (event ? `event ${event}` : `#${number}`);
    const entries = [...said, ...outbox].map((entry) => [key(entry), entry]);
    if (expired) entries.unshift(["expired", { kind: "expired" }]);
    const keys = new Set(entries.map(([key]) => key));
    for (const [key, drawn] of this.#drawn) if (!keys.has(key)) drawn.remove(), this.#drawn.delete(key);
    let first = null;
    let previous = null;
    for (const [key, entry] of entries) {
      let drawn = this.#drawn.get(key);
      if (!drawn) {
        drawn = this.#message(entry);
        this.#drawn.set(key, drawn);
        first ??= drawn;
      }
      const place = previous ? previous.nextSibling : this.#log.firstChild;
      const added = place !== drawn;
      if (added) this.#log.insertBefore(drawn, place);
      this.#update(drawn, entry, entry === list.at(-1) && !outbox.length);
      if (added) settle(drawn, this.#words);
      previous = drawn;
    }
    return first;
  }

  #message(entry) {
    if (entry.kind) return this.#notice(entry);
    const author = entry.author ?? "customer";
    const made = h("div", { class: `message ${author}` });
    made.append(this.#author(author, entry), ...this.#said(entry));
    if (entry.citations?.length) made.append(this.#sources(entry.citations));
    made.append(h("div", { class: "extras" }));
    if (entry.answer) made.append(this.#thumbs(entry.number));
    if (entry.choices?.length) made.append(this.#choices(entry.choices));
    if (entry.rating) made.append(ratingCard(this.#chat, entry));
    made.append(h("p", { class: "state" }));
    return made;
  }

  #author(author, { name, picture }) {
    const { app } = this.#chat;
    if (author === "customer") return h("p", { class: "author hidden", text: this.#words.you });
    const person = author === "agent" || author === "employee";
    const shown = name ?? (person ? this.#words.agent : this.#words.bot);
    const portrait = person ? face(app, { name: shown, picture }) : mark(app);
    return h("p", { class: "author" }, portrait, h("span", { text: shown }));
  }

  #said({ text, html, citations }) {
    if (!text && !html) return [];
    const bubble = h("div", { class: "bubble", dir: "auto", lang: citations?.[0]?.language });
    const made = html && safe(html, `${this.#chat.app.base}/`);
    if (made) {
      bubble.append(made);
      for (const link of bubble.querySelectorAll("a")) this.#guide(link);
      for (const table of bubble.querySelectorAll("table, pre")) {
        const frame = h("div", { class: "sideways" });
        table.replaceWith(frame);
        frame.append(table);
      }
    } else bubble.textContent = text;
    return [bubble];
  }

  /** Links of the bot open beside the page; help pages keep the chat's language. */
  #guide(link) {
    const { base, config } = this.#chat.app;
    const url = new URL(link.href);
    if (url.origin === new URL(base).origin && ARTICLE.test(url.pathname)) {
      url.searchParams.set("lang", config.language);
      link.href = url.href;
    }
    if (url.protocol.startsWith("http")) {
      link.target = "_blank";
      link.append(h("span", { class: "hidden", text: ` (${this.#words.new_tab})` }));
    }
    link.rel = "noopener noreferrer";
  }

  /** A line between the messages: who joined or left, and when. */
  #notice({ kind, name, created_at }) {
    const told = {
      expired: () => this.#words.expired,
      joined: () => fill(this.#words.joined, { name: name ?? this.#words.agent }),
      passed_on: () => fill(this.#words.passed_on, { team: this.#words.teams[name] ?? name }),
      back: () => this.#words.back,
    };
    return h("div", { class: "message notice" }, told[kind](), created_at ? [" ", this.#clock(created_at)] : null);
  }

  #clock(moment) {
    return h("time", { datetime: moment, text: this.#time.format(new Date(moment)) });
  }

  #sources(citations) {
    const { base, config } = this.#chat.app;
    const source = ({ title, url, language }) => {
      const href = new URL(url, `${base}/`).href;
      const hreflang = language === config.language ? null : language;
      const link = h("a", { href, hreflang, text: fill(this.#words.source, { title }) });
      this.#guide(link);
      return h("li", {}, link);
    };
    return h("ul", { class: "sources" }, citations.map(source));
  }

  #thumbs(number) {
    const thumb = (way, label) =>
      h(
        "button",
        {
          class: "tool",
          type: "button",
          "data-thumb": way,
          "aria-pressed": "false",
          "aria-label": label,
          title: label,
          click: () => this.#chat.conversation.judge(number, way),
        },
        icon(`thumb_${way}`),
      );
    const { helpful, thumb_up: up, thumb_down: down } = this.#words;
    return h(
      "div",
      { class: "verdict" },
      h("div", { class: "thumbs", role: "group", "aria-label": helpful }, thumb("up", up), thumb("down", down)),
      h("p", { class: "thanks" }),
    );
  }

  #choices(choices) {
    const choice = ({ label, payload }) =>
      h("button", {
        type: "button",
        dir: "auto",
        text: label,
        click: () => this.#chat.send({ text: label, choice: payload }),
      });
    return h("div", { class: "choices" }, choices.map(choice));
  }

  /** The thumb of an answer, and a word about it: thanks for one given now, the way to a person below a thumb down. */
  #judged(drawn, { thumb, thanked, unsent }) {
    const state = `${thumb} ${thanked} ${unsent}`;
    if (drawn.dataset.judged === state) return;
    drawn.dataset.judged = state;
    for (const button of drawn.querySelectorAll("[data-thumb]")) {
      button.setAttribute("aria-pressed", button.dataset.thumb === thumb);
    }
    const told = drawn.querySelector(".thanks");
    const { person, sorry, thanks, thumb_failed: failed } = this.#words;
    if (unsent) told.textContent = failed;
    else if (thumb === "down") {
      const call = h("button", { type: "button", text: person, click: () => this.#chat.send({ text: person }) });
      told.replaceChildren(`${sorry} `, call);
    } else told.textContent = thumb && thanked ? thanks : "";
    if (thanked) this.#chat.reveal(told);
  }

  /** What changes after a message was drawn: whether its choices are open, whether it has arrived. */
  #update(drawn, entry, latest) {
    for (const button of drawn.querySelectorAll(".choices button")) button.disabled = !latest;
    if (entry.answer) this.#judged(drawn, entry);
    if (entry.rating) showRating(this.#chat, drawn.querySelector(".rating"), entry);
    const state = drawn.querySelector(".state");
    const now = entry.status ?? "stored";
    if (state && drawn.dataset.state !== now) {
      drawn.dataset.state = now;
      this.#arrived(state, entry, now);
    }
    if (!entry.kind) for (const decorate of this.#watchers) decorate(drawn, entry);
  }

  #arrived(state, entry, now) {
    const { failed, unreachable } = this.#words;
    if (now === "stored") state.replaceChildren(entry.created_at ? this.#clock(entry.created_at) : "");
    else if (now === "failed") {
      const action = entry.final ? "remove" : "retry";
      const act = () => this.#chat.conversation[action](entry.client_id);
      const button = h("button", { type: "button", text: this.#words[action], click: act });
      state.replaceChildren(`${failed} ${entry.error || unreachable} `, button);
    } else state.textContent = this.#words[now];
  }
}

/** What is wider than its message can be moved with the keyboard too. */
function settle(drawn, words) {
  for (const frame of drawn.querySelectorAll(".sideways")) {
    if (frame.scrollWidth <= frame.clientWidth) continue;
    for (const [name, value] of [["tabindex", "0"], ["role", "group"], ["aria-label", words.sideways]]) {
      frame.setAttribute(name, value);
    }
  }
}

/** The state of one conversation: what was said, what waits to be sent, who answers. */

import { newId } from "./dom.js";
import { recall, remember } from "./storage.js";
import { follow, pause } from "./transport.js";

const TYPING_MS = 3000;
const WAITING_MS = 30_000; // So often the place in the queue is asked for.
const SETTLE_MS = 500; // A score chosen with the arrow keys passes over others.
const LATER_S = 30;
const TRIES = 3;
const REST_MS = 700;
const AGAIN_MS = [5_000, 15_000, 30_000]; // What could not be sent is tried again by itself; the last holds on.

/**
 * Emits `change` after every change, `message` (detail: the message) for each that arrives after the first load, and
 * `lost` when the server does not know it (any more).
 *
 * Fields: `id` (null before the first message), `messages` by number, `outbox` of {client_id, text, choice?,
 * attachments?, status: pending | queued | failed, error?, final?}, `greeting` (what an invitation said, or null),
 * `notices` of {event, after, kind: joined | passed_on | back, name, created_at}, `ratings` by case of {csat, effort,
 * comment, state?: sent | failed, error?}, `typists` (bot, agent), `owner` ({kind, name, picture}), `escalation` (the
 * case as the API gives it, or null), `read` ({team, customer}: numbers of the last messages they have read),
 * `connected`, `loaded`.
 */
export class Conversation extends EventTarget {
  #session;
  #words;
  #opening;
  #following = null;
  #last = 0;
  #sending = false;
  #judging = Promise.resolve(); // One after the other, so that the last one stands.
  #rating = Promise.resolve();
  #settling = null;
  #typed = 0;
  #working = false; // The bot, as the server said last.
  #resting = null;
  #told = { kind: "bot", name: null }; // The owner the events told of last: the state read may be ahead of them.
  #greeted = false;
  #over = new AbortController();

  /**
   * @param session the visitor's
   * @param id of the conversation; null for one that begins with the first message
   * @param words of the chat
   * @param opening what a new conversation is begun with, such as {language}
   * @param restore whether to send what waited here when the page was left
   */
  constructor(session, id, words, opening, restore = Boolean(id)) {
    super();
    this.#session = session;
    this.#words = words;
    this.#opening = opening;
    this.id = null;
    this.greeting = null;
    this.messages = new Map();
    this.notices = [];
    this.ratings = new Map();
    this.typists = { bot: false, agent: false };
    this.owner = { kind: "bot", name: null, picture: null };
    this.escalation = null;
    this.read = { team: 0, customer: 0 };
    this.connected = true;
    this.loaded = true;
    this.beginning = false;
    this.outbox = (restore ? this.#kept(id) : []).map((item) => ({ ...item, status: "pending" }));
    const { signal } = this.#over;
    window.addEventListener("online", () => this.#flush(), { signal });
    window.addEventListener("offline", () => this.#changed(), { signal });
    const waiting = setInterval(() => {
      if (this.escalation?.open && this.owner.kind === "queue" && !document.hidden) this.check();
    }, WAITING_MS);
    signal.addEventListener("abort", () => clearInterval(waiting));
    if (id) this.adopt(id);
    this.#flush();
  }

  get list() {
    return [...this.messages.values()].sort((a, b) => a.number - b.number);
  }

  /** Messages and notices in order. */
  get entries() {
    const place = (entry) => [entry.number ?? entry.after, entry.event ?? 0];
    const first = this.greeting ? [this.greeting] : [];
    return [...first, ...this.messages.values(), ...this.notices].sort((a, b) => {
      const [one, other] = [place(a), place(b)];
      return one[0] - other[0] || one[1] - other[1];
    });
  }

  /** Number of the last message. */
  get last() {
    return Math.max(0, ...this.messages.keys());
  }

  /** Whether nothing was said or waits. */
  get empty() {
    return !this.greeting && this.messages.size + this.outbox.length === 0;
  }

  /** Whether it is followed no more, because it could not be read. */
  get stalled() {
    return Boolean(this.#following?.signal.aborted);
  }

  /** A request below this conversation's address; see Session.request. */
  request(path, options) {
    return this.#session.request(this.#path(path), options);
  }

  /** The same, giving the Response. */
  fetch(path, options) {
    return this.#session.fetch(this.#path(path), options);
  }

  /** Id of the conversation, which is begun if need be. */
  async begin() {
    if (!this.id) {
      this.beginning = true; // For a file, before anything is said.
      const id = await this.#session.begin(this.#opening);
      if (!this.id) this.adopt(id);
    }
    return this.id;
  }

  /**
   * Begin with what an invitation said: {text, html, invitation}. With the invitation's id the server keeps it as the
   * first message; without one it is the website's, and is shown here only.
   */
  greet({ text, html = null, invitation = null }) {
    this.greeting = { number: 0, author: "bot", text, html };
    this.#opening = { ...this.#opening, invitation };
    this.#greeted = Boolean(invitation);
    this.#changed();
  }

  /** Send a message: {text, choice?, attachments?}; a choice has its label as the text shown. */
  send(message) {
    this.outbox.push({ client_id: newId(), html: null, ...message, status: "pending" });
    this.#flush();
  }

  retry(clientId) {
    for (const item of this.outbox) if (item.client_id === clientId) item.status = "pending";
    this.#flush();
  }

  remove(clientId) {
    this.outbox = this.outbox.filter((item) => item.client_id !== clientId);
    this.#changed();
  }

  /** Give an answer a thumb, up or down; the one it has is taken back. It shows at once, and goes if it is not sent. */
  judge(number, thumb) {
    const message = this.messages.get(number);
    const before = message.thumb;
    const wanted = before === thumb ? null : thumb;
    const show = (given, unsent) => {
      Object.assign(message, { thumb: given, thanked: true, unsent });
      this.#changed();
    };
    show(wanted, false);
    const send = () => this.request(`messages/${number}/thumb`, { body: { thumb: wanted } });
    this.#judging = this.#judging.then(send).then(
      () => show(wanted, false),
      () => show(before, true),
    );
  }

  /** Rate the help in a case: {csat, effort, comment}. It shows at once, and can be changed. */
  rate(number, rating) {
    const show = (state, error) => {
      this.ratings.set(number, { ...rating, state, error });
      this.#changed();
    };
    show();
    clearTimeout(this.#settling);
    const send = () => {
      const request = () => this.request("rating", { body: { case: number, ...rating } });
      const failed = (error) => show("failed", this.#excuse(error));
      this.#rating = this.#rating.then(request).then(() => show("sent"), failed);
    };
    this.#settling = setTimeout(send, SETTLE_MS);
  }

  /** Leave an e-mail address; rejects with an error whose message can be shown. */
  async leave(email) {
    try {
      await this.request("contact", { body: { email } });
    } catch (error) {
      throw new Error(this.#excuse(error) || this.#words.unreachable);
    }
    await this.check();
  }

  /** The visitor is typing: whoever may read it is told, now and then. */
  type() {
    if (!this.id || this.owner.kind === "bot" || Date.now() - this.#typed < TYPING_MS) return;
    this.#typed = Date.now();
    this.request("typing", { body: { typing: true } }).catch(() => {}); // A sign that is lost is no loss.
  }

  /** Follow a conversation that has begun: this one, until now without an id. */
  adopt(id) {
    this.id = id;
    this.loaded = false;
    this.#following = new AbortController();
    const { signal } = this.#following;
    const source = { fetch: (path, options) => this.fetch(path, options), last: () => this.#last };
    const handlers = {
      events: (list) => signal.aborted || this.#received(list),
      connected: (flag) => signal.aborted || this.#connected(flag),
      gone: (error) => signal.aborted || this.#gone(error),
    };
    follow(source, handlers, signal);
    this.#changed();
  }

  /** Show nothing of what was said, until it is adopted anew. */
  hide() {
    this.#following?.abort();
    clearTimeout(this.#resting);
    this.messages.clear();
    this.notices = [];
    this.#last = 0;
    this.#told = { kind: "bot", name: null };
    this.#changed();
  }

  /** Another conversation is shown: follow no more. What waits here is still sent; drop forgets it. */
  close(drop) {
    this.#following?.abort();
    clearTimeout(this.#resting);
    if (drop) {
      this.outbox = [];
      this.#changed();
    }
    if (!this.outbox.length) this.#over.abort();
  }

  /** Ask how the conversation stands. */
  async check() {
    try {
      const { case: found, owner, rating, ...state } = await this.request("");
      Object.assign(this, { escalation: found, owner });
      this.#mark("team", state.read_by_team);
      this.#mark("customer", state.read_by_customer);
      if (rating?.csat && !this.ratings.get(rating.case)?.state) this.ratings.set(rating.case, rating);
      this.#changed();
    } catch {
      // It is asked again after the next turn.
    }
  }

  #path(path) {
    return `/api/v1/conversations/${this.id}${path && "/"}${path}`;
  }

  #changed() {
    this.#keep();
    this.dispatchEvent(new Event("change"));
  }

  /** Items of this tab that wait, by conversation; the server knows a message that comes twice by its client_id. */
  #kept(id) {
    return recall("sessionStorage", this.#session.key("outbox"))?.[id ?? ""] ?? [];
  }

  #keep() {
    const key = this.#session.key("outbox");
    const kept = { ...recall("sessionStorage", key) };
    if (this.id) delete kept[""];
    delete kept[this.id ?? ""];
    if (this.outbox.length) kept[this.id ?? ""] = this.outbox;
    remember("sessionStorage", key, Object.keys(kept).length ? kept : null);
  }

  #received(list) {
    let check = false;
    for (const { number, kind, data } of list) {
      if (kind === "typing") {
        check ||= data.who === "bot" && this.#working && !data.typing;
        if (data.who === "bot") this.#working = data.typing;
        clearTimeout(this.#resting);
        this.typists = { ...this.typists, [data.who]: data.typing };
      } else if (number > this.#last) {
        if (kind === "message") this.#heard(data);
        else if (kind === "read") this.#mark(data.by, data.number);
        else check = true;
        if (kind === "owner") this.#owned(number, data);
        if (kind === "rating") this.#rated(data);
        this.#last = number;
      }
    }
    if (check && this.loaded) this.check();
    if (list.length) this.#changed();
  }

  /** Who has said something rests: that they type on shows a little later, not below their words at once. */
  #heard(message) {
    const { author } = message;
    this.#store(message);
    if (!this.typists[author]) return;
    this.typists = { ...this.typists, [author]: false };
    clearTimeout(this.#resting);
    this.#resting = setTimeout(() => {
      this.typists = { ...this.typists, [author]: true };
      this.#changed();
    }, REST_MS);
  }

  #store(message) {
    const known = this.messages.has(message.number);
    if (this.#greeted && message.author === "bot") this.greeting = null; // Now the server's stands there.
    this.messages.set(message.number, message);
    if (message.client_id) this.outbox = this.outbox.filter((item) => item.client_id !== message.client_id);
    if (!known && this.loaded) this.dispatchEvent(new CustomEvent("message", { detail: message }));
  }

  #mark(who, number) {
    if (number > this.read[who]) this.read = { ...this.read, [who]: number };
  }

  /** What a change of the owner is to the visitor; that a waiting case was made or closed is told in other ways. */
  #owned(event, { owner, name, created_at }) {
    const before = this.#told;
    const other = owner !== before.kind || name !== before.name;
    this.#told = { kind: owner, name };
    let kind = null;
    if (owner === "agent" && other) kind = "joined";
    if (owner === "queue" && other && before.kind !== "bot") kind = "passed_on";
    if (owner === "bot" && before.kind === "agent") kind = "back";
    if (kind) this.notices.push({ event, after: this.last, kind, name, created_at });
  }

  #rated({ case: number, csat, effort }) {
    this.ratings.set(number, { comment: null, ...this.ratings.get(number), csat, effort });
  }

  #connected(flag) {
    if (flag && !this.loaded) this.check();
    // What the server could not take is sent by itself when it is back, even if it was away for a moment only.
    for (const item of this.outbox) if (flag && item.status === "failed" && !item.final) item.status = "pending";
    Object.assign(this, { connected: flag, loaded: this.loaded || flag });
    this.#flush();
  }

  /** It cannot be read: the identity is over, or the server does not know it. */
  #gone(error) {
    this.hide();
    if (error.code !== "identity_expired") this.dispatchEvent(new Event("lost"));
  }

  /** What to tell about a request that failed; nothing if the server could not be reached. */
  #excuse(error) {
    return error.status ? (this.#words.errors?.[error.code] ?? error.message) : "";
  }

  /** The server has much to do: wait as long as it asks, unless that is long. Returns whether to try again. */
  async #later(item, { status, wait }) {
    item.tries = (item.tries ?? 0) + 1;
    if ((status !== 429 && status !== 503) || wait > LATER_S || item.tries > TRIES) return false;
    await pause((wait || 5) * 1000, this.#over.signal);
    return true;
  }

  /** Try again in a while, unless the visitor does so before. */
  #again(item) {
    item.failures = (item.failures ?? 0) + 1;
    const wait = AGAIN_MS[Math.min(item.failures, AGAIN_MS.length) - 1];
    const before = item.failures;
    setTimeout(() => item.status === "failed" && item.failures === before && this.retry(item.client_id), wait);
  }

  /** Send what waits, one after the other. */
  async #flush() {
    for (const item of this.outbox) {
      if (item.status === "queued" && navigator.onLine) item.status = "pending";
      if (item.status === "pending" && !navigator.onLine) item.status = "queued";
    }
    this.#changed();
    const item = this.outbox.find((waiting) => waiting.status === "pending");
    if (this.#sending || !item) return;
    this.#sending = true;
    try {
      await this.begin();
      const { client_id, text, choice, attachments } = item;
      const ids = attachments?.length ? { attachments: attachments.map(({ id }) => id) } : {};
      const said = choice ? { choice } : text ? { text } : {};
      this.#store(await this.request("messages", { body: { client_id, ...said, ...ids } }));
    } catch (error) {
      if (await this.#later(item, error)) item.status = "pending";
      else if (error.status === 404 && this.id && !this.#following.signal.aborted) this.#gone(error);
      else if (navigator.onLine) {
        const final = error.status >= 400 && error.status < 500 && error.status !== 401;
        Object.assign(item, { status: "failed", error: this.#excuse(error), final });
        if (!final) this.#again(item);
      }
    }
    this.#sending = false;
    if (this.#over.signal.aborted) return;
    this.#flush();
    if (this.#following?.signal.aborted && !this.outbox.length) this.#over.abort();
  }
}

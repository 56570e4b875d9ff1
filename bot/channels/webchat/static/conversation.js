/** The state of one visitor's conversation: what was said, what waits to be sent, and how the browser remembers it. */

import { recall, remember } from "./storage.js";
import { create, follow, judge, leave, post, rate, read, type } from "./transport.js";

const TYPING_MS = 3000;
const WAITING_MS = 30_000; // So often the place in the queue is asked for.
const SETTLE_MS = 500; // A score chosen with the arrow keys passes over others.
const KEY = "refill.conversation"; // Shared by the tabs of a browser.
const OUTBOX = "refill.outbox"; // Of this tab; the server knows a message that comes twice by its client_id.

/** A random id; randomUUID exists on secure pages only. */
function newId() {
  if (crypto.randomUUID) return crypto.randomUUID();
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * Emits `change` after every change.
 *
 * Fields: `messages` by number, `outbox` of {client_id, text, choice?, status: pending | queued | failed, error?, final?},
 * `notices` of {event, after, kind: joined | passed_on | back, name, created_at}, `ratings` by case of {csat, effort,
 * comment, state?: sent | failed, error?}, `typists` (bot, agent), `owner` ({kind, name}), `escalation` (the case as the
 * API gives it, or null), `connected`, `expired`, `loaded`.
 */
export class Conversation extends EventTarget {
  #language;
  #session = null;
  #following = null;
  #last = 0;
  #sending = false;
  #judging = Promise.resolve(); // One after the other, so that the last one stands.
  #rating = Promise.resolve();
  #settling = null;
  #typed = 0;
  #told = null; // The owner the events told of last: the state read may be ahead of them.

  constructor(language) {
    super();
    this.#language = language;
    this.#clear();
    this.outbox = (recall("sessionStorage", OUTBOX) ?? []).map((item) => ({ ...item, status: "pending" }));
    this.#adopt(recall("localStorage", KEY));
    window.addEventListener("online", () => this.#flush());
    window.addEventListener("offline", () => this.#changed());
    window.addEventListener("storage", (event) => {
      if (event.key === KEY || event.key === null) this.#moved(recall("localStorage", KEY));
    });
    setInterval(() => {
      if (this.escalation?.open && this.owner.kind === "queue" && !document.hidden) this.#check();
    }, WAITING_MS);
    this.#flush();
  }

  get list() {
    return [...this.messages.values()].sort((a, b) => a.number - b.number);
  }

  /** Messages and notices in order. */
  get entries() {
    const place = (entry) => [entry.number ?? entry.after, entry.event ?? 0];
    return [...this.messages.values(), ...this.notices].sort((a, b) => {
      const [one, other] = [place(a), place(b)];
      return one[0] - other[0] || one[1] - other[1];
    });
  }

  /** Send a text, or a choice with its label as the text shown. */
  send(text, choice) {
    this.outbox.push({ client_id: newId(), text, choice, status: "pending" });
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

  /** Give an answer a thumb, up or down; the one it has is taken back. It shows at once, and goes if it cannot be sent. */
  judge(number, thumb) {
    const message = this.messages.get(number);
    const session = this.#session;
    const before = message.thumb;
    const wanted = before === thumb ? null : thumb;
    const show = (given, unsent) => {
      Object.assign(message, { thumb: given, thanked: true, unsent });
      this.#changed();
    };
    show(wanted, false);
    const send = () => judge(session, number, wanted);
    this.#judging = this.#judging.then(send).then(
      () => show(wanted, false),
      () => show(before, true),
    );
  }

  /** Rate the help in a case: {csat, effort, comment}. It shows at once, and can be changed. */
  rate(number, rating) {
    const session = this.#session;
    const show = (state, error) => {
      this.ratings.set(number, { ...rating, state, error });
      this.#changed();
    };
    show();
    clearTimeout(this.#settling);
    const send = () => {
      const request = () => rate(session, { case: number, ...rating });
      const failed = (error) => show("failed", error.status ? error.message : "");
      this.#rating = this.#rating.then(request).then(() => show("sent"), failed);
    };
    this.#settling = setTimeout(send, SETTLE_MS);
  }

  /** Leave an e-mail address; rejects with an error whose message can be shown. */
  async leave(email) {
    await leave(this.#session, { email });
    await this.#check();
  }

  /** The visitor is typing: whoever may read it is told, now and then. */
  type() {
    if (!this.#session || this.owner.kind === "bot" || Date.now() - this.#typed < TYPING_MS) return;
    this.#typed = Date.now();
    type(this.#session).catch(() => {}); // A sign that is lost is no loss.
  }

  /** Forget the conversation in this browser; the other tabs follow. */
  forget() {
    remember("localStorage", KEY, null);
    this.#moved(null);
  }

  #changed() {
    remember("sessionStorage", OUTBOX, this.outbox.length ? this.outbox : null);
    this.dispatchEvent(new Event("change"));
  }

  #clear() {
    this.#following?.abort();
    this.#session = null;
    this.#last = 0;
    this.#told = { kind: "bot", name: null };
    Object.assign(this, { messages: new Map(), notices: [], ratings: new Map(), typists: { bot: false, agent: false } });
    Object.assign(this, { owner: this.#told, escalation: null, connected: true, loaded: true });
  }

  /** Another tab began, changed or forgot the conversation. */
  #moved(session) {
    if (session?.id === this.#session?.id) return;
    this.#clear();
    if (!session) this.outbox = [];
    this.expired = false;
    this.#adopt(session);
    this.#changed();
  }

  #adopt(session) {
    if (!session?.id || !session.token) return;
    this.#session = session;
    this.loaded = false;
    this.#following = new AbortController();
    const { signal } = this.#following;
    const handlers = {
      events: (list) => signal.aborted || this.#received(list),
      connected: (flag) => signal.aborted || this.#connected(flag),
      gone: () => signal.aborted || this.#gone(session),
    };
    follow(session, () => this.#last, handlers, signal);
  }

  #received(list) {
    let check = false;
    for (const { number, kind, data } of list) {
      if (kind === "typing") {
        check ||= data.who === "bot" && this.typists.bot && !data.typing;
        this.typists = { ...this.typists, [data.who]: data.typing };
      } else if (number > this.#last) {
        if (kind === "message") this.#store(data);
        else check = true;
        if (kind === "owner") this.#owned(number, data);
        if (kind === "rating") this.#rated(data);
        this.#last = number;
      }
    }
    if (check && this.loaded) this.#check();
    if (list.length) this.#changed();
  }

  #store(message) {
    this.messages.set(message.number, message);
    if (message.client_id) this.outbox = this.outbox.filter((item) => item.client_id !== message.client_id);
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
    const after = Math.max(0, ...this.messages.keys());
    if (kind) this.notices.push({ event, after, kind, name, created_at });
  }

  #rated({ case: number, csat, effort }) {
    this.ratings.set(number, { comment: null, ...this.ratings.get(number), csat, effort });
  }

  #connected(flag) {
    if (flag && !this.loaded) this.#check();
    Object.assign(this, { connected: flag, loaded: this.loaded || flag });
    this.#changed();
  }

  async #check() {
    const session = this.#session;
    try {
      const { case: found, owner, rating } = await read(session);
      if (session !== this.#session) return;
      Object.assign(this, { escalation: found, owner });
      if (rating?.csat && !this.ratings.get(rating.case)?.state) this.ratings.set(rating.case, rating);
      this.#changed();
    } catch {
      // It is asked again after the next turn.
    }
  }

  /** The server does not know the conversation (any more): begin another, with what still waits. */
  #gone(session) {
    if (this.#session !== session) return;
    this.#clear();
    this.expired = true;
    if (recall("localStorage", KEY)?.id === session.id) remember("localStorage", KEY, null);
    this.#changed();
    this.#flush();
  }

  async #open() {
    if (this.#session) return this.#session;
    const made = await create(this.#language);
    const { id, token } = recall("localStorage", KEY) ?? made; // Another tab may have been faster.
    remember("localStorage", KEY, { id, token });
    if (!this.#session) this.#adopt({ id, token });
    return this.#session;
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
    let session = null;
    try {
      session = await this.#open();
      const { client_id, text, choice } = item;
      const stored = await post(session, choice ? { client_id, choice } : { client_id, text });
      if (session === this.#session) this.#store(stored);
    } catch (error) {
      if (error.status === 404 && session && !item.again) {
        item.again = true;
        this.#gone(session);
      } else if (navigator.onLine) {
        const final = error.status >= 400 && error.status < 500 && error.status !== 429;
        Object.assign(item, { status: "failed", error: error.status ? error.message : "", final });
      }
    }
    this.#sending = false;
    this.#flush();
  }
}

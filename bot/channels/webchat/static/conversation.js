/** The state of one visitor's conversation: what was said, what waits to be sent, and how the browser remembers it. */

import { recall, remember } from "./storage.js";
import { create, follow, judge, post, read } from "./transport.js";

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
 * `typing`, `connected`, `expired`, `escalation` ({number, open, since} or null), `loaded`.
 */
export class Conversation extends EventTarget {
  #language;
  #session = null;
  #following = null;
  #last = 0;
  #sending = false;
  #judging = Promise.resolve(); // One after the other, so that the last one stands.

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
    this.#flush();
  }

  get list() {
    return [...this.messages.values()].sort((a, b) => a.number - b.number);
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
    Object.assign(this, { messages: new Map(), typing: false, connected: true, escalation: null, loaded: true });
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
      messages: (list) => signal.aborted || this.#received(list),
      typing: (flag) => signal.aborted || this.#typing(flag),
      connected: (flag) => signal.aborted || this.#connected(flag),
      gone: () => signal.aborted || this.#gone(session),
    };
    follow(session, () => this.#last, handlers, signal);
  }

  #received(list) {
    for (const message of list) {
      this.#last = Math.max(this.#last, message.number);
      this.#store(message);
    }
    if (list.some((message) => message.author === "agent")) this.#checkCase();
    if (list.length) this.#changed();
  }

  #store(message) {
    this.messages.set(message.number, message);
    if (message.client_id) this.outbox = this.outbox.filter((item) => item.client_id !== message.client_id);
  }

  #typing(flag) {
    if (this.typing === flag) return;
    this.typing = flag;
    if (!flag) this.#checkCase();
    this.#changed();
  }

  #connected(flag) {
    if (flag && !this.loaded) this.#checkCase();
    Object.assign(this, { connected: flag, loaded: this.loaded || flag });
    this.#changed();
  }

  async #checkCase() {
    const session = this.#session;
    try {
      const { case: found } = await read(session);
      if (session !== this.#session) return;
      this.escalation = found;
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

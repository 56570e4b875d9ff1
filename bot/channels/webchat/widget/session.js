/**
 * The visitor's session: who this browser is to the server, and which conversation it shows.
 *
 * All tabs of a website share it by `localStorage`, under a key that names the server. It begins with the first
 * message, or when the website says who somebody is.
 */

import { alone } from "./lock.js";
import { recall, remember } from "./storage.js";
import { call } from "./transport.js";

const MINUTE = 60_000;
const WEEK = 7 * 24 * 60 * MINUTE;
const NOBODY = { visitor: null, customer: null, until: null, proof: null, conversation: null };

/** Enough of an identity token to know it again. */
const proofOf = (token) => token.slice(-16);

/**
 * Emits `change` when the conversation shown, or who the visitor is, has changed; `forgotten` when it is somebody new;
 * `ended` when a verified identity is over and nothing new came.
 *
 * Fields: `visitor` ({id, token} or null), `customer` ({id} of a verified one, or null), `conversation` (id of
 * the one shown, or null), `ended`.
 */
export class Session extends EventTarget {
  #base;
  #key;
  #state = NOBODY;
  #refresh = null;
  #renewing = null;
  #timer = null;
  ended = false;

  /** @param base address of the server, without a slash at its end */
  constructor(base) {
    super();
    this.#base = base;
    this.#key = `refill.session ${base}`;
    this.#read();
    window.addEventListener("storage", ({ key }) => {
      if (key === this.#key || key === null) this.#read();
    });
  }

  get visitor() {
    return this.#state.visitor;
  }

  get customer() {
    return this.#state.customer;
  }

  /** Whether somebody vouches for the customer at this moment. */
  get identified() {
    return Boolean(this.customer) && Date.parse(this.#state.until) > Date.now();
  }

  get conversation() {
    return this.#state.conversation;
  }

  get base() {
    return this.#base;
  }

  /** A key of the browser's storage for something of this server. */
  key(name) {
    return `refill.${name} ${this.#base}`;
  }

  /**
   * Make a request as the visitor, who is made if need be. An identity that ended is renewed once.
   *
   * @param path from the server's root, such as "/api/v1/conversations"
   * @param options see `call` of transport.js
   * @returns the Response; throws an ApiError, or what fetch() throws
   */
  async fetch(path, options = {}) {
    for (let again = false; ; again = true) {
      const { token } = this.visitor ?? (await this.#visit());
      try {
        return await call(this.#base + path, { ...options, token });
      } catch (error) {
        if (error.code !== "identity_expired") throw error;
        if (again || !(await this.#renew())) {
          this.#end();
          throw error;
        }
      }
    }
  }

  /** The same, giving what the answer's JSON says; null where there is none. */
  async request(path, options) {
    const response = await this.fetch(path, options);
    return response.status === 204 ? null : response.json();
  }

  /** Id of the conversation shown; without one it is begun, in one of the tabs. */
  begin(body) {
    return this.#alone("conversation", async () => {
      this.#read();
      if (this.conversation) return this.conversation;
      const { id } = await this.request("/api/v1/conversations", { body });
      this.#keep({ ...this.#state, conversation: id });
      return id;
    });
  }

  /** Show another conversation of the visitor's, in all tabs; null stands for one that begins with the next message. */
  show(conversation) {
    this.#keep({ ...this.#state, conversation });
  }

  /**
   * Say who the visitor is.
   *
   * @param token the identity token the website signed
   * @param refresh gives (or promises) a new token when this one is about to end, or is refused: a page from a cache
   *   may carry an old one; may be left out
   * @returns the customer; throws an ApiError if the server refuses the token
   */
  async identify({ token, refresh } = {}) {
    if (typeof token !== "string" || !token) throw new TypeError("Refill: identify() needs {token}, a text.");
    this.#refresh = typeof refresh === "function" ? refresh : null;
    try {
      return await this.#prove(token);
    } catch (error) {
      const outdated = error.code === "identity_refused" || error.code === "identity_expired";
      if (!outdated || !(await this.#renew())) throw error;
      return this.customer;
    }
  }

  /** Forget everything here; with revoke, the server lets the session open nothing any more. */
  forget({ revoke = false } = {}) {
    const { visitor } = this.#state;
    this.#refresh = null;
    if (revoke && visitor) {
      const url = `${this.#base}/api/v1/visitors/me`;
      call(url, { method: "DELETE", token: visitor.token }).catch(() => {}); // It ends by itself later.
    }
    this.#keep(NOBODY);
  }

  /** Whether the server does not know the visitor at all (any more). */
  async unknown() {
    const token = this.visitor?.token;
    try {
      await call(`${this.#base}/api/v1/visitors/me`, { token });
      return false;
    } catch (error) {
      return error.status === 404 && token === this.visitor?.token;
    }
  }

  #visit() {
    return this.#alone("visitor", async () => {
      this.#read();
      if (!this.visitor) {
        const response = await call(`${this.#base}/api/v1/visitors`, { method: "POST" });
        this.#keep({ ...NOBODY, visitor: await response.json() });
      }
      return this.visitor;
    });
  }

  #prove(token) {
    return this.#alone("identity", async () => {
      this.#read();
      const proof = proofOf(token);
      if (proof === this.#state.proof && Date.parse(this.#state.until) > Date.now() + MINUTE) return this.#proven();
      const show = async () => {
        const { token: bearer } = this.visitor ?? (await this.#visit());
        const options = { token: bearer, body: { token, join: true } };
        return (await call(`${this.#base}/api/v1/visitors/me/identity`, options)).json();
      };
      const first = async () => {
        try {
          return await show();
        } catch (error) {
          const stranger = error.code === "other_customer" || error.status === 404;
          if (!stranger || !this.visitor) throw error;
          this.#keep(NOBODY);
          return show();
        }
      };
      const { customer, expires_at: until } = await first();
      this.#keep({ ...this.#state, customer: { id: customer.id }, until, proof });
      if (!this.conversation) await this.#resume().catch(() => {}); // The list shows it later.
      this.#proven();
      return customer;
    });
  }

  /** Go on with what the customer wrote lately, on whichever device. */
  async #resume() {
    const { token } = this.visitor;
    const answer = await call(`${this.#base}/api/v1/conversations?limit=1`, { token });
    const [newest] = (await answer.json()).conversations;
    const lately = newest && Date.parse(newest.updated_at) + WEEK > Date.now();
    if (newest?.case_open || newest?.unread || lately) this.show(newest.id);
  }

  #proven() {
    this.ended = false;
    clearTimeout(this.#timer);
    const left = Date.parse(this.#state.until) - Date.now() - MINUTE;
    if (this.#refresh) this.#timer = setTimeout(() => this.#renew(), Math.min(Math.max(left, 1000), 2 ** 31 - 1));
    this.dispatchEvent(new Event("change"));
    return this.customer;
  }

  /** Get a new identity token from the website. Returns whether the visitor is identified again. */
  #renew() {
    const renew = async () => {
      try {
        const given = await this.#refresh?.();
        if (given) await this.#prove(given.token ?? given);
        if (given) return true;
      } catch (error) {
        console.error("Refill: the identity could not be renewed.", error.message);
      }
      return false;
    };
    this.#renewing ??= renew().finally(() => (this.#renewing = null));
    return this.#renewing;
  }

  #end() {
    if (this.ended) return;
    this.ended = true;
    this.dispatchEvent(new Event("ended"));
  }

  /** Take over what the tabs share. */
  #read() {
    const found = recall("localStorage", this.#key);
    this.#become(found?.visitor?.id && found.visitor.token ? { ...NOBODY, ...found } : NOBODY);
  }

  #keep(state) {
    remember("localStorage", this.#key, state.visitor ? state : null);
    this.#become(state);
  }

  #become(state) {
    const before = this.#state;
    this.#state = state;
    const other = Boolean(before.visitor) && before.visitor.id !== state.visitor?.id;
    if (other) {
      this.ended = false;
      clearTimeout(this.#timer);
      remember("sessionStorage", this.key("outbox"), null); // Nobody else may send it.
      this.dispatchEvent(new Event("forgotten"));
    }
    const same = before.conversation === state.conversation && before.customer?.id === state.customer?.id;
    if (other || !same) this.dispatchEvent(new Event("change"));
  }

  #alone(name, task) {
    return alone(`${this.#key} ${name}`, task);
  }
}

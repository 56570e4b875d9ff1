/**
 * Invitations: short messages beside the launcher, opened by a rule, by a play or by the website.
 *
 * The server says which ones this visitor may get. On which page, after how many seconds, and how often in this browser is
 * judged here, without a request. It runs without the chat; an answer opens it.
 */

import css from "./invitations.css";
import { h, icon, safe } from "./dom.js";
import { recall, remember } from "./storage.js";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const STAYS_MS = 30 * 60_000; // So long one that was shown comes along to the next page.
const QUIET_MS = 1_000; // After the visitor has left a field.
const MOST_SEEN = 50; // Invitations this browser remembers.
const LONGEST = 300;
const OF_PAGE = "page";
const FIELDS = "input:not([type=button],[type=submit],[type=checkbox],[type=radio],[type=range]),textarea,select,iframe";

/** Whether a text is like a pattern with * for any characters. */
function like(pattern, text) {
  const [first, ...rest] = pattern.split("*");
  if (!rest.length) return text === pattern;
  const last = rest.pop();
  if (text.length < first.length + last.length || !text.startsWith(first) || !text.endsWith(last)) return false;
  let at = first.length;
  const end = text.length - last.length;
  return rest.every((part) => {
    const found = text.indexOf(part, at);
    at = found + part.length;
    return found >= 0 && at <= end;
  });
}

/**
 * Whether a page is meant by one of the patterns; by no patterns, every page is.
 *
 * @param patterns as in `bot/success/invitations/pages.py`
 * @param page a URL
 */
export function fits(patterns, page) {
  const path = (text) => text.replace(/\/+$/, "") || "/";
  const whole = page.href.split("#")[0];
  return (
    !patterns.length ||
    patterns.some((pattern) =>
      pattern.startsWith("/") ? like(path(pattern), path(page.pathname)) : like(pattern, whole),
    )
  );
}

/** Whether the visitor is in a field: nothing may come between. */
function typing() {
  let at = document.activeElement;
  while (at?.shadowRoot?.activeElement) at = at.shadowRoot.activeElement;
  return Boolean(at && (at.matches(FIELDS) || at.isContentEditable));
}

class Invitations {
  #app;
  #offers = [];
  #limits = null;
  #own = []; // The website's.
  #shown = null; // {offer, at, customer (id or null), opened}
  #bubble = null;
  #timer = null;
  #page = null;
  #since = 0;
  #again = () => setTimeout(() => this.#plan(), QUIET_MS); // By then it is known how a case stands.
  #of = null; // Id of the customer the offers are for.

  constructor(app) {
    this.#app = app;
  }

  /** The configuration is there. */
  begin() {
    const { config } = this.#app;
    this.#app.style(css);
    this.status = h("p", { class: "hidden", role: "status", "data-invitation-status": true });
    this.#app.place.prepend(this.status);
    this.#limits = config.invitation_limits;
    this.#of = this.#app.session.identified ? this.#app.session.customer.id : null;
    this.#take(config.invitations);
    this.#comeAlong();
    this.look();
  }

  /** The website's own: {id, text, after}. */
  invite(invitation) {
    const { id, text, after = 0 } = invitation ?? {};
    const valid = typeof id === "string" && id && typeof text === "string" && text.trim() && Number(after) >= 0;
    if (!valid || text.length > LONGEST || id.length > 100) {
      console.error(`Refill: invite() needs {id, text, after}: two texts, at most ${LONGEST} characters, and seconds.`);
      return;
    }
    const offer = { id: `${OF_PAGE}:${id}`, text: text.trim(), pages: [], after: Number(after), every_days: 7, most: 3 };
    this.#own = [...this.#own.filter((other) => other.id !== offer.id), { ...offer, since: Date.now() }];
    this.look();
  }

  /** Somebody was identified, or is no longer. */
  async identity(customer) {
    if (this.#shown && this.#shown.customer !== (customer?.id ?? null)) this.#forget();
    const { session, config } = this.#app;
    const who = customer?.id ?? null;
    if (who === this.#of) return;
    this.#of = who;
    this.#offers = []; // Those of somebody else are not for them.
    try {
      if (!who) return;
      const told = await session.request(`/api/v1/visitors/me/invitations?language=${config.language}`);
      if (who !== this.#of) return;
      this.#limits = told.invitation_limits;
      this.#take(told.invitations);
      this.#plan();
    } catch {
      this.#of = null; // They come with the next page.
    }
  }

  /** See which page this is; one that is new begins to count its seconds. */
  look() {
    const page = this.#address();
    if (page.href.split("#")[0] !== this.#page?.href.split("#")[0]) {
      this.#page = page;
      this.#since = Date.now();
      if (this.#bubble && !fits(this.#shown.offer.pages, page)) this.#remove();
    }
    this.#plan();
  }

  /** The chat was opened: with the invitation that was there, if there was one. */
  opened() {
    clearTimeout(this.#timer);
    if (this.#bubble) this.#end("opened");
    else if (!this.#shown?.opened || this.#app.session.conversation) return;
    this.#greet();
  }

  /** Another conversation is shown, or one has begun. */
  conversation() {
    const shown = this.#shown;
    if (!shown?.opened || !this.#app.session.conversation) return;
    this.#note(shown.offer.id, { answered: true });
    this.#keep(null);
  }

  /** Another tab has shown or ended one. */
  elsewhere() {
    const { not_now: notNow = 0, seen = {} } = this.#memory();
    const shown = this.#shown;
    if (this.#bubble && (notNow > shown.at || (seen[shown.offer.id]?.closed ?? 0) > shown.at)) this.#forget();
  }

  /** Show the first one that is due, or look again when the next one is. */
  plan() {
    this.#plan();
  }

  #plan() {
    clearTimeout(this.#timer);
    if (!this.#app.config || this.#bubble || this.#app.page) return;
    const now = Date.now();
    const waiting = [...this.#own, ...this.#offers].filter((offer) => this.#may(offer, now));
    const due = ({ after, since }) => Math.max(since ?? 0, this.#since) + after * 1000;
    const first = waiting.find((offer) => due(offer) <= now);
    if (first && this.#free()) return this.#show(first);
    const next = Math.min(...waiting.map(due).filter((moment) => moment > now));
    if (Number.isFinite(next)) this.#timer = setTimeout(() => this.look(), next - now);
  }

  /** Whether page and limits allow one. */
  #may(offer, now) {
    const memory = this.#memory();
    const { pause_hours: pause, not_now_days: quiet, quiet_until: until } = this.#limits;
    const still = Math.max((memory.shown ?? 0) + pause * HOUR, (memory.not_now ?? 0) + quiet * DAY);
    if ((memory.shown || memory.not_now) && still > now) return false;
    if (until && Date.parse(until) > now) return false;
    const { times = 0, last = 0, answered } = memory.seen?.[offer.id] ?? {};
    if (answered || times >= offer.most || (last && last + offer.every_days * DAY > now)) return false;
    return fits(offer.pages, this.#page) && this.#returns(offer);
  }

  /** Whether nothing stands in the way: the page is looked at, nobody types, the chat is closed, no talk goes on. */
  #free() {
    if (document.hidden || this.#app.chat?.shown || typing()) return false;
    if (!this.#app.session.conversation) return true;
    const conversation = this.#app.chat?.conversation;
    if (!conversation?.loaded) {
      this.#app.load().then((chat) => chat.conversation.addEventListener("change", this.#again, { once: true }));
      return false;
    }
    if (conversation.escalation?.open || conversation.outbox.length) return false;
    const last = conversation.list.at(-1);
    return !last || Date.parse(last.created_at) + DAY < Date.now();
  }

  /** Whether a visitor of an earlier day is meant, or a new one; only then is the first visit remembered. */
  #returns({ returning }) {
    if (returning === null || returning === undefined) return true;
    const memory = this.#memory();
    if (!memory.first) this.#save({ ...memory, first: Date.now() });
    return returning === (new Date(memory.first ?? Date.now()).toDateString() !== new Date().toDateString());
  }

  #take(offers) {
    this.#offers = offers ?? [];
    // The day of the first visit counts from now on, whatever page it is.
    for (const offer of this.#offers) this.#returns(offer);
  }

  #show(offer) {
    const memory = this.#memory();
    const seen = memory.seen?.[offer.id] ?? {};
    const now = Date.now();
    this.#save({ ...memory, shown: now });
    this.#note(offer.id, { times: (seen.times ?? 0) + 1, last: now });
    this.#keep({ offer, at: now, customer: this.#app.session.customer?.id ?? null });
    this.#tell("shown");
    this.#draw();
  }

  /** One that was shown on the page before stays, where it is meant for this page too. */
  #comeAlong() {
    const { session } = this.#app;
    const kept = recall("sessionStorage", this.#key("now"));
    const lasts = kept?.offer && kept.at + STAYS_MS > Date.now() && kept.customer === (session.customer?.id ?? null);
    if (!lasts || this.#app.page) return this.#keep(null);
    this.#shown = kept;
    if (kept.opened) return;
    if (fits(kept.offer.pages, this.#address()) && !this.#app.chat?.shown) this.#draw();
  }

  #draw() {
    const { words, config } = this.#app;
    const { offer } = this.#shown;
    const content = (offer.html && safe(offer.html, `${this.#app.base}/`)) || h("p", { text: offer.text });
    const answer = (event) => event.target.closest?.("a") || this.#app.open({ from: this.#app.launcher });
    const text = h("div", { class: "invitation-text", lang: offer.language, dir: "auto", click: answer }, content);
    const button = (name, text, click) => {
      return h("button", { class: `invitation-${name}`, type: "button", [`data-invitation-${name}`]: true, click, text });
    };
    const close = { class: "invitation-close", type: "button", "data-invitation-close": true };
    this.#bubble = h(
      "aside",
      { class: "invitation", "data-invitation": true, "aria-label": words.invitation_label },
      h("p", { class: "invitation-from", "aria-hidden": "true", text: config.brand.name }),
      text,
      h(
        "div",
        { class: "invitation-actions" },
        button("reply", words.invitation_reply, answer),
        button("not-now", words.invitation_not_now, () => this.#notNow()),
      ),
      h("button", { ...close, "aria-label": words.invitation_close, click: () => this.#end("dismissed") }, icon("close")),
    );
    this.#app.launcher.before(this.#bubble);
    // Read out once; afterwards the bubble alone has it.
    this.status.textContent = `${words.invitation_label}: ${text.textContent}`;
    setTimeout(() => (this.status.textContent = ""), 5_000);
  }

  #notNow() {
    this.#save({ ...this.#memory(), not_now: Date.now() });
    this.#end("not_now");
  }

  /** Take the bubble away; the focus, if it was in it, goes to the launcher. */
  #end(outcome) {
    this.#tell(outcome);
    this.#note(this.#shown.offer.id, { closed: Date.now() });
    this.#remove();
    this.#keep(outcome === "opened" ? { ...this.#shown, opened: true } : null);
  }

  #remove() {
    const inside = this.#bubble?.contains(this.#app.root.activeElement);
    this.#bubble?.remove();
    this.#bubble = null;
    this.status.textContent = "";
    if (inside) this.#app.launcher.focus();
  }

  #forget() {
    this.#remove();
    this.#keep(null);
  }

  /** Begin a conversation with it. What the website's own says stays in the browser. */
  #greet() {
    const { session, chat } = this.#app;
    const { offer } = this.#shown;
    if (session.conversation) session.show(null);
    chat.conversation.greet({ ...offer, invitation: offer.id.startsWith(OF_PAGE) ? null : offer.id });
  }

  /** Esc closes it where nothing else on the page has the focus. */
  key(event) {
    const elsewhere = document.activeElement !== document.body && document.activeElement !== this.#app.host;
    if (event.key !== "Escape" || event.defaultPrevented || !this.#bubble || elsewhere) return;
    this.#end("dismissed");
  }

  /** For identified customers the server remembers too, so that limits hold on all their devices. */
  #tell(outcome) {
    const { session } = this.#app;
    if (!session.identified) return;
    const { id } = this.#shown.offer;
    const name = id.startsWith(OF_PAGE) ? OF_PAGE : id;
    session.request(`/api/v1/visitors/me/invitations/${name}/outcome`, { body: { outcome } }).catch(() => {});
  }

  #address() {
    const { page } = this.#app.context;
    try {
      return new URL(page || location.href, location.href);
    } catch {
      return new URL(location.href);
    }
  }

  #key(name) {
    return this.#app.session.key(`invitations.${name}`);
  }

  #memory() {
    return recall("localStorage", this.#key("memory")) ?? {};
  }

  #save(memory) {
    remember("localStorage", this.#key("memory"), memory);
  }

  /** Remember something of one invitation. */
  #note(id, what) {
    const memory = this.#memory();
    const { [id]: before, ...others } = memory.seen ?? {};
    const kept = Object.entries(others).slice(1 - MOST_SEEN);
    this.#save({ ...memory, seen: { ...Object.fromEntries(kept), [id]: { ...before, ...what } } });
  }

  #keep(shown) {
    this.#shown = shown;
    remember("sessionStorage", this.#key("now"), shown);
  }

  /** The key of the memory that the tabs share. */
  get shared() {
    return this.#key("memory");
  }
}

/**
 * Let a page show invitations.
 *
 * @param app see app.js
 */
export function attachInvitations(app) {
  const invitations = new Invitations(app);
  const ready = new Promise((resolve) => app.on("ready", resolve)).then(() => invitations.begin());
  const after = (run) => (detail) => ready.then(() => run(detail));
  const look = after(() => invitations.look());
  const plan = after(() => invitations.plan());
  app.invite = after((invitation) => invitations.invite(invitation));
  app.on("open", after(() => invitations.opened()));
  app.on("close", plan);
  app.on("context", look);
  app.on("identity", after(({ customer }) => invitations.identity(customer)));
  app.session.addEventListener("change", after(() => invitations.conversation()));
  // Where the browser tells of each change of the address, single-page websites need to say nothing.
  window.navigation?.addEventListener("currententrychange", look);
  window.addEventListener("popstate", look);
  window.addEventListener("storage", ({ key }) => key === invitations.shared && invitations.elsewhere());
  document.addEventListener("visibilitychange", plan);
  document.addEventListener("focusout", () => setTimeout(plan, QUIET_MS));
  document.addEventListener("keydown", after((event) => invitations.key(event)));
}

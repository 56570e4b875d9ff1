/** Draws the conversation. Elements are kept from one drawing to the next, so that only what is new is read out. */

const ARTICLE = /^\/help\//;

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

export function fill(words, values) {
  return words.replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

/** Links of the bot open beside the page; help pages keep the page's language. */
function guide(link, words) {
  const url = new URL(link.href, location.href);
  if (url.origin === location.origin && ARTICLE.test(url.pathname)) {
    url.searchParams.set("lang", document.documentElement.dataset.language);
    link.href = url.pathname + url.search + url.hash;
  }
  link.target = "_blank";
  link.rel = "noopener noreferrer";
  link.append(element("span", "hidden", ` (${words.new_tab})`));
}

export class View {
  #log;
  #verdict;
  #card;
  #words;
  #conversation;
  #drawn = new Map();
  #time = new Intl.DateTimeFormat(document.documentElement.lang, { hour: "2-digit", minute: "2-digit" });

  constructor(log, { verdict, card }, words, conversation) {
    this.#log = log;
    this.#verdict = verdict;
    this.#card = card;
    this.#words = words;
    this.#conversation = conversation;
  }

  /** Bring the log up to date; returns the first element that is new, if any. */
  draw() {
    const { list, outbox, expired, entries: said } = this.#conversation;
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
      if (place !== drawn) this.#log.insertBefore(drawn, place);
      this.#update(drawn, entry, entry === list.at(-1) && !outbox.length);
      previous = drawn;
    }
    return first;
  }

  #message(entry) {
    if (entry.kind) return this.#notice(entry);
    const author = entry.author ?? "customer";
    const made = element("div", `message ${author}`);
    const person = author === "customer" ? "you" : author === "bot" ? "bot" : "agent";
    made.append(element("p", person === "you" ? "hidden" : "author", entry.name ?? this.#words[person]));
    const bubble = element("div", "bubble");
    bubble.dir = "auto";
    if (entry.html) {
      bubble.append(...new DOMParser().parseFromString(entry.html, "text/html").body.childNodes);
      bubble.querySelectorAll("a").forEach((link) => guide(link, this.#words));
    } else bubble.textContent = entry.text;
    made.append(bubble);
    if (entry.citations?.length) {
      bubble.lang = entry.citations[0].language;
      made.append(this.#sources(entry.citations));
    }
    if (entry.answer) made.append(this.#thumbs(entry.number));
    if (entry.choices?.length) made.append(this.#choices(entry.choices));
    if (entry.rating) made.append(this.#rating(entry));
    made.append(element("p", "state"));
    return made;
  }

  /** A line between the messages: who joined or left, and when. */
  #notice({ kind, name, created_at }) {
    const made = element("div", "message notice");
    const told = {
      expired: () => this.#words.expired,
      joined: () => fill(this.#words.joined, { name: name ?? this.#words.agent }),
      passed_on: () => fill(this.#words.passed_on, { team: this.#words.teams[name] ?? name }),
      back: () => this.#words.back,
    };
    made.textContent = told[kind]();
    if (created_at) made.append(" ", this.#clock(created_at));
    return made;
  }

  #clock(moment) {
    const time = element("time", "", this.#time.format(new Date(moment)));
    time.dateTime = moment;
    return time;
  }

  /** The card on which help is rated: every choice is sent at once, the comment with its button. */
  #rating({ number, rating: { case: about, effort } }) {
    const made = element("div", "rating");
    made.append(this.#card.content.cloneNode(true));
    made.querySelectorAll("[data-scores]").forEach((group) => {
      group.querySelectorAll("input").forEach((input) => (input.name = `${group.dataset.scores}-${number}`));
    });
    const comment = made.querySelector("textarea");
    comment.id = `comment-${number}`;
    made.querySelector("[data-more]").htmlFor = comment.id;
    const chosen = (name) => Number(made.querySelector(`[data-scores=${name}] input:checked`)?.value) || null;
    const send = () => {
      const asked = effort ? chosen("effort") : null;
      this.#conversation.rate(about, { csat: chosen("csat"), effort: asked, comment: comment.value.trim() || null });
    };
    made.addEventListener("change", (event) => event.target.type === "radio" && chosen("csat") && send());
    made.querySelector("[data-send-comment]").addEventListener("click", send);
    return made;
  }

  /** Show what was rated, by whichever tab. */
  #rated(drawn, { rating: { case: about, effort } }) {
    const rating = this.#conversation.ratings.get(about);
    const state = JSON.stringify(rating ?? null);
    const card = drawn.querySelector(".rating");
    if (card.dataset.rated === state) return;
    card.dataset.rated = state;
    for (const name of ["csat", "effort"]) {
      const input = card.querySelector(`[data-scores=${name}] input[value="${rating?.[name]}"]`);
      if (input) input.checked = true;
    }
    const comment = card.querySelector("textarea");
    if (rating?.comment && !comment.value) comment.value = rating.comment;
    card.querySelector("[data-scores=effort]").hidden = !effort || !rating?.csat;
    card.querySelector("[data-comment]").hidden = !rating?.csat;
    card.querySelector("[data-more]").textContent = rating?.csat <= 2 ? this.#words.rating_sorry : this.#words.rating_more;
    const told = card.querySelector(".thanks");
    if (rating?.state === "failed") told.textContent = rating.error || this.#words.rating_failed;
    else told.textContent = rating?.state === "sent" ? this.#words.rating_thanks : "";
    if (rating?.state) card.scrollIntoView({ block: "nearest" });
  }

  #sources(citations) {
    const list = element("ul", "sources");
    for (const { title, url, language } of citations) {
      const link = element("a", "", fill(this.#words.source, { title }));
      if (language !== document.documentElement.dataset.language) link.hreflang = language;
      link.href = url;
      guide(link, this.#words);
      list.append(element("li"));
      list.lastChild.append(link);
    }
    return list;
  }

  #thumbs(number) {
    const made = element("div", "verdict");
    made.append(this.#verdict.content.cloneNode(true));
    made.querySelectorAll("[data-thumb]").forEach((button) => {
      button.addEventListener("click", () => this.#conversation.judge(number, button.dataset.thumb));
    });
    return made;
  }

  #choices(choices) {
    const group = element("div", "choices");
    for (const { label, payload } of choices) {
      const button = element("button", "", label);
      button.type = "button";
      button.addEventListener("click", () => this.#conversation.send(label, payload));
      group.append(button);
    }
    return group;
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
    if (unsent) told.textContent = this.#words.thumb_failed;
    else if (thumb === "down") {
      const person = element("button", "", this.#words.person);
      person.type = "button";
      person.addEventListener("click", () => this.#conversation.send(this.#words.person));
      told.replaceChildren(`${this.#words.sorry} `, person);
    } else told.textContent = thumb && thanked ? this.#words.thanks : "";
    if (thanked) told.scrollIntoView({ block: "nearest" });
  }

  /** What changes after a message was drawn: whether its choices are open, whether it has arrived. */
  #update(drawn, entry, latest) {
    drawn.querySelectorAll(".choices button").forEach((button) => (button.disabled = !latest));
    if (entry.answer) this.#judged(drawn, entry);
    if (entry.rating) this.#rated(drawn, entry);
    const state = drawn.querySelector(".state");
    const now = entry.status ?? "stored";
    if (!state || drawn.dataset.state === now) return;
    drawn.dataset.state = now;
    if (now === "failed") {
      const action = entry.final ? "remove" : "retry";
      const button = element("button", "", this.#words[action]);
      button.type = "button";
      button.addEventListener("click", () => this.#conversation[action](entry.client_id));
      state.replaceChildren(`${this.#words.failed} ${entry.error || this.#words.unreachable} `, button);
    } else if (now === "stored") {
      state.replaceChildren(this.#clock(entry.created_at));
    } else state.textContent = this.#words[now];
  }
}

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
  #words;
  #conversation;
  #drawn = new Map();
  #time = new Intl.DateTimeFormat(document.documentElement.lang, { hour: "2-digit", minute: "2-digit" });

  constructor(log, verdict, words, conversation) {
    this.#log = log;
    this.#verdict = verdict;
    this.#words = words;
    this.#conversation = conversation;
  }

  /** Bring the log up to date; returns the first element that is new, if any. */
  draw() {
    const { list, outbox, expired } = this.#conversation;
    const entries = [...list, ...outbox].map((entry) => [entry.client_id ?? `#${entry.number}`, entry]);
    if (expired) entries.unshift(["expired", { author: "notice", text: this.#words.expired }]);
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
    const author = entry.author ?? "customer";
    const made = element("div", `message ${author}`);
    if (author === "notice") {
      made.textContent = entry.text;
      return made;
    }
    const person = author === "customer" ? "you" : author === "bot" ? "bot" : "agent";
    made.append(element("p", person === "you" ? "hidden" : "author", this.#words[person]));
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
    made.append(element("p", "state"));
    return made;
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
      const time = element("time", "", this.#time.format(new Date(entry.created_at)));
      time.dateTime = entry.created_at;
      state.replaceChildren(time);
    } else state.textContent = this.#words[now];
  }
}

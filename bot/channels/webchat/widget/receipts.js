/** Who has read what: "Seen" below the visitor's last message; and the server hears how far the visitor has read. */

import css from "./receipts.css";
import { h } from "./dom.js";

const PERSON_MS = 600; // Reading is told soon where a person waits for it, else in larger steps.
const BOT_MS = 3000;
const TALL = 0.4; // Of the view: so much of a long message counts as in view.

export function attachReceipts(chat) {
  const { words, session } = chat;
  chat.style(css);
  const numbers = new WeakMap(); // Of the messages drawn, and the conversation each belongs to.
  const drawn = new Map(); // Messages of the visitor, by number.
  const receipt = h("span", { class: "receipt", "data-receipt": true });
  let { conversation } = chat;
  let inView = 0;
  let timer = null;
  let due = Infinity;

  const reading = () => chat.shown && !document.hidden;
  const sight = new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting, intersectionRatio, intersectionRect, rootBounds } of entries) {
        const enough = intersectionRatio >= 0.5 || intersectionRect.height >= TALL * (rootBounds?.height ?? Infinity);
        const known = numbers.get(target);
        if (!isIntersecting || !enough || known?.conversation !== conversation) continue;
        if (known.number > inView) inView = known.number;
      }
      plan();
    },
    { root: chat.scroller, threshold: [0, 0.25, 0.5, 1] },
  );

  /** Tell soon what is in view, if it is news. */
  function plan() {
    if (!reading() || inView <= conversation.read.customer) return;
    const person = [...conversation.messages.values()].some(
      ({ number, author }) => author === "agent" && number > conversation.read.customer && number <= inView,
    );
    const at = Date.now() + (person ? PERSON_MS : BOT_MS);
    if (at >= due) return;
    due = at;
    clearTimeout(timer);
    timer = setTimeout(tell, at - Date.now());
  }

  async function tell() {
    clearTimeout(timer);
    due = Infinity;
    const [told, number] = [conversation, inView];
    const before = told.read.customer;
    if (!told.id || number <= before || !session.visitor) return;
    told.read = { ...told.read, customer: number };
    try {
      await told.request("read", { body: { number } });
    } catch {
      if (told.read.customer === number) told.read = { ...told.read, customer: before };
    }
  }

  /** Below the last message, unless a person has answered it: whether the team has it, or has seen it. */
  function mark() {
    const { read, owner, list, outbox } = conversation;
    const last = list.findLast(({ author }) => author !== "bot");
    const mine = last?.author === "customer" && !outbox.length ? last : null;
    const told = !mine ? "" : read.team >= mine.number ? words.seen : owner.kind === "bot" ? "" : words.sent;
    const place = told ? drawn.get(mine.number)?.querySelector(".state") : null;
    if (receipt.textContent !== told) receipt.textContent = told;
    if (place !== receipt.parentElement) place ? place.append(receipt) : receipt.remove();
  }

  chat.watch((element, entry) => {
    if (!entry.number) return;
    if (entry.author === "customer") return drawn.set(entry.number, element);
    if (numbers.get(element)?.conversation === conversation) return;
    numbers.set(element, { number: entry.number, conversation });
    sight.observe(element);
  });
  chat.on("conversation", (next) => {
    tell();
    sight.disconnect();
    drawn.clear();
    conversation = next;
    inView = 0;
  });
  chat.on("change", () => {
    mark();
    plan();
  });
  chat.on("open", plan);
  chat.on("close", tell);
  document.addEventListener("visibilitychange", () => (document.hidden ? tell() : plan()));
}

/** What a visitor who looks elsewhere is told: the number of new messages in the page's title, and a short sound. */

import { alone } from "./lock.js";
import { recall, remember } from "./storage.js";

const SILENCE_MS = 2000; // Between two sounds.

/** Whether new messages make no sound; the browser remembers it. */
export function muted(session) {
  return recall("localStorage", session.key("muted")) === true;
}

/** Switch the sound off or on. */
export function mute(session, off) {
  remember("localStorage", session.key("muted"), off ? true : null);
}

export function attachNotify(chat) {
  const { app, session } = chat;
  const title = new Title();
  const bell = new Bell();

  const away = () => !chat.shown || document.hidden;

  /** Messages nobody has seen in any tab. */
  function unseen() {
    const { id, list, read, loaded } = chat.conversation;
    if (!loaded || !away()) return 0;
    const kept = recall("localStorage", session.key("seen"));
    const seen = Math.max(read.customer, kept?.id === id ? kept.number : 0);
    return list.filter(({ number, author }) => number > seen && author !== "customer").length;
  }

  const show = () => app.options.title !== "off" && title.show(unseen());
  // What counts as seen is settled once everything is drawn.
  const soon = () => queueMicrotask(show);

  /** One sound for a message, in one of the tabs. */
  function ring({ number, author }) {
    if (author === "customer" || !away() || muted(session) || !bell.ready) return;
    const { id } = chat.conversation;
    const key = session.key("rung");
    alone(`${key} lock`, async () => {
      const rung = recall("localStorage", key);
      const seen = recall("localStorage", session.key("seen"));
      if ([rung, seen].some((one) => one?.id === id && one.number >= number)) return;
      if (await bell.ring()) remember("localStorage", key, { id, number });
    });
  }

  const follow = (conversation) => {
    conversation.addEventListener("message", ({ detail }) => conversation === chat.conversation && ring(detail));
    soon();
  };
  follow(chat.conversation);
  chat.on("conversation", follow);
  for (const name of ["change", "open", "close"]) chat.on(name, soon);
  chat.on("sent", () => muted(session) || bell.prepare());
  document.addEventListener("visibilitychange", soon);
  window.addEventListener("storage", ({ key }) => key === session.key("seen") && soon());
}

/** The page's title with a number before it; the website may change the title meanwhile. */
class Title {
  #plain = "";
  #shown = null;

  show(count) {
    if (document.title !== this.#shown) this.#plain = document.title;
    const wanted = count ? `(${count}) ${this.#plain}` : this.#plain;
    if (document.title !== wanted && (count || this.#shown !== null)) document.title = wanted;
    this.#shown = count ? wanted : null;
  }
}

/** Two short soft tones. Browsers let a page make sounds only after its visitor has touched it. */
class Bell {
  #context = null;
  #last = 0;

  /** Whether the browser lets sounds be made. */
  get ready() {
    return Boolean(this.#context || (window.AudioContext && navigator.userActivation?.hasBeenActive));
  }

  /** Get ready within a visitor's own action, as some browsers want it; nothing is heard. */
  prepare() {
    if (this.#context || !window.AudioContext) return;
    this.#context = new AudioContext();
    this.#context.suspend().catch(() => {});
  }

  /** Sound, unless it did a moment ago. Returns whether it could. */
  async ring() {
    try {
      this.#context ??= new AudioContext();
      await Promise.race([this.#context.resume(), new Promise((resolve) => setTimeout(resolve, 500))]);
    } catch {
      return false;
    }
    if (this.#context.state !== "running") return false;
    if (Date.now() - this.#last < SILENCE_MS) return true;
    this.#last = Date.now();
    for (const [start, pitch] of [[0, 587], [0.12, 784]]) this.#tone(this.#context.currentTime + start, pitch);
    setTimeout(() => this.#context.suspend().catch(() => {}), 1000);
    return true;
  }

  #tone(at, pitch) {
    const tone = this.#context.createOscillator();
    const volume = this.#context.createGain();
    tone.frequency.value = pitch;
    volume.gain.setValueAtTime(0, at);
    volume.gain.linearRampToValueAtTime(0.06, at + 0.02);
    volume.gain.exponentialRampToValueAtTime(0.0001, at + 0.3);
    tone.connect(volume).connect(this.#context.destination);
    tone.start(at);
    tone.stop(at + 0.32);
  }
}

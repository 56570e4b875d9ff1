// What a person is told of while they look elsewhere: the title, a sound, the desktop's own notices.

import { say } from "./words.js";

const SILENCE_MILLISECONDS = 2000;
const panes = () => document.getElementById("panes");
const unread = new Set();
let context = null;
let lastSound = 0;
let plain = document.title;

// Browsers let a page make sounds only after its person has touched it.
for (const kind of ["pointerdown", "keydown"]) {
  document.addEventListener(kind, () => {
    if (panes()?.dataset.sound === "yes") context ??= new AudioContext();
    context?.resume();
  });
}

/** Two short soft tones. */
function ring() {
  if (panes()?.dataset.sound !== "yes" || !context || Date.now() - lastSound < SILENCE_MILLISECONDS) return;
  lastSound = Date.now();
  for (const [start, pitch] of [[0, 660], [0.14, 880]]) {
    const tone = context.createOscillator();
    const volume = context.createGain();
    const at = context.currentTime + start;
    tone.frequency.value = pitch;
    volume.gain.setValueAtTime(0, at);
    volume.gain.linearRampToValueAtTime(0.08, at + 0.02);
    volume.gain.exponentialRampToValueAtTime(0.0001, at + 0.3);
    tone.connect(volume).connect(context.destination);
    tone.start(at);
    tone.stop(at + 0.32);
  }
}

function showCount() {
  document.title = unread.size ? `(${unread.size}) ${plain}` : plain;
  const badge = document.getElementById("rail-count");
  if (!badge) return;
  badge.textContent = String(unread.size);
  badge.hidden = !unread.size;
}

/** The page has another title now. */
export function setTitle(title) {
  plain = title;
  showCount();
}

/** The case was looked at. */
export function read(number) {
  if (unread.delete(Number(number))) showCount();
}

/** Tell of something; `open` is called with the case when the desktop's notice is clicked. */
export function tell(notice, open) {
  const looking = document.visibilityState === "visible" && document.hasFocus();
  const here = Number(panes()?.dataset.case) === notice.case;
  if (looking && here) return;
  unread.add(notice.case);
  showCount();
  ring();
  const words = { waiting: "new", assigned: "assigned", reply: "reply" }[notice.kind];
  const text = say(words, { name: notice.customer || say("visitor"), number: notice.case });
  document.getElementById("announce").textContent = text;
  if (looking || panes()?.dataset.notices !== "yes" || !("Notification" in window)) return;
  if (Notification.permission !== "granted") return;
  const shown = new Notification(text, { body: notice.words, tag: `case-${notice.case}`, icon: "/static/favicon.svg" });
  shown.addEventListener("click", () => {
    window.focus();
    open(notice.case);
    shown.close();
  });
}

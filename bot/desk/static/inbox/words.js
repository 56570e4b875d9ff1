// What scripts say and how they show times, in the page's language.

const language = document.documentElement.lang || "en";
const clock = new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat(language, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
const whole = new Intl.DateTimeFormat(language, { dateStyle: "full", timeStyle: "short" });

/** A text of the page's, with its places filled in. */
export function say(name, values = {}) {
  const text = document.getElementById("words").dataset[name] || "";
  return text.replace(/\{(\w+)\}/g, (place, key) => values[key] ?? place);
}

/** A span of milliseconds in words. */
export function span(milliseconds) {
  const minutes = Math.floor(Math.abs(milliseconds) / 60_000);
  if (minutes < 1) return say("now");
  if (minutes < 90) return say("minutes", { n: minutes });
  const hours = Math.round(minutes / 60);
  return hours < 48 ? say("hours", { n: hours }) : say("days", { n: Math.round(hours / 24) });
}

function showClock(element) {
  if (element.dataset.running !== "yes") return;
  const left = new Date(element.dataset.due) - Date.now();
  const warned = element.dataset.warn && Date.now() >= new Date(element.dataset.warn);
  element.classList.remove("sla-ok", "sla-warning", "sla-breached");
  element.classList.add(left <= 0 ? "sla-breached" : warned ? "sla-warning" : "sla-ok");
  element.querySelector("[data-text]").textContent = say(left <= 0 ? "over" : "left", { time: span(left) });
}

/** Write every time and clock below an element as it stands now. */
export function showTimes(root = document) {
  for (const time of root.querySelectorAll("time[data-since]")) {
    const moment = new Date(time.dataset.since);
    time.textContent = span(Date.now() - moment);
    time.title = whole.format(moment);
  }
  for (const time of root.querySelectorAll("time[data-at]")) {
    const moment = new Date(time.dataset.at);
    const today = moment.toDateString() === new Date().toDateString();
    time.textContent = (today ? clock : day).format(moment);
    time.title = whole.format(moment);
  }
  for (const element of root.querySelectorAll(".sla[data-due]")) showClock(element);
}

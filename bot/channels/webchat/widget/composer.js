/** Where the visitor writes: the text box, its counter, sending, and the way to a person. */

import { fill, h, icon } from "./dom.js";

const WARN = 0.9; // From this share of the limit on, characters are counted.

/**
 * Build the composer.
 *
 * @returns {insert(text) at the caret, measure() anew what can be sent, add(part)}; a part that sends more than text is
 *   {filled() whether it has something, busy() whether it must be waited for, failed() whether it needs the visitor,
 *   take() gives it, such as {attachments}}
 */
export function attachComposer(chat) {
  const { words, config, part } = { ...chat, part: (name) => chat.part(name) };
  const most = config.max_length;
  const parts = [];
  let wanted = false; // To be sent as soon as what it waits for is there.
  const text = h("textarea", {
    id: "chat-text",
    rows: "1",
    dir: "auto",
    "aria-label": words.label,
    "aria-describedby": "chat-counter",
    placeholder: words.placeholder,
    autocomplete: "off",
    enterkeyhint: "send",
    "data-text": true,
  });
  const send = h(
    "button",
    { class: "send", type: "submit", "aria-label": words.send, title: words.send, "data-send": true },
    icon("send"),
  );
  const person = h("button", { class: "to-person", type: "button", "data-person": true }, icon("person"), words.person);
  const counter = h("p", { class: "counter", id: "chat-counter", role: "status", "data-counter": true });
  const form = part("composer");
  form.append(
    h("div", { "data-under-composer": true }),
    h("div", { class: "field" }, text, send),
    counter,
    h("div", { class: "composer-row" }, person, h("div", { class: "tools", "data-composer-tools": true })),
  );

  function measure() {
    text.style.height = "auto";
    text.style.height = `${text.scrollHeight + 2}px`;
    const length = [...text.value.trim()].length;
    const over = length - most;
    const told = over > 0 ? fill(words.too_long, { count: over }) : fill(words.counter, { count: length, most });
    const busy = parts.some((one) => one.busy?.());
    const filled = length > 0 || busy || parts.some((one) => one.filled());
    const stopped = !filled || over > 0 || parts.some((one) => one.failed?.());
    if (wanted && (stopped || !busy)) {
      wanted = false;
      if (!stopped) return deliver();
    }
    counter.textContent = wanted ? words.files_awaited : length > most * WARN ? told : "";
    counter.classList.toggle("over", over > 0);
    send.disabled = !filled || over > 0 || wanted;
  }

  function deliver() {
    const more = Object.assign({}, ...parts.map((one) => one.take()));
    chat.send({ text: text.value.trim(), ...more });
    text.value = "";
    measure();
  }

  function submit(event) {
    event.preventDefault();
    measure();
    if (send.disabled) return;
    if (parts.some((one) => one.busy?.())) wanted = true;
    else deliver();
    measure();
    text.focus();
  }

  function insert(added) {
    text.setRangeText(added, text.selectionStart, text.selectionEnd, "end");
    text.dispatchEvent(new Event("input"));
    text.focus();
  }

  form.addEventListener("submit", submit);
  text.addEventListener("input", () => {
    measure();
    if (text.value.trim()) chat.conversation.type();
  });
  text.addEventListener("keydown", (event) => {
    // Enter that ends the input of a Chinese word (229 in Safari) sends nothing.
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing && event.keyCode !== 229) submit(event);
  });
  person.addEventListener("click", () => chat.send({ text: words.person }));
  chat.on("open", measure);
  measure();
  return { measure, insert, add: (one) => parts.push(one) };
}

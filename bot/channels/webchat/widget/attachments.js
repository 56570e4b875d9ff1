/** Files: chosen, dropped or pasted into the composer, uploaded at once, sent with the message; shown in messages. */

import css from "./attachments.css";
import { fill, h, icon, newId } from "./dom.js";
import { shownFiles } from "./files.js";

const MB = 1_000_000;

/** A name that fits into a sentence: its beginning, and its end with the kind of file. */
const shortened = (name) => (name.length > 40 ? `${name.slice(0, 24)}…${name.slice(-12)}` : name);

export function attachAttachments(chat) {
  const { config, words } = chat;
  const { enabled, max_bytes: largest, most, types } = config.attachments;
  chat.style(css);
  const show = shownFiles(chat);
  chat.watch((element, entry) => entry.attachments?.length && show(element, entry.attachments));
  if (!enabled) return;

  let files = [];
  const accept = types.map((type) => `.${type}`).join(",");
  const input = h("input", {
    type: "file",
    "aria-label": words.attach,
    multiple: true,
    hidden: true,
    accept,
    "data-file-input": true,
  });
  const list = h("ul", { class: "files", "aria-label": words.files, "data-files": true, hidden: true });
  const button = h(
    "button",
    {
      class: "tool",
      type: "button",
      "aria-label": words.attach,
      title: words.attach,
      "data-attach": true,
      click: () => input.click(),
    },
    icon("clip"),
  );
  chat.part("composer-tools").append(button, input);
  chat.part("under-composer").append(list);

  function changed() {
    list.hidden = !files.length;
    chat.composer.measure();
  }

  function wrong(file) {
    const extension = file.name.includes(".") ? file.name.split(".").pop().toLowerCase() : "";
    if (files.length >= most) return fill(words.files_most, { most });
    if (!types.includes(extension)) return words.errors.file_type;
    if (!file.size) return words.errors.file_empty;
    return file.size > largest ? fill(words.file_too_large, { most: Math.floor(largest / MB) || "< 1" }) : "";
  }

  function add(file) {
    const problem = wrong(file);
    if (problem) return chat.toast(`${shortened(file.name)}: ${problem}`);
    const bar = h("progress", { max: "100", value: "0", "aria-label": fill(words.file_uploading, { name: file.name }) });
    const told = h("span", { class: "file-told" });
    const label = fill(words.file_remove, { name: file.name });
    const name = h("span", { class: "file-name", text: file.name });
    const element = h(
      "li",
      {},
      icon("file"),
      h("span", { class: "file-what" }, name, bar, told),
      h("button", { class: "tool", type: "button", "aria-label": label, click: () => remove(item) }, icon("close")),
    );
    const item = { file, key: newId(), element, bar, told, state: "uploading", request: null, renewed: false };
    files.push(item);
    list.append(element);
    upload(item);
  }

  function remove(item) {
    item.request?.abort();
    files = files.filter((other) => other !== item);
    item.element.remove();
    changed();
    chat.focus();
  }

  function become(item, state, text = "", again = false) {
    item.state = item.element.dataset.state = state;
    item.bar.hidden = state !== "uploading";
    item.told.replaceChildren(text);
    if (again) {
      const retry = () => upload(item);
      item.told.append(" ", h("button", { class: "file-again", type: "button", text: words.retry, click: retry }));
    }
    changed();
  }

  async function upload(item) {
    if (!navigator.onLine) return become(item, "waiting", words.queued);
    become(item, "uploading");
    item.bar.value = 0;
    try {
      await chat.conversation.begin();
      if (!files.includes(item)) return;
      const answer = await send(item);
      Object.assign(item, answer);
      become(item, "ready");
      chat.announce(fill(words.file_ready, { name: item.name }));
    } catch (error) {
      if (!files.includes(item)) return;
      if (!navigator.onLine) return become(item, "waiting", words.queued);
      const again = !error.status || error.status >= 500 || error.status === 401;
      const text = error.status ? (words.errors[error.code] ?? error.message) : words.unreachable;
      become(item, "failed", text, again);
      chat.announce(`${item.file.name}: ${text}`);
    }
  }

  /** Upload a file; fetch() would not tell how far it is. Gives what the server calls it. */
  async function send(item) {
    const { session, conversation } = chat;
    const query = new URLSearchParams({ name: item.file.name, client_id: item.key });
    const url = `${session.base}/api/v1/conversations/${conversation.id}/attachments?${query}`;
    const { status, answer } = await new Promise((resolve, reject) => {
      const request = (item.request = new XMLHttpRequest());
      request.open("POST", url);
      request.setRequestHeader("authorization", `Bearer ${session.visitor.token}`);
      request.setRequestHeader("content-type", "application/octet-stream");
      request.responseType = "json";
      request.upload.onprogress = ({ loaded, total }) => total && (item.bar.value = (100 * loaded) / total);
      request.onload = () => resolve({ status: request.status, answer: request.response });
      request.onerror = request.onabort = () => reject(new Error());
      request.send(item.file);
    });
    if (status === 200 || status === 201) return answer;
    const { code, message } = answer?.error ?? {};
    if (code === "identity_expired" && !item.renewed) {
      item.renewed = true;
      await conversation.request(""); // It renews the identity.
      return send(item);
    }
    throw Object.assign(new Error(message), { status, code });
  }

  chat.composer.add({
    filled: () => files.some(({ state }) => state === "ready"),
    busy: () => files.some(({ state }) => state !== "ready" && state !== "failed"),
    failed: () => files.some(({ state }) => state === "failed"),
    take() {
      const ready = files.filter(({ state }) => state === "ready");
      files = files.filter(({ state }) => state !== "ready");
      for (const { element } of ready) element.remove();
      list.hidden = !files.length;
      if (!ready.length) return {};
      return { attachments: ready.map(({ id, name, media_type, size }) => ({ id, name, media_type, size })) };
    },
  });

  input.addEventListener("change", () => {
    for (const file of input.files) add(file);
    input.value = "";
    chat.focus();
  });
  chat.part("text").addEventListener("paste", (event) => {
    const pasted = [...(event.clipboardData?.files ?? [])];
    if (!pasted.length) return;
    event.preventDefault();
    pasted.forEach(add);
  });
  const { panel } = chat;
  const dragged = (event) => event.dataTransfer?.types.includes("Files");
  panel.addEventListener("dragover", (event) => {
    if (!dragged(event)) return;
    event.preventDefault();
    panel.classList.add("dropping");
  });
  panel.addEventListener("dragleave", (event) => {
    if (!panel.contains(event.relatedTarget)) panel.classList.remove("dropping");
  });
  panel.addEventListener("drop", (event) => {
    if (!dragged(event)) return;
    event.preventDefault();
    panel.classList.remove("dropping");
    for (const file of event.dataTransfer.files) add(file);
  });
  window.addEventListener("online", () => {
    for (const item of files) if (item.state === "waiting") upload(item);
  });
  chat.on("conversation", () => {
    for (const { request } of files) request?.abort();
    files = [];
    list.replaceChildren();
    list.hidden = true;
  });
}

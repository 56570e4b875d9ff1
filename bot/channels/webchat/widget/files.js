/** The files of messages: saved on a click, pictures shown. Their content is got as the visitor, never by an address. */

import { fill, h, icon } from "./dom.js";

const PICTURES = ["image/png", "image/jpeg", "image/gif", "image/webp"];
const LARGEST_PREVIEW = 5_000_000; // Bytes.
const PATIENCE_MS = 120_000;
const SIDE = 480; // Pixels: twice what is shown, for sharp screens.

/** Gives what shows a message's files: (its element, files of {id, name, media_type, size}). */
export function shownFiles(chat) {
  const { words, config } = chat;
  const seen = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      if (!isIntersecting) continue;
      seen.unobserve(target);
      target.preview();
    }
  });

  function size(bytes) {
    const [unit, value] = bytes < 1_000_000 ? ["kilobyte", bytes / 1000] : ["megabyte", bytes / 1_000_000];
    const format = { style: "unit", unit, maximumFractionDigits: value < 10 ? 1 : 0 };
    return new Intl.NumberFormat(config.tag, format).format(Math.max(value, 0.1));
  }

  async function blob({ id }) {
    const response = await chat.conversation.fetch(`attachments/${id}`, { accept: "*/*", patience: PATIENCE_MS });
    return response.blob();
  }

  async function save(file, button) {
    if (button.disabled) return;
    button.disabled = true;
    try {
      const address = URL.createObjectURL(await blob(file));
      h("a", { href: address, download: file.name }).click();
      setTimeout(() => URL.revokeObjectURL(address), 60_000);
    } catch {
      chat.toast(fill(words.file_failed, { name: file.name }));
    }
    button.disabled = false;
    button.focus();
  }

  /** A picture on a canvas: the website's policy for images does not concern it. */
  async function drawn(file) {
    const image = await createImageBitmap(await blob(file));
    const scale = Math.min(1, SIDE / Math.max(image.width, image.height));
    const canvas = h("canvas", {
      class: "file-picture",
      width: Math.max(1, Math.round(image.width * scale)),
      height: Math.max(1, Math.round(image.height * scale)),
      "aria-hidden": "true",
    });
    canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
    image.close();
    return canvas;
  }

  function shown(file) {
    const label = fill(words.file_download, { name: file.name });
    const name = h("bdi", { class: "file-name", text: file.name });
    const button = h(
      "button",
      { class: "file", type: "button", title: label, "data-file": file.id, "data-keeps-focus": true },
      icon("file"),
      h("span", { class: "file-what" }, name, h("small", { text: size(file.size) })),
    );
    button.addEventListener("click", () => save(file, button));
    if (PICTURES.includes(file.media_type) && file.size <= LARGEST_PREVIEW) {
      button.preview = () =>
        drawn(file).then(
          (canvas) => button.querySelector("svg")?.replaceWith(canvas),
          () => {}, // It can be saved all the same.
        );
      seen.observe(button);
    }
    return h("li", {}, button);
  }

  return (element, files) => {
    if (element.querySelector(".message-files")) return;
    const list = h("ul", { class: "message-files", "aria-label": words.files }, files.map(shown));
    element.querySelector(".extras").append(list);
  };
}

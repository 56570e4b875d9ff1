/** Who speaks: a person's face or initials, the company's mark. */

import { h } from "./dom.js";

function initials(name) {
  const parts = name.trim().split(/\s+/);
  const ends = parts.length > 1 ? [parts[0], parts.at(-1)] : parts;
  return ends.map((part) => [...part][0]?.toLocaleUpperCase() ?? "").join("");
}

/** An image, or letters until it is there and where it cannot be shown. Decoration: the name stands beside it. */
function portrait(kind, letters, url) {
  const made = h("span", { class: `face ${kind}`, "aria-hidden": "true", "data-letters": letters });
  if (!url) return made;
  const image = h("img", { alt: "", width: 40, height: 40, decoding: "async" });
  image.addEventListener("load", () => made.append(image), { once: true });
  image.src = url;
  return made;
}

/**
 * The face of a person of the team.
 *
 * @param app see app.js
 * @param person {name, picture}: picture is a path on the server, or null
 */
export function face(app, { name, picture }) {
  return portrait("person", initials(name || app.words.agent), picture && new URL(picture, `${app.base}/`).href);
}

/** The company's logo, else the first letter of its name. */
export function mark(app) {
  const { logo, name } = app.config.brand;
  return portrait("mark", [...name][0] ?? "", logo && new URL(logo, `${app.base}/`).href);
}

/** Making elements: without markup in strings, so that no content security policy stands in the way. */

const SVG = "http://www.w3.org/2000/svg";
const TAGS = new Set(
  "p br strong em del code pre blockquote ul ol li a hr h2 h3 h4 table thead tbody tr th td img".split(" "),
);
const LINKS = new Set(["http:", "https:", "mailto:", "tel:"]);
const ICONS = {
  chat: ["M20 11.5c0 4.1-3.6 7.5-8 7.5-1.2 0-2.4-.3-3.4-.7L4 20l1.2-4.1A7 7 0 0 1 4 11.5C4 7.4 7.6 4 12 4s8 3.4 8 7.5Z"],
  close: ["M6 6l12 12M18 6 6 18"],
  down: ["M6 9.5l6 6 6-6"],
  back: ["M14.5 6l-6 6 6 6"],
  restart: ["M4.5 12a7.5 7.5 0 1 0 2.4-5.5", "M4 4v4h4"],
  send: ["M12 19V5M6 11l6-6 6 6"],
  person: ["M15.5 8a3.5 3.5 0 1 1-7 0 3.5 3.5 0 0 1 7 0Z", "M5 19.5c.9-3.4 3.6-5 7-5s6.1 1.6 7 5"],
  thumb_up: [
    "M7.5 10.5v9h-3v-9h3Zm0 0 4-7c1.5 0 2.4 1.2 2.1 2.6l-.7 3.4h5.3a1.8 1.8 0 0 1 1.76 2.18l-1.3 6a1.8 1.8 0 0 1-1.76 1.42H7.5",
  ],
  thumb_down: [
    "M7.5 13v-9h-3v9h3Zm0 0 4 7c1.5 0 2.4-1.2 2.1-2.6l-.7-3.4h5.3a1.8 1.8 0 0 0 1.76-2.18l-1.3-6a1.8 1.8 0 0 0-1.76-1.42H7.5",
  ],
  menu: ["M5.5 12h.01M12 12h.01M18.5 12h.01"],
  clip: ["M19.5 11.5l-7.6 7.6a4.6 4.6 0 0 1-6.5-6.5l8-8a3.1 3.1 0 0 1 4.4 4.4l-8 8a1.5 1.5 0 0 1-2.2-2.2l7.2-7.2"],
  smile: ["M20 12a8 8 0 1 1-16 0 8 8 0 0 1 16 0Z", "M8.5 14.2c.8 1.2 2 1.8 3.5 1.8s2.7-.6 3.5-1.8M9.2 9.8h.01M14.8 9.8h.01"],
  clock: ["M20 12a8 8 0 1 1-16 0 8 8 0 0 1 16 0Z", "M12 7.5V12l3 2"],
  download: ["M12 4.5v10M7.5 10.5l4.5 4.5 4.5-4.5M5 19.5h14"],
  sound: ["M5 9.5v5h3l4.5 3.5V6L8 9.5H5Z", "M16 9.5a4 4 0 0 1 0 5M18.5 7.2a7.4 7.4 0 0 1 0 9.6"],
  mute: ["M5 9.5v5h3l4.5 3.5V6L8 9.5H5Z", "M16.5 10l4 4M20.5 10l-4 4"],
  pen: ["M5 19h3.5L19 8.5 15.5 5 5 15.5V19Z"],
  bin: ["M5 7h14M10 7V4.5h4V7M7 7l.8 12.5h8.4L17 7"],
  file: ["M7 3.5h6.5L18 8v12.5H7V3.5Z", "M13.5 3.5V8H18"],
  check: ["M5 12.5l4.5 4.5L19 7.5"],
};
let policy;

/**
 * Make an element.
 *
 * @param tag its name
 * @param attributes by name: a function is a listener (`{ click: fn }`), true an empty attribute, null and false none;
 *   `class` and `text` are what they say
 * @param children elements and texts; null and false are left out
 */
export function h(tag, attributes, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") made.addEventListener(name, value);
    else if (name === "text") made.textContent = value;
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

/** An icon of ICONS; decoration, which is not read out. */
export function icon(name) {
  const made = document.createElementNS(SVG, "svg");
  const look = { class: `icon icon-${name}`, viewBox: "0 0 24 24", width: 24, height: 24, "aria-hidden": "true" };
  for (const [key, value] of Object.entries({ ...look, focusable: "false" })) made.setAttribute(key, value);
  for (const line of ICONS[name]) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", line);
    made.append(path);
  }
  return made;
}

/** Fill words such as "{count} new" with values. */
export function fill(words, values) {
  return words.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

/** A random id; randomUUID exists on secure pages only. */
export function newId() {
  if (crypto.randomUUID) return crypto.randomUUID();
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function parsed(html) {
  const rules = { createHTML: (text) => text };
  policy ??= window.trustedTypes?.createPolicy("refill", rules) ?? rules;
  return new DOMParser().parseFromString(policy.createHTML(html), "text/html").body;
}

function address(value, base) {
  try {
    return new URL(value, base);
  } catch {
    return null;
  }
}

function copy(node, base) {
  if (node.nodeType === Node.TEXT_NODE) return node.nodeValue;
  const name = node.localName;
  if (node.nodeType !== Node.ELEMENT_NODE) return "";
  const inside = Array.from(node.childNodes, (child) => copy(child, base));
  if (!TAGS.has(name)) return inside;
  if (name === "a") {
    const url = address(node.getAttribute("href"), base);
    const known = node.hasAttribute("href") && url && LINKS.has(url.protocol);
    return known ? h("a", { href: url.href }, inside.flat(9)) : inside;
  }
  if (name === "img") {
    const url = address(node.getAttribute("src"), base);
    const [width, height] = ["width", "height"].map((side) => Number.parseInt(node.getAttribute(side), 10) || null);
    if (!node.getAttribute("src") || url?.origin !== new URL(base).origin) return node.getAttribute("alt") ?? "";
    return h("img", { alt: node.getAttribute("alt") ?? "", loading: "lazy", width, height, src: url.href });
  }
  const start = name === "ol" ? Number.parseInt(node.getAttribute("start"), 10) || null : null;
  return h(name, { start }, inside.flat(9));
}

/**
 * HTML of the server as elements: known tags and attributes alone, whatever was sent.
 *
 * @param html what the API calls `html`
 * @param base address that relative links and images start from
 * @returns a DocumentFragment; null where the page's policy lets no HTML be read
 */
export function safe(html, base) {
  const made = document.createDocumentFragment();
  try {
    made.append(...Array.from(parsed(html).childNodes, (child) => copy(child, base)).flat(9));
  } catch {
    return null;
  }
  return made;
}

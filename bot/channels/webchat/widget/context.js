/** Where the visitor is, and what the website knows of them, for the team: told with what they send, not before. */

const MOST = 20;
const NAME = 50;
const TEXT = 200;
const ADDRESS = 2000;

export function attachContext(chat) {
  const { app } = chat;
  let told = { id: null, what: "" };

  function tell() {
    const { conversation } = chat;
    const what = JSON.stringify({ ...page(app), values: values(app.context) });
    if (!conversation.id || (conversation.id === told.id && what === told.what)) return;
    const before = told;
    told = { id: conversation.id, what };
    conversation.request("context", { body: JSON.parse(what) }).catch(() => (told = before)); // The next message tries again.
  }

  let asked = false; // The visitor has sent something since the page was loaded.
  chat.on("sent", () => {
    asked = true;
    tell();
  });
  chat.on("change", () => asked && chat.conversation.id !== told.id && tell());
  app.on("context", () => asked && tell());
}

/** The page, without what stands behind `?` and `#`: that may hold what is nobody's business. */
function page(app) {
  const framed = app.page && window.parent !== window;
  const { origin, pathname } = new URL(framed ? document.referrer || location.href : location.href);
  const title = framed ? null : cut(document.title.replace(/^\(\d+\) /, ""), TEXT);
  const address = `${origin}${pathname}`;
  return { page: /^https?:/.test(address) && address.length <= ADDRESS ? address : null, title };
}

/** What the website told by setContext(), as far as the server takes it. */
function values(context) {
  const simple = {
    string: () => true,
    boolean: () => true,
    number: (value) => Math.abs(value) <= Number.MAX_SAFE_INTEGER,
  };
  const taken = Object.entries(context).filter(([name, value]) => name.trim() && simple[typeof value]?.(value));
  const short = ([name, value]) => [cut(name, NAME), typeof value === "string" ? cut(value, TEXT) : value];
  return Object.fromEntries(taken.slice(0, MOST).map(short));
}

/** The first characters of a text, none of them halved. */
const cut = (text, most) => [...text].slice(0, most).join("");

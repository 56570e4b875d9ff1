// Requests to the desk that are no form's.

/** Shows that a request comes from this page. */
export function token() {
  return JSON.parse(document.body.getAttribute("hx-headers") || "{}")["x-csrf-token"] || "";
}

/** Post values; `alive` lets the request outlive the page. */
export function post(path, values, alive = false) {
  const headers = { "x-csrf-token": token(), "hx-request": "true" };
  return fetch(path, { method: "POST", headers, body: new URLSearchParams(values), keepalive: alive });
}

/** A part of a page as text; null if it cannot be had. */
export async function part(path) {
  try {
    const response = await fetch(path, { headers: { "hx-request": "true" } });
    const away = response.headers.get("hx-redirect");
    if (away) location.assign(away);
    return response.ok ? await response.text() : null;
  } catch {
    return null;
  }
}

/** An id for a message: a double click or a second try under the same id is the same message. */
export function newId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Follow a stream of events for as long as the page lives, or until `close` is called. */
export class Stream {
  constructor(path, last, handlers, down = () => {}) {
    this.path = path;
    this.last = last;
    this.handlers = handlers;
    this.down = down;
    this.pause = 1000;
    this.open();
  }

  open() {
    const from = this.last === "" ? "" : `?after=${this.last}`;
    this.source = new EventSource(this.path + from);
    this.source.onopen = () => {
      this.pause = 1000;
      this.down(false);
    };
    for (const [kind, handle] of Object.entries(this.handlers)) {
      this.source.addEventListener(kind, (event) => {
        if (event.lastEventId) this.last = event.lastEventId;
        handle(event.data, event.lastEventId);
      });
    }
    this.source.addEventListener("bye", () => {
      this.close();
      this.handlers.gone?.();
    });
    this.source.onerror = () => {
      this.down(true);
      if (this.source.readyState !== EventSource.CLOSED) return;
      this.timer = setTimeout(() => this.open(), this.pause);
      this.pause = Math.min(this.pause * 2, 30_000);
    };
  }

  close() {
    clearTimeout(this.timer);
    this.source.close();
  }
}

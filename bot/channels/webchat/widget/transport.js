/** Single requests, and what happens in a conversation by stream or, where none gets through, polling. */

const REQUEST_MS = 20_000;
const QUIET_MS = 15_000; // The server says something every 5 s.
const FIRST_BYTE_MS = 8_000; // A proxy that holds a stream back delivers nothing at all.
const HIDDEN_MS = 15_000;
const JSON_TYPE = "application/json";
const STREAM_TYPE = "text/event-stream";

/** An answer of the server that says no: `status`, `code`, and in `wait` the seconds to wait before the next try. */
export class ApiError extends Error {
  constructor(status, { code = "", message = "", remedy = "" } = {}, wait = 0) {
    super(`${message} ${remedy}`.trim());
    this.status = status;
    this.code = code;
    this.wait = wait;
  }
}

/**
 * Make one request.
 *
 * @param url where
 * @param options token (a bearer's), body (a Blob as it is, anything else as JSON), method, headers, accept, cache,
 *   signal, patience (milliseconds until the whole answer is there; Infinity for a stream)
 * @returns the Response, whose status is one of success; throws an ApiError, or what fetch() throws
 */
export async function call(url, options = {}) {
  const { token, body, accept = JSON_TYPE, signal, patience = REQUEST_MS } = options;
  const headers = { accept, ...options.headers };
  if (token) headers.authorization = `Bearer ${token}`;
  const raw = body instanceof Blob;
  if (body && !raw) headers["content-type"] = JSON_TYPE;
  const limits = [signal, Number.isFinite(patience) && AbortSignal.timeout(patience)].filter(Boolean);
  const response = await fetch(url, {
    method: options.method ?? (body ? "POST" : "GET"),
    headers,
    body: body && !raw ? JSON.stringify(body) : body,
    cache: options.cache ?? "no-store",
    credentials: "omit",
    signal: AbortSignal.any(limits),
  });
  if (response.ok) return response;
  const told = await response.json().catch(() => ({}));
  throw new ApiError(response.status, told.error, Number(response.headers.get("retry-after")) || 0);
}

/** The events in blocks of a stream: {number, kind, data}; comments are none. */
function parse(blocks) {
  const found = [];
  for (const block of blocks) {
    const fields = {};
    for (const line of block.split("\n")) {
      const colon = line.indexOf(": ");
      if (colon > 0) fields[line.slice(0, colon)] = line.slice(colon + 2);
    }
    if (fields.event) found.push({ number: Number(fields.id), kind: fields.event, data: JSON.parse(fields.data) });
  }
  return found;
}

/** Take all events after the last one known; with wait, stay up to so many seconds for the first. */
async function drain(source, handlers, signal, wait) {
  const options = { signal, accept: STREAM_TYPE, patience: REQUEST_MS + wait * 1000 };
  const response = await source.fetch(`events?after=${source.last()}&wait=${wait}`, options);
  handlers.events(parse((await response.text()).split("\n\n")));
}

/** Read server-sent events until they end, fall silent, or the page is hidden. Returns whether anything came. */
async function stream(source, handlers, signal) {
  const control = new AbortController();
  const both = AbortSignal.any([signal, control.signal]);
  const stop = () => control.abort();
  document.addEventListener("visibilitychange", stop, { signal: both });
  window.addEventListener("online", stop, { signal: both }); // Another network: the old connection may hang.
  let timer = setTimeout(stop, FIRST_BYTE_MS);
  let came = false;
  try {
    const options = { accept: STREAM_TYPE, signal: both, patience: Infinity };
    const response = await source.fetch(`events?after=${source.last()}`, options);
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let rest = ""; ; ) {
      const { value, done } = await reader.read();
      if (done) break;
      came = true;
      clearTimeout(timer);
      timer = setTimeout(stop, QUIET_MS);
      const blocks = (rest + value).split("\n\n");
      rest = blocks.pop();
      const found = parse(blocks);
      if (found.length) handlers.events(found);
    }
  } catch (error) {
    if (error.status === 401 || error.status === 404) throw error; // Others show when the events are asked for next.
  } finally {
    clearTimeout(timer);
    control.abort();
  }
  return came || document.hidden;
}

/** Wait, but no longer than until the network or the visitor is back. */
export function pause(milliseconds, signal) {
  const done = new AbortController();
  return new Promise((resolve) => {
    setTimeout(resolve, milliseconds);
    window.addEventListener("online", resolve, { signal: done.signal });
    document.addEventListener("visibilitychange", resolve, { signal: done.signal });
    signal?.addEventListener("abort", resolve, { signal: done.signal });
  }).finally(() => done.abort());
}

/**
 * Follow a conversation until the signal aborts.
 *
 * A visible page reads a stream; after two streams that brought nothing it polls. A hidden page asks now and then, so
 * that many tabs do not use up the browser's connections.
 *
 * @param source fetch(path within the conversation, options), last() for the number of the last event received
 * @param handlers events(list of {number, kind, data}), connected(flag), gone(error): it cannot be read any more
 */
export async function follow(source, handlers, signal) {
  let delay = 1000;
  let dumb = 0;
  while (!signal.aborted) {
    try {
      const polling = dumb >= 2 && !document.hidden;
      await drain(source, handlers, signal, polling ? 25 : 0);
      handlers.connected(true);
      delay = 1000;
      if (document.hidden) await pause(HIDDEN_MS, signal);
      else if (!polling) {
        dumb = (await stream(source, handlers, signal)) ? 0 : dumb + 1;
        if (!signal.aborted) await pause(500, signal);
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error.status === 401 || error.status === 404) return handlers.gone(error);
      dumb = 0;
      handlers.connected(false);
      await pause(delay * (0.75 + Math.random() / 2), signal);
      delay = Math.min(delay * 2, 30_000);
    }
  }
}

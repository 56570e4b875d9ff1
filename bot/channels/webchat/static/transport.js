/** The HTTP API of the chat: what is sent, and what arrives by stream or, where streams do not get through, by polling. */

const BASE = "/api/v1/conversations";
const REQUEST_MS = 20_000;
const QUIET_MS = 40_000; // The server says something every 5 s.
const FIRST_BYTE_MS = 8_000; // A proxy that holds a stream back delivers nothing at all.
const HIDDEN_MS = 15_000;

/** An answer of the server that says no. */
export class ApiError extends Error {
  constructor(status, { message = "", remedy = "" } = {}) {
    super(`${message} ${remedy}`.trim());
    this.status = status;
  }
}

const JSON_TYPE = "application/json";
const STREAM_TYPE = "text/event-stream";

async function request(path, options = {}) {
  const { session, body, accept = JSON_TYPE, signal = new AbortController().signal, patience = REQUEST_MS } = options;
  const headers = { accept };
  if (session) headers.authorization = `Bearer ${session.token}`;
  if (body) headers["content-type"] = JSON_TYPE;
  const response = await fetch(BASE + path, {
    method: body ? "POST" : "GET",
    headers,
    body: body && JSON.stringify(body),
    cache: "no-store",
    signal: AbortSignal.any([signal, AbortSignal.timeout(patience)]),
  });
  if (response.ok) return response.status === 204 ? null : accept === JSON_TYPE ? response.json() : response.text();
  const told = await response.json().catch(() => ({}));
  throw new ApiError(response.status, told.error);
}

export const create = (language) => request("", { body: { language } });
export const post = (session, message) => request(`/${session.id}/messages`, { session, body: message });
export const judge = (session, number, thumb) =>
  request(`/${session.id}/messages/${number}/thumb`, { session, body: { thumb } });
export const read = (session) => request(`/${session.id}`, { session });
export const rate = (session, rating) => request(`/${session.id}/rating`, { session, body: rating });
export const leave = (session, contact) => request(`/${session.id}/contact`, { session, body: contact });
export const type = (session) => request(`/${session.id}/typing`, { session, body: { typing: true } });

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
async function drain(session, last, handlers, signal, wait) {
  const path = `/${session.id}/events?after=${last()}&wait=${wait}`;
  const options = { session, signal, accept: STREAM_TYPE, patience: REQUEST_MS + wait * 1000 };
  handlers.events(parse((await request(path, options)).split("\n\n")));
}

/** Read server-sent events until they end, fall silent, or the page is hidden. Returns whether anything came. */
async function stream(session, last, handlers, signal) {
  const control = new AbortController();
  const both = AbortSignal.any([signal, control.signal]);
  document.addEventListener("visibilitychange", () => control.abort(), { signal: both });
  let timer = setTimeout(() => control.abort(), FIRST_BYTE_MS);
  let came = false;
  try {
    const headers = { accept: STREAM_TYPE, authorization: `Bearer ${session.token}` };
    const address = `${BASE}/${session.id}/events?after=${last()}`;
    const response = await fetch(address, { headers, cache: "no-store", signal: both });
    if (!response.ok) throw new ApiError(response.status);
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let rest = ""; ; ) {
      const { value, done } = await reader.read();
      if (done) break;
      came = true;
      clearTimeout(timer);
      timer = setTimeout(() => control.abort(), QUIET_MS);
      const blocks = (rest + value).split("\n\n");
      rest = blocks.pop();
      const found = parse(blocks);
      if (found.length) handlers.events(found);
    }
  } catch (error) {
    if (error.status === 404) throw error; // Anything else shows when the events are asked for next.
  } finally {
    clearTimeout(timer);
    control.abort();
  }
  return came || document.hidden;
}

/** Wait, but no longer than until the network or the visitor is back. */
function pause(milliseconds, signal) {
  const done = new AbortController();
  return new Promise((resolve) => {
    setTimeout(resolve, milliseconds);
    window.addEventListener("online", resolve, { signal: done.signal });
    document.addEventListener("visibilitychange", resolve, { signal: done.signal });
    signal.addEventListener("abort", resolve, { signal: done.signal });
  }).finally(() => done.abort());
}

/**
 * Follow a conversation until the signal aborts.
 *
 * A visible page reads a stream; after two streams that brought nothing it polls. A hidden page asks now and then, so
 * that many tabs do not use up the browser's connections.
 *
 * @param last gives the number of the last event received
 * @param handlers events(list of {number, kind, data}), connected(flag), gone()
 */
export async function follow(session, last, handlers, signal) {
  let delay = 1000;
  let dumb = 0;
  while (!signal.aborted) {
    try {
      const polling = dumb >= 2 && !document.hidden;
      await drain(session, last, handlers, signal, polling ? 25 : 0);
      handlers.connected(true);
      delay = 1000;
      if (document.hidden) await pause(HIDDEN_MS, signal);
      else if (!polling) {
        dumb = (await stream(session, last, handlers, signal)) ? 0 : dumb + 1;
        if (!signal.aborted) await pause(500, signal);
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error.status === 404) return handlers.gone();
      dumb = 0;
      handlers.connected(false);
      await pause(delay * (0.75 + Math.random() / 2), signal);
      delay = Math.min(delay * 2, 30_000);
    }
  }
}

/** How the website talks to the widget: `window.Refill`, and messages to a chat in a frame. */

const EVENTS = ["ready", "open", "close", "message", "unread", "identity", "error"];

/** Run one call of the website; what is wrong with it stands on the console, and never stops the website. */
function run(api, name, values) {
  if (typeof api[name] === "function" && name !== "push") return api[name](...values);
  console.error(`Refill: there is no ${name}().`);
}

/**
 * Set `window.Refill`, and do what was pushed before.
 *
 * @param app see app.js
 */
export function publish(app) {
  const { session } = app;
  const fail = (error) => app.emit("error", { code: error.code || "unreachable", message: error.message });
  const api = {
    open: () => app.open().catch(fail),
    close: () => app.close(),
    async identify(person) {
      try {
        const customer = await session.identify(person);
        app.emit("identity", { customer });
        return customer;
      } catch (error) {
        console.error(`Refill: identify() failed. ${error.message}`);
        fail(error);
        return null;
      }
    },
    setContext: (values) => app.setContext({ ...values }),
    on(name, listener) {
      if (!EVENTS.includes(name)) console.error(`Refill: there is no event "${name}"; there are ${EVENTS.join(", ")}.`);
      return app.on(name, listener);
    },
    invite: (invitation) => app.invite?.(invitation),
    shutdown: () => app.shutdown(),
    push: (...calls) => calls.forEach(([name, ...values]) => run(api, name, values)),
  };
  session.addEventListener("ended", () => {
    app.emit("identity", { customer: null });
    app.emit("error", { code: "identity_expired", message: "The identity token has ended." });
  });
  session.addEventListener("forgotten", () => app.emit("identity", { customer: null }));
  const before = Array.isArray(window.Refill) ? window.Refill : [];
  window.Refill = Object.freeze(api);
  api.push(...before);
}

/**
 * Let the website around a frame say `{refill: "open" | "close" | "identify" | "setContext", ...}` by postMessage(),
 * and tell it of events as `{refill: "event", name, detail}`.
 *
 * Only websites that may embed the chat are heard.
 *
 * @param app see app.js
 */
export function listen(app) {
  if (window.parent === window) return;
  let outside = null;
  const tell = (name, detail) => outside && window.parent.postMessage({ refill: "event", name, detail }, outside);
  window.addEventListener("message", async ({ source, origin, data }) => {
    if (source !== window.parent || !data || typeof data.refill !== "string") return;
    await app.start();
    const { origins } = app.config;
    if (origin !== location.origin && !origins.includes(origin) && !origins.includes("*")) {
      return console.error(`Refill: a message of ${origin} was not heard: it is not among webchat.origins.`);
    }
    outside = origin;
    const { refill: name, ...values } = data;
    if (!["open", "close", "identify", "setContext"].includes(name)) return;
    run(window.Refill, name, [values]);
  });
  for (const name of EVENTS) app.on(name, (detail) => tell(name, detail));
  app.on("ready", () => window.parent.postMessage({ refill: "ready" }, "*")); // Says nothing but that it listens.
}

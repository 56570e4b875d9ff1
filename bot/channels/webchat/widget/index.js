/** The widget's beginning: reads its own script tag, gives the page `window.Refill`, and starts. */

import { App } from "./app.js";
import { attachInvitations } from "./invitations.js";
import { listen, publish } from "./host.js";

/** Start once per page, however often the script is there. */
function begin(tag) {
  if (!tag || (window.Refill && !Array.isArray(window.Refill))) return;
  const base = tag.src.replace(/\/widget\.js([?#].*)?$/, "");
  const app = new App(base, { ...tag.dataset });
  publish(app);
  if (app.page) listen(app);
  attachInvitations(app);
  const start = () => app.start().catch(() => {}); // It was told on the console.
  if (document.body) start();
  else document.addEventListener("DOMContentLoaded", start);
}

begin(document.currentScript ?? document.querySelector('script[src*="/widget.js"]'));

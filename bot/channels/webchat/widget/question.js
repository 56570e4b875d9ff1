/** A question in the middle of the screen, before something that cannot be undone. */

import { h } from "./dom.js";

/** Ask; promises whether the answer was yes. Esc means no. */
export function ask(panel, { title, text, yes, no }) {
  const dialog = h(
    "dialog",
    { class: "confirm", "aria-labelledby": "confirm-title", "data-confirm": true },
    h(
      "form",
      { method: "dialog" },
      h("h3", { id: "confirm-title", text: title }),
      h("p", { text }),
      h(
        "div",
        { class: "confirm-row" },
        h("button", { value: "no", text: no }),
        h("button", { class: "danger", value: "yes", text: yes }),
      ),
    ),
  );
  panel.append(dialog);
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
  });
}

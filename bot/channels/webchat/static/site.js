/** Buttons of a page that lead to the chat: `data-open-chat` opens it, `data-needs-chat` shows only where scripts run. */

window.Refill ||= [];

for (const button of document.querySelectorAll("[data-open-chat]")) {
  button.addEventListener("click", () => window.Refill.push(["open"]));
}
for (const shown of document.querySelectorAll("[data-needs-chat]")) shown.hidden = false;

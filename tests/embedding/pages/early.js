window.heard = [];
window.Refill = window.Refill || [];
for (const name of ["ready", "open", "close", "message", "unread", "error"]) {
  window.Refill.push(["on", name, (detail) => window.heard.push([name, detail])]);
}
window.Refill.push(["setContext", { page: "prices", cups: 3 }]);
addEventListener("DOMContentLoaded", () => {
  document.getElementById("help").addEventListener("click", () => window.Refill.open());
});

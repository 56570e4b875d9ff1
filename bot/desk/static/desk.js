/* What every page of the desk does in the browser: times in the reader's zone, menus that close, text to copy. Pages
   work without it. */

const language = document.documentElement.lang || "en";
const formats = {
  moment: new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short" }),
  day: new Intl.DateTimeFormat(language, { dateStyle: "medium" }),
  time: new Intl.DateTimeFormat(language, { timeStyle: "short" }),
};
const relative = new Intl.RelativeTimeFormat(language, { numeric: "auto", style: "short" });
const steps = [
  [60, "second", 1],
  [3600, "minute", 60],
  [86400, "hour", 3600],
  [Infinity, "day", 86400],
];

/** "5 min ago", from seconds. */
function ago(seconds) {
  const [, unit, size] = steps.find(([limit]) => Math.abs(seconds) < limit);
  return relative.format(-Math.trunc(seconds / size), unit);
}

/** Write every moment below an element in the reader's zone. */
function showTimes(root) {
  for (const time of root.querySelectorAll("time[datetime][data-show]")) {
    const moment = new Date(time.dateTime);
    const format = formats[time.dataset.show];
    time.title = formats.moment.format(moment);
    time.textContent = format ? format.format(moment) : ago((Date.now() - moment) / 1000);
  }
}

function closeMenus(but) {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!but || !menu.contains(but)) menu.open = false;
  }
}

document.addEventListener("click", (event) => {
  closeMenus(event.target);
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  navigator.clipboard?.writeText(button.dataset.copy).then(() => {
    const label = button.querySelector("span") || button;
    label.textContent = button.dataset.copied;
  });
});

document.addEventListener("keydown", (event) => {
  const open = document.querySelector("details.menu[open]");
  if (event.key !== "Escape" || !open) return;
  closeMenus();
  open.querySelector("summary").focus();
});

// A form is sent once, however often its button is pressed.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post" || event.defaultPrevented) return;
  if (form.dataset.sent) event.preventDefault();
  form.dataset.sent = "yes";
});
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
});

// A choice that filters a list does so at once; without scripts there is a button.
for (const choice of document.querySelectorAll("select[data-submit]")) {
  choice.addEventListener("change", () => choice.form.requestSubmit());
}

// Permission for notices is asked for by the click that wants them, and never otherwise.
document.querySelector("[data-ask-notices]")?.addEventListener("change", async ({ target }) => {
  if (!target.checked) return;
  const answer = "Notification" in window ? await Notification.requestPermission() : "denied";
  target.checked = answer === "granted";
  document.querySelector("[data-notices-refused]").hidden = target.checked;
});

// A photo is made small and square before it is sent; what cannot be is sent as it is.
const PICTURE_PIXELS = 512;
document.querySelector("[data-picture] [type=file]")?.addEventListener("change", async ({ target }) => {
  const [file] = target.files;
  const image = file && (await createImageBitmap(file).catch(() => null));
  if (!image) return;
  const side = Math.min(image.width, image.height);
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = Math.min(side, PICTURE_PIXELS);
  const place = [(image.width - side) / 2, (image.height - side) / 2, side, side];
  canvas.getContext("2d").drawImage(image, ...place, 0, 0, canvas.width, canvas.height);
  canvas.toBlob((blob) => {
    if (!blob || target.files[0] !== file) return;
    const small = new DataTransfer();
    small.items.add(new File([blob], "picture.png", { type: blob.type }));
    target.files = small.files;
  }, "image/png");
});

document.addEventListener("htmx:afterSwap", (event) => showTimes(event.target));
showTimes(document);
setInterval(() => showTimes(document), 30_000);
document.querySelector("[aria-invalid='true']")?.focus();
document.documentElement.dataset.ready = "yes";

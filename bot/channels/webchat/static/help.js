/** Help pages: the filter over the list of articles, dates in the reader's language, wide blocks for the keyboard. */

/** Letters without case and marks, so that "sifre" finds "şifre". */
function fold(text) {
  return text.toLowerCase().normalize("NFD").replace(/\p{M}/gu, "").replaceAll("ı", "i");
}

function startFilter(label) {
  const input = label.querySelector("input");
  const nothing = document.querySelector("[data-nothing]");
  const items = [...document.querySelectorAll("[data-search]")].map((item) => [item, fold(item.dataset.search)]);
  const groups = [...document.querySelectorAll("[data-group]"), ...document.querySelectorAll("[data-shelf]")];
  const filter = () => {
    const wanted = fold(input.value).split(/\s+/).filter(Boolean);
    for (const [item, text] of items) item.hidden = !wanted.every((word) => text.includes(word));
    for (const group of groups) group.hidden = !group.querySelector("[data-search]:not([hidden])");
    nothing.textContent = groups.every((group) => group.hidden) ? nothing.dataset.words : "";
  };
  input.addEventListener("input", filter);
  label.hidden = false;
  filter();
}

const label = document.querySelector("[data-filter]");
if (label) startFilter(label);
for (const time of document.querySelectorAll("time")) {
  const format = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "long", timeZone: "UTC" });
  time.textContent = format.format(new Date(time.dateTime));
}
// What is wider than the page scrolls, with the keyboard too.
for (const block of document.querySelectorAll(".prose :is(pre, table)")) {
  if (block.scrollWidth > block.clientWidth) block.tabIndex = 0;
}

// Files that go with a reply: chosen, dropped or pasted, uploaded at once, sent with the reply.

import { newId, token } from "./server.js";
import { say } from "./words.js";

const list = () => document.getElementById("files");
const area = () => document.getElementById("reply-text");

/** Whether files that are uploaded go with the reply. */
export const attached = () => Boolean(list()?.querySelector("[name=attachment]"));
const underWay = () => Boolean(list()?.querySelector("[data-state=uploading]"));

/** Begin the next reply without files. */
export function clear() {
  list()?.replaceChildren();
  changed();
}

function changed() {
  // A reply may be files alone.
  if (area()) area().required = !list()?.querySelector("li");
}

function button(label, mark, act) {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = mark;
  made.setAttribute("aria-label", label);
  made.addEventListener("click", act);
  return made;
}

function problemOf(file) {
  const { max, types, most } = list().dataset;
  const extension = file.name.includes(".") ? file.name.split(".").pop().toLowerCase() : "";
  if (list().querySelectorAll("li").length > Number(most)) return say("filesMany", { most });
  if (!types.split(" ").includes(extension)) return say("fileType", { name: file.name });
  if (!file.size) return say("fileEmpty", { name: file.name });
  if (file.size > Number(max)) return say("fileLarge", { name: file.name, most: Math.floor(Number(max) / 1_000_000) });
  return "";
}

function add(file) {
  const chip = document.createElement("li");
  const name = document.createElement("span");
  name.className = "file-name";
  name.textContent = file.name;
  const told = document.createElement("span");
  told.className = "file-told";
  told.setAttribute("role", "status");
  let request = null;
  const remove = button(say("remove", { title: file.name }), "×", () => {
    request?.abort();
    chip.remove();
    changed();
    area()?.focus();
  });
  chip.append(name, told, remove);
  list().append(chip);
  changed();
  const id = newId();
  const fail = (text, again) => {
    chip.dataset.state = "failed";
    told.textContent = text;
    if (again) told.append(" ", button(say("again"), say("again"), send));
  };
  const send = () => {
    chip.dataset.state = "uploading";
    told.textContent = say("uploading");
    request = new XMLHttpRequest();
    const query = new URLSearchParams({ name: file.name, client_id: id });
    request.open("POST", `/desk/cases/${list().dataset.case}/attachments?${query}`);
    request.setRequestHeader("x-csrf-token", token());
    request.setRequestHeader("hx-request", "true");
    request.setRequestHeader("content-type", "application/octet-stream");
    request.upload.onprogress = ({ loaded, total }) => {
      if (total) told.textContent = `${Math.floor((100 * loaded) / total)} %`;
    };
    request.onerror = () => fail(say("failed"), true);
    request.onload = () => {
      if (request.status !== 200) {
        fail(said(request.responseText) || say("failed"), request.status >= 500);
        return;
      }
      chip.dataset.state = "ready";
      told.textContent = say("ready");
      const field = document.createElement("input");
      field.type = "hidden";
      field.name = "attachment";
      field.value = JSON.parse(request.responseText).id;
      chip.append(field);
    };
    request.send(file);
  };
  const problem = problemOf(file);
  if (problem) fail(problem, false);
  else send();
}

/** What an answer that is a page's part says. */
function said(html) {
  const page = new DOMParser().parseFromString(html, "text/html");
  return page.querySelector("[data-problem] span")?.textContent.trim() ?? "";
}

/** Whether something that is dragged or pasted holds files that a reply can take. */
function filesOf(transfer) {
  return list() && transfer ? [...transfer.files] : [];
}

/** Listen, once for the page. */
export function start() {
  document.addEventListener("click", (event) => {
    if (event.target.closest?.("[data-add-files]")) document.getElementById("reply-files").click();
  });
  document.addEventListener("change", (event) => {
    if (event.target.id !== "reply-files") return;
    for (const file of event.target.files) add(file);
    event.target.value = "";
  });
  document.addEventListener("paste", (event) => {
    const found = event.target === area() ? filesOf(event.clipboardData) : [];
    if (!found.length) return;
    event.preventDefault();
    found.forEach(add);
  });
  const over = ({ target, dataTransfer }) =>
    list() && target.closest?.(".thread-pane") && dataTransfer?.types.includes("Files");
  document.addEventListener("dragover", (event) => {
    if (!over(event)) return;
    event.preventDefault();
    document.getElementById("composer").classList.add("is-over");
  });
  document.addEventListener("dragleave", (event) => {
    if (event.relatedTarget?.closest?.(".thread-pane")) return;
    document.getElementById("composer")?.classList.remove("is-over");
  });
  document.addEventListener("drop", (event) => {
    document.getElementById("composer")?.classList.remove("is-over");
    if (!over(event)) return;
    event.preventDefault();
    filesOf(event.dataTransfer).forEach(add);
  });
  document.addEventListener(
    "submit",
    (event) => {
      if (event.target.id !== "box-reply" || !underWay()) return;
      event.preventDefault();
      event.stopImmediatePropagation();
      document.getElementById("saved").textContent = say("uploading");
    },
    { capture: true },
  );
}

// Sends a file to be imported, straight from the disk, and goes to where its progress is shown; and
// pauses, resumes, cancels and reverts imports.

import { newKey, send, Unreachable } from "./command.js";
import { refresh } from "./refresh.js";
import { say } from "./say.js";

export function listen() {
  document.addEventListener("submit", (event) => {
    if (!event.target.matches("form[data-upload]")) return;
    event.preventDefault();
    upload(event.target);
  });
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-step]");
    if (button) step(button);
  });
}

function upload(form) {
  const [file] = form.elements.file.files;
  const line = form.querySelector("[data-problem]");
  const button = form.querySelector("button.main");
  line.textContent = file ? "" : "Choose a file";
  if (!file) return;
  const asked = new URLSearchParams();
  if (form.elements.map.value.trim()) asked.set("map", form.elements.map.value.trim());
  if (form.elements.stop.checked) asked.set("on_error", "stop");
  if (form.elements.dry.checked) asked.set("dry_run", "true");
  const plain = file.name.replace(/\.gz$/i, "");
  const { command, signsIn } = document.body.dataset;
  // Only this old way of asking tells how much of the file is sent.
  const request = new XMLHttpRequest();
  request.open("POST", `${command}/imports?${asked}`);
  request.withCredentials = signsIn !== undefined;
  request.setRequestHeader("Content-Type", /\.csv$/i.test(plain) ? "text/csv" : "application/x-ndjson");
  request.setRequestHeader("Idempotency-Key", newKey());
  const bar = form.querySelector("progress");
  bar.hidden = false;
  request.upload.addEventListener("progress", ({ loaded, total }) => {
    bar.value = (100 * loaded) / total;
  });
  request.addEventListener("loadend", () => {
    button.disabled = false;
    bar.hidden = true;
    const told = read(request);
    if (told?.import_id) location.assign(`${document.body.dataset.base}/ui/imports/${told.import_id}`);
    else line.textContent = told?.detail ?? "The command API does not answer; try again";
  });
  button.disabled = true;
  request.send(file);
}

function read(request) {
  try {
    return JSON.parse(request.responseText);
  } catch {
    return null;
  }
}

async function step(button) {
  const { step: what, import: id } = button.dataset;
  button.disabled = true;
  try {
    const path = `/imports/${encodeURIComponent(id)}/${what}`;
    const { problem, item } = await send("POST", path, { key: newKey(), once: true });
    if (problem) say(problem.detail ?? problem.title, { bad: true });
    else if (what === "revert") location.assign(`${document.body.dataset.base}/ui/imports/${item.import_id}`);
    else await refresh("#import");
  } catch (error) {
    if (!(error instanceof Unreachable)) throw error;
    say(error.message, { bad: true });
  } finally {
    button.disabled = false;
  }
}

// Sends a file to be imported, straight from the disk, and goes to where its progress is shown; and
// pauses, resumes, cancels and reverts imports.

import { newKey, send, Unreachable } from "./command.js";
import { SIGNED_OUT, signIn, tell } from "./forms.js";
import { refresh } from "./refresh.js";
import { say } from "./say.js";

export function listen() {
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.matches("form[data-upload]")) {
      event.preventDefault();
      upload(form);
    } else if (form.matches("form[data-revert-import]")) {
      event.preventDefault();
      takeBack(form);
    }
  });
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-step]");
    if (button) step(button);
  });
}

async function upload(form) {
  const [file] = form.elements.file.files;
  const line = form.querySelector("[data-problem]");
  const button = form.querySelector("button.main");
  line.textContent = file ? "" : "Choose a file";
  if (!file) return;
  button.disabled = true;
  const asked = new URLSearchParams();
  if (form.elements.map.value.trim()) asked.set("map", form.elements.map.value.trim());
  if (form.elements.stop.checked) asked.set("on_error", "stop");
  if (form.elements.dry.checked) asked.set("dry_run", "true");
  // Its first bytes say what it is, whatever it is called (RFC 1952, 2.3.1).
  const zipped = await isGzip(file);
  const plain = file.name.replace(/\.gz$/i, "");
  const { command, signsIn } = document.body.dataset;
  // Only this old way of asking tells how much of the file is sent.
  const request = new XMLHttpRequest();
  request.open("POST", `${command}/imports?${asked}`);
  request.withCredentials = signsIn !== undefined;
  request.setRequestHeader("Content-Type", /\.csv$/i.test(plain) ? "text/csv" : "application/x-ndjson");
  if (zipped) request.setRequestHeader("Content-Encoding", "gzip");
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
    else if (request.status === 401) tell(form, SIGNED_OUT, signIn());
    else line.textContent = told?.detail ?? "The service does not answer. Try again in a moment.";
  });
  request.send(file);
}

async function isGzip(file) {
  const [first, second] = new Uint8Array(await file.slice(0, 2).arrayBuffer());
  return first === 0x1f && second === 0x8b;
}

function read(request) {
  try {
    return JSON.parse(request.responseText);
  } catch {
    return null;
  }
}

async function takeBack(form) {
  const { reason } = form.elements;
  const query = reason.value ? `?${new URLSearchParams({ reason: reason.value })}` : "";
  const button = form.querySelector("button.danger");
  await take("revert", form.dataset.revertImport, query, button, (problem) => tell(form, problem));
}

async function step(button) {
  const { step: what, import: id } = button.dataset;
  await take(what, id, "", button, (problem) => say(problem, { bad: true }));
}

async function take(what, id, query, button, complain) {
  button.disabled = true;
  try {
    const path = `/imports/${encodeURIComponent(id)}/${what}${query}`;
    const { problem, item } = await send("POST", path, { key: newKey(), once: true });
    if (problem) complain(problem.detail ?? problem.title);
    else if (what === "revert") location.assign(`${document.body.dataset.base}/ui/imports/${item.import_id}`);
    else await refresh("#import");
  } catch (error) {
    if (!(error instanceof Unreachable)) throw error;
    complain(error.message);
  } finally {
    button.disabled = false;
  }
}

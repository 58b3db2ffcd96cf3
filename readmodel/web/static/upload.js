// Sends a file to be imported, straight from the disk, and shows how far it is; and
// pauses, resumes, cancels and reverts imports.

import { goOn } from "./ask.js";
import { newKey, send as order, Unreachable } from "./command.js";
import { look } from "./file.js";
import { busy, keyOf, SIGNED_OUT, signIn, tell } from "./forms.js";
import { follow } from "./progress.js";
import { refresh } from "./refresh.js";
import { say } from "./say.js";
import { isWorkbook, NOT_UTF8, sample, WORKBOOK, wrongSeparator } from "./text.js";
import { said } from "./words.js";

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
  for (const name of ["change", "reset"]) {
    document.addEventListener(name, ({ target }) => {
      const form = target.closest("form[data-upload]");
      if (form && (name === "reset" || target.name === "file")) forget(form);
    });
  }
  document.addEventListener("close", (event) => stop(event.target.querySelector("form")), true);
}

// What is being sent, by form.
const running = new WeakMap();
// An upload whose connection broke is given up by the service after five seconds.
const REST = 6_000;
const TRIES = 4;

async function upload(form) {
  if (form.dataset.sending !== undefined) return;
  const [file] = form.elements.file.files;
  tell(form, file ? "" : "Choose a file");
  if (!file) return;
  const state = { progress: null, request: null, isStopped: false };
  running.set(form, state);
  busy(form, true);
  addEventListener("beforeunload", stay);
  try {
    const outcome = await bring(form, file, state);
    removeEventListener("beforeunload", stay);
    if (outcome) tellOf(form, outcome, state);
  } finally {
    removeEventListener("beforeunload", stay);
    state.progress?.stop();
    running.delete(form);
    busy(form, false);
  }
}

async function bring(form, file, state) {
  const asked = wishes(form);
  const isCsv = /\.csv(\.gz)?$/i.test(file.name);
  tell(form, "Looking at the file …");
  const { zipped, rows, isUtf8, head } = await look(file, isCsv);
  if (state.isStopped) return null;
  const wrong = wrongWith(form, { isCsv, isUtf8, head });
  tell(form, wrong ?? "");
  if (wrong) return null;
  const { charset } = form.elements;
  // The same file with the same wishes goes on where it ended.
  const { key } = keyOf(form, JSON.stringify([file.name, file.size, file.lastModified, asked.toString(), charset.value]));
  state.progress = follow(form.querySelector("[data-progress]"), { key, rows, bytes: file.size });
  return insist(() => send(file, asked, { key, type: typeOf(isCsv, charset.value), zipped }, state), form, state);
}

function tellOf(form, { status, told }, { progress, isStopped }) {
  const id = told?.import_id ?? (isStopped ? progress.told()?.import_id : null);
  if (id) goOn(address(id));
  else if (isStopped) say("Stopped before any row was taken in");
  else if (status === 401) tell(form, SIGNED_OUT, signIn());
  else tell(form, (told && said(told)) ?? "The service does not answer. Press the button again: it goes on where it ended.");
}

// What somebody has to decide or mend before the file is sent; null where that is nothing.
function wrongWith(form, { isCsv, isUtf8, head }) {
  const { charset } = form.elements;
  const place = form.querySelector("[data-charset]");
  if (isWorkbook(head)) return WORKBOOK;
  if (!isUtf8 && place.hidden) {
    place.hidden = false;
    charset.value = "windows-1252";
    const reads = () => {
      const found = sample(head, charset.value);
      place.querySelector("[data-number]").textContent = found ? `Line ${found.number} reads: ` : "";
      place.querySelector("[data-reads]").textContent = found?.text ?? "";
    };
    charset.onchange = reads;
    reads();
    charset.focus();
    return NOT_UTF8;
  }
  return isCsv ? wrongSeparator(head, charset.value) : null;
}

// Another file may be written in another way.
function forget(form) {
  form.querySelector("[data-charset]").hidden = true;
  form.elements.charset.value = "";
}

function wishes(form) {
  const { map, stop, dry } = form.elements;
  const asked = new URLSearchParams();
  if (map.value.trim()) asked.set("map", map.value.trim());
  if (stop.checked) asked.set("on_error", "stop");
  if (dry.checked) asked.set("dry_run", "true");
  return asked;
}

// Sends again what broke on the way: under its key no row is taken twice.
async function insist(post, form, state) {
  for (let tried = 1; ; tried += 1) {
    const outcome = await post();
    const isPassing = [0, 429, 503, 504].includes(outcome.status) || outcome.told?.code === "import-running";
    if (!isPassing || tried === TRIES || state.isStopped) return outcome;
    tell(form, outcome.status ? "The service is busy; it is tried again …" : "The connection broke; it is tried again …");
    await new Promise((resolve) => {
      setTimeout(resolve, REST);
    });
    if (state.isStopped) return outcome;
    tell(form, "");
  }
}

function typeOf(isCsv, charset) {
  return `${isCsv ? "text/csv" : "application/x-ndjson"}${charset ? `; charset=${charset}` : ""}`;
}

function send(file, asked, { key, type, zipped }, state) {
  const { command, signsIn } = document.body.dataset;
  // Only this old way of asking tells how much of the file is sent.
  const request = new XMLHttpRequest();
  state.request = request;
  request.open("POST", `${command}/imports?${asked}`);
  request.withCredentials = signsIn !== undefined;
  request.setRequestHeader("Content-Type", type);
  if (zipped) request.setRequestHeader("Content-Encoding", "gzip");
  request.setRequestHeader("Idempotency-Key", key);
  request.upload.addEventListener("progress", ({ loaded, total }) => state.progress.sent(loaded, total));
  return new Promise((resolve) => {
    request.addEventListener("loadend", () => resolve({ status: request.status, told: read(request) }));
    request.send(file);
  });
}

// The dialog is closed while a file is sent: whoever did that was asked, and wants it to end.
async function stop(form) {
  const state = running.get(form);
  if (!state) return;
  state.isStopped = true;
  const begun = state.progress?.told();
  // Told first, so that it ends as what it is; the rest of the file is of no use then.
  if (begun) await take("cancel", begun.import_id, "", null, (problem) => say(problem, { bad: true }));
  state.request?.abort();
}

function address(id) {
  return `${document.body.dataset.base}/ui/imports/${encodeURIComponent(id)}`;
}

// Whoever leaves the page ends what is being sent: the browser asks.
function stay(event) {
  event.preventDefault();
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
  if (button) button.disabled = true;
  try {
    const path = `/imports/${encodeURIComponent(id)}/${what}${query}`;
    const { problem, item } = await order("POST", path, { key: newKey(), once: true });
    if (problem) complain(said(problem));
    else if (what === "revert") goOn(address(item.import_id));
    else await refresh("#import");
  } catch (error) {
    if (!(error instanceof Unreachable)) throw error;
    complain(error.message);
  } finally {
    if (button) button.disabled = false;
  }
}

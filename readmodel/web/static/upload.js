// Sends a file to be imported, straight from the disk, and shows how far it is.

import { goOn } from "./ask.js";
import { look } from "./file.js";
import { disposition } from "./file-name.js";
import { busy, keyOf, SIGNED_OUT, signIn } from "./forms.js";
import { tell } from "./marks.js";
import { follow } from "./progress.js";
import { say } from "./say.js";
import { address } from "./steps.js";
import { ARRAY, isArray, isWorkbook, NOT_UTF8, sample, WORKBOOK, wrongSeparator } from "./text.js";
import { withdraw } from "./withdraw.js";
import { said } from "./words.js";

export function listen() {
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.matches("form[data-upload]")) return;
    event.preventDefault();
    upload(form);
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
  const state = { key: null, progress: null, request: null, isOver: false, withdrawn: null, wake: null };
  running.set(form, state);
  busy(form, true);
  addEventListener("beforeunload", stay);
  try {
    const outcome = await bring(form, file, state);
    removeEventListener("beforeunload", stay);
    if (state.withdrawn) tellEnd(await state.withdrawn);
    else if (outcome) tellOf(form, outcome);
  } finally {
    removeEventListener("beforeunload", stay);
    state.progress?.stop();
    running.delete(form);
    busy(form, false);
  }
}

async function bring(form, file, state) {
  const asked = wishes(form);
  tell(form, "Looking at the file …");
  const { zipped, isCsv, rows, isUtf8, head } = await look(file);
  if (state.withdrawn) return null;
  const wrong = wrongWith(form, { isCsv, isUtf8, head });
  tell(form, wrong ?? "");
  if (wrong) return null;
  const { charset } = form.elements;
  // The same file with the same wishes goes on where it ended.
  const { key } = keyOf(form, JSON.stringify([file.name, file.size, file.lastModified, asked.toString(), charset.value]));
  state.key = key;
  state.progress = follow(form.querySelector("[data-progress]"), { key, rows, bytes: file.size });
  return insist(() => send(file, asked, { key, type: typeOf(isCsv, charset.value), zipped }, state), form, state);
}

function tellOf(form, { status, told }) {
  if (told?.import_id) goOn(address(told.import_id));
  else if (status === 401) tell(form, SIGNED_OUT, signIn());
  else tell(form, (told && said(told)) ?? "The service does not answer. Press the button again: it goes on where it ended.");
}

// What became of an import that was to be stopped.
function tellEnd({ end, id, problem }) {
  const action = { name: "See this import", act: () => goOn(address(id)) };
  if (end === "cancelled") goOn(address(id));
  else if (end === "none") say("Stopped before any row was taken in");
  else if (end === "over") say("It was too late to stop this import", { action });
  else if (end === "refused") say(`Sending has ended, but the import could not be cancelled: ${said(problem)}`, { bad: true, action });
  else say("Sending has ended. Whether rows were taken in shows in this list in a moment.", { bad: true });
}

// What somebody has to decide or mend before the file is sent; null where that is nothing.
function wrongWith(form, { isCsv, isUtf8, head }) {
  const { charset } = form.elements;
  const place = form.querySelector("[data-charset]");
  if (isWorkbook(head)) return WORKBOOK;
  if (isArray(head, charset.value)) return ARRAY;
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
    if (!isPassing || tried === TRIES || state.withdrawn) return outcome;
    tell(form, outcome.status ? "The service is busy; it is tried again …" : "The connection broke; it is tried again …");
    await new Promise((resolve) => {
      setTimeout(resolve, REST);
      state.wake = resolve;
    });
    if (state.withdrawn) return outcome;
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
  state.isOver = false;
  request.open("POST", `${command}/imports?${asked}`);
  request.withCredentials = signsIn !== undefined;
  request.setRequestHeader("Content-Type", type);
  if (zipped) request.setRequestHeader("Content-Encoding", "gzip");
  request.setRequestHeader("Idempotency-Key", key);
  const named = disposition(file.name);
  if (named) request.setRequestHeader("Content-Disposition", named);
  request.upload.addEventListener("progress", ({ loaded, total }) => state.progress.sent(loaded, total));
  return new Promise((resolve) => {
    request.addEventListener("loadend", () => {
      state.isOver = true;
      resolve({ status: request.status, told: read(request) });
    });
    request.send(file);
  });
}

// The dialog is closed while a file is sent: whoever did that was asked, and wants it to end.
async function stop(form) {
  const state = running.get(form);
  if (!state || state.withdrawn) return;
  // While the file is only looked at nothing of it is anywhere.
  state.withdrawn = state.request ? withdraw(state.key, () => state.isOver) : Promise.resolve({ end: "none" });
  state.wake?.();
  // What is sent already is taken in, whatever becomes of the request: the import is told first.
  try {
    await state.withdrawn;
  } finally {
    state.request?.abort();
  }
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

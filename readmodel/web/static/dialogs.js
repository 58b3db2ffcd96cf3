// Dialogs of the page: opened by a button that names them, and closed by Escape or by their own
// button, after a question where something was typed into them.

import { ask, guard, isChanged, remember } from "./ask.js";
import { fateOf } from "./fate.js";
import { settled } from "./refresh.js";

const QUESTION = {
  title: "Throw away what you entered?",
  words: "What is in this form will be lost.",
  yes: "Throw it away",
  no: "Keep editing",
};

// Of a command that is on its way, and of one that is accepted: closing its form takes nothing back.
const SENT = {
  title: "Close this form?",
  words: "What you entered is on its way, and may be applied all the same.",
  yes: "Close it",
  no: "Keep it open",
};
const ACCEPTED = {
  ...SENT,
  words: "It is accepted and will be applied. Only what you have typed since will be lost.",
};

// Of a file that is on its way.
const STOP = {
  title: "Stop sending this file?",
  words: "Rows that were taken in stay. They can be taken back on the page of this import.",
  yes: "Stop sending",
  no: "Go on",
};

export function listen() {
  document.addEventListener("click", (event) => {
    const opens = event.target.closest("[data-opens]");
    if (opens) open(opens);
    const closes = event.target.closest("[data-closes]");
    if (closes) leave(closes.closest("dialog"));
  });
  // Browsers let a page refuse the first Escape and not the second, but each of these.
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || event.isComposing) return;
    opening = null;
    stay(event, openDialog());
  });
  // What else closes a dialog, such as the way back of a phone. It does not bubble; that of a field
  // for a file does.
  document.addEventListener("cancel", (event) => stay(event, event.target), true);
  // Files are chosen with a change; and `close` does not bubble.
  for (const name of ["input", "change"]) document.addEventListener(name, guard);
  document.addEventListener("close", guard, true);
}

// What is about to be opened, as long as it waits for what it is about.
let opening = null;

async function open(opener) {
  if (opening) return;
  opening = opener;
  // A form of no item is not of what is being loaded.
  if (document.getElementById(opener.dataset.opens)?.querySelector("[data-item]")) await settled();
  // Somebody has thought better of it.
  if (opening !== opener) return;
  opening = null;
  // What is shown by now may offer something else.
  const dialog = document.getElementById(opener.dataset.opens);
  if (!opener.isConnected || !dialog) return;
  for (const [name, value] of Object.entries(opener.dataset)) {
    // data-fill-version="3" goes into what the dialog has with data-of="version".
    if (!name.startsWith("fill")) continue;
    const field = name.slice(4).toLowerCase();
    for (const place of dialog.querySelectorAll(`[data-of="${field}"]`)) {
      if ("value" in place) place.value = value;
      else place.textContent = value;
    }
  }
  dialog.showModal();
  const form = dialog.querySelector("form");
  remember(form);
  form.dispatchEvent(new CustomEvent("form:opened", { bubbles: true }));
}

// The one in front; a question is in front of what it is about.
function openDialog() {
  return [...document.querySelectorAll("dialog[open]")].at(-1);
}

function stay(event, dialog) {
  if (!(dialog instanceof HTMLDialogElement) || !isChanged(dialog.querySelector("form"))) return;
  event.preventDefault();
  leave(dialog);
}

async function leave(dialog) {
  const form = dialog.querySelector("form");
  const mayClose = !isChanged(form) || (await ask(questionOf(form)));
  // What was sent meanwhile has closed it by itself.
  if (mayClose && dialog.open) dialog.close();
}

function questionOf(form) {
  if (form.matches("[data-upload][data-sending]")) return STOP;
  const fate = fateOf(form);
  if (!fate) return QUESTION;
  return fate.accepted ? ACCEPTED : SENT;
}

// Forms that command: each sends its command, and says what became of it. A form is named by what
// it does.

import { goOn } from "./ask.js";
import { ASIDE, becomes, operations, tellAccepted, tellOutcome, tellSent, tellUnknown } from "./beside.js";
import { newKey, send, Unreachable } from "./command.js";
import { COMMANDS } from "./commands.js";
import { forget, listen as listenToConflicts, offer } from "./conflict.js";
import { end, fateOf, letGo, note } from "./fate.js";
import { clear, link, tell, wrong } from "./marks.js";
import { understood } from "./money.js";
import { refresh, settle } from "./refresh.js";
import { say } from "./say.js";
import { plainly } from "./words.js";

// For the look at what was created, in milliseconds.
const PATIENCE = 10_000;
const DONE = {
  edit: "Saved",
  delete: "Deleted",
  restore: "Restored",
  revert: "Reverted",
  schedule: "Scheduled",
  unschedule: "Cancelled",
};

export const SIGNED_OUT = "You are signed out. Your entries are kept here: sign in, then press the button again. ";

// In a tab of its own, so that the form stays.
export function signIn() {
  return { name: "Sign in in a new tab", address: `${document.body.dataset.base}/ui/sign-in` };
}

export function listen() {
  // First: what is chosen there is in its field when a price is explained.
  listenToConflicts();
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!(form.dataset.command in COMMANDS)) return;
    event.preventDefault();
    submit(form);
  });
  document.addEventListener("input", ({ target: { form } }) => {
    if (form?.dataset.command && form.elements.price) explain(form);
  });
  document.addEventListener("ledger:event", ({ detail: { item_id: id, version } }) => {
    told.set(id, version);
    const form = document.querySelector("dialog[open] form[data-item]");
    // Its own command brings events, too, and they may be told before it is answered.
    if (form && !("sending" in form.dataset)) compare(form);
  });
  document.addEventListener("form:opened", ({ target }) => {
    if (target.dataset.item) compare(target);
  });
  // `close` does not bubble.
  document.addEventListener("close", (event) => tidy(event.target.querySelector("form")), true);
}

// The newest version of an item that the feed has told of.
const told = new Map();

// Says where a form is of an item that has gone on.
function compare(form) {
  const { item, version } = form.dataset;
  form.querySelector("[data-meanwhile]").hidden = !((told.get(item) ?? 0) > Number(version));
}

async function submit(form) {
  if ("sending" in form.dataset) return;
  clear(form);
  const command = COMMANDS[form.dataset.command](form);
  if (!command) {
    form.querySelector("[aria-invalid=true]")?.focus();
    return;
  }
  busy(form, true);
  const body = command.body === undefined ? undefined : JSON.stringify(command.body);
  // The same command under the same key, also where the button is pressed again after a failure.
  const { key } = keyOf(form, JSON.stringify([command.method, command.path, body, command.headers]));
  // Whoever has closed it is told beside the page, and one that is opened again is another.
  const isOpen = () => keys.get(form)?.key === key;
  note(form, key);
  try {
    const outcome = await send(command.method, command.path, { ...command, body, key, ...telling(form, key, isOpen) });
    if (!isOpen()) {
      tellOutcome(outcome, DONE[form.dataset.command]);
      return;
    }
    tell(form, "");
    // 504: nobody knows of it.
    if (!outcome.waits && outcome.status !== 504) end(form, key);
    if (outcome.waits) pending(form, outcome);
    else await (outcome.problem ? refused(form, outcome) : done(form, outcome));
  } catch (error) {
    if (!(error instanceof Unreachable)) throw error;
    if (isOpen()) tell(form, "The service does not answer. Press the button again: nothing happens twice.");
    else tellUnknown();
  } finally {
    if (isOpen()) busy(form, false);
  }
}

// What is said while a command is under way: that it is accepted stays said.
function telling(form, key, isOpen) {
  let isAccepted = false;
  const unlessAccepted = (said) => isOpen() && !isAccepted && tell(form, said);
  return {
    onSlow: () => unlessAccepted("This takes longer than usual; waiting for the answer …"),
    onAgain: (said) => unlessAccepted(`${said}; it is tried again …`),
    onWait(accepted) {
      unlessAccepted("Accepted; it waits for its turn …");
      if (isOpen()) note(form, key, accepted);
      else if (!isAccepted) tellAccepted(accepted);
      isAccepted = true;
    },
  };
}

// Nobody knows yet what becomes of it: it is not called done, and what is filled in stays.
function pending(form, outcome) {
  if (outcome.aside) tell(form, `Accepted, but ${ASIDE[outcome.aside]}: `, operations());
  else tell(form, "Accepted, but not applied yet: the service is busy. Your entries are kept here. ", becomes(outcome));
}

async function done(form, { item: made, token }) {
  const dialog = form.closest("dialog");
  if (form.dataset.command === "create") {
    const { base } = document.body.dataset;
    const id = encodeURIComponent(made.id);
    const address = `${base}/ui/items/${id}`;
    if (await isThere(`${base}/items/${id}`, token)) goOn(address);
    else tell(form, "It is created, but its page can not be shown at the moment. ", { name: "See the item", address });
    return;
  }
  dialog.close();
  say(DONE[form.dataset.command]);
  refresh("#item", { token });
}

// Whether a page can show it: nobody is led to one that is not there yet.
async function isThere(address, token) {
  const headers = token ? { "Consistency-Token": token, Prefer: "wait=5" } : {};
  try {
    const { status } = await fetch(address, { method: "HEAD", headers, signal: AbortSignal.timeout(PATIENCE) });
    return status < 500;
  } catch {
    return false;
  }
}

async function refused(form, { status, problem }) {
  if (status === 401) {
    tell(form, SIGNED_OUT, signIn());
    return;
  }
  if (status === 412 && form.dataset.command === "create") {
    const { id } = form.elements;
    wrong(id, "this id is taken: ");
    const address = `${document.body.dataset.base}/ui/items/${encodeURIComponent(id.value.trim())}`;
    document.getElementById(`${id.id}-wrong`).append(link({ name: "see the item", address }));
    id.focus();
    return;
  }
  if (status === 412) {
    await offer(form, problem);
    return;
  }
  let first = null;
  const left = [];
  for (const { name, said } of plainly(problem)) {
    const field = form.elements[name];
    if (field instanceof HTMLElement && field.type !== "hidden") {
      wrong(field, said);
      first ??= field;
    } else {
      left.push(said);
    }
  }
  if (left.length) tell(form, left.join("; "));
  first?.focus();
}

// Says how a price with a comma is read, before it is sent.
function explain(form) {
  const { price, currency } = form.elements;
  const read = understood(price.value, currency.value);
  form.querySelector("[data-understood]").textContent = read ? `Read as ${read}` : "";
}

// A command that is sent again is the same one; another one has a key of its own.
const keys = new WeakMap();

export function keyOf(form, payload) {
  const last = keys.get(form);
  if (last?.payload === payload) return last;
  const next = { payload, key: newKey() };
  keys.set(form, next);
  return next;
}

export function busy(form, is) {
  if (is) form.dataset.sending = "";
  else delete form.dataset.sending;
  for (const button of form.querySelectorAll("button:not([data-closes])")) button.disabled = is;
}

// A dialog that is opened again begins anew, with what the item is by then.
function tidy(form) {
  if (!form) return;
  const fate = fateOf(form);
  if (fate?.accepted) tellAccepted(fate.accepted);
  else if (fate) tellSent();
  letGo(form);
  if (form.dataset.command) busy(form, false);
  clear(form);
  form.reset();
  for (const each of form.querySelectorAll("[data-understood]")) each.textContent = "";
  keys.delete(form);
  forget(form);
  settle();
}

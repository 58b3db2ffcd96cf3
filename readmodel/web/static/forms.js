// Forms that command: reads the fields, sends the command, and says beside a field what is wrong
// with it. A form is named by what it does.

import { goOn } from "./ask.js";
import { newKey, send, Unreachable } from "./command.js";
import { choice, forget, listen as listenToConflicts, offer } from "./conflict.js";
import { advice, amountOf, understood } from "./money.js";
import { refresh, settle } from "./refresh.js";
import { say } from "./say.js";
import { plainly } from "./words.js";

const item = (form, rest = "") => `/items/${encodeURIComponent(form.dataset.item)}${rest}`;
const unchanged = (form) => ({ "If-Match": `"${form.dataset.version}"` });
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

// What each form sends; null where a field can not be read, or there is nothing to send.
const COMMANDS = {
  create(form) {
    const body = fields(form);
    if (!body) return null;
    const id = form.elements.id.value.trim();
    if (!id) return { method: "POST", path: "/items", body };
    const path = `/items/${encodeURIComponent(id)}`;
    return { method: "PUT", path, body, headers: { "If-None-Match": "*" } };
  },
  edit(form) {
    const body = fields(form);
    if (!body) return null;
    const before = JSON.parse(form.dataset.before);
    const chosen = choice(form);
    for (const name of Object.keys(before)) {
      if (body[name] === before[name] || chosen[name] === "theirs") delete body[name];
    }
    return { method: "PATCH", path: item(form), body, headers: unchanged(form), type: "application/merge-patch+json" };
  },
  delete: (form) => ({ method: "DELETE", path: item(form, reasoned(form)), headers: unchanged(form) }),
  restore: (form) => ({ method: "POST", path: item(form, `/restore${reasoned(form)}`), headers: unchanged(form) }),
  revert(form) {
    const body = { to_version: Number(form.elements.to_version.value), ...reason(form) };
    return { method: "POST", path: item(form, "/revert"), body, headers: unchanged(form) };
  },
  schedule(form) {
    const price = amount(form);
    if (price === null) return null;
    const body = { price, currency: form.elements.currency.value, ...reason(form) };
    for (const name of ["effective_from", "effective_until"]) {
      const { value } = form.elements[name];
      if (value) body[name] = `${value.length === 16 ? `${value}:00` : value}Z`;
    }
    return { method: "POST", path: item(form, "/scheduled-prices"), body };
  },
  unschedule(form) {
    const schedule = encodeURIComponent(form.elements.schedule.value);
    return { method: "DELETE", path: item(form, `/scheduled-prices/${schedule}${reasoned(form)}`) };
  },
};

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
  document.addEventListener("ledger:event", (event) => {
    const form = document.querySelector("dialog[open] form[data-item]");
    if (form?.dataset.item !== event.detail.item_id || event.detail.version <= Number(form.dataset.version)) return;
    // Its own command brings events, too, and they may be told before it is answered.
    if (!form.dataset.sending) form.querySelector("[data-meanwhile]").hidden = false;
  });
  // `close` does not bubble.
  document.addEventListener("close", (event) => tidy(event.target.querySelector("form")), true);
}

async function submit(form) {
  if (form.dataset.sending) return;
  clear(form);
  const command = COMMANDS[form.dataset.command](form);
  if (!command) {
    form.querySelector("[aria-invalid=true]")?.focus();
    return;
  }
  busy(form, true);
  try {
    const body = command.body === undefined ? undefined : JSON.stringify(command.body);
    // The same command under the same key, also where the button is pressed again after a failure.
    const { key } = keyOf(form, JSON.stringify([command.method, command.path, body, command.headers]));
    const onSlow = () => tell(form, "This takes longer than usual; waiting for the answer …");
    const onWait = () => tell(form, "Accepted; it waits for its turn …");
    const onAgain = (said) => tell(form, `${said}; it is tried again …`);
    const outcome = await send(command.method, command.path, { ...command, body, key, onWait, onSlow, onAgain });
    tell(form, "");
    if (outcome.waits) pending(form, outcome);
    else await (outcome.problem ? refused(form, outcome) : done(form, outcome));
  } catch (error) {
    if (!(error instanceof Unreachable)) throw error;
    tell(form, "The service does not answer. Press the button again: nothing happens twice.");
  } finally {
    busy(form, false);
  }
}

// Nobody knows yet what becomes of it: it is not called done, and what is filled in stays.
function pending(form, { item: accepted, location: address }) {
  tell(form, "Accepted, but not applied yet: the service is busy. Your entries are kept here. ", {
    name: "See what becomes of it",
    address: accepted?.links.command ?? address,
  });
}

async function done(form, { item: made, token }) {
  const dialog = form.closest("dialog");
  if (form.dataset.command === "create") {
    const { base } = document.body.dataset;
    const id = encodeURIComponent(made.id);
    // Not before the new page can show it.
    await fetch(`${base}/items/${id}`, { method: "HEAD", headers: token ? { "Consistency-Token": token, Prefer: "wait=5" } : {} });
    goOn(`${base}/ui/items/${id}`);
    return;
  }
  dialog.close();
  say(DONE[form.dataset.command]);
  await refresh("#item", token);
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

// Members of an item, as they are filled in; null where the name is missing or the price no amount.
function fields(form) {
  const { name } = form.elements;
  if (name.value === "") wrong(name, "a name is needed");
  const price = amount(form);
  if (price === null || name.value === "") return null;
  return {
    name: name.value,
    description: form.elements.description.value.replaceAll("\r\n", "\n") || null,
    price,
    currency: form.elements.currency.value,
    ...reason(form),
  };
}

function amount(form) {
  const { price, currency } = form.elements;
  const found = amountOf(price.value, currency.value);
  if (found === null) wrong(price, advice(price.value, currency.value));
  return found;
}

// Says how a price with a comma is read, before it is sent.
function explain(form) {
  const { price, currency } = form.elements;
  const read = understood(price.value, currency.value);
  form.querySelector("[data-understood]").textContent = read ? `Read as ${read}` : "";
}

function reason(form) {
  const { value } = form.elements.reason;
  return value ? { reason: value } : {};
}

function reasoned(form) {
  const { value } = form.elements.reason;
  return value ? `?${new URLSearchParams({ reason: value })}` : "";
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

function wrong(field, said) {
  const id = `${field.id}-wrong`;
  const place = document.getElementById(id) ?? document.createElement("span");
  place.id = id;
  place.className = "wrong";
  place.dataset.wrong = "";
  place.textContent = said;
  write(place);
  field.setAttribute("aria-invalid", "true");
  field.setAttribute("aria-describedby", id);
  field.closest(".field").append(place);
}

// A link opens beside the page: what is filled in stays.
export function tell(form, said, further = null) {
  const line = form.querySelector("[data-problem]");
  if (!line) return;
  line.textContent = said;
  write(line);
  if (further) line.append(link(further));
}

function link({ name, address }) {
  const anchor = document.createElement("a");
  anchor.href = address;
  anchor.target = "_blank";
  anchor.rel = "noopener";
  anchor.textContent = name;
  return anchor;
}

// Sentences begin with a capital; names of the wire, such as effective_from, stay as they are.
function write(place) {
  place.classList.toggle("as-written", /^\w+[._]\w/.test(place.textContent));
}

function clear(form) {
  tell(form, "");
  for (const each of form.querySelectorAll("[data-wrong]")) each.remove();
  for (const each of form.querySelectorAll("[aria-invalid]")) {
    each.removeAttribute("aria-invalid");
    each.removeAttribute("aria-describedby");
  }
}

export function busy(form, is) {
  if (is) form.dataset.sending = "";
  else delete form.dataset.sending;
  for (const button of form.querySelectorAll("button:not([data-closes])")) button.disabled = is;
}

// A dialog that is opened again begins anew, with what the item is by then.
function tidy(form) {
  if (!form) return;
  clear(form);
  form.reset();
  for (const each of form.querySelectorAll("[data-understood]")) each.textContent = "";
  keys.delete(form);
  forget(form);
  settle();
}

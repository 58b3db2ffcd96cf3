// Loads this page again and puts the new part in the place of the old one; what did not change, what
// has the focus and what is being typed stay as they are. One load at a time: what is asked for
// while one is on its way may not be in it, and is loaded after it; what fails is tried again.

import { rest } from "./rest.js";
import { say } from "./say.js";

// Events come in bursts; the page is not asked for more often than this, in milliseconds.
const REST = 700;
// Between two tries, in milliseconds; twice as long after each.
const FIRST = 1_000;
const LONGEST = 16_000;
// How long opening a form waits for what it is about, in milliseconds.
const PATIENCE = 400;
// After so long nothing comes any more, in milliseconds.
const HANGS = 15_000;

// What became of a load; late: a form was opened while it came, or another address is shown by now.
const [DONE, FAILED, LATE] = ["done", "failed", "late"];

// {part, token} of what is to be loaded. It stays while a form is open: nobody likes a form to
// change while they fill it in.
let wanted = null;
let running = null;
let isFailing = false;
let isUrgent = false;
let hurry = () => {};

// `token` is of a write that is to be in what is shown; `soon`, where more may come. Resolves once
// it is shown, or left for when a form closes.
export function refresh(part, { token = null, soon = false } = {}) {
  wanted = { part, token: token ?? wanted?.token ?? null };
  if (!soon) press();
  running ??= run().finally(() => {
    running = null;
    isFailing = false;
  });
  return running;
}

// Goes on with what is owed: a form has been closed, or the service is there again.
export function settle() {
  if (wanted) refresh(wanted.part);
}

// Resolves once what is being loaded is shown, or takes too long: a form that is opened is of it.
export async function settled() {
  if (!running || isFailing) return;
  press();
  await Promise.race([running, rest(PATIENCE)]);
}

async function run() {
  let tries = 0;
  while (wanted) {
    await pause(tries ? Math.min(FIRST * 2 ** (tries - 1), LONGEST) : REST);
    if (isOpen()) return;
    const asked = wanted;
    wanted = null;
    const outcome = await load(asked);
    if (outcome !== DONE) wanted = { ...asked, ...wanted, token: wanted?.token ?? asked.token };
    tries = outcome === FAILED ? tries + 1 : 0;
    if (tries === 1) {
      say("The service does not answer; this page is brought up to date when it does", { bad: true });
    }
    isFailing = tries > 0;
  }
}

async function load({ part, token }) {
  const old = document.querySelector(part);
  if (!old) return DONE;
  // Whoever has gone on to later pages of a list does not want to be thrown back to the first one.
  const rows = old.querySelector("[data-page]");
  if (rows && rows.querySelectorAll("tr[id^='row-']").length > Number(rows.dataset.page)) {
    say("Something may have changed meanwhile", { action: { name: "Load again", act: () => location.reload() } });
    return DONE;
  }
  const address = location.href;
  const response = await ask(address, token);
  if (!response) return FAILED;
  if (isOpen() || location.href !== address) return LATE;
  if (response.ok) {
    const place = { sourceElement: old, target: part, select: part, swap: "outerMorph" };
    const focused = document.activeElement;
    await window.htmx.swap({ ...place, text: response.text });
    if (!focused.isConnected) stand(part);
  } else {
    window.htmx.trigger(document, "htmx:response:error", { ctx: { response } });
  }
  return DONE;
}

// What had the focus is gone, as the button of what can not be done any more: whoever uses the keyboard
// or hears the page goes on from what it is about now.
function stand(part) {
  const heading = document.querySelector(`${part} h1`);
  if (!heading) return;
  heading.tabIndex = -1;
  heading.focus({ preventScroll: true });
}

// Null where nobody knows what it would be.
async function ask(address, token) {
  const waits = token ? { "Consistency-Token": token, Prefer: "wait=5" } : {};
  try {
    const headers = { Accept: "text/html", "HX-Request": "true", ...waits };
    const response = await fetch(address, { headers, signal: AbortSignal.timeout(HANGS) });
    const { ok, status } = response;
    return status === 429 || status >= 500 ? null : { ok, status, text: await response.text() };
  } catch {
    return null;
  }
}

function press() {
  isUrgent = true;
  hurry();
}

async function pause(milliseconds) {
  if (!isUrgent) {
    await Promise.race([rest(milliseconds), new Promise((resolve) => { hurry = resolve; })]);
  }
  isUrgent = false;
}

function isOpen() {
  return document.querySelector("dialog[open]") !== null;
}

// Follows the feed (Server-Sent Events) and has the part of the page anew that an event is about.
// It begins right after what the page shows: what happened while it was loaded comes by the stream.

import { refresh, settle } from "./refresh.js";

// After everything there is; what came before may not be on the page then.
const HEAD = "head";
// Before following is tried again that was refused, in milliseconds; twice as long after each.
const FIRST = 5_000;
const LONGEST = 60_000;

// Of the last event that came; until then, of what the page shows.
let cursor = null;
// The last one that was taken from the page.
let taken = null;
let source = null;
let refusals = 0;
// Each stream and each wait for one is of a turn; what belongs to an earlier one is over.
let turn = 0;
// Events that came.
let count = 0;

export function follow() {
  if (!sign()) return;
  cursor = taken = shown();
  listen();
  // What is loaded again comes without the sign's state.
  document.addEventListener("htmx:after:swap", () => show(source?.readyState === EventSource.OPEN));
  // A browser has few connections per service, six mostly, and a stream takes one: a page that is
  // hidden gives its own back, and catches up when it is seen again.
  document.addEventListener("visibilitychange", listen);
  addEventListener("pagehide", leave);
  // A page that the browser has kept for the way back.
  addEventListener("pageshow", ({ persisted }) => {
    if (persisted) listen();
  });
  watch();
}

function sign() {
  return document.querySelector("[data-live]");
}

function part() {
  return sign().dataset.refresh;
}

// The cursor of what the page shows.
function shown() {
  return document.querySelector(part()).dataset.cursor;
}

function listen() {
  leave();
  if (document.hidden) return;
  const { item } = sign().dataset;
  const asked = new URLSearchParams({ after: cursor });
  if (item) asked.set("item_id", item);
  source = new EventSource(`${document.body.dataset.base}/changes/stream?${asked}`);
  show(false);
  source.addEventListener("open", () => {
    refusals = 0;
    show(true);
    if (cursor === HEAD) refresh(part(), { soon: true });
    settle();
  });
  source.addEventListener("error", () => {
    show(false);
    // An answer that is no stream, such as a proxy's whose service is down, is final to browsers.
    if (source.readyState === EventSource.CLOSED) listenAnew();
  });
  source.addEventListener("message", (event) => {
    cursor = event.lastEventId;
    count += 1;
    document.dispatchEvent(new CustomEvent("ledger:event", { detail: JSON.parse(event.data) }));
    refresh(part(), { soon: true });
  });
}

function listenAnew() {
  leave();
  const mine = turn;
  setTimeout(async () => {
    if (mine === turn) await refresh(part());
    if (mine !== turn) return;
    // What was refused may be the cursor.
    if (shown() !== taken) cursor = taken = shown();
    else if (refusals > 1) cursor = HEAD;
    listen();
  }, Math.min(FIRST * 2 ** refusals, LONGEST));
  refusals += 1;
}

function leave() {
  turn += 1;
  source?.close();
  show(false);
}

// What somebody asked for, such as other filters, may come later than an event that it does not have.
function watch() {
  const begun = new WeakMap();
  document.addEventListener("htmx:before:request", ({ detail: { ctx } }) => begun.set(ctx, count));
  document.addEventListener("htmx:after:swap", ({ detail: { ctx } }) => {
    if ((begun.get(ctx) ?? count) !== count) refresh(part(), { soon: true });
  });
}

function show(on) {
  const place = sign();
  if (!place) return;
  place.dataset.state = on ? "on" : "off";
  // Refused, or away: what is shown may be old for a while.
  const off = source?.readyState === EventSource.CLOSED ? "Not connected" : "Connecting";
  place.querySelector("span").textContent = on ? "Live" : off;
}

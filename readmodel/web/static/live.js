// Follows the feed (Server-Sent Events) and has the part of the page anew that an event is about.
// It begins right after what the page shows: what happened while it was loaded comes by the stream.

import { refresh, settle } from "./refresh.js";

// Before following is tried again that was refused, in milliseconds; twice as long after each.
const FIRST = 5_000;
const LONGEST = 60_000;

// Of the last event that came; until then, of what the page shows.
let cursor = null;
let source = null;
let refusals = 0;
let again = null;

export function follow() {
  if (!sign()) return;
  ({ cursor } = sign().dataset);
  listen();
  // What is loaded again comes without the sign's state.
  document.addEventListener("htmx:after:swap", () => show(source.readyState === EventSource.OPEN));
  // A browser has few connections per service, six mostly, and a stream takes one: a page that is
  // hidden gives its own back, and catches up when it is seen again.
  document.addEventListener("visibilitychange", () => {
    leave();
    show(false);
    if (!document.hidden) listen();
  });
  addEventListener("pagehide", leave);
}

function sign() {
  return document.querySelector("[data-live]");
}

function listen() {
  const { item, refresh: part } = sign().dataset;
  const asked = new URLSearchParams({ after: cursor });
  if (item) asked.set("item_id", item);
  source = new EventSource(`${document.body.dataset.base}/changes/stream?${asked}`);
  source.addEventListener("open", () => {
    refusals = 0;
    show(true);
    settle();
  });
  source.addEventListener("error", () => {
    show(false);
    // An answer that is no stream, such as a proxy's whose service is down, is final to browsers.
    if (source.readyState === EventSource.CLOSED) listenAnew(part);
  });
  source.addEventListener("message", (event) => {
    cursor = event.lastEventId;
    document.dispatchEvent(new CustomEvent("ledger:event", { detail: JSON.parse(event.data) }));
    refresh(part, { soon: true });
  });
}

// From where the page is by then: the cursor may be what was refused.
function listenAnew(part) {
  leave();
  again = setTimeout(async () => {
    await refresh(part);
    if (document.hidden) return;
    ({ cursor } = sign().dataset);
    listen();
  }, Math.min(FIRST * 2 ** refusals, LONGEST));
  refusals += 1;
}

function leave() {
  clearTimeout(again);
  source.close();
}

function show(on) {
  sign().dataset.state = on ? "on" : "off";
  sign().querySelector("span").textContent = on ? "Live" : "Connecting";
}

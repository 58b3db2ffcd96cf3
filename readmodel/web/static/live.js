// Follows the feed (Server-Sent Events) and has the part of the page anew that an event is about.

import { refresh } from "./refresh.js";

// Events come in bursts; the page is not asked for more often than this, in milliseconds.
const REST = 700;

export function follow() {
  const sign = document.querySelector("[data-live]");
  if (!sign) return;
  let source = listen(sign);
  // What is loaded again comes without the sign's state.
  document.addEventListener("htmx:after:swap", () => show(source.readyState === EventSource.OPEN));
  // A browser has few connections per service, six mostly, and a stream takes one: a page that is
  // hidden gives its own back, and catches up when it is seen again.
  document.addEventListener("visibilitychange", () => {
    source.close();
    show(false);
    if (document.hidden) return;
    // What happened meanwhile comes by the stream, if it is known since when.
    source = listen(sign);
    if (cursor === "head") soon(sign.dataset.refresh);
  });
  addEventListener("pagehide", () => source.close());
}

// Of the last event that came.
let cursor = "head";

function listen(sign) {
  const { item, refresh: part } = sign.dataset;
  const asked = new URLSearchParams({ after: cursor });
  if (item) asked.set("item_id", item);
  const source = new EventSource(`${document.body.dataset.base}/changes/stream?${asked}`);
  source.addEventListener("open", () => show(true));
  source.addEventListener("error", () => show(false));
  source.addEventListener("message", (event) => {
    cursor = event.lastEventId;
    document.dispatchEvent(new CustomEvent("ledger:event", { detail: JSON.parse(event.data) }));
    soon(part);
  });
  return source;
}

function show(on) {
  const sign = document.querySelector("[data-live]");
  if (!sign) return;
  sign.dataset.state = on ? "on" : "off";
  sign.querySelector("span").textContent = on ? "Live" : "Connecting";
}

let waiting = null;

function soon(part) {
  waiting ??= setTimeout(async () => {
    await refresh(part);
    waiting = null;
  }, REST);
}

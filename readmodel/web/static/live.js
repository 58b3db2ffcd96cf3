// Follows the feed (Server-Sent Events) and has the part of the page anew that an event is about.

import { refresh } from "./refresh.js";

// Events come in bursts; the page is not asked for more often than this.
const REST = 700;

export function follow() {
  const sign = document.querySelector("[data-live]");
  if (!sign) return;
  const { item, refresh: part } = sign.dataset;
  const asked = new URLSearchParams({ after: "head" });
  if (item) asked.set("item_id", item);
  const source = new EventSource(`${document.body.dataset.base}/changes/stream?${asked}`);
  source.addEventListener("open", () => show(sign, true));
  source.addEventListener("error", () => show(sign, false));
  source.addEventListener("message", (event) => {
    document.dispatchEvent(new CustomEvent("ledger:event", { detail: JSON.parse(event.data) }));
    if (part) soon(part);
  });
  // A connection that is left open would take one of the few that a browser has per service.
  addEventListener("pagehide", () => source.close());
}

function show(sign, on) {
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

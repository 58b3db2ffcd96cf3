// Asks for this page again and puts the new part in the place of the old one; what did not change,
// what has the focus and what is being typed stay as they are.

import { say } from "./say.js";

// Nobody likes a form to change while they fill it in: its page is loaded again when it closes.
let owed = null;

export function settle() {
  if (owed) refresh(owed);
}

// `token` is of a write that is to be in what is shown.
export async function refresh(part, token = null) {
  const list = document.querySelector(part);
  if (!list) return;
  if (document.querySelector("dialog[open]")) {
    owed = part;
    return;
  }
  owed = null;
  // Whoever has gone on to later pages of a list does not want to be thrown back to the first one.
  const rows = list.querySelector("[data-page]");
  if (rows && rows.querySelectorAll("tr[id^='row-']").length > Number(rows.dataset.page)) {
    say("Something may have changed meanwhile", { action: { name: "Load again", act: () => location.reload() } });
    return;
  }
  const headers = token ? { "Consistency-Token": token, Prefer: "wait=5" } : {};
  await window.htmx.ajax("GET", location.href, {
    source: part,
    target: part,
    select: part,
    swap: "outerMorph",
    headers,
  });
}

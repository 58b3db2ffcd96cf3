// What can be done to an import that is there: it is paused, resumed, cancelled, reverted.

import { goOn } from "./ask.js";
import { newKey, send, Unreachable } from "./command.js";
import { keyOf } from "./forms.js";
import { tell } from "./marks.js";
import { refresh } from "./refresh.js";
import { say, saysAgain } from "./say.js";
import { said } from "./words.js";

export function listen() {
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.matches("form[data-revert-import]")) return;
    event.preventDefault();
    takeBack(form);
  });
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-step]");
    if (button) step(button);
  });
}

export function address(id) {
  return `${document.body.dataset.base}/ui/imports/${encodeURIComponent(id)}`;
}

async function takeBack(form) {
  const { reason } = form.elements;
  const query = reason.value ? `?${new URLSearchParams({ reason: reason.value })}` : "";
  const button = form.querySelector("button.danger");
  const complain = (problem) => tell(form, problem);
  const onAgain = (why) => tell(form, `${why}; it is tried again …`);
  // The same revert under the same key, also where the button is pressed again after a failure.
  const { key } = keyOf(form, query);
  await take("revert", form.dataset.revertImport, query, button, { key, complain, onAgain });
}

async function step(button) {
  const { step: what, import: id } = button.dataset;
  const complain = (problem) => say(problem, { bad: true });
  await take(what, id, "", button, { key: newKey(), complain, onAgain: saysAgain() });
}

async function take(what, id, query, button, { key, complain, onAgain }) {
  button.disabled = true;
  try {
    const path = `/imports/${encodeURIComponent(id)}/${what}${query}`;
    const { problem, item } = await send("POST", path, { key, once: true, onAgain });
    if (problem) complain(said(problem));
    else if (what === "revert") goOn(address(item.import_id));
    else await refresh("#import");
  } catch (error) {
    if (!(error instanceof Unreachable)) throw error;
    complain(error.message);
  } finally {
    button.disabled = false;
  }
}

// What becomes of commands whose form somebody has closed, told at the edge of the page.

import { refresh } from "./refresh.js";
import { say } from "./say.js";
import { said } from "./words.js";

// Why a command that is accepted waits for somebody who operates the service.
export const ASIDE = {
  dead: "it met a defect, and is set aside",
  parked: "changes to this item wait behind a command that met a defect",
};

export function operations() {
  return { name: "Operations", address: `${document.body.dataset.base}/ui/operations#h-dead` };
}

// Where somebody sees what becomes of it.
export function becomes({ item: accepted, location: address }) {
  return { name: "See what becomes of it", address: accepted?.links?.command ?? address };
}

let stop = null;

export function tellAccepted(accepted) {
  stop = say("Your change is accepted and will be applied", { action: opening(becomes(accepted)) });
}

export function tellSent() {
  say("Your change is on its way, and may be applied: you are told here");
}

export function tellUnknown() {
  say("The service does not answer: nobody knows whether your change is applied", { bad: true });
}

// `done` is what is said where it was done.
export function tellOutcome(outcome, done) {
  const { aside, item: made, problem, token, waits } = outcome;
  if (waits && !aside) return;
  // It said that it will be.
  stop?.();
  if (waits) say(`Your change is accepted, but ${ASIDE[aside]}`, { action: opening(operations()) });
  else if (problem) say(`Your change was not applied: ${said(problem)}`, { bad: true });
  else if (done) {
    say(done);
    refresh("#item", { token });
  } else {
    const address = `${document.body.dataset.base}/ui/items/${encodeURIComponent(made.id)}`;
    say("The item is created", { action: { name: "See the item", act: () => location.assign(address) } });
  }
}

function opening({ name, address }) {
  return { name, act: () => window.open(address, "_blank", "noopener") };
}

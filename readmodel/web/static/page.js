// What every page does: says what could not be loaded, and starts its parts.

import { arrive } from "./ask.js";
import { draw } from "./chart.js";
import { listen as listenToDialogs } from "./dialogs.js";
import { listen as listenToForms } from "./forms.js";
import { follow } from "./live.js";
import { outdated, watch } from "./operations.js";
import { keep as keepPlace } from "./place.js";
import { say, unsay } from "./say.js";
import { listen as listenToSteps } from "./steps.js";
import { listen as listenToUploads } from "./upload.js";

// An address tells what was asked for, and not what was left empty.
document.addEventListener("htmx:config:request", (event) => {
  const { body } = event.detail.ctx.request;
  if (!(body instanceof FormData)) return;
  for (const [name, value] of [...body]) if (value === "") body.delete(name);
});

// What somebody has unfolded stays so when its part of the page is loaded again.
window.htmx.registerExtension("unfolded", {
  htmx_before_morph_attr: (element, { attrName }) => !(element.matches("details") && attrName === "open"),
});

const SIGNED_OUT = "You are signed out";
// Who has signed in beside this page sees that here.
document.addEventListener("htmx:after:swap", () => unsay(SIGNED_OUT));

document.addEventListener("htmx:response:error", (event) => {
  const { status } = event.detail.ctx.response;
  if (status === 401) say(SIGNED_OUT, { bad: true, action: { name: "Sign in", act: signIn } });
  else if (status !== 400) complain(`The service answered ${status}`);
});

document.addEventListener("htmx:error", () => {
  complain("The service does not answer");
});

// A page that asks by itself every other second says it in one place.
function complain(said) {
  if (!outdated(said)) say(`${said}; try again in a moment`, { bad: true });
}

function signIn() {
  location.assign(`${document.body.dataset.base}/ui/sign-in`);
}

listenToDialogs();
listenToForms();
listenToSteps();
listenToUploads();
follow();
keepPlace();
watch();
draw();
arrive();

// Only now does what needs them work; until then nobody is offered it.
document.documentElement.classList.add("scripted");

// Messages at the edge of the page, read out by screen readers. What is said is text, never markup.

const SECONDS = 6;

// Returns what takes it away again.
export function say(text, { bad = false, action = null } = {}) {
  const place = document.getElementById("toasts");
  // What is still asked is not asked again: it would be read out again, and lose the focus.
  if (action && asked(text).length) return;
  const toast = document.createElement("div");
  toast.className = bad ? "toast bad" : "toast";
  const words = document.createElement("span");
  words.textContent = text;
  toast.append(words);
  if (action) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = action.name;
    button.addEventListener("click", () => {
      toast.remove();
      action.act();
    });
    toast.append(button);
  }
  place.append(toast);
  // Time to read it; one that asks for something stays until it is answered or another comes.
  if (action) {
    for (const other of place.querySelectorAll(".toast:has(button)")) {
      if (other !== toast) other.remove();
    }
  } else {
    setTimeout(() => toast.remove(), SECONDS * 1000);
  }
  return () => toast.remove();
}

// Takes back what is asked and has no point any more.
export function unsay(text) {
  for (const each of asked(text)) each.remove();
}

function asked(text) {
  const all = document.querySelectorAll("#toasts .toast:has(button)");
  return [...all].filter((each) => each.querySelector("span").textContent === text);
}

// Says that something is tried again, at its first failure and where another one follows.
export function saysAgain() {
  let last = null;
  return (said) => {
    if (said !== last) say(`${said}; it is tried again …`);
    last = said;
  };
}

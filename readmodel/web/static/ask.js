// Asks in a dialog of the page's own before something is thrown away that somebody has typed.

// Under this name stands which page somebody is being led to.
const CAME = "came";
// What a form held when it was opened, by form.
const held = new WeakMap();

export function remember(form) {
  held.set(form, contents(form));
}

// The browser asks whoever leaves a page with a form that somebody has changed. Only then: a page
// that always listens for it is not kept for the way back (bfcache).
export function guard() {
  const isFilled = [...document.querySelectorAll("dialog[open] form")].some(isChanged);
  if (isFilled) addEventListener("beforeunload", stay);
  else removeEventListener("beforeunload", stay);
}

// What is in the forms has been sent: the page of what became of it is gone to unasked.
export function goOn(address) {
  for (const form of document.querySelectorAll("dialog[open] form")) held.delete(form);
  guard();
  sessionStorage.setItem(CAME, new URL(address, location.href).pathname);
  location.assign(address);
}

// Whoever was led here by what they have done goes on from what the page is about, by keyboard, too.
export function arrive() {
  const came = sessionStorage.getItem(CAME);
  sessionStorage.removeItem(CAME);
  const heading = document.querySelector("h1");
  if (came !== location.pathname || !heading) return;
  heading.tabIndex = -1;
  heading.focus({ preventScroll: true });
}

function stay(event) {
  event.preventDefault();
}

export function isChanged(form) {
  return held.has(form) && held.get(form) !== contents(form);
}

// Whether somebody wants that. Escape is no, and so is the button that has the focus.
export function ask({ title, words, yes, no }) {
  const dialog = document.createElement("dialog");
  dialog.setAttribute("role", "alertdialog");
  const form = document.createElement("form");
  form.method = "dialog";
  const heading = add(form, "h2", title);
  const text = add(form, "p", words);
  heading.id = "ask-title";
  text.id = "ask-words";
  dialog.setAttribute("aria-labelledby", heading.id);
  dialog.setAttribute("aria-describedby", text.id);
  const actions = add(form, "div", "");
  actions.className = "actions";
  add(actions, "button", no).autofocus = true;
  const does = add(actions, "button", yes);
  does.className = "danger";
  does.value = "yes";
  dialog.append(form);
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
  });
}

function add(place, tag, said) {
  const made = document.createElement(tag);
  made.textContent = said;
  place.append(made);
  return made;
}

function contents(form) {
  const said = [...new FormData(form)].map(([name, value]) =>
    value instanceof File ? [name, value.name, value.size, value.lastModified] : [name, value],
  );
  return JSON.stringify(said);
}

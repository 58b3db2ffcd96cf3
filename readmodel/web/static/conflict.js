// Somebody else has changed the item meanwhile: for every field that both have changed, the form
// asks which value is to stay, with both of them.

import { amountOf, plain } from "./money.js";

const FIELDS = ["name", "description", "price", "currency"];
const NAMES = { name: "Name", description: "Description", price: "Price", currency: "Currency" };

// What was chosen, by field: "mine" or "theirs".
export function choice(form) {
  return Object.fromEntries(
    FIELDS.map((name) => [name, form.querySelector(`input[name="keep-${name}"]:checked`)?.value]),
  );
}

// Ask which values are to stay; what is sent next is about the item as it is now.
export async function offer(form, problem) {
  const line = form.querySelector("[data-problem]");
  const response = await fetch(`${document.body.dataset.base}/items/${encodeURIComponent(form.dataset.item)}`, {
    cache: "no-store",
  });
  if (!response.ok) {
    line.textContent = response.status === 410 ? "The item has been deleted meanwhile." : problem.detail;
    return;
  }
  const now = await response.json();
  const who = `The item has changed meanwhile; it is at version ${now.version} now.`;
  form.querySelector("[data-meanwhile]").hidden = true;
  form.dataset.version = String(now.version);
  const place = form.querySelector("[data-conflict]");
  if (!place) {
    line.textContent = `${who} Press the button again to do it all the same.`;
    return;
  }
  const before = JSON.parse(form.dataset.before);
  const mine = valuesOf(form);
  place.replaceChildren();
  for (const name of FIELDS) {
    const iChanged = mine[name] !== before[name];
    const theyChanged = now[name] !== before[name];
    if (iChanged && theyChanged && mine[name] !== now[name]) {
      place.append(question(name, written(name, mine), written(name, now)));
    } else if (theyChanged && !iChanged) {
      // Nobody disagrees about it: the form goes on with what it is now.
      form.elements[name].value = name === "price" ? plain(now.price, now.currency) : (now[name] ?? "");
    }
  }
  form.dataset.before = JSON.stringify(Object.fromEntries(FIELDS.map((name) => [name, now[name]])));
  place.hidden = place.childElementCount === 0;
  line.textContent = place.hidden
    ? `${who} It does not touch what you have changed: save again.`
    : `${who} Choose which values should stay, and save again.`;
  place.querySelector("input")?.focus();
}

function valuesOf(form) {
  const { name, description, price, currency } = form.elements;
  return {
    name: name.value,
    description: description.value.replaceAll("\r\n", "\n") || null,
    price: amountOf(price.value, currency.value),
    currency: currency.value,
  };
}

function written(name, item) {
  if (name === "price") return `${plain(item.price, item.currency)} ${item.currency}`;
  return item[name] ?? "none";
}

function question(name, mine, theirs) {
  const fieldset = document.createElement("fieldset");
  const legend = document.createElement("legend");
  legend.textContent = `${NAMES[name]}: which value should stay?`;
  fieldset.append(legend, answer(name, "mine", "Yours", mine, true), answer(name, "theirs", "Now", theirs, false));
  return fieldset;
}

function answer(name, value, whose, said, checked) {
  const label = document.createElement("label");
  label.className = "check";
  const radio = document.createElement("input");
  radio.type = "radio";
  radio.name = `keep-${name}`;
  radio.value = value;
  radio.checked = checked;
  const text = document.createElement("span");
  // In its own direction, whichever that of the words around it is.
  const own = document.createElement("bdi");
  own.textContent = said;
  text.append(`${whose}: `, own);
  label.append(radio, text);
  return label;
}

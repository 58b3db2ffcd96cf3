// Somebody else has changed the item meanwhile: for every field that both have changed, the form
// asks which value is to stay, with both of them. The field shows what is chosen: typing into it is
// choosing one's own.

import { Unreachable } from "./command.js";
import { apart, changers, mark, unmark } from "./meanwhile.js";
import { amountOf, plain } from "./money.js";

// What is asked about, and the fields that hold it: an amount without its currency is no price.
const FIELDS = { name: ["name"], description: ["description"], price: ["price", "currency"] };
const NAMES = { name: "Name", description: "Description", price: "Price" };

// By form: what it was about before, and what is asked: both values, as fields hold them.
const disputes = new WeakMap();

export function listen() {
  document.addEventListener("input", ({ target }) => {
    const { form, name, value } = target;
    const questions = disputes.get(form)?.questions;
    if (!questions) return;
    if (name.startsWith("keep-")) {
      fill(form, questions.get(name.slice("keep-".length))[value]);
      return;
    }
    const about = Object.keys(FIELDS).find((each) => FIELDS[each].includes(name));
    const question = questions.get(about);
    if (!question) return;
    question.mine = taken(form, about);
    const own = form.querySelector(`input[name="keep-${about}"][value="mine"]`);
    own.checked = true;
    own.closest("label").querySelector("bdi").textContent = written(about, question.mine);
  });
}

// What was chosen, by field: "mine" or "theirs"; of what was not asked, undefined.
export function choice(form) {
  return Object.fromEntries(
    Object.entries(FIELDS).flatMap(([about, fields]) => fields.map((each) => [each, chosen(form, about)])),
  );
}

// Ask which values are to stay; what is sent next is about the item as it is now. Throws Unreachable.
export async function offer(form, problem) {
  const line = form.querySelector("[data-problem]");
  const { status, item: now } = await current(form);
  if (!now) {
    line.textContent = status === 410 ? "The item has been deleted meanwhile." : problem.detail;
    return;
  }
  const who = `The item has changed meanwhile; it is at version ${now.version} now.`;
  form.querySelector("[data-meanwhile]").hidden = true;
  const { version, before } = form.dataset;
  const dispute = disputes.get(form) ?? { version, before, questions: new Map() };
  disputes.set(form, dispute);
  form.dataset.version = String(now.version);
  const place = form.querySelector("[data-conflict]");
  if (!place) {
    line.textContent = `${who} Press the button again to do it all the same.`;
    return;
  }
  const began = textsOf(JSON.parse(dispute.before));
  const by = await changers(form.dataset.item, Number(dispute.version));
  const isNew = compare(form, dispute.questions, textsOf(JSON.parse(before)), textsOf(now), (about) =>
    mark(fieldOf(form, about), written(about, began), byOf(about, by)),
  );
  const { name, description, price, currency } = now;
  form.dataset.before = JSON.stringify({ name, description, price, currency });
  place.replaceChildren(...[...dispute.questions].map(([about, each]) => question(about, each, written(about, began), byOf(about, by))));
  place.hidden = dispute.questions.size === 0;
  line.textContent = isNew
    ? `${who} Choose which values should stay, and save again.`
    : `${who} It does not touch what you have changed: save again.`;
  if (isNew) place.querySelector("input:checked").focus();
}

// The form is closed: it is about what its page says again.
export function forget(form) {
  const dispute = disputes.get(form);
  if (!dispute) return;
  disputes.delete(form);
  form.dataset.version = dispute.version;
  if (dispute.before !== undefined) form.dataset.before = dispute.before;
  form.querySelector("[data-conflict]")?.replaceChildren();
  for (const about of Object.keys(FIELDS)) if (fieldOf(form, about)) unmark(fieldOf(form, about));
}

async function current(form) {
  const address = `${document.body.dataset.base}/items/${encodeURIComponent(form.dataset.item)}`;
  try {
    const response = await fetch(address, { cache: "no-store" });
    return { status: response.status, item: response.ok ? await response.json() : null };
  } catch (cause) {
    throw new Unreachable("The service does not answer", { cause });
  }
}

// Find what is to be asked, and take over the rest; whether something is that was not before. What
// was asked already stays so, with what was chosen, also where others change something else.
function compare(form, questions, before, now, taking) {
  let isNew = false;
  for (const about of Object.keys(FIELDS)) {
    const last = questions.get(about);
    const mine = last?.mine ?? taken(form, about);
    const theirs = Object.fromEntries(FIELDS[about].map((each) => [each, now[each]]));
    const theyChanged = isOther(about, before, theirs);
    const iChanged = last !== undefined || isOther(about, mine, before);
    if (iChanged && isOther(about, mine, theirs) && (last || theyChanged)) {
      const keep = last ? chosen(form, about) : "mine";
      questions.set(about, { mine, theirs, keep });
      unmark(fieldOf(form, about));
      if (keep === "theirs") fill(form, theirs);
      isNew ||= theyChanged;
    } else {
      questions.delete(about);
      // Nobody disagrees about it: the form goes on with what it is now.
      if (last || (theyChanged && !iChanged)) fill(form, theirs);
      if (theyChanged && !iChanged) taking(about);
    }
  }
  return isNew;
}

function chosen(form, about) {
  return form.querySelector(`input[name="keep-${about}"]:checked`)?.value;
}

function textsOf({ name, description, price, currency }) {
  return { name, description: description ?? "", price: plain(price, currency), currency };
}

function taken(form, about) {
  return Object.fromEntries(FIELDS[about].map((each) => [each, form.elements[each].value]));
}

function fill(form, texts) {
  for (const [name, text] of Object.entries(texts)) form.elements[name].value = text;
}

function isOther(about, one, another) {
  return comparable(about, one) !== comparable(about, another);
}

function comparable(about, texts) {
  return about === "price" ? written(about, texts) : texts[about].replaceAll("\r\n", "\n");
}

function written(about, texts) {
  if (about !== "price") return texts[about] || "none";
  const amount = amountOf(texts.price, texts.currency);
  return `${amount === null ? texts.price : plain(amount, texts.currency)} ${texts.currency}`;
}

function fieldOf(form, about) {
  return form.elements[FIELDS[about][0]];
}

// A price is of two fields, and so is who changed it.
function byOf(about, by) {
  return FIELDS[about].map((each) => by[each]).find((each) => each);
}

// With the values that may stay stands what the form began with.
function question(about, { mine, theirs, keep }, began, by) {
  const fieldset = document.createElement("fieldset");
  const legend = document.createElement("legend");
  legend.textContent = `${NAMES[about]}: which value should stay?`;
  const each = (value, whose, texts) => answer(about, { value, whose, said: written(about, texts), checked: keep === value });
  const now = each("theirs", "Now", theirs);
  if (by) now.lastChild.append(", by ", apart(by));
  const was = document.createElement("p");
  was.className = "hint";
  was.append("You began with: ", apart(began));
  fieldset.append(legend, each("mine", "Yours", mine), now, was);
  return fieldset;
}

function answer(about, { value, whose, said, checked }) {
  const label = document.createElement("label");
  label.className = "check";
  const radio = document.createElement("input");
  radio.type = "radio";
  radio.name = `keep-${about}`;
  radio.value = value;
  radio.checked = checked;
  const text = document.createElement("span");
  text.append(`${whose}: `, apart(said));
  label.append(radio, text);
  return label;
}

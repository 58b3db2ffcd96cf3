// What each form sends, by what the form does; null where a field can not be read, which is said
// beside it.

import { choice } from "./conflict.js";
import { wrong } from "./marks.js";
import { advice, amountOf } from "./money.js";

const item = (form, rest = "") => `/items/${encodeURIComponent(form.dataset.item)}${rest}`;
const unchanged = (form) => ({ "If-Match": `"${form.dataset.version}"` });

export const COMMANDS = {
  create(form) {
    const body = fields(form);
    if (!body) return null;
    const id = form.elements.id.value.trim();
    if (!id) return { method: "POST", path: "/items", body };
    const path = `/items/${encodeURIComponent(id)}`;
    return { method: "PUT", path, body, headers: { "If-None-Match": "*" } };
  },
  edit(form) {
    const body = fields(form);
    if (!body) return null;
    const before = JSON.parse(form.dataset.before);
    const chosen = choice(form);
    for (const name of Object.keys(before)) {
      if (body[name] === before[name] || chosen[name] === "theirs") delete body[name];
    }
    return { method: "PATCH", path: item(form), body, headers: unchanged(form), type: "application/merge-patch+json" };
  },
  delete: (form) => ({ method: "DELETE", path: item(form, reasoned(form)), headers: unchanged(form) }),
  restore: (form) => ({ method: "POST", path: item(form, `/restore${reasoned(form)}`), headers: unchanged(form) }),
  revert(form) {
    const body = { to_version: Number(form.elements.to_version.value), ...reason(form) };
    return { method: "POST", path: item(form, "/revert"), body, headers: unchanged(form) };
  },
  schedule(form) {
    const price = amount(form);
    if (price === null) return null;
    const body = { price, currency: form.elements.currency.value, ...reason(form) };
    for (const name of ["effective_from", "effective_until"]) {
      const { value } = form.elements[name];
      if (value) body[name] = `${value.length === 16 ? `${value}:00` : value}Z`;
    }
    return { method: "POST", path: item(form, "/scheduled-prices"), body };
  },
  unschedule(form) {
    const schedule = encodeURIComponent(form.elements.schedule.value);
    return { method: "DELETE", path: item(form, `/scheduled-prices/${schedule}${reasoned(form)}`) };
  },
};

// Members of an item, as they are filled in; null where the name is missing or the price no amount.
function fields(form) {
  const { name } = form.elements;
  if (name.value === "") wrong(name, "a name is needed");
  const price = amount(form);
  if (price === null || name.value === "") return null;
  return {
    name: name.value,
    description: form.elements.description.value.replaceAll("\r\n", "\n") || null,
    price,
    currency: form.elements.currency.value,
    ...reason(form),
  };
}

function amount(form) {
  const { price, currency } = form.elements;
  const found = amountOf(price.value, currency.value);
  if (found === null) wrong(price, advice(price.value, currency.value));
  return found;
}

function reason(form) {
  const { value } = form.elements.reason;
  return value ? { reason: value } : {};
}

function reasoned(form) {
  const { value } = form.elements.reason;
  return value ? `?${new URLSearchParams({ reason: value })}` : "";
}

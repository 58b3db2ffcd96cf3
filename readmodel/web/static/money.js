// Amounts as people write them, and as the service takes them: whole minor units (ISO 4217).

const digitsOf = JSON.parse(document.body.dataset.digits);
// One separator, before the decimals: `12,999` or `1.234,56` mean different things to different people.
const WRITTEN = /^(\d{1,16})(?:[.,](\d{1,4}))?$/;

export function digits(currency) {
  return digitsOf[currency] ?? 2;
}

// Minor units of what is written, or null where that is no amount of this currency.
export function amountOf(written, currency) {
  const found = WRITTEN.exec(written.trim());
  const places = digits(currency);
  if (!found || (found[2] ?? "").length > places) return null;
  const amount = Number(found[1] + (found[2] ?? "").padEnd(places, "0"));
  return Number.isSafeInteger(amount) ? amount : null;
}

// The amount with its decimals, as fields take it.
export function plain(amount, currency) {
  const places = digits(currency);
  if (places === 0) return String(amount);
  const written = String(amount).padStart(places + 1, "0");
  return `${written.slice(0, -places)}.${written.slice(-places)}`;
}

// How to write an amount, for who has written something else.
export function advice(currency) {
  const places = digits(currency);
  if (places === 0) return "write a whole amount such as 1299, without points or commas";
  return `write an amount such as 12.${"990".slice(0, places)}, with nothing between the thousands`;
}

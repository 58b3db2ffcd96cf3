// Amounts as people write them, and as the service takes them: whole minor units (ISO 4217).

const digitsOf = JSON.parse(document.body.dataset.digits);
const WRITTEN = /^(\d{1,16}|\d{1,3}(?:,\d{3}){1,5})(?:\.(\d{1,4}))?$/;

export function digits(currency) {
  return digitsOf[currency] ?? 2;
}

// Minor units of what is written, or null where that is no amount of this currency.
export function amountOf(written, currency) {
  const found = WRITTEN.exec(written.trim());
  const places = digits(currency);
  if (!found || (found[2] ?? "").length > places) return null;
  const amount = Number(found[1].replaceAll(",", "") + (found[2] ?? "").padEnd(places, "0"));
  return Number.isSafeInteger(amount) ? amount : null;
}

// The amount with its decimals, as fields take it.
export function plain(amount, currency) {
  const places = digits(currency);
  if (places === 0) return String(amount);
  const written = String(amount).padStart(places + 1, "0");
  return `${written.slice(0, -places)}.${written.slice(-places)}`;
}

export function example(currency) {
  const places = digits(currency);
  return places === 0 ? "1299" : `12.${"990".padEnd(places, "0").slice(0, places)}`;
}

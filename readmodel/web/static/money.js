// Amounts as people write them, and as the service takes them: whole minor units (ISO 4217).

const digitsOf = JSON.parse(document.body.dataset.digits);
// As `money.py` reads it, whose tests are this one's, too. Nothing between the thousands, and a point
// or a comma before the decimals; or as pages write it.
const PLAIN = /^(\d{1,16})(?:[.,](\d{1,4}))?$/;
const GROUPED = /^([1-9]\d{0,2}(?:,\d{3}){1,5})(?:\.(\d{1,4}))?$/;
// Decimals after a comma, or a thousand: that depends on who reads it.
const UNCLEAR = /^[1-9]\d{0,2},\d{3}$/;

export function digits(currency) {
  return digitsOf[currency] ?? 2;
}

// Minor units of what is written, or null where that is no amount of this currency, or may be two.
export function amountOf(written, currency) {
  const text = written.trim();
  const places = digits(currency);
  if (places && UNCLEAR.test(text)) return null;
  const found = GROUPED.exec(text) ?? PLAIN.exec(text);
  if (!found || (found[2] ?? "").length > places) return null;
  const amount = Number(found[1].replaceAll(",", "") + (found[2] ?? "").padEnd(places, "0"));
  return Number.isSafeInteger(amount) ? amount : null;
}

// What an amount with a comma was read as; null where that needs no word, or is wrong.
export function understood(written, currency) {
  const amount = written.includes(",") ? amountOf(written, currency) : null;
  if (amount === null) return null;
  const [whole, part] = plain(amount, currency).split(".");
  const thousands = whole.replace(/\B(?=(\d{3})+$)/g, ",");
  return `${thousands}${part ? `.${part}` : ""} ${currency}`;
}

// The amount with its decimals, as fields take it.
export function plain(amount, currency) {
  const places = digits(currency);
  if (places === 0) return String(amount);
  const written = String(amount).padStart(places + 1, "0");
  return `${written.slice(0, -places)}.${written.slice(-places)}`;
}

// How to write an amount, for who has written something else.
export function advice(written, currency) {
  const places = digits(currency);
  const text = written.trim();
  if (places === 0) return "write a whole amount such as 1299 or 1,299, without decimals";
  if (!UNCLEAR.test(text)) return `write an amount such as 12.${"990".slice(0, places)} or 1,299.${"000".slice(0, places)}`;
  const thousands = `${text} can be read in two ways: write ${text}.${"0".repeat(places)}`;
  if (places === 3) return `${thousands} or ${text.replace(",", ".")}`;
  return `${thousands} if that is meant, and otherwise at most ${places} decimals`;
}

// Amounts as people write them, and as the service takes them: whole minor units (ISO 4217).

const digitsOf = JSON.parse(document.body.dataset.digits);
// As `money.py` reads it and advises, case by case the same: tests/readmodel/web/test_money.py has them.
const PLAIN = /^(\d+)(?:[.,](\d+))?$/;
const GROUPED = /^([1-9]\d{0,2}(?:,\d{3})+)(?:\.(\d+))?$/;
const UNCLEAR = /^[1-9]\d{0,2},\d{3}$/;
const POINTED = /^[1-9]\d{0,2}\.\d{3}$/;
const ELSEWHERE = /^([1-9]\d{0,2}([.'\u2019 \u00a0\u2009\u202f])\d{3}(?:\2\d{3})*)(?:(?!\2)[.,](\d+))?$/;
const WITH_UNIT = /^(?:[^\s\d.,'+\-\u2212]{1,4}\s*\d[\d.,]*|\d[\d.,]*\s*[^\s\d.,'+\-\u2212]{1,4})$/;
const BELOW_ZERO = /^[-\u2212]\s*\d.*$/;
// As the domain has it: whole numbers up to there are the same everywhere.
const HIGHEST = Number.MAX_SAFE_INTEGER;

export function digits(currency) {
  return digitsOf[currency] ?? 2;
}

// Minor units of what is written, or null where that is no amount of this currency, or may be two.
export function amountOf(written, currency) {
  const amount = read(written.trim(), digits(currency));
  return amount !== null && amount <= HIGHEST ? amount : null;
}

// However many minor units.
function read(text, places) {
  const found = GROUPED.exec(text) ?? PLAIN.exec(text);
  if (!found || (places && UNCLEAR.test(text)) || (found[2] ?? "").length > places) return null;
  return Number(found[1].replaceAll(",", "") + (found[2] ?? "").padEnd(places, "0"));
}

// What an amount with a comma was read as; null where that needs no word, or is wrong.
export function understood(written, currency) {
  const amount = written.includes(",") ? amountOf(written, currency) : null;
  if (amount === null) return null;
  return shown(amount, currency);
}

// As pages show it.
function shown(amount, currency) {
  return `${grouped(amount, currency)} ${currency}`;
}

export function grouped(amount, currency) {
  const [whole, part] = plain(amount, currency).split(".");
  return `${whole.replace(/\B(?=(\d{3})+$)/g, ",")}${part ? `.${part}` : ""}`;
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
  if (read(text, places) !== null) return `no price is above ${shown(HIGHEST, currency)}`;
  if (places && (UNCLEAR.test(text) || (POINTED.test(text) && places < 3))) return bothWays(text, places);
  const [elsewhere, whole, , part = ""] = ELSEWHERE.exec(text) ?? [];
  if (elsewhere && part.length <= places) return `write ${text} as ${whole.replaceAll(/\D/g, "")}${part && `.${part}`}`;
  const examples = places ? `12.${"990".slice(0, places)} or 1,299.${"000".slice(0, places)}` : "1299 or 1,299";
  if (BELOW_ZERO.test(text)) return "no price is below zero";
  if (PLAIN.test(text) || GROUPED.test(text)) return `write ${places ? `at most ${places}` : "no"} decimals, such as ${examples}`;
  if (WITH_UNIT.test(text)) return `write the amount alone, such as ${examples}: its currency is chosen beside it`;
  return `write an amount such as ${examples}`;
}

function bothWays(text, places) {
  const thousands = `${text} can be read in two ways: write ${text.replace(".", ",")}.${"0".repeat(places)}`;
  if (places === 3) return `${thousands} or ${text.replace(",", ".")}`;
  return `${thousands} if that is meant, and otherwise at most ${places} decimals`;
}

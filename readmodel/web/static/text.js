// How the text of a file to import is written: what is wrong with it, as far as its beginning tells,
// and how it reads in another character set.

const SHOWN = 80;
const OTHER_COMMAS = { ";": "semicolons", "\t": "tabs" };
const SAVE_WITH_COMMAS =
  "This page takes commas. LibreOffice asks for the separator when you save a CSV with \"Edit filter settings\"; " +
  "Google Sheets always writes commas; Excel takes what Windows has under Region, Additional settings, List separator.";

export const WORKBOOK = "This is a workbook and no text. Save it as \"CSV UTF-8\", and choose that file.";

export const ARRAY = "This is one JSON array. An import takes an object per line (NDJSON), or a CSV.";

export const NOT_UTF8 =
  "The characters of this file are not in UTF-8; Excel writes other ones unless you save as \"CSV UTF-8\". " +
  "Save it like that and choose it again, or choose above how it is written and press the button again.";

// A workbook is a ZIP, whatever it is called (APPNOTE 4.3.7).
export function isWorkbook(head) {
  return head[0] === 0x50 && head[1] === 0x4b && head[2] === 3 && head[3] === 4;
}

// However it is broken into lines; in a CSV a column may be called [id].
export function isArray(head, charset) {
  return /^\s*\[\s*[{\]]/.test(decoded(head, charset));
}

// What is between its columns, where that is not commas; null where they are, or it has one column.
export function wrongSeparator(head, charset) {
  const first = lines(head, charset).find((each) => each.trim() !== "") ?? "";
  const other = Object.keys(OTHER_COMMAS).find((each) => first.includes(each));
  if (!other || first.includes(",")) return null;
  return `The columns of this file are separated by ${OTHER_COMMAS[other]}. ${SAVE_WITH_COMMAS}`;
}

// The first line that reads otherwise in another character set; null where the beginning has none.
export function sample(head, charset) {
  // Here every character is one byte.
  const at = lines(head, "windows-1252").findIndex((each) => /[^\0-\x7f]/.test(each));
  const line = at < 0 ? null : lines(head, charset)[at];
  return line ? { number: at + 1, text: line.slice(0, SHOWN) } : null;
}

function lines(head, charset) {
  return decoded(head, charset).split(/\r?\n/);
}

function decoded(head, charset) {
  return new TextDecoder(charset || "utf-8").decode(head);
}

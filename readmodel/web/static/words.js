// What the service says of a problem, in the words of people: it names things as programs do.

// By code: the field it is about, if it is about one, and what is said.
const BY_CODE = {
  "effective-from-in-past": ["effective_from", "choose a time that is still to come; times here are UTC"],
  "effective-until-too-early": ["effective_until", "choose a time after the beginning, or leave it empty"],
  "price-range": ["price", "no price is as high"],
  "schedule-overlaps": [null, "Another scheduled price is in force then: cancel it, or choose another time"],
  "item-deleted": [null, "The item has been deleted meanwhile"],
  "item-not-found": [null, "There is no such item any more"],
  "not-accepted": [null, "The service can take nothing at the moment; try again in a while"],
  "outcome-unknown": [null, "It is not known whether that was done. Press the button again: nothing happens twice"],
  "rate-limited": [null, "That was too much at once; try again in a moment"],
  "insufficient-scope": [null, "You may not do this. Whoever runs this service can give you a token for it"],
};
// Parts of sentences that stay as they are otherwise.
const PARTS = [
  [/is no member of a row, which are/, "is none that an import takes; it takes"],
  [/name the columns to take with map=/, "say under Columns which are to be taken"],
  [/which map= names/, "which Columns names"],
  [/name another charset in Content-Type/, "its characters are written in another way"],
  [/send the (whole )?file again under the same Idempotency-Key( to resume)?/, "send the file again"],
];
// Names of the wire that a form calls otherwise. What is said of columns names those of a file, and
// those that it is to have: they stay as they are.
const NAMES = [
  [/\beffective_from\b/g, "the beginning"],
  [/\beffective_until\b/g, "the end"],
  [/\beffective_at\b/g, "the time of effect"],
];

// [{name, said}]: what is wrong, by the name of the field it is about, or null.
export function plainly(problem) {
  if (!problem.errors?.length) return [of(problem)];
  return problem.errors.map((error) => of({ ...error, title: problem.title }));
}

// The whole of it, in a line.
export function said(problem) {
  return plainly(problem)
    .map((each) => each.said)
    .join("; ");
}

function of({ code, pointer, parameter, detail, title }) {
  const known = BY_CODE[code];
  const name = known?.[0] ?? pointer?.slice(1) ?? FIELDS[parameter] ?? null;
  const parts = code === "invalid-columns" || parameter === "map" ? PARTS : [...PARTS, ...NAMES];
  return { name, said: known?.[1] ?? parts.reduce((text, [from, to]) => text.replace(from, to), detail ?? title) };
}

// How a form calls what an address calls otherwise.
const FIELDS = { item_id: "id" };

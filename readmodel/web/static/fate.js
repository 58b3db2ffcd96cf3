// What is known of the commands that a form has sent, by form and key: null while nobody knows whether
// one is accepted, and then what the service said of it: nothing can lose it any more.

const commands = new WeakMap();

// It stays accepted, whatever becomes of asking for it once more.
export function note(form, key, accepted = null) {
  const known = commands.get(form) ?? new Map();
  commands.set(form, known);
  known.set(key, accepted ?? known.get(key) ?? null);
}

export function end(form, key) {
  commands.get(form)?.delete(key);
}

// Whoever closes the form is done with them here: what is opened again has sent nothing.
export function letGo(form) {
  commands.delete(form);
}

// {accepted} of what is under way; null where nothing is.
export function fateOf(form) {
  const known = [...(commands.get(form)?.values() ?? [])];
  return known.length ? { accepted: known.find((each) => each) ?? null } : null;
}

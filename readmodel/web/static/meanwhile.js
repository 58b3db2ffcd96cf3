// What others have done to an item since a form was opened: who it was, and what they changed that the
// form has taken over, said beside its field.

// By field, whoever changed it last since a version. Nobody is named where the history does not tell.
export async function changers(item, version) {
  const address = `${document.body.dataset.base}/items/${encodeURIComponent(item)}/history?limit=50`;
  try {
    const { events } = await (await fetch(address, { cache: "no-store" })).json();
    const since = events.filter((each) => each.version > version).reverse();
    return Object.assign({}, ...since.flatMap(({ changes, actor }) => Object.keys(changes).map((name) => ({ [name]: actor }))));
  } catch {
    return {};
  }
}

// `was` is what the field held when the form was opened.
export function mark(field, was, by) {
  unmark(field);
  const line = document.createElement("span");
  line.className = "hint";
  line.dataset.taken = "";
  line.append(by ? "Changed meanwhile by " : "Changed meanwhile", ...(by ? [apart(by)] : []), ", was ", apart(was));
  field.closest(".field").append(line);
}

export function unmark(field) {
  field.closest(".field").querySelector("[data-taken]")?.remove();
}

// In its own direction, whichever that of the words around it is.
export function apart(said) {
  const own = document.createElement("bdi");
  own.textContent = said;
  return own;
}

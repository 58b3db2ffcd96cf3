// What a form says: beside a field, what is wrong with it; below them, what else there is to say.
// What is said is text, never markup.

export function wrong(field, said) {
  const id = `${field.id}-wrong`;
  const place = document.getElementById(id) ?? document.createElement("span");
  place.id = id;
  place.className = "wrong";
  place.dataset.wrong = "";
  place.textContent = said;
  write(place);
  field.setAttribute("aria-invalid", "true");
  field.setAttribute("aria-describedby", id);
  field.closest(".field").append(place);
}

// A link opens beside the page: what is filled in stays.
export function tell(form, said, further = null) {
  const line = form.querySelector("[data-problem]");
  if (!line) return;
  line.textContent = said;
  write(line);
  if (further) line.append(link(further));
}

export function link({ name, address }) {
  const anchor = document.createElement("a");
  anchor.href = address;
  anchor.target = "_blank";
  anchor.rel = "noopener";
  anchor.textContent = name;
  return anchor;
}

// Sentences begin with a capital; names of the wire, such as effective_from, stay as they are.
function write(place) {
  place.classList.toggle("as-written", /^\w+[._]\w/.test(place.textContent));
}

export function clear(form) {
  tell(form, "");
  for (const each of form.querySelectorAll("[data-wrong]")) each.remove();
  for (const each of form.querySelectorAll("[aria-invalid]")) {
    each.removeAttribute("aria-invalid");
    each.removeAttribute("aria-describedby");
  }
}

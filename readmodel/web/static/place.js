// Where somebody was in the list that goes on and on: after the browser's way back it stands there
// again. Browsers that keep the whole page do that by themselves, and do not come by here.

export function keep() {
  if (!document.querySelector("#rows[data-page]")) return;
  addEventListener("pagehide", () => {
    const rows = document.querySelectorAll("#rows > tr:not(#more)").length;
    const row = document.activeElement?.closest("#rows > tr")?.id ?? null;
    sessionStorage.setItem(name(), JSON.stringify({ rows, row, y: scrollY }));
  });
  const [how] = performance.getEntriesByType("navigation");
  if (how?.type === "back_forward") restore(JSON.parse(sessionStorage.getItem(name())));
}

// By address: that says what is searched for, and in which order.
function name() {
  return `place ${location.pathname}${location.search}`;
}

async function restore(place) {
  if (!place) return;
  const rows = document.getElementById("rows");
  let last = take();
  while (last && rows.childElementCount < place.rows) {
    const part = await load(last.querySelector("a").href);
    if (!part) break;
    rows.append(...part);
    last = take();
  }
  if (last) {
    rows.append(last);
    window.htmx.process(last);
  }
  if (place.row) document.querySelector(`#${CSS.escape(place.row)} a`)?.focus({ preventScroll: true });
  scrollTo(0, place.y);
}

// What leads to the next rows would load them by itself, as soon as it is in sight: it waits.
function take() {
  const found = document.getElementById("more");
  const copy = found?.cloneNode(true);
  found?.remove();
  return copy;
}

async function load(address) {
  try {
    const response = await fetch(address);
    if (!response.ok) return null;
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    return page.querySelectorAll("#rows > tr");
  } catch {
    // The list is as long as it has come to.
    return null;
  }
}

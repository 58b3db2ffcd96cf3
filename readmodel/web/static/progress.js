// How far an import is while its file is sent: the bytes from the browser, the rows from the query
// API, which is asked for the import by its key.

const EVERY = 700;
// A rate is taken over this long, so that it follows what happens; before the second one it is a guess.
const WINDOW = 20_000;
const FIRST = 2_000;

// Shows it in `place`, of a file of so many rows, or null where that is not known. Returns
// {sent, stop}.
export function follow(place, { key, rows, bytes }) {
  const bar = place.querySelector("progress");
  const samples = [];
  let last = null;
  let [sent, total] = [0, bytes];
  let spoken = -1;
  let timer = null;
  let isOver = false;
  place.hidden = false;
  show();

  async function look() {
    const { import: told } = await ask(key);
    if (isOver) return;
    if (told) {
      last = told;
      samples.push({ at: Date.now(), final: final(told) });
      while (samples.length > 2 && samples.at(-1).at - samples[1].at >= WINDOW) samples.shift();
    }
    show();
    timer = setTimeout(look, EVERY);
  }

  function show() {
    const done = last ? final(last) : 0;
    bar.value = rows === null ? sent / Math.max(total, 1) : Math.min(1, done / Math.max(rows, 1));
    write("sent", `${size(sent, total)} of ${size(total, total)}`);
    write("taken", last ? of(last.rows ?? 0, rows) : "none yet");
    for (const each of ["applied", "unchanged", "rejected"]) write(each, counted(last?.[each] ?? 0));
    const left = last?.status === "paused" ? "paused" : remaining(samples, rows);
    write("left", left ?? "not known yet");
    // Not every figure is read out: only the beginning and each quarter.
    const quarter = Math.floor(bar.value * 4);
    if (quarter > spoken) {
      spoken = quarter;
      write("aloud", quarter === 0 ? "The file is being sent" : `${quarter * 25} % done${left ? `, time left: ${left}` : ""}`);
    }
  }

  // What is read out whenever it is written is written where it is another text.
  function write(name, text) {
    const at = place.querySelector(`[data-told="${name}"]`);
    if (at.textContent !== text) at.textContent = text;
  }

  look();
  return {
    sent(now, all) {
      [sent, total] = [now, all];
      show();
    },
    stop() {
      isOver = true;
      clearTimeout(timer);
      place.hidden = true;
    },
  };
}

// The id of what is sent under a key, also before anything of it is there; null where nobody tells.
export async function idOf(key) {
  return (await ask(key)).import_id;
}

// {import_id, import}: which import it is, and what the query API says of it; null before it knows.
async function ask(key) {
  try {
    const response = await fetch(`${document.body.dataset.base}/ui/imports/sent/${key}`, { cache: "no-store" });
    if (response.ok) return await response.json();
  } catch {
    // It is asked again in a moment.
  }
  return { import_id: null, import: null };
}

function final({ applied, unchanged, rejected, skipped, other }) {
  return applied + unchanged + rejected + skipped + other;
}

// How long the rest takes if it goes on as in the last seconds; null where nothing tells that.
function remaining(samples, rows) {
  const [first, last] = [samples[0], samples.at(-1)];
  if (rows === null || !last || last.at - first.at < FIRST || last.final === first.final) return null;
  const left = ((rows - last.final) * (last.at - first.at)) / (last.final - first.final) / 1000;
  return left <= 0 ? "none" : duration(left);
}

function duration(seconds) {
  if (seconds < 60) return `about ${Math.max(1, Math.round(seconds))} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 60 ? `about ${minutes} min` : `about ${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

function number(value) {
  return value.toLocaleString("en");
}

function counted(rows) {
  return `${number(rows)} ${rows === 1 ? "row" : "rows"}`;
}

function of(rows, all) {
  return all === null ? counted(rows) : `${number(rows)} of ${counted(all)}`;
}

// In the unit that the whole of it is told in.
function size(bytes, total) {
  if (total < 1e6) return `${number(Math.ceil(bytes / 1e3))} kB`;
  return `${(bytes / 1e6).toLocaleString("en", { minimumFractionDigits: 1, maximumFractionDigits: 1 })} MB`;
}

// Sends a command to the command API and waits for what becomes of it. Repeating it is safe: every
// command has a key of its own, under which it happens once, however often it is sent.

const WAIT = 20;
const PATIENCE = 120_000;
const TRIES = 5;
// After so long somebody wonders, and after so long nothing comes any more.
const SLOW = 2_000;
const HANGS = (WAIT + 10) * 1000;

export class Unreachable extends Error {}

// Returns {status, problem, item, etag, token, location, waits}; `problem` is null where it was done.
// `waits` where it is accepted and not applied yet, after two minutes: `location` tells of it then.
// With `once` it is enough that it is accepted. Throws Unreachable where nothing is known of it after many tries.
export async function send(method, path, { body, type = "application/json", headers = {}, key, onWait, onSlow, onAgain, once: only = false }) {
  const until = Date.now() + PATIENCE;
  let failures = 0;
  for (;;) {
    const slow = setTimeout(() => onSlow?.(), SLOW);
    const response = await once(method, path, { body, type, headers, key });
    clearTimeout(slow);
    if (response?.status === 202 && !only && Date.now() < until) {
      // It is accepted, and nothing can lose it: asked again, the service tells how it went.
      onWait?.();
      continue;
    }
    const isPassing = !response || [429, 503, 504].includes(response.status);
    if (!isPassing) return read(response);
    failures += 1;
    if (failures >= TRIES || Date.now() > until) {
      if (response) return read(response);
      throw new Unreachable("The service does not answer");
    }
    // A connection that is refused fails at once, and what follows takes ten seconds.
    onAgain?.(response ? "The service is busy" : "The service does not answer");
    await rest(Number(response?.headers.get("Retry-After")) || failures);
  }
}

async function once(method, path, { body, type, headers, key }) {
  const { command, signsIn } = document.body.dataset;
  try {
    return await fetch(command + path, {
      method,
      body,
      headers: {
        ...(body === undefined ? {} : { "Content-Type": type }),
        Prefer: `wait=${WAIT}`,
        "Idempotency-Key": key,
        ...headers,
      },
      credentials: signsIn === undefined ? "omit" : "include",
      signal: AbortSignal.timeout(HANGS),
    });
  } catch {
    return null;
  }
}

async function read(response) {
  const kind = response.headers.get("Content-Type") ?? "";
  const document_ = kind.includes("json") ? await response.json() : null;
  return {
    status: response.status,
    waits: response.status === 202,
    problem: response.ok ? null : (document_ ?? { title: `The service answered ${response.status}` }),
    item: response.ok ? document_ : null,
    etag: response.headers.get("ETag"),
    token: response.headers.get("Consistency-Token"),
    location: response.headers.get("Location"),
  };
}

// Not randomUUID: browsers have that on https and on this machine alone.
export function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (each) => each.toString(16).padStart(2, "0")).join("");
}

function rest(seconds) {
  return new Promise((resolve) => {
    setTimeout(resolve, seconds * 1000);
  });
}

// Sends a command to the command API and waits for what becomes of it. Repeating it is safe: every
// command has a key of its own, under which it happens once, however often it is sent.

import { rest } from "./rest.js";

// Seconds that an answer may take: at first, so that it is soon known to be accepted; once it is; and
// where that is enough.
const FIRST = 2;
const NEXT = 10;
const WAIT = 20;
// Milliseconds between two times that it is asked for: who may not wait is answered at once.
const BETWEEN = 1_000;
// For the outcome of what is accepted, and for any answer, in milliseconds.
const OUTCOME = 20_000;
const PATIENCE = 120_000;
const TRIES = 5;
// After so long somebody wonders, and after so long nothing comes any more.
const SLOW = 2_000;
const HANGS = (WAIT + 10) * 1000;

export class Unreachable extends Error {}

// Returns {status, problem, item, etag, token, location, waits, aside}; `problem` is null where it was
// done. `waits` where it is accepted and not applied yet, after twenty seconds: `location` tells of it
// then. It is not waited for where it is set `aside`: "dead", as it met a defect, or "parked" behind
// one that did. With `once` it is enough that it is accepted. Throws Unreachable where nothing is known
// of it after many tries.
export async function send(method, path, { body, type = "application/json", headers = {}, key, onWait, onSlow, onAgain, once: only = false }) {
  const until = Date.now() + PATIENCE;
  let failures = 0;
  // What the service said of it when it was accepted, and until when its outcome is waited for.
  let accepted = null;
  let end = Infinity;
  for (;;) {
    const soonest = rest(BETWEEN);
    const slow = setTimeout(() => accepted ?? onSlow?.(), SLOW);
    const wait = only ? WAIT : accepted ? NEXT : FIRST;
    const response = await once(method, path, { body, type, headers: { Prefer: `wait=${wait}`, ...headers }, key });
    clearTimeout(slow);
    if (response?.status === 202 && !only) {
      // Nothing can lose it: asked again, the service tells how it went.
      accepted = await read(response);
      end = Math.min(end, Date.now() + OUTCOME);
      onWait?.(accepted);
      const aside = await asideOf(accepted);
      if (aside || Date.now() >= end) return { ...accepted, aside };
      await soonest;
      continue;
    }
    const isPassing = !response || [429, 503, 504].includes(response.status);
    if (!isPassing) return read(response);
    failures += 1;
    if (failures >= TRIES || Date.now() > until) {
      if (accepted) return accepted;
      if (response) return read(response);
      throw new Unreachable("The service does not answer");
    }
    // A connection that is refused fails at once, and what follows takes ten seconds.
    onAgain?.(response ? "The service is busy" : "The service does not answer");
    await rest(1000 * (Number(response?.headers.get("Retry-After")) || failures));
  }
}

// Whether a command waits for somebody who operates the service, and not for its turn.
async function asideOf({ item: accepted }) {
  const { base } = document.body.dataset;
  try {
    const response = await fetch(`${base}/commands/${encodeURIComponent(accepted.command_id)}`, {
      signal: AbortSignal.timeout(HANGS),
    });
    const { status } = await response.json();
    return ["dead", "parked"].includes(status) ? status : null;
  } catch {
    // Nobody tells: it is waited for as others are.
    return null;
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

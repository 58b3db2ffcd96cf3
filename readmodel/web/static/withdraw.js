// Ends an import whose file is on its way. Its id follows from who sends it and its key, so that it is
// known before anything is there; the command API knows the import once its first rows have come.

import { newKey, send, Unreachable } from "./command.js";
import { idOf } from "./progress.js";
import { rest } from "./rest.js";

const AGAIN = 200;
const PATIENCE = 10_000;

// Returns {end, id, problem}. `end` is "cancelled"; "over", where it had ended before; "none", where it
// never began; "refused", with the problem why; or "unknown". `isOver` says whether its request has
// ended: what did not begin by then never does. While it goes on, rows may still come that are sent
// already, and it is asked again.
export async function withdraw(key, isOver) {
  const until = Date.now() + PATIENCE;
  for (;;) {
    const wasOver = isOver();
    const id = await idOf(key);
    if (id) {
      const { status, problem } = await cancel(id);
      if (!problem) return { end: "cancelled", id };
      if (problem.code === "import-over") return { end: "over", id };
      if (status !== 404) return { end: "refused", id, problem };
      if (wasOver) return { end: "none" };
    }
    if (wasOver || Date.now() > until) return { end: "unknown" };
    await rest(AGAIN);
  }
}

async function cancel(id) {
  try {
    return await send("POST", `/imports/${encodeURIComponent(id)}/cancel`, { key: newKey(), once: true });
  } catch (error) {
    if (!(error instanceof Unreachable)) throw error;
    return { status: 0, problem: { title: error.message } };
  }
}

// The server can't be reached: it is asked every two seconds, and whoever waits is told when it answers again.
import { loadSession } from "./session.js";

const AGAIN_MS = 2_000;
const waiting = new Set();
let timer = null;

async function look() {
  if (await loadSession()) {
    timer = null;
    const told = [...waiting];
    waiting.clear();
    for (const listener of told) listener();
  } else timer = waiting.size > 0 ? setTimeout(look, AGAIN_MS) : null;
}

/** Be told once when the server answers again. @returns {() => void} no longer be told */
export function whenBack(listener) {
  waiting.add(listener);
  timer ??= setTimeout(look, AGAIN_MS);
  return () => waiting.delete(listener);
}

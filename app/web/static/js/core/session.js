// Who is signed in. The key itself lives in a cookie that no script can read.
import { makeStore } from "./store.js";

const KEPT = "stackvm.session";

/** Whether somebody was signed in here when the page was last open: then it is drawn while the server is asked. */
function wasIn() {
  try {
    return localStorage.getItem(KEPT) === "in";
  } catch {
    return false;
  }
}

function remember(isIn) {
  try {
    if (isIn) localStorage.setItem(KEPT, "in");
    else localStorage.removeItem(KEPT);
  } catch {
    // storage may be forbidden: then the page waits for the answer
  }
}

export const isLikelyIn = wasIn();

/** `state`: "asking" until the server has told, then "in" or "out". `was`: somebody was, and the key ended. */
export const session = makeStore({ state: "asking", was: false, name: null, role: null, namespace: null, keysNeeded: false });

const ROLES = ["viewer", "operator", "admin"];
/** Whether who is signed in may do what takes that role; the server says no where we were wrong to offer it. */
export const may = (role, now = session.get()) => now.state === "asking" || ROLES.indexOf(now.role) >= ROLES.indexOf(role);

async function ask(method, body) {
  const headers = { "X-StackVM": "viewer", ...(body && { "Content-Type": "application/json" }) };
  return fetch("/api/session", { method, headers, body: body && JSON.stringify(body) });
}

function take(document) {
  remember(document.signed_in);
  session.set((before) => ({
    state: document.signed_in ? "in" : "out",
    was: !document.signed_in && (before.was || before.state === "in"),
    name: document.name, role: document.role, namespace: document.namespace, keysNeeded: document.keys_needed,
  }));
}

/** Ask the server who we are. False where it can't be reached. */
export async function loadSession() {
  try {
    const response = await ask("GET");
    if (response.status >= 500) return false; // it starts, or stops
    const document = await response.json();
    if (response.ok) take(document);
    else session.set((before) => ({ ...before, state: "refused", title: document.title, detail: document.detail }));
    return true;
  } catch {
    return false;
  }
}

/** @returns {Promise<string | null>} why not */
export async function signIn(key) {
  let response;
  try {
    response = await ask("POST", { key });
  } catch {
    return "The server can't be reached.";
  }
  const document = await response.json().catch(() => ({}));
  if (response.ok) {
    take(document);
    return null;
  }
  return response.status === 401 ? "This key is not valid: it may be mistyped, revoked or over." : document.title ?? "That did not work.";
}

export async function signOut() {
  await ask("DELETE").catch(() => null);
  remember(false);
  session.set((before) => ({ ...before, state: "out", was: false, name: null, role: null }));
}

/** The server no longer knows us: show the sign-in page over where we are. */
export function expireSession() {
  remember(false);
  if (session.get().state !== "out") session.set((before) => ({ ...before, state: "out", was: true }));
}

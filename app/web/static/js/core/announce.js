// What happened, said once: short notes that go by themselves, and the same for screen readers.
import { html } from "./html.js";
import { Link } from "./router.js";
import { makeStore, useStore } from "./store.js";

const SHOWN_MS = 4_000;
const notes = makeStore([]);
let last = 0;

/** @param {string} text @param {{kind?: "done" | "failed", quiet?: boolean, link?: {to: string, title: string}}} options
 *   quiet: for screen readers alone; with a `link` it stays longer */
export function announce(text, { kind = "done", quiet = false, link = null } = {}) {
  const note = { id: ++last, text, kind, quiet, link };
  notes.set((now) => [...now.slice(-3), note]);
  setTimeout(() => notes.set((now) => now.filter((each) => each !== note)), link ? 3 * SHOWN_MS : kind === "failed" ? 2 * SHOWN_MS : SHOWN_MS);
}

/** Put a text on the clipboard and say so. */
export async function copy(text, what = "Copied") {
  try {
    await navigator.clipboard.writeText(text);
    announce(what);
  } catch {
    announce("The browser does not let this page copy", { kind: "failed" });
  }
}

export function Notes() {
  const now = useStore(notes);
  return html`<div class="notes" role="status" aria-live="polite">
    ${now.map((note) => html`<div key=${note.id} class=${note.quiet ? "visually-hidden" : `note note-${note.kind}`}>${note.text}${note.link && html`${" "}<${Link} to=${note.link.to}>${note.link.title}</${Link}>`}</div>`)}
  </div>`;
}

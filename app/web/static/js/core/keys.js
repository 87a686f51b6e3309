// The keyboard: screens say which keys do what; one listener finds the one that is meant; `?` shows them all.
import { useEffect, useRef } from "./html.js";
import { makeStore } from "./store.js";

/** Tables in the order they came; the last that knows a key has it. */
export const keyTables = makeStore([]);
const PAUSE_MS = 900;
let prefix = "";
let prefixAt = 0;

const isTyping = (target) =>
  target instanceof HTMLElement &&
  (target.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(target.tagName)) &&
  !["checkbox", "radio", "button"].includes(target.type);

/** How a key is written in a table: "j", "Enter", "ArrowUp", "Shift+ArrowUp", "Ctrl+Enter", "g t". */
function nameOf(event) {
  const parts = [];
  if (event.ctrlKey || event.metaKey) parts.push("Ctrl");
  if (event.altKey) parts.push("Alt");
  if (event.shiftKey && event.key.length > 1) parts.push("Shift");
  return [...parts, event.key].join("+");
}

addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.isComposing) return;
  const name = nameOf(event);
  const typing = isTyping(event.target);
  if (typing && name !== "Escape" && !name.startsWith("Ctrl+")) return;
  if (document.querySelector("dialog[open]")) return; // it has its own: Escape closes it
  // Enter and space belong to what has the focus.
  if (["Enter", " "].includes(name) && event.target instanceof HTMLElement && event.target.closest("a, button, summary, [role=button], [role=tab], [role=menuitem]")) return;
  const sequence = prefix && event.timeStamp - prefixAt < PAUSE_MS ? `${prefix} ${name}` : name;
  const tables = [...keyTables.get()].reverse();
  for (const wanted of new Set([sequence, name])) {
    for (const table of tables) {
      const entry = table.current.keys[wanted];
      if (!entry || (typing && !entry.whileTyping)) continue;
      prefix = "";
      if (entry.run(event) !== false) event.preventDefault();
      return;
    }
  }
  const begins = !prefix && tables.some((table) => Object.keys(table.current.keys).some((key) => key.startsWith(`${name} `)));
  [prefix, prefixAt] = begins ? [name, event.timeStamp] : ["", 0];
});

/**
 * Keys for as long as the component is there.
 * @param {string} title what the help calls them
 * @param {Object<string, {label: string, run: (event: KeyboardEvent) => any, whileTyping?: boolean}>} keys
 *   `run` gives false where the key is not meant for it after all
 * @param {{below?: boolean}} options `below`: any other table goes before this one, also one that is older
 */
export function useKeys(title, keys, { below = false } = {}) {
  const table = useRef({ title, keys });
  table.current = { title, keys };
  useEffect(() => {
    keyTables.set((tables) => (below ? [table, ...tables] : [...tables, table]));
    return () => keyTables.set((tables) => tables.filter((each) => each !== table));
  }, []);
}

// Two texts with the words that differ marked. jsdiff finds them; what is too long to look at word by word is marked whole.
import { html, useMemo } from "../core/html.js";
import "../../vendor/diff.min.js"; // sets globalThis.Diff

const MOST_CHARS = 40_000;
const TIMEOUT_MS = 150;
const TOO_DIFFERENT = 0.8; // beyond this share of changed text, marked words are only noise

function partsOf(left, right) {
  const whole = [{ value: left, removed: true }, { value: right, added: true }];
  if (left.length + right.length > MOST_CHARS) return globalThis.Diff.diffLines(left, right, { timeout: TIMEOUT_MS }) ?? whole;
  const parts = globalThis.Diff.diffWordsWithSpace(left, right, { timeout: TIMEOUT_MS });
  if (!parts) return whole;
  const changed = parts.reduce((sum, part) => sum + (part.added || part.removed ? part.value.length : 0), 0);
  return changed > TOO_DIFFERENT * (left.length + right.length) ? whole : parts;
}

/** @returns {{left: any, right: any}} both texts, ready to be shown */
export function useWordDiff(left, right) {
  return useMemo(() => {
    const parts = partsOf(left, right);
    const draw = (skip, mark, Tag) => parts.filter((part) => !part[skip]).map((part) => (part[mark] ? html`<${Tag}>${part.value}</${Tag}>` : part.value));
    return { left: draw("added", "removed", "del"), right: draw("removed", "added", "ins") };
  }, [left, right]);
}

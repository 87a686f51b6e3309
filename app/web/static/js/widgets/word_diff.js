// Two texts with the words that differ marked. jsdiff finds them; what is too long to look at word by word is marked whole.
import { html, useMemo } from "../core/html.js";
import "../../vendor/diff.min.js"; // sets globalThis.Diff

const MOST_CHARS = 40_000;
const AROUND = 2; // lines that stay beside a difference
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

/** What is the same, without its middle where that is long: of a list of a hundred one wants to see the two that differ. */
function context(text, isFirst, isLast) {
  const lines = text.split("\n");
  if (lines.length <= 2 * AROUND + 4) return text;
  const [head, tail] = [isFirst ? 1 : AROUND, isLast ? 1 : AROUND];
  const hidden = lines.length - head - tail;
  return [`${lines.slice(0, head).join("\n")}\n`, html`<span class="pd-skip">⋯ ${hidden} lines the same</span>`, `\n${lines.slice(-tail).join("\n")}`];
}

/** @returns {{left: any, right: any}} both texts, ready to be shown */
export function useWordDiff(left, right) {
  return useMemo(() => {
    const parts = partsOf(left, right);
    const draw = (skip, mark, Tag) => parts.map((part, at) => {
      if (part[skip]) return null;
      return part[mark] ? html`<${Tag}>${part.value}</${Tag}>` : context(part.value, at === 0, at === parts.length - 1);
    });
    return { left: draw("added", "removed", "del"), right: draw("removed", "added", "ins") };
  }, [left, right]);
}

// Two values side by side with the words that differ marked; where one is missing, that is said.
import { html, useState } from "../core/html.js";
import { textOf } from "./step_parts.js";
import { useWordDiff } from "./word_diff.js";

const SHOWN_CHARS = 3_000;

/** @param {{label: any, left: any, right: any, note?: any}} props undefined: there is none */
export function ValueDiff({ label, left, right, note }) {
  const [isWhole, setWhole] = useState(false);
  const [one, other] = [textOf(left), textOf(right)];
  const words = useWordDiff(one, other);
  const isBoth = left !== undefined && right !== undefined;
  const isLong = Math.max(one.length, other.length) > SHOWN_CHARS;
  const side = (value, text, marked, name) => html`<div class=${value === undefined ? "pd-none" : `pd-field ${one === other ? "" : name}`}>
    <span class=${isLong && !isWhole ? "pd-value pd-cut" : "pd-value"}>${value === undefined ? "" : isBoth ? marked : text}</span></div>`;
  return html`<div class="value-diff">
    <div class="value-diff-name">${label}${note && html` <span class="quiet">${note}</span>`}</div>
    <div class="pd-pair">${side(left, one, words.left, "pd-old")}${side(right, other, words.right, "pd-new")}</div>
    ${isLong && !isWhole && html`<button type="button" class="more" onClick=${() => setWhole(true)}>show all</button>`}
  </div>`;
}

/** What differs between two plans beside their steps: why they were written. */
export function AboutPlan({ changes }) {
  if (!changes || changes.length === 0) return null;
  return html`<details class="about-plan"><summary>The reasoning of the plan differs</summary>
    ${changes.map((change) => html`<${ValueDiff} key=${change.path} label=${change.path} left=${change.old} right=${change.new} />`)}</details>`;
}

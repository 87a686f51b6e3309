// One row of a plan diff: the step on both sides, or on the one that has it, with the fields that differ.
import { cx, html, useMemo, useState } from "../core/html.js";
import { plural } from "../core/format.js";
import { Icon } from "./icon.js";
import { headOf, pairFields, textOf } from "./step_parts.js";
import { useWordDiff } from "./word_diff.js";

const SIGNS = { changed: "~", added: "+", removed: "−", moved: "↕", unchanged: "", "left-here": "" };
const SHOWN_CHARS = 4_000;

/** One field on both sides; `differs` false: the same on both. */
function Field({ field, isUnified }) {
  const [isWhole, setWhole] = useState(false);
  const [left, right] = [textOf(field.left), textOf(field.right)];
  const isBoth = field.left !== undefined && field.right !== undefined;
  const words = useWordDiff(field.differs && isBoth ? left : "", field.differs && isBoth ? right : "");
  const isLong = Math.max(left.length, right.length) > SHOWN_CHARS;
  const cell = (side, text, marked) => html`<div class=${cx("pd-field", field.differs && (side === "left" ? "pd-old" : "pd-new"))}>
    <span class="pd-label">${isUnified && field.differs && html`<span class="pd-sign" aria-hidden="true">${side === "left" ? "−" : "+"}</span>`}${field.label}</span>
    <span class=${cx("pd-value", isLong && !isWhole && "pd-cut")}>${field.differs && isBoth ? marked : text}</span></div>`;
  const none = html`<div class="pd-none"></div>`;
  return html`<div class="pd-pair">
    ${field.left !== undefined ? cell("left", left, words.left) : !isUnified && none}
    ${(field.differs || !isUnified) && (field.right !== undefined ? cell("right", right, words.right) : !isUnified && none)}
  </div>
  ${isLong && !isWhole && html`<button type="button" class="more" onClick=${() => setWhole(true)}>show all of ${field.label}</button>`}`;
}

function Head({ step, sign, kind }) {
  const { verb, what } = headOf(step);
  return html`<span class="pd-sign" aria-hidden="true">${sign}</span><span class="pd-number">${step.seq_no}</span>
    <span class="pd-what"><span class="pd-verb">${verb}</span> <span class="mono">${what}</span>
      ${step.description && kind !== "changed" && html`<span class="pd-about">${step.description}</span>`}</span>`;
}

function told(row) {
  if (row.kind === "moved") return `moved ${row.direction} from ${row.left.seq_no}${row.changes.length > 0 ? ", changed" : ""}`;
  return row.kind === "unchanged" ? "the same" : row.kind;
}

/** A step's place before it moved: no more than that. */
function LeftHere({ row, isUnified }) {
  const note = html`<span class="pd-moved"><span class="pd-sign" aria-hidden="true">↕</span><span class="pd-number">${row.left.seq_no}</span>
    moved ${row.direction} to ${row.to.seq_no}: ${headOf(row.left).verb} ${headOf(row.left).what}</span>`;
  return html`<div class="pd-row pd-left-here"><div class="pd-pair"><div class="pd-cell">${note}</div>${!isUnified && html`<div class="pd-none"></div>`}</div></div>`;
}

/**
 * @param {{row: any, isUnified: boolean, isSelected: boolean, isOpen: boolean, onToggle: () => void, onSelect: () => void,
 *   beside?: any, below?: any}} props `beside` stands at the end of the head, `below` under the step
 */
export function DiffStep({ row, isUnified, isSelected, isOpen, onToggle, onSelect, beside, below }) {
  const fields = useMemo(() => (row.kind === "left-here" ? [] : pairFields(row.left, row.right, row.changes)), [row]);
  if (row.kind === "left-here") return html`<${LeftHere} row=${row} isUnified=${isUnified} />`;
  const differing = row.left && row.right ? fields.filter((field) => field.differs) : row.kind === "unchanged" ? [] : fields;
  const shown = isOpen ? fields : differing;
  const hidden = fields.length - differing.length;
  const both = row.left && row.right;
  // In one column a step that is on both sides has one head: what it does now.
  const sides = isUnified ? [row.right ?? row.left] : [row.left, row.right];
  const sign = SIGNS[row.kind];
  return html`<div class=${cx("pd-row", `pd-${row.kind}`, isSelected && "selected")} data-row=${row.key} tabindex="-1" role="group"
      aria-label=${`Step ${(row.right ?? row.left).seq_no}, ${told(row)}`} onFocus=${onSelect}>
    <div class="pd-head"><div class="pd-pair">
      ${sides.map((step, side) => (step ? html`<div class="pd-cell"><${Head} step=${step} kind=${row.kind} sign=${isUnified || side === 1 || !both ? sign : row.kind === "moved" || row.kind === "changed" ? sign : ""} />
          ${(isUnified || side === 1) && row.kind === "moved" && html`<span class="pd-note">${told(row)}</span>`}</div>` : html`<div class="pd-none"></div>`))}
    </div>
    <div class="pd-beside">${beside}
      ${(hidden > 0 || row.kind === "unchanged") && fields.length > 0 && html`<button type="button" class="bare small" aria-expanded=${isOpen} onClick=${onToggle}
        title=${isOpen ? "Hide what is the same (Enter)" : `${plural(hidden, "field")} the same (Enter)`} aria-label=${isOpen ? "Hide what is the same" : `Show ${plural(hidden, "field")} that are the same`}><${Icon} name=${isOpen ? "down" : "right"} size=${12} /></button>`}</div></div>
    ${shown.length > 0 && html`<div class="pd-fields">${shown.map((field) => html`<${Field} key=${field.key} field=${field} isUnified=${isUnified} />`)}</div>`}
    ${below}
  </div>`;
}

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
  const write = field.path[0] === "description" ? String : textOf; // words, not a value
  const [left, right] = [field.left, field.right].map((value) => (value === undefined ? "" : write(value)));
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
  const note = html`<span class="pd-moved-note"><span class="pd-sign" aria-hidden="true">↕</span><span class="pd-number">${row.left.seq_no}</span>
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
  const sameFields = `${plural(hidden, "field")} that ${hidden === 1 ? "is" : "are"} the same`;
  // In one column a step that is on both sides has one head: what it does now.
  const sides = isUnified ? [row.right ?? row.left] : [row.left, row.right];
  const sign = SIGNS[row.kind];
  const end = html`<div class="pd-beside">${row.kind === "moved" && html`<span class="pd-note">${told(row)}</span>`}${beside}
    ${(hidden > 0 || row.kind === "unchanged") && fields.length > 0 && html`<button type="button" class="bare small" aria-expanded=${isOpen} onClick=${onToggle}
      title=${isOpen ? "Hide what is the same (Enter)" : `Show the ${sameFields} (Enter)`} aria-label=${isOpen ? "Hide what is the same" : `Show the ${sameFields}`}><${Icon} name=${isOpen ? "down" : "right"} size=${12} /></button>`}</div>`;
  const signOf = (side) => (isUnified || side === 1 || row.kind === "removed" || row.kind === "changed" || row.kind === "moved" ? sign : "");
  return html`<div class=${cx("pd-row", `pd-${row.kind}`, isSelected && "selected")} data-row=${row.key} tabindex="-1" role="group"
      aria-label=${`Step ${(row.right ?? row.left).seq_no}, ${told(row)}`} onFocus=${onSelect} onClick=${onSelect}>
    <div class="pd-head pd-pair">${sides.map((step, side) => {
      const isLast = side === sides.length - 1;
      if (!step) return html`<div class=${cx("pd-none", isLast && "pd-last")}>${isLast && end}</div>`;
      return html`<div class="pd-cell"><${Head} step=${step} kind=${row.kind} sign=${signOf(side)} />${isLast && end}</div>`;
    })}</div>
    ${shown.length > 0 && html`<div class="pd-fields">${shown.map((field) => html`<${Field} key=${field.key} field=${field} isUnified=${isUnified} />`)}</div>`}
    ${below && html`<div class="pd-below">${below}</div>`}
  </div>`;
}

// One node of the plan's graph: a step, a loop or a stretch that is folded, the items of a for_each that is open.
import { html } from "../../core/html.js";
import { count, oneLine, plural } from "../../core/format.js";
import { ROW, ROWS, SQUARE, WIDTH } from "./layout.js";

export const ICONS = { done: "completed", failed: "failed", waiting: "waiting", running: "running", next: "queued", pending: "pending" };
export const WORDS = { done: "done", failed: "failed", waiting: "waits for a person", running: "running", next: "next", pending: "not run yet" };
const TYPES = { assign: "assign", jmp: "jump", reasoning: "note", calling: "call" };
const CHARS = 29;

/** What a step is called: its tool, else its type. */
export const nameOf = (step) => step.tool ?? TYPES[step.type] ?? step.type;

function linesOf(node) {
  const [first, last] = [node.steps[0], node.steps.at(-1)];
  const range = `${first.seq_no}–${last.seq_no}`;
  if (node.kind === "loop") {
    const rounds = Math.max(...node.steps.map((step) => step.visits));
    return { number: range, title: "loop", about: `${plural(node.steps.length, "step")}${rounds > 1 ? `, ${plural(rounds, "round")}` : ""}` };
  }
  if (node.kind === "stretch") return { number: range, title: plural(node.steps.length, "step"), about: "one after the other" };
  const { step } = node;
  const about = step.description ?? step.condition ?? (step.sets.length > 0 ? `sets ${step.sets.join(", ")}` : "");
  return { number: String(step.seq_no), title: nameOf(step), about };
}

/** The texts of a node as they are drawn. */
function textsOf(node) {
  const { number, title, about } = linesOf(node);
  const live = node.step?.live;
  const second = live?.count ? `${count(live.done)} of ${plural(live.count, "item")}` : about;
  const visits = node.step?.visits > 1 ? `×${node.step.visits}` : "";
  return { number, title: oneLine(title, CHARS - number.length), second: oneLine(second, 34), visits };
}

/** What a screen reader is told of a node: what one sees, and what is told by shapes alone. */
function labelOf(node, items) {
  const { number, title, second, visits } = textsOf(node);
  const more = [node.step?.for_each && "for each item", node.step?.effect, WORDS[node.state]];
  return [[number, title, second, visits, items && summary(items)].filter(Boolean).join(" "), ...more.filter(Boolean)].join(", ");
}

function Items({ items, y }) {
  const rows = Math.max(1, Math.min(ROWS, Math.ceil(items?.length / ROW || 0)));
  if (!items) return html`<text class="node-about" x="12" y=${y + 16}>Loading its items</text>`;
  return html`<g>${items.slice(0, ROW * ROWS).map((state, index) => html`<rect key=${index} class=${`item-square item-${state}`} x=${12 + (index % ROW) * SQUARE} y=${y + 2 + Math.floor(index / ROW) * SQUARE} width="6.6" height="6.6" rx="1.2"><title>${`item ${index}: ${state}`}</title></rect>`)}
    <text class="node-about" x="12" y=${y + 15 + rows * SQUARE}>${summary(items)}</text></g>`;
}

function summary(items) {
  const kinds = ["ran", "reused", "failed", "running", "pending"].map((state) => [state, items.filter((each) => each === state).length]);
  return kinds.filter(([, number]) => number > 0).map(([state, number]) => `${count(number)} ${state}`).join(", ");
}

function Shape({ kind, forEach, height }) {
  const many = kind !== "step" || forEach;
  return html`${many && html`<rect class="node-behind" x="5" y="5" width=${WIDTH} height=${height} rx="6" />`}<rect class="node-box" width=${WIDTH} height=${height} rx="6" />`;
}

/** A sign of `widgets/icon.js` within a picture. */
function Mark({ state }) {
  const shapes = {
    done: html`<circle cx="8" cy="8" r="6.5" /><path d="M5 8.2l2.1 2.1L11 6.2" />`,
    failed: html`<circle cx="8" cy="8" r="6.5" /><path d="M5.8 5.8l4.4 4.4M10.2 5.8l-4.4 4.4" />`,
    waiting: html`<path d="M8 1.6L14.4 8 8 14.4 1.6 8z" /><path d="M8 5v3.4M8 10.7v.1" />`,
    running: html`<path class="turning" d="M8 1.5a6.5 6.5 0 1 1-6.2 4.6" /><circle cx="8" cy="8" r="1.6" />`,
    next: html`<circle cx="8" cy="8" r="6.5" stroke-dasharray="2.2 1.9" />`,
    pending: html`<circle cx="8" cy="8" r="2.6" />`,
  };
  return html`<g class=${`node-mark mark-${state} icon`} transform="translate(10 13)">${shapes[state]}</g>`;
}

/**
 * @param {{node: any, place: any, to: string | null, items?: string[] | null, isOpen: boolean, isRead: boolean, isLit: boolean,
 *   onOpen: () => void, onPick: (event: any) => void, onLook: (id: string | null) => void}} props
 */
export function Node({ node, place, to, items, isOpen, isLit, onOpen, onPick, onLook }) {
  const { number, title, second, visits } = textsOf(node);
  const isGroup = node.kind !== "step";
  const canOpen = isGroup || node.step.for_each;
  const { live } = node.step ?? {};
  const classes = ["graph-node", `state-${node.state}`, isLit && "lit"].filter(Boolean).join(" ");
  // The spaces part the texts for whoever reads them one after the other.
  const content = html`<${Shape} kind=${node.kind} forEach=${node.step?.for_each} height=${place.height} />
    <${Mark} state=${node.state} />
    <text class="node-title" x="34" y="18"><tspan class="node-number">${number}</tspan> ${title}${" "}</text>
    <text class="node-about" x="34" y="33">${second}${" "}</text>
    ${live?.count > 0 && html`<rect class="node-progress" y=${place.height - 3} height="3" rx="1.5" width=${(WIDTH * live.done) / live.count} />`}
    ${node.step && ["write", "irreversible"].includes(node.step.effect) && html`<path class=${`node-effect effect-${node.step.effect}`} d=${node.step.effect === "write" ? "M213 20l.6-2.6 6-6 2 2-6 6z" : "M217 10l6 10.5h-12z"}><title>${node.step.effect}</title></path>`}
    ${visits && html`<text class="node-visits" x=${WIDTH - 10} y="33">${visits}</text>`}
    ${items !== undefined && html`<${Items} items=${items} y=${40} />`}`;
  const look = { onPointerEnter: () => onLook(node.id), onPointerLeave: () => onLook(null), onFocus: () => onLook(node.id), onBlur: () => onLook(null) };
  return html`<g class=${classes} transform=${`translate(${place.x} ${place.y})`} data-node=${node.id}>
    ${isGroup
      ? html`<g role="button" tabindex="0" aria-expanded="false" aria-label=${`${labelOf(node)}: open`} onClick=${onOpen} onKeyDown=${(event) => ["Enter", " "].includes(event.key) && (event.preventDefault(), onOpen())} ...${look}>${content}</g>`
      : html`<a href=${to ?? "#"} aria-label=${labelOf(node, items)} draggable="false" onClick=${onPick} ...${look}>${content}</a>`}
    ${canOpen && !isGroup && html`<g class="node-open" role="button" tabindex="0" aria-expanded=${isOpen} aria-label=${`Items of step ${number}`} transform=${`translate(${WIDTH - 24} ${24})`} onClick=${onOpen}
      onKeyDown=${(event) => ["Enter", " "].includes(event.key) && (event.preventDefault(), onOpen())}><rect width="20" height="15" rx="3" /><path d=${isOpen ? "M6 9l4-4 4 4" : "M6 5l4 4 4-4"} /></g>`}
  </g>`;
}

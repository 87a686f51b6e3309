// All branches of the task as one graph: where each left another, what is its own, where it failed or was decided.
import { cx, html } from "../../core/html.js";
import { oneLine, plural } from "../../core/format.js";
import { Icon } from "../../widgets/icon.js";
import { StatusMark } from "../../widgets/status_mark.js";

const ROW = 30;
const LANE = 14;
const MARKS = { failure: "failed", decision: "decision", approval: "decision", revision: "revision", edit: "revision", push: "revision", stop: "cancelled" };
const SHOWN_MARKS = 4;

/** The branches in the order of the tree, each with its depth; a branch stands below the one it left. */
function arrange(items) {
  const below = new Map();
  for (const item of items) {
    const key = item.fork?.branch ?? null;
    below.set(key, [...(below.get(key) ?? []), item]);
  }
  const rows = [];
  const visit = (item, depth) => {
    rows.push({ item, depth });
    for (const each of below.get(item.branch) ?? []) visit(each, depth + 1);
  };
  for (const each of below.get(null) ?? []) visit(each, 0);
  return rows;
}

/** Lines from each branch to the one it left, and a dot for each. */
function Lanes({ rows }) {
  const at = new Map(rows.map(({ item }, index) => [item.branch, index]));
  const x = (depth) => depth * LANE + 9;
  const y = (index) => index * ROW + ROW / 2;
  return html`<svg class="lanes" width=${x(Math.max(...rows.map((row) => row.depth))) + 10} height=${rows.length * ROW} aria-hidden="true">
    ${rows.map(({ item, depth }, index) => {
      const from = item.fork ? at.get(item.fork.branch) : undefined;
      return from !== undefined && html`<path key=${item.branch} class="lane" d=${`M${x(depth - 1)} ${y(from) + 5} V${y(index) - 8} Q${x(depth - 1)} ${y(index)} ${x(depth) - 4} ${y(index)}`} />`;
    })}
    ${rows.map(({ item, depth }, index) => html`<circle key=${item.branch} class=${`dot status-${item.status}`} cx=${x(depth)} cy=${y(index)} r="4" />`)}
  </svg>`;
}

/**
 * @param {{items: any[], branch: string, onBranch: (name: string) => void, onCommit: (branch: string, commit: string) => void}} props
 */
export function BranchTree({ items, branch, onBranch, onCommit }) {
  const rows = arrange(items);
  const width = Math.max(...rows.map((row) => row.depth)) * LANE + 22;
  return html`<div class="branch-tree" role="group" aria-label="Branches">
    <${Lanes} rows=${rows} />
    <ul>${rows.map(({ item }) => html`<li key=${item.branch} class=${cx("branch-row", item.branch === branch && "here")} style=${{ height: `${ROW}px`, paddingLeft: `${width}px` }}>
      <button type="button" class="branch-name" aria-current=${item.branch === branch ? "true" : undefined} onClick=${() => onBranch(item.branch)}
        title=${`${item.branch}: ${item.status}, ${plural(item.own, "commit")} of its own`}>
        <span class="branch-text">${item.branch}</span><${StatusMark} status=${item.status} word=${false} />
      </button>
      ${item.marks.slice(0, SHOWN_MARKS).map((mark) => html`<button type="button" key=${mark.commit} class=${`bare mark status-${MARKS[mark.kind]}`} title=${oneLine(mark.subject)} aria-label=${oneLine(mark.subject)}
        onClick=${() => onCommit(item.branch, mark.commit)}><${Icon} name=${MARKS[mark.kind] ?? "ran"} size=${12} /></button>`)}
      ${item.marks.length > SHOWN_MARKS && html`<span class="quiet">+${item.marks.length - SHOWN_MARKS}</span>`}
      <span class="branch-facts">${item.fork
        ? html`<button type="button" class="bare small" title=${`It left ${item.fork.branch} at: ${oneLine(item.fork.subject)}`} onClick=${() => onCommit(item.branch, item.fork.commit)}>+${item.own}</button>`
        : html`<span title=${plural(item.commits, "commit")}>${item.commits}</span>`}</span>
    </li>`)}</ul>
  </div>`;
}

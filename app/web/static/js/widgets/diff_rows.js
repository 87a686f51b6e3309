// The rows of a plan diff: the server's alignment with both steps of each pair, where moved steps stood, what is folded.

const CONTEXT = 1; // steps that stay beside a change, so that one sees where it is
const LEAST = 3; // fewer steps than this are not worth folding

const byNumber = (plan) => new Map((plan?.steps ?? []).map((step, index) => [step.seq_no, { step, index }]));

/**
 * @param {{steps: any[]}} diff as /api/plans/diff gives it
 * @returns {{key: string, kind: string, left: any, right: any, changes: any[], direction?: string}[]} `kind` is the
 *   server's, or `left-here`: a step that moved stood here. `key` is the number on the right, "-" and that on the left
 *   where there is none.
 */
export function rowsOf(diff, leftPlan, rightPlan) {
  const [lefts, rights] = [byNumber(leftPlan), byNumber(rightPlan)];
  const rows = diff.steps.map((each) => ({
    key: each.new_seq_no !== null ? String(each.new_seq_no) : `-${each.old_seq_no}`,
    kind: each.kind, changes: each.changes,
    left: lefts.get(each.old_seq_no)?.step ?? (each.kind === "removed" ? each.step : null),
    right: rights.get(each.new_seq_no)?.step ?? (each.kind === "added" ? each.step : null),
    leftIndex: lefts.get(each.old_seq_no)?.index ?? -1,
  }));
  const moved = rows.filter((row) => row.kind === "moved").sort((a, b) => a.leftIndex - b.leftIndex);
  for (const row of moved) {
    const at = rows.findIndex((other) => other.leftIndex > row.leftIndex && other.kind !== "moved" && other.kind !== "left-here");
    const before = rows.indexOf(row);
    const place = at < 0 ? rows.length : at;
    row.direction = place > before ? "up" : "down";
    rows.splice(place, 0, { key: `from-${row.key}`, kind: "left-here", left: row.left, right: null, to: row.right, changes: [], leftIndex: -1, direction: row.direction });
  }
  return rows;
}

export const isChange = (row) => row.kind !== "unchanged" && row.kind !== "left-here";

/** How many rows there are of each kind. */
export function countKinds(rows) {
  const counts = { changed: 0, moved: 0, added: 0, removed: 0, unchanged: 0 };
  for (const row of rows) if (row.kind in counts) counts[row.kind] += 1;
  return counts;
}

/**
 * What is shown: rows, and folds of rows.
 * @param {(row: any) => boolean} keeps rows that are never folded though they are the same
 * @returns {({row: any} | {fold: any[], key: string})[]}
 */
export function foldRows(rows, keeps, opened) {
  const shown = [];
  for (let at = 0; at < rows.length; ) {
    let end = at;
    while (end < rows.length && rows[end].kind === "unchanged" && !keeps(rows[end])) end += 1;
    if (end === at) {
      shown.push({ row: rows[at] });
      at += 1;
      continue;
    }
    const from = at === 0 ? at : Math.min(at + CONTEXT, end);
    const to = end === rows.length ? end : Math.max(end - CONTEXT, from);
    const key = rows[at].key;
    const isWhole = to - from < LEAST || opened === "all" || opened.has(key);
    for (const row of rows.slice(at, isWhole ? end : from)) shown.push({ row });
    if (!isWhole) {
      shown.push({ fold: rows.slice(from, to), key });
      for (const row of rows.slice(to, end)) shown.push({ row });
    }
    at = end;
  }
  return shown;
}

// What was under way when: bars in lanes, from the times that the records of a branch have.

const isTimed = (entry) => typeof entry.started_ms === "number";

/** The calls of one commit: those of a for_each one by one, without those whose answer was known. */
function callsOf(entry) {
  const base = { commit: entry.commit, seq: entry.seq_no, visit: entry.visit, tool: entry.tool ?? (entry.type === "jmp" ? "condition" : entry.type), effect: entry.effect };
  if (!entry.calls) {
    const { started_ms: start, ended_ms: end } = entry;
    return isTimed(entry) ? [{ ...base, start, end, attempts: entry.attempts ?? 1, failed: entry.failed !== undefined, models: entry.models ?? [] }] : [];
  }
  const failed = new Set(entry.failed ?? []);
  const calls = entry.calls.map(([attempts, start, end], item) => ({ ...base, item, start, end, attempts, failed: failed.has(item), models: [] })).filter((call) => call.attempts > 0 && call.start > 0);
  // Which item asked a model is not in the record: it was asked while the item was under way.
  const free = [...calls];
  for (const model of entry.models ?? []) {
    const at = free.findIndex((call) => model.started_ms >= call.start && model.ended_ms <= call.end);
    const call = at >= 0 ? free.splice(at, 1)[0] : calls.find((each) => model.started_ms >= each.start && model.ended_ms <= each.end);
    call?.models.push(model);
  }
  return calls;
}

function planningOf(entry) {
  if (!["plan", "revision", "goal", "failure"].includes(entry.kind) || !entry.models || entry.tool) return [];
  const start = Math.min(...entry.models.map((each) => each.started_ms));
  const end = Math.max(...entry.models.map((each) => each.ended_ms));
  return [{ commit: entry.commit, seq: null, tool: entry.kind === "revision" ? "revise" : "plan", start, end, attempts: entry.models.length, failed: false, models: entry.models, planning: true }];
}

/** Put each bar into the first lane that is free when it starts. */
function intoLanes(bars) {
  const ends = [];
  for (const bar of bars) {
    let lane = ends.findIndex((end) => end <= bar.start);
    if (lane < 0) lane = ends.length;
    ends[lane] = Math.max(bar.end, bar.start + 1);
    bar.lane = lane;
  }
  return ends.length;
}

/**
 * @param {any[]} entries newest first, as the API has them
 * @param {{steps?: any[], status: string, now: number}} at what is under way, and how the branch stands
 * @returns {{bars: any[], marks: any[], lanes: number, start: number, end: number}} times in ms since the epoch;
 *   `marks` are moments: steps that took no time, reused answers, decisions
 */
export function timesOf(entries, { steps = [], status, now }) {
  const bars = [];
  const marks = [];
  let last = null; // when what came before had ended
  for (const entry of [...entries].reverse()) {
    const calls = [...callsOf(entry), ...planningOf(entry)];
    bars.push(...calls);
    for (const call of calls) last = Math.max(last ?? 0, call.end);
    if (entry.kind === "decision" && entry.decided_ms) {
      if (last !== null && entry.decided_ms > last) bars.push({ commit: entry.commit, seq: entry.seq_no, tool: "waited for a person", who: entry.who, start: last, end: entry.decided_ms, attempts: 0, failed: false, models: [], waits: true });
      marks.push({ commit: entry.commit, at: entry.decided_ms, kind: "decision", subject: entry.subject });
      last = Math.max(last ?? 0, entry.decided_ms);
    } else if (calls.length === 0) {
      const kind = entry.reused ? "reused" : entry.kind === "failure" ? "failed" : entry.kind === "step" ? "step" : entry.kind;
      if (!["goal", "plan"].includes(kind)) marks.push({ commit: entry.commit, at: last ?? entry.time * 1_000, kind, subject: entry.subject, seq: entry.seq_no });
    }
  }
  for (const each of steps) bars.push({ key: `live ${each.seq_no} ${each.visit}`, seq: each.seq_no, visit: each.visit, tool: each.tool ?? "condition", start: each.since_ms, end: Math.max(now, each.since_ms), attempts: 1, failed: false, models: [], running: true, count: each.count, done: each.done });
  if (status === "waiting" && last !== null) bars.push({ key: "waits", seq: null, tool: "waits for a person", start: last, end: Math.max(now, last), attempts: 0, failed: false, models: [], waits: true, running: true });
  bars.sort((a, b) => a.start - b.start || a.end - b.end);
  bars.forEach((bar, index) => { bar.index = index; });
  const lanes = intoLanes(bars);
  const start = bars[0]?.start ?? 0; // commits know whole seconds only: no place to begin
  const end = bars.reduce((most, bar) => Math.max(most, bar.end), start);
  // Before the first call there is no moment that is known: the steps stand at its start.
  for (const mark of marks) mark.at = Math.min(Math.max(mark.at, start), end);
  return { bars, marks, lanes, start, end };
}

/** The union of intervals, in order. */
export function union(intervals) {
  const found = [];
  for (const [from, to] of [...intervals].sort((a, b) => a[0] - b[0])) {
    const before = found.at(-1);
    if (before && from <= before[1]) before[1] = Math.max(before[1], to);
    else found.push([from, to]);
  }
  return found;
}

export const lengthOf = (intervals) => intervals.reduce((sum, [from, to]) => sum + to - from, 0);

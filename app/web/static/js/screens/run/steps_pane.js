// The steps of the selected branch, the newest first: what is under way on top, then every commit with what it gave.
import { cx, html, useEffect, useMemo, useRef, useState } from "../../core/html.js";
import { DASH, count, duration, money, oneLine, plural } from "../../core/format.js";
import { Icon } from "../../widgets/icon.js";
import { Loading } from "../../widgets/empty.js";
import { ProblemNote } from "../../widgets/problem_note.js";
import { StatusMark } from "../../widgets/status_mark.js";
import { VirtualList } from "../../widgets/virtual_list.js";

const ROW = 44;
const SIGNS = { goal: "plan", plan: "plan", revision: "revision", push: "revision", edit: "revision", decision: "decision", approval: "decision", stop: "cancelled", failure: "failed" };

/** The sign of a commit, and what it says. */
export function signOf(row) {
  const outcome = row.digest?.outcome;
  if (row.kind === "failure" || outcome === "failed") return ["failed", "failed"];
  if (row.kind !== "step") return [SIGNS[row.kind] ?? "ran", row.kind];
  if (outcome === "reused" || outcome === "partly reused") return ["reused", outcome];
  return outcome === "ran" ? ["completed", "ran"] : ["ran", "done"];
}

/** What a step is called: "read_file", "assign", "plan". */
export function nameOf(row) {
  if (row.tool) return row.tool;
  return /^step \d+: (\w+)/.exec(row.subject)?.[1] ?? row.kind;
}

/** What it gave, on one line. */
function resultOf(row) {
  if (row.digest?.result) return row.digest.result;
  const rest = row.subject.replace(/^step \d+: \w+:? ?/, "").replace(/^\w+: /, "");
  return rest;
}

function Row({ row, forks, isLast }) {
  const [sign, word] = signOf(row);
  return html`<div class=${cx("step-row", `kind-${row.kind}`)}>
    <span class=${cx("gutter", isLast && "last")}><${StatusMark} status=${sign} word=${false} label=${word} /></span>
    <span class="step-head">
      ${row.seq_no !== null && html`<span class="seq">${row.seq_no}${row.digest?.visit > 1 && html`<span class="visit" title=${`time ${row.digest.visit}`}>×${count(row.digest.visit)}</span>`}</span>`}
      <span class="step-name">${nameOf(row)}</span>
      ${forks?.length > 0 && html`<span class="fork-sign" title=${`${forks.join(", ")} left here`}><${Icon} name="fork" size=${12} title="left here:" /><span class="fork-name">${forks[0]}</span>${forks.length > 1 && ` +${forks.length - 1}`}</span>`}
      <span class="step-facts">${row.digest?.cost > 0 && html`<span>${money(row.digest.cost)}</span>`}${row.digest?.duration_ms != null && html`<span>${duration(row.digest.duration_ms)}</span>`}</span>
    </span>
    <span class="step-result">${oneLine(resultOf(row))}</span>
  </div>`;
}

/** Steps that are under way now. */
export function UnderWay({ live }) {
  if (!live) return null;
  const steps = live.steps ?? [];
  if (steps.length === 0 && !live.planning) return null;
  return html`<div class="under-way" role="status" aria-label="Under way">
    ${live.planning && html`<div><${StatusMark} status="planning" label="the model writes the plan" /></div>`}
    ${steps.map((step) => html`<div key=${step.seq_no}>
      <${StatusMark} status="running" word=${false} label="running" /> <span class="seq">${step.seq_no}</span> ${step.tool ?? ""}
      ${step.count != null && html` <span class="quiet">${count(step.done ?? 0)} of ${count(step.count)}</span>`}
      ${step.message && html` <span class="quiet">${oneLine(step.message, 80)}</span>`}
      ${(step.fraction != null || step.count > 0) && html`<progress max="1" value=${step.fraction ?? (step.done ?? 0) / step.count} aria-label=${`step ${step.seq_no}`} />`}
    </div>`)}
  </div>`;
}

/**
 * @param {{log: any, live: any, forks: Map<string, string[]>, selected: number, onSelect: (index: number) => void,
 *   isFollowing: boolean, onFollow: () => void}} props
 */
export function StepsPane({ log, live, forks, selected, onSelect, isFollowing, onFollow }) {
  const list = useRef(null);
  const [isTop, setTop] = useState(true);
  const seen = useRef(0);
  const onRange = useMemo(() => (first, last) => log?.want(first, last), [log]);
  useEffect(() => {
    if (isTop && log) seen.current = log.prepended;
  });
  useEffect(() => {
    if (isFollowing) list.current?.scrollTo(0);
  }, [isFollowing]);
  if (!log || (!log.asked && !log.problem)) return html`<${Loading} what="Loading the steps" />`;
  const length = log.rows.length + (log.total === null && log.next !== null ? 1 : 0);
  const news = log.prepended - seen.current;
  const draw = (index) => {
    const row = log.rows[index];
    return row ? html`<${Row} row=${row} forks=${forks.get(row.commit)} isLast=${index === length - 1} />` : html`<div class="step-row empty-row" aria-busy="true">${DASH}</div>`;
  };
  return html`<div class="steps">
    <${UnderWay} live=${live} />
    <${ProblemNote} problem=${log.problem} onRetry=${() => log.retry()} />
    <${VirtualList} handle=${list} class="step-list" role="listbox" label="Steps, the newest first" count=${length} rowHeight=${ROW} selected=${selected} prepended=${log.prepended}
      keyOf=${(index) => log.rows[index]?.commit ?? `gap ${log.prepended - index}`} renderRow=${draw} onRange=${onRange} onScrolled=${(top) => setTop(top)}
      aria-activedescendant=${selected >= 0 && log.rows[selected] ? `row-${log.rows[selected].commit}` : undefined}
      rowAttributes=${(index) => ({ role: "option", id: log.rows[index] && `row-${log.rows[index].commit}`, "aria-selected": index === selected, "data-selected": index === selected ? "" : undefined, onClick: () => onSelect(index) })} />
    ${!isTop && html`<button type="button" class="small to-top" onClick=${() => { list.current.scrollTo(0); onFollow(); }}>${news > 0 ? `${plural(news, "new commit")} above` : "To the newest"}</button>`}
  </div>`;
}

// Two plans or two runs side by side. The address holds both sides, so a comparison is a link.
import { html, useMemo, useState } from "../core/html.js";
import { useDocument } from "../core/api.js";
import { useKeys } from "../core/keys.js";
import { useNarrow } from "../core/media.js";
import { path, setQuery } from "../core/router.js";
import { rowsOf, isChange } from "../widgets/diff_rows.js";
import { Empty, Loading } from "../widgets/empty.js";
import { Icon } from "../widgets/icon.js";
import { PlanDiff } from "../widgets/plan_diff.js";
import { ProblemNote } from "../widgets/problem_note.js";
import { RevisionPicker } from "../widgets/revision_picker.js";
import { SideLabel, parseSide, useSide, writeSide } from "../widgets/revision_side.js";
import { AboutPlan } from "../widgets/value_diff.js";
import { CompareRuns } from "./compare_runs.js";

const planAt = (found) => (found.isReady ? path`/api/tasks/${found.task.task_id}/commits/${found.commit.commit}/plan` : null);

/** The plan at a commit. One that has none yet counts as empty. */
function usePlan(found) {
  const { data, problem, loading } = useDocument(planAt(found));
  const isNone = problem?.status === 409;
  return { plan: isNone ? { steps: [] } : data, isNone, problem: isNone ? null : problem, loading };
}

function Same({ children }) {
  return html`<div class="same" role="status"><${Icon} name="completed" size=${18} /><div>${children}</div></div>`;
}

function ComparePlans({ left, right, diff, query, form, setForm }) {
  const [one, other] = [usePlan(left), usePlan(right)];
  const rows = useMemo(() => (diff && one.plan && other.plan ? rowsOf(diff, one.plan, other.plan) : null), [diff, one.plan, other.plan]);
  const isNarrow = useNarrow();
  if (one.problem || other.problem) return html`<${ProblemNote} problem=${one.problem ?? other.problem} />`;
  if (!rows || one.loading || other.loading) return html`<${Loading} what="Comparing the plans" />`;
  if (one.isNone && other.isNone) return html`<${Empty} title="Neither has a plan yet" />`;
  const isSame = !rows.some(isChange);
  const reasoning = diff.changes.length > 0;
  const isRenumbered = isSame && rows.some((row) => row.left?.seq_no !== row.right?.seq_no);
  const tools = !isNarrow && html`<div class="segments small-segments" role="group" aria-label="Layout">
    <button type="button" aria-pressed=${form !== "unified"} onClick=${() => setForm("")}>Side by side</button>
    <button type="button" aria-pressed=${form === "unified"} onClick=${() => setForm("unified")}>Unified</button></div>`;
  return html`
    ${isSame && html`<${Same}><strong>The two plans do the same.</strong>
      <p class="quiet">${isRenumbered ? "Only the numbers of the steps differ." : `All ${rows.length} steps are equal.`}${reasoning ? " Why they were written is told differently." : ""}
      ${" "}<button type="button" class="more" onClick=${() => setQuery({ view: "runs" })}>Compare the runs</button></p></${Same}>`}
    ${(one.isNone || other.isNone) && html`<p class="quiet">${one.isNone ? "The left" : "The right"} side has no plan yet.</p>`}
    <${AboutPlan} changes=${diff.changes} />
    <${PlanDiff} rows=${rows} label="Plans" isUnified=${form === "unified"} selected=${query.step} onSelect=${(step) => setQuery({ step })} tools=${tools}
      keys=${{ u: { label: "Side by side, or unified", run: () => setForm(form === "unified" ? "" : "unified") } }} />`;
}

export default function Compare({ query }) {
  const [picking, setPicking] = useState(null);
  const [leftSide, rightSide] = [useMemo(() => parseSide(query.left), [query.left]), useMemo(() => parseSide(query.right), [query.right])];
  const [left, right] = [useSide(leftSide), useSide(rightSide)];
  const view = query.view === "runs" ? "runs" : "plan";
  const isReady = left.isReady && right.isReady;
  // By branch where it is one: runs have the status of their branch.
  const names = isReady && { from: writeSide({ task: left.task.task_id, rev: view === "runs" ? left.rev : left.commit.commit }), to: view === "runs" ? right.rev : right.commit.commit };
  const { data, problem, loading } = useDocument(isReady ? path`/api/tasks/${right.task.task_id}/diff` : null, { ...names, form: view });
  const swap = () => setQuery({ left: query.right, right: query.left, step: "" }, { replace: false });
  const pick = (side) => {
    setQuery({ [picking]: writeSide(side), step: "" }, { replace: false });
    setPicking(null);
  };
  useKeys("Compare", {
    v: { label: "Plans, or runs", run: () => setQuery({ view: view === "runs" ? "" : "runs", step: "" }) },
    x: { label: "Swap the sides", run: swap },
  });
  const shown = data && (view === "runs" ? data.runs : data.plan) && !loading ? data : null;
  return html`<main class="page full compare">
    <h1 class="visually-hidden">Compare</h1>
    <div class="sides">
      <${SideLabel} name="Left" found=${left} onPick=${() => setPicking("left")} />
      <button type="button" class="bare" onClick=${swap} title="Swap the sides (x)" aria-label="Swap the sides"><${Icon} name="swap" size=${16} /></button>
      <${SideLabel} name="Right" found=${right} onPick=${() => setPicking("right")} />
    </div>
    <div class="segments" role="group" aria-label="What is compared">
      <button type="button" aria-pressed=${view === "plan"} onClick=${() => setQuery({ view: "", step: "" }, { replace: false })}>Plans</button>
      <button type="button" aria-pressed=${view === "runs"} onClick=${() => setQuery({ view: "runs", step: "" }, { replace: false })}>Runs</button>
    </div>
    <${ProblemNote} problem=${left.problem ?? right.problem ?? problem} />
    ${(!leftSide || !rightSide) && html`<${Empty} title="Choose two to compare">
      <p>Two branches of a task, two commits of a branch, or runs of two tasks: each side is a branch, whose head is meant, or a commit.</p>
      <p class="actions"><button type="button" class="primary" onClick=${() => setPicking(leftSide ? "right" : "left")}>Choose the ${leftSide ? "right" : "left"} side</button></p></${Empty}>`}
    ${leftSide && rightSide && !shown && !problem && !left.problem && !right.problem && html`<${Loading} what="Comparing" />`}
    ${shown && view === "plan" && html`<${ComparePlans} left=${left} right=${right} diff=${shown.plan} query=${query} form=${query.form} setForm=${(form) => setQuery({ form })} />`}
    ${shown && view === "runs" && html`<${CompareRuns} runs=${shown.runs} query=${query} />`}
    ${picking && html`<${RevisionPicker} title=${`Choose the ${picking} side`} side=${picking === "left" ? leftSide ?? rightSide : rightSide ?? leftSide} onPick=${pick} onClose=${() => setPicking(null)} />`}
  </main>`;
}

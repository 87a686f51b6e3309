// One commit: what the step was asked, what came back, how long it took and what it cost, why it ran, what to do next.
import { html, useMemo } from "../../core/html.js";
import { copy } from "../../core/announce.js";
import { useDocument } from "../../core/api.js";
import { duration, money, oneLine, shortId } from "../../core/format.js";
import { Link, href, path } from "../../core/router.js";
import { Loading } from "../../widgets/empty.js";
import { JsonTree } from "../../widgets/json_tree.js";
import { Markdown } from "../../widgets/markdown_view.js";
import { ProblemNote } from "../../widgets/problem_note.js";
import { StatusMark } from "../../widgets/status_mark.js";
import { Ago } from "../../widgets/time.js";
import { ValueView } from "../../widgets/value_view.js";
import { StepActions } from "./actions.js";
import { Items, ModelCalls, Asked, SetHere } from "./step_parts.js";
import { Why } from "./why.js";

const TOLD = new Set(["kind", "seq_no", "type", "visit", "tool", "version", "effect", "inputs", "item_inputs", "value", "values", "error", "errors", "calls", "count", "started_ms", "ended_ms", "attempts", "model_calls", "from_commit", "from_item", "from_place", "origins", "answered_by", "who", "reasoning", "variables", "decided_ms", "rounds", "message"]);

/** What the record says of the outcome: the sign and the word. */
export function outcomeOf(record, commit) {
  if (commit.kind === "failure" || record.error !== undefined || record.errors) return ["failed", "failed"];
  if (record.from_commit !== undefined || record.origins) return ["reused", record.origins && record.started_ms ? "partly reused" : "reused"];
  if (commit.kind !== "step") return ["ran", commit.kind];
  return record.inputs ? ["completed", "ran"] : ["ran", "done"];
}

function Facts({ commit, record }) {
  const [sign, word] = outcomeOf(record, commit);
  const took = record.ended_ms != null ? record.ended_ms - record.started_ms : null;
  const calls = record.model_calls ?? [];
  const cost = calls.length > 0 && calls.every((call) => call.cost !== null) ? calls.reduce((sum, call) => sum + call.cost, 0) : null;
  return html`<div class="step-line">
    <${StatusMark} status=${sign} label=${word} />
    ${took !== null && html`<span title="how long its calls took">${duration(took)}</span>`}
    ${record.attempts > 1 && html`<span class="waiting-text">${record.attempts} attempts</span>`}
    ${cost !== null && html`<span title="what its model calls cost">${money(cost)}</span>`}
    ${record.effect && html`<span class="quiet" title="what the tool does to the outside">${record.effect}</span>`}
    <span class="quiet"><${Ago} ms=${record.started_ms ?? record.decided_ms ?? commit.time * 1000} /></span>
    ${commit.author !== "StackVM" && html`<span class="quiet">by ${commit.author}</span>`}
    <button type="button" class="bare small mono" title="Copy the commit's id" onClick=${() => copy(commit.commit, "Commit id copied")}>${shortId(commit.commit)}</button>
  </div>`;
}

function CameBack({ record, step }) {
  if (record.error !== undefined) return html`<section><h3>What came back</h3><pre class="error-text">${record.error}</pre></section>`;
  if (record.count !== undefined) return html`<${Items} record=${record} template=${step?.parameters.tool_params} />`;
  if (!("value" in record)) return null;
  return html`<section><h3>What came back</h3><${ValueView} value=${record.value} label="What came back" /></section>`;
}

/** A commit that is no step: the goal, a plan, an edit, a decision, an end. */
function Told({ commit, record, state, id, branch }) {
  const rest = Object.fromEntries(Object.entries(record).filter(([name]) => !TOLD.has(name)));
  return html`
    ${commit.kind === "goal" && state && html`<section><h3>Goal</h3><${Markdown} text=${state.goal.goal} /></section>
      <section><h3>Limits and format</h3><${JsonTree} value=${{ response_format: state.goal.response_format ?? null, ...state.goal.limits }} /></section>`}
    ${["plan", "revision", "push"].includes(commit.kind) && state?.plan && html`<section><h3>Plan</h3>
      ${state.plan.reasoning && html`<${ValueView} value=${state.plan.reasoning} label="Reasoning" />`}
      <ol class="plan-list">${state.plan.steps.map((step) => html`<li key=${step.seq_no}><span class="seq">${step.seq_no}</span> ${step.parameters.tool_name ?? step.type} <span class="quiet">${oneLine(step.description ?? "", 90)}</span></li>`)}</ol>
      <p><${Link} to=${href(path`/tasks/${id}/plan`, { branch, commit: commit.commit })}>Show the plan as a graph</${Link}></p></section>`}
    ${commit.kind === "edit" && html`<section><h3>Set by ${record.who}</h3><${JsonTree} value=${record.variables} label="Variables that were set" /></section>`}
    ${record.message && html`<section><h3>Why it ended</h3><pre class="error-text">${record.message}</pre></section>`}
    ${Object.keys(rest).length > 0 && html`<section><h3>Record</h3><${JsonTree} value=${rest} label="Record" /></section>`}`;
}

/**
 * @param {{id: string, branch: string, branches: any[], parent?: string, commit: string, state: any, digest?: any, onCommit: (commit: string) => void, onDone: () => void}} props
 *   `state` is that of the commit, null while it is on its way
 */
export function StepPane({ id, branch, branches, parent, commit, state, onCommit, onDone }) {
  const { data, problem, reload } = useDocument(path`/api/tasks/${id}/commits/${commit}`);
  const step = useMemo(() => state?.plan?.steps.find((each) => each.seq_no === data?.seq_no), [state?.plan, data?.seq_no]);
  if (problem) return html`<div class="step-pane"><${ProblemNote} problem=${problem} onRetry=${reload} /></div>`;
  if (!data) return html`<div class="step-pane"><${Loading} what="Loading the step" /></div>`;
  const { record } = data;
  const isStep = data.kind === "step" || data.kind === "failure";
  const isStale = data.commit !== commit;
  const ofThis = state?.commit === data.commit ? state : null;
  return html`<article class="step-pane" aria-label="Step" aria-busy=${isStale}>
    <header>
      <h2>${isStep ? html`<span class="seq">${data.seq_no}</span> ${record.tool ?? record.type}${record.visit > 1 && html` <span class="visit" title=${`the ${record.visit}. time it came round`}>×${record.visit}</span>`}` : data.subject.split(":")[0]}</h2>
      <${StepActions} id=${id} branch=${branch} branches=${branches} parent=${parent} commit=${data} step=${step} onDone=${onDone} />
    </header>
    ${step?.description && html`<p class="step-description">${step.description}</p>`}
    <${Facts} commit=${data} record=${record} />
    ${isStep
      ? html`<${Asked} record=${record} step=${step} commit=${data} />
        <${CameBack} record=${record} step=${step} />
        <${SetHere} id=${id} state=${ofThis} commit=${data} record=${record} step=${step} />
        <${ModelCalls} record=${record} />
        <${Why} key=${data.commit} id=${id} branch=${branch} commit=${data} record=${record} onCommit=${onCommit} />`
      : html`<${Told} commit=${data} record=${record} state=${ofThis} id=${id} branch=${branch} /><${ModelCalls} record=${record} />`}
  </article>`;
}

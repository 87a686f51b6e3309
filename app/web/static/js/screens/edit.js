// Change the plan of a run: one step, all of it, or by asking a model. What comes of it is a proposal; nothing runs.
import { html, useEffect, useMemo, useState } from "../core/html.js";
import { getText, post, postText, toProblem, useDocument } from "../core/api.js";
import { useDraft } from "../core/draft.js";
import { shortId } from "../core/format.js";
import { useKeys } from "../core/keys.js";
import { Link, href, navigate, path, setQuery } from "../core/router.js";
import { may } from "../core/session.js";
import { DraftNote } from "../widgets/draft_note.js";
import { Empty, Loading } from "../widgets/empty.js";
import { ProblemNote } from "../widgets/problem_note.js";
import { AskForm } from "./edit_ask.js";
import { PlanEditor, StepChoice } from "./edit_plan.js";
import { readPlan, tidyPlan } from "./edit_text.js";
import { ReviewHead } from "./review_head.js";

const MODES = [["step", "One step"], ["plan", "Whole plan"], ["ask", "Ask for a revision"]];
const ASK_FORM = "ask-for-a-revision";
const NO_OPTIONS = { name: "", reuse: true, irreversible: "" };
const RUNNING = ["running", "planning", "queued"];

function Options({ how, setHow }) {
  const set = (name) => (event) => setHow({ ...how, [name]: event.target.type === "checkbox" ? event.target.checked : event.target.value });
  return html`<details class="edit-options"><summary>Options</summary><div class="field-row">
    <label class="field"><span class="label">Name of the new branch</span><input value=${how.name} onInput=${set("name")} maxlength="240" placeholder="the next revision-N" /></label>
    <label class="field"><span class="label">Irreversible calls that were made</span><select value=${how.irreversible} onChange=${set("irreversible")}>
      <option value="">as the namespace says</option><option value="ask">wait for a decision</option><option value="reuse">take the earlier result</option><option value="run">make them again</option><option value="skip">leave them out</option></select></label>
    <label class="check"><input type="checkbox" checked=${how.reuse} onChange=${set("reuse")} /> Take earlier answers where the same is asked</label></div></details>`;
}

/** Why a proposal can't be made at the moment, and what helps. */
function Moving({ id, branch, status, onDone, onProblem }) {
  const pause = () => post(path`/api/tasks/${id}/pause`, { branch }).then(onDone, (error) => onProblem(toProblem(error)));
  return html`<div class="moved" role="status"><div><strong>${branch} is ${status}.</strong><p>A proposal is worked out for where a branch stands: pause it, or wait until it has ended.</p>
    <div class="actions"><button type="button" class="small" onClick=${pause}>Pause it</button><button type="button" class="small" onClick=${onDone}>Look again</button></div></div></div>`;
}

/** The plan at a revision, as it is written. */
function usePlanText(id, at) {
  const [state, setState] = useState({ text: null, problem: null });
  useEffect(() => {
    if (!at) return undefined;
    let isOver = false;
    setState({ text: null, problem: null });
    getText(path`/api/tasks/${id}/commits/` + `${encodeURI(at)}/plan`).then(
      (text) => isOver || setState({ text, problem: null }),
      (error) => isOver || setState({ text: null, problem: toProblem(error) }),
    );
    return () => {
      isOver = true;
    };
  }, [id, at]);
  return state;
}

function Editing({ id, branch, baseText, namespace, query, moving }) {
  const plan = useMemo(() => readPlan(baseText), [baseText]);
  const tidied = useMemo(() => tidyPlan(baseText), [baseText]);
  const draft = useDraft(`edit ${id} ${branch} ${query.at ?? ""}`, { text: tidied, how: NO_OPTIONS, wish: "" });
  const { text, how } = draft.value;
  const setText = (next) => draft.change({ text: next });
  const setHow = (next) => draft.change({ how: next });
  const [isSound, setSound] = useState(false);
  const [canAsk, setCanAsk] = useState(false);
  const [problem, setProblem] = useState(null);
  const [busy, setBusy] = useState(false);
  const now = useMemo(() => readPlan(text), [text]);
  const numbers = (now ?? plan).steps.map((step) => step.seq_no);
  const asked = query.step === undefined || query.step === "" ? null : Number(query.step);
  const mode = MODES.some(([name]) => name === query.mode) ? query.mode : asked !== null ? "step" : "plan";
  const step = mode !== "step" ? null : numbers.includes(asked) ? asked : numbers[0];

  const send = async (wish) => {
    if (busy) return;
    setBusy(true);
    setProblem(null);
    try {
      const { planText, ...rest } = wish;
      const body = { branch, ...rest, reuse: how.reuse, ...(how.name.trim() && { name: how.name.trim() }), ...(how.irreversible && { irreversible: how.irreversible }) };
      const at = path`/api/tasks/${id}/proposals`;
      const made = await (planText ? postText(at, `${JSON.stringify(body).slice(0, -1)}, "plan": ${planText}}`) : post(at, body));
      draft.drop();
      navigate(path`/tasks/${id}/proposals/${made.number}`);
    } catch (error) {
      setProblem(toProblem(error));
      setBusy(false);
    }
  };
  const isReady = mode === "ask" ? canAsk : isSound;
  const propose = () => {
    if (!isReady || busy) return;
    if (mode === "ask") document.getElementById(ASK_FORM)?.requestSubmit();
    else send({ planText: text });
  };
  useKeys("Edit", { "Ctrl+Enter": { label: "Propose", whileTyping: true, run: propose } });
  return html`
    <div class="edit-bar">
      <div class="segments" role="group" aria-label="How to change it">${MODES.map(([name, title]) => html`<button type="button" key=${name} aria-pressed=${mode === name} disabled=${name === "step" && !now}
        title=${name === "step" && !now ? "Mend the JSON first" : undefined} onClick=${() => setQuery({ mode: name })}>${title}</button>`)}</div>
      ${mode === "step" && html`<${StepChoice} plan=${now ?? plan} step=${step} disabled=${!now} onStep=${(number) => setQuery({ step: number })} />`}
      <div class="task-actions"><button type="button" class="primary" disabled=${!isReady || busy || Boolean(moving)} onClick=${propose} title="Ctrl+Enter">${mode === "ask" ? "Ask" : "Propose"}</button></div>
    </div>
    ${moving}
    <${DraftNote} draft=${draft} />
    <${ProblemNote} problem=${problem} onClose=${() => setProblem(null)} />
    ${mode === "ask" ? html`<${AskForm} plan=${plan} step=${asked} formId=${ASK_FORM} text=${draft.value.wish} setText=${(wish) => draft.change({ wish })} setReady=${setCanAsk} onAsk=${send} />`
      : html`<${PlanEditor} key=${`${mode} ${step} ${draft.round}`} base=${plan} baseText=${baseText} text=${text} setText=${setText} step=${step} onStep=${(number) => setQuery({ step: number, mode: "step" })} namespace=${namespace} onReady=${setSound} />`}
    <${Options} how=${how} setHow=${setHow} />`;
}

export default function Edit({ params, query }) {
  const { id } = params;
  const { data: task, problem } = useDocument(path`/api/tasks/${id}`);
  const { data: branches, reload } = useDocument(path`/api/tasks/${id}/branches`);
  const [failed, setFailed] = useState(null);
  const branch = query.branch ?? task?.branch;
  const at = query.at ?? branch;
  const { text: plan, problem: noPlan } = usePlanText(id, at);
  const status = branches?.items.find((each) => each.branch === branch)?.status;
  const crumbs = [["Proposals", path`/tasks/${id}/proposals`], ["Edit"]];
  if (problem) return html`<main class="page"><${ProblemNote} problem=${problem} /></main>`;
  if (!may("operator")) return html`<main class="page"><${Empty} title="Your key may look, not change plans"><p>A key with the role operator may propose a change.</p></${Empty}></main>`;
  const moving = RUNNING.includes(status) && html`<${Moving} id=${id} branch=${branch} status=${status} onDone=${reload} onProblem=${setFailed} />`;
  return html`<${ReviewHead} id=${id} branch=${branch} crumbs=${crumbs}>
      <span>Change the plan of <${Link} to=${href(path`/tasks/${id}`, { branch, commit: query.at })}>${branch}</${Link}>${query.at && html` as it was at <code>${shortId(query.at)}</code>`}</span>
      <span class="quiet">What stays the same is kept, or its earlier results are taken.</span></${ReviewHead}>
    <main class="page full edit"><h1 class="visually-hidden">Edit the plan</h1>
      <${ProblemNote} problem=${failed} onClose=${() => setFailed(null)} />
      ${noPlan && (noPlan.status === 409 ? html`<${Empty} title="There is no plan yet"><p>It can be changed once it is written.</p></${Empty}>` : html`<${ProblemNote} problem=${noPlan} />`)}
      ${!plan && !noPlan && html`<${Loading} what="Loading the plan" />`}
      ${plan && task && html`<${Editing} key=${`${id} ${branch} ${query.at ?? ""}`} id=${id} branch=${branch} baseText=${plan} namespace=${task.namespace} query=${query} moving=${moving} />`}
    </main>`;
}

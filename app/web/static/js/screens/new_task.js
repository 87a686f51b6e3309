// A new task: a goal alone, for which a model writes the plan, or a plan that is pasted, dropped or typed.
import { html, useEffect, useMemo, useRef, useState } from "../core/html.js";
import { post, toProblem, useDocument } from "../core/api.js";
import { useDraft } from "../core/draft.js";
import { useKeys } from "../core/keys.js";
import { may, session } from "../core/session.js";
import { useStore } from "../core/store.js";
import { navigate, path, setQuery } from "../core/router.js";
import { CodeEditor } from "../widgets/code_editor.js";
import { DraftNote } from "../widgets/draft_note.js";
import { Empty } from "../widgets/empty.js";
import { Findings, marksOf, placeOf, stepPathsOf, useCheck } from "../widgets/findings.js";
import { placesOf } from "../widgets/json_places.js";
import { ProblemNote } from "../widgets/problem_note.js";

const HINT = '{\n  "steps": [\n    {"seq_no": 1, "type": "assign", "parameters": {"final_answer": "…"}}\n  ]\n}';

/** The fields as the API takes them, or what is wrong with one. */
function bodyOf(form, plan) {
  const body = { goal: form.goal.trim() };
  if (form.namespace) body.namespace = form.namespace;
  for (const name of ["max_steps", "parallel", "priority"]) if (form[name] !== "") body[name] = Number(form[name]);
  if (form.revise) body.revise = true;
  const tags = form.tags.split(",").map((tag) => tag.trim()).filter(Boolean);
  if (tags.length > 0) body.tags = tags;
  if (form.response_format.trim()) {
    let parsed = null;
    try {
      parsed = JSON.parse(form.response_format);
    } catch (error) {
      return { wrong: `The response format is not JSON: ${error.message}` };
    }
    if (parsed === null || typeof parsed !== "object" || Array.isArray(parsed)) return { wrong: "The response format is an object, such as {\"lang\": \"English\"}" };
    body.response_format = parsed;
  }
  if (plan !== null) body.plan = plan;
  return { body };
}

/** A plan from the clipboard or a file, set out so that it can be read; what is no JSON stays as it is. */
function tidy(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

function PlanField({ text, setText, checked, namespace }) {
  const view = useRef(null);
  const [isOver, setOver] = useState(false);
  const marks = useMemo(() => (checked ? marksOf(checked.findings, text) : []), [checked]);
  const drop = async (event) => {
    const file = event.dataTransfer?.files[0];
    setOver(false);
    if (!file) return;
    event.preventDefault();
    event.stopPropagation();
    setText(tidy(await file.text()));
  };
  const pick = (finding) => {
    const { from } = placeOf(finding, text, placesOf(text), stepPathsOf(text));
    view.current.dispatch({ selection: { anchor: from }, scrollIntoView: true });
    view.current.focus();
  };
  return html`<div class=${isOver ? "plan-field over" : "plan-field"} onDropCapture=${drop} onDragOver=${(event) => { event.preventDefault(); setOver(true); }} onDragLeave=${() => setOver(false)}>
    <div class="plan-head"><span class="label">Plan</span>
      <label class="button small file">Open a file<input type="file" accept=".json,.txt,.md,application/json" onChange=${async (event) => event.target.files[0] && setText(tidy(await event.target.files[0].text()))} /></label>
      <button type="button" class="small" onClick=${() => setText(tidy(text))} disabled=${!text.trim()}>Tidy up</button>
      <span class="quiet">or drop a file here</span></div>
    <${CodeEditor} value=${text} onChange=${setText} label="Plan as JSON" placeholder=${HINT} marks=${marks} handle=${view} />
    <${Findings} checked=${checked} onPick=${pick} />
  </div>`;
}

export default function NewTask({ query }) {
  const { data: writer } = useDocument("/api/plans/writer");
  const hasNoModel = writer?.model === null;
  const withPlan = query.from === "plan" || (query.from !== "model" && hasNoModel);
  const draft = useDraft(`new ${query.goal ?? ""} ${query.namespace ?? ""}`, {
    form: { goal: query.goal ?? "", namespace: query.namespace ?? "", response_format: "", max_steps: "", parallel: "", priority: "", tags: "", revise: false },
    text: "",
  });
  const { form, text } = draft.value;
  const setForm = (next) => draft.change({ form: next });
  const setText = (next) => draft.change({ text: next });
  useEffect(() => {
    if (draft.isRestored && text && query.from === undefined) setQuery({ from: "plan" });
  }, []);
  const own = useStore(session).namespace; // a key may be for one alone
  const [problem, setProblem] = useState(null);
  const [wrong, setWrong] = useState(null);
  const [busy, setBusy] = useState(false);
  const { data: namespaces } = useDocument("/api/namespaces");
  const { checked, problem: unchecked, pending } = useCheck(withPlan ? text : "", own ?? (form.namespace || null));
  const set = (name) => (event) => setForm({ ...form, [name]: event.target.type === "checkbox" ? event.target.checked : event.target.value });

  const isReady = form.goal.trim() && (!withPlan || (text.trim() && checked?.valid && !pending));
  const submit = async (event) => {
    event?.preventDefault();
    if (!isReady) return;
    const { body, wrong: why } = bodyOf({ ...form, namespace: own ?? form.namespace }, withPlan ? text : null);
    setWrong(why ?? null);
    if (why || busy) return;
    setBusy(true);
    setProblem(null);
    try {
      const made = await post("/api/tasks", body);
      draft.drop();
      navigate(path`/tasks/${made.task_id}`);
    } catch (error) {
      setProblem(toProblem(error));
      setBusy(false);
    }
  };
  useKeys("New task", { "Ctrl+Enter": { label: "Submit", whileTyping: true, run: () => submit() } });
  if (!may("operator")) return html`<main class="page"><${Empty} title="Your key may look, not submit"><p>A key with the role operator may submit tasks.</p></${Empty}></main>`;

  return html`<main class="page new-task">
    <h1>New task</h1>
    <${DraftNote} draft=${draft} />
    <form onSubmit=${submit}>
      <label class="field"><span class="label">Goal</span>
        <textarea rows="3" required autofocus maxlength="100000" value=${form.goal} onInput=${set("goal")} placeholder="What you want, in your own words" /></label>
      <div class="segments" role="group" aria-label="Who writes the plan">
        <button type="button" aria-pressed=${!withPlan} onClick=${() => setQuery({ from: "model" })}>A model writes the plan</button>
        <button type="button" aria-pressed=${withPlan} onClick=${() => setQuery({ from: "plan" })}>I have a plan</button>
      </div>
      ${hasNoModel && html`<p class=${withPlan ? "quiet" : "waiting-text"} role="status">No model is set up on this server, so a goal needs a plan with it. An admin sets a model up with <code>LLM_PROVIDER</code> and <code>LLM_MODEL</code>.</p>`}
      ${withPlan && html`<${PlanField} text=${text} setText=${setText} checked=${checked} /><${ProblemNote} problem=${unchecked} />`}
      <div class="field-row">
        <label class="field"><span class="label">Namespace</span>
          <select value=${own ?? form.namespace} onChange=${set("namespace")} disabled=${own !== null}>
            <option value="">none: all tools</option>${namespaces?.items.map((each) => html`<option value=${each.namespace}>${each.namespace}</option>`)}</select></label>
        <label class="field"><span class="label">Tags</span><input value=${form.tags} onInput=${set("tags")} placeholder="one, another" /></label>
      </div>
      <label class="field"><span class="label">Response format</span>
        <input class="mono" value=${form.response_format} onInput=${set("response_format")} placeholder='{"lang": "English"}' spellcheck="false" aria-describedby="format-help" />
        <span id="format-help" class="quiet">JSON that the planner is told, such as the language of the answer</span></label>
      <fieldset class="field-row budgets"><legend class="label">Budgets</legend>
        <label class="field"><span>Steps at most</span><input type="number" min="1" max="1000000" value=${form.max_steps} onInput=${set("max_steps")} placeholder="1,000" /></label>
        <label class="field"><span>Calls at once</span><input type="number" min="1" max="256" value=${form.parallel} onInput=${set("parallel")} placeholder="8" /></label>
        <label class="field"><span>Priority</span><input type="number" min="-100" max="100" value=${form.priority} onInput=${set("priority")} placeholder="0" /></label>
      </fieldset>
      <label class="check"><input type="checkbox" checked=${form.revise} onChange=${set("revise")} /> Let a model revise the plan where a step fails</label>
      ${wrong && html`<p class="failed-text" role="alert">${wrong}</p>`}
      <${ProblemNote} problem=${problem} />
      <div class="actions"><button class="primary" disabled=${busy || !isReady}>${withPlan ? "Run the plan" : "Submit"}</button><span class="submit-keys"><kbd>Ctrl</kbd> <kbd>Enter</kbd></span></div>
    </form>
  </main>`;
}

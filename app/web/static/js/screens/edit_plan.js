// The editor of a plan or of one step of it: completion, the checker's findings as one types, what changes so far.
import { html, useEffect, useLayoutEffect, useMemo, useRef, useState } from "../core/html.js";
import { postText, useDocument } from "../core/api.js";
import { CodeEditor } from "../widgets/code_editor.js";
import { rowsOf, isChange } from "../widgets/diff_rows.js";
import { Findings, marksOf, placeOf, stepPathsOf, useCheck } from "../widgets/findings.js";
import { placesOf } from "../widgets/json_places.js";
import { completePlan } from "../widgets/plan_completion.js";
import { PlanDiff } from "../widgets/plan_diff.js";
import { ProblemNote } from "../widgets/problem_note.js";
import { headOf } from "../widgets/step_parts.js";
import { findingsOfStep, placeIn, putStep, readPlan, stepMarks, takeStep, tidyPlan } from "./edit_text.js";

/** What differs from the plan that was there, once what is typed is a plan that may run. */
function useChanges(baseText, base, text, isValid) {
  const [rows, setRows] = useState([]);
  useEffect(() => {
    const plan = isValid ? readPlan(text) : null;
    if (!plan) return undefined;
    let isOver = false;
    postText("/api/plans/diff", `{"old": ${baseText}, "new": ${text}}`).then((diff) => isOver || setRows(rowsOf(diff, base, plan)), () => null);
    return () => {
      isOver = true;
    };
  }, [baseText, text, isValid]);
  return rows;
}

/** The checker's findings: in one step's text those about it, and below them how many there are elsewhere. */
function StepFindings({ checked, own, onPick, onElsewhere }) {
  const others = checked ? checked.findings.filter((finding) => !own.some((each) => each.origin === finding)) : [];
  const about = checked && { ...checked, findings: own, errors: own.filter((each) => each.severity === "error").length, warnings: own.filter((each) => each.severity === "warning").length };
  return html`${(own.length > 0 || others.length === 0) && html`<${Findings} checked=${about} onPick=${onPick} />`}
    ${others.length > 0 && html`<h3>Elsewhere in the plan</h3><${Findings} checked=${{ ...checked, findings: others, errors: others.filter((each) => each.severity === "error").length, warnings: others.filter((each) => each.severity === "warning").length }} onPick=${onElsewhere} />`}`;
}

/**
 * @param {{base: any, baseText: string, text: string, setText: (text: string) => void, step: number | null, onStep: (seq_no: number) => void,
 *   namespace: string | null, onReady: (isReady: boolean) => void}} props
 *   `base` is the plan that was there, `baseText` as it is written, `step` the number of the only one that is edited; null: the whole plan
 */
export function PlanEditor({ base, baseText, text, setText, step, onStep, namespace, onReady }) {
  const index = useMemo(() => (step !== null ? readPlan(text)?.steps.findIndex((each) => each.seq_no === step) ?? -1 : -1), []);
  const isStep = index >= 0;
  const taken = useMemo(() => (isStep ? takeStep(text, index) : null), []); // the others stay as they were when it was opened
  const [stepText, setStepText] = useState(taken?.stepText ?? "");
  const { checked, problem, pending } = useCheck(text, namespace);
  const { data: schema } = useDocument("/api/plans/schema");
  const { data: tools } = useDocument("/api/tools", { namespace });
  const view = useRef(null);
  const known = useRef({});
  const lastPlan = useRef(base);
  lastPlan.current = readPlan(text) ?? lastPlan.current;
  known.current = Object.assign(known.current, { schema, tools: tools?.items ?? [], namespace, isStep, text: () => text, steps: () => lastPlan.current.steps });
  const source = useMemo(() => [completePlan(known)], []);
  const own = useMemo(() => (checked && isStep ? findingsOfStep(checked.findings, stepText, index, taken) : []), [checked, stepText, isStep]);
  const marks = useMemo(() => (!checked ? [] : isStep ? stepMarks(own, stepText) : marksOf(checked.findings, text)), [checked, own]);
  const rows = useChanges(baseText, base, text, Boolean(checked?.valid) && !pending);
  const isValid = Boolean(checked?.valid) && !pending;
  const isChanged = rows.some(isChange);
  useLayoutEffect(() => onReady(isValid && isChanged), [isValid, isChanged]);

  const goTo = (from) => {
    view.current.dispatch({ selection: { anchor: from }, scrollIntoView: true });
    view.current.focus();
  };
  const pick = (finding) => goTo(isStep ? placeIn(finding, stepText).from : placeOf(finding, text, placesOf(text), stepPathsOf(text)).from);
  const change = (next) => {
    if (!isStep) return setText(next);
    setStepText(next);
    return setText(putStep(taken, next));
  };
  return html`<div class="edit-panes">
    <div class="edit-main"><${CodeEditor} value=${isStep ? stepText : text} onChange=${change} label=${isStep ? `Step ${step} as JSON` : "Plan as JSON"} marks=${marks} completions=${source} handle=${view} />
      <p class="quiet edit-hint"><kbd>Ctrl</kbd><kbd>Space</kbd> completes keys, tools, their arguments and, after <code>\${</code>, the variables that are set there.
      ${!isStep && html` <button type="button" class="more" disabled=${!readPlan(text)} onClick=${() => setText(tidyPlan(text))}>Tidy up</button>`}</p></div>
    <aside class="edit-side" aria-label="What the checker finds and what changes">
      <h2>Checker</h2><${ProblemNote} problem=${problem} />
      ${isStep ? html`<${StepFindings} checked=${checked} own=${own} onPick=${pick} onElsewhere=${(finding) => finding.step !== null && onStep(finding.step)} />` : html`<${Findings} checked=${checked} onPick=${pick} />`}
      <h2>Changes</h2>${isChanged ? html`<${PlanDiff} rows=${rows} label="What you changed" isUnified=${true} />` : html`<p class="quiet">${rows.length > 0 && rows.some((row) => row.left?.seq_no !== row.right?.seq_no) ? "Only numbers of steps so far: that is no other plan." : checked && !checked.valid ? "Told as soon as the checker finds no error." : "Nothing yet."}</p>`}
    </aside></div>`;
}

/** Which step is edited. */
export function StepChoice({ plan, step, onStep, disabled }) {
  return html`<label class="step-choice"><span class="visually-hidden">Step</span><select value=${String(step)} disabled=${disabled} title=${disabled ? "Mend the JSON first" : undefined} onChange=${(event) => onStep(Number(event.target.value))}>
    ${plan.steps.map((each) => html`<option key=${each.seq_no} value=${String(each.seq_no)}>${`${each.seq_no}  ${headOf(each).verb} ${headOf(each).what}`.slice(0, 90)}</option>`)}</select></label>`;
}

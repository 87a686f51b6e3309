// What the checker finds in a plan: asked as one types, marked in the text, listed below it.
import { html, useEffect, useState } from "../core/html.js";
import { post, toProblem } from "../core/api.js";
import { placesOf } from "./json_places.js";
import { StatusMark } from "./status_mark.js";
import { keysOf } from "./step_parts.js";

const PAUSE_MS = 250;

/** The place in the text that a finding is about; where it can't be told, the step, else the beginning. */
export function placeOf(finding, text, places, stepPlaces) {
  const position = /^line (\d+) column (\d+)$/.exec(finding.path);
  if (position) {
    const lines = text.split("\n").slice(0, Number(position[1]) - 1);
    const at = lines.reduce((sum, line) => sum + line.length + 1, 0) + Number(position[2]) - 1;
    return { from: Math.max(0, Math.min(at, text.length) - 1), to: Math.min(at + 1, text.length) };
  }
  const prefix = finding.code === "P001" || finding.step === null ? [] : stepPlaces.get(finding.step);
  const keys = [...(prefix ?? []), ...keysOf(finding.path ?? "")];
  for (let length = keys.length; length > 0; length--) {
    const found = places.get(keys.slice(0, length).join("/"));
    if (found) return found;
  }
  return { from: 0, to: Math.min(1, text.length) };
}

/** The path of each step by its number. */
export function stepPathsOf(text) {
  try {
    const document = JSON.parse(text);
    const isList = Array.isArray(document);
    const steps = isList ? document : document.steps;
    return new Map(steps.map((step, index) => [step.seq_no, isList ? [index] : ["steps", index]]));
  } catch {
    return new Map();
  }
}

/** Findings as marks for the code editor: each as long as its line at most. */
export function marksOf(findings, text) {
  const places = placesOf(text);
  const steps = stepPathsOf(text);
  return findings.map((finding) => {
    const { from, to } = placeOf(finding, text, places, steps);
    const lineEnd = text.indexOf("\n", from);
    const message = finding.hint ? `${finding.message} (${finding.hint})` : finding.message;
    return { from, to: lineEnd < 0 ? to : Math.min(to, lineEnd), severity: finding.severity, message };
  });
}

/**
 * What the checker says of the text, a moment after it was last changed.
 * @returns {{checked: any, problem: any, pending: boolean}} `checked` is of the text before while `pending`
 */
export function useCheck(text, namespace) {
  const [state, setState] = useState({ of: null, checked: null, problem: null });
  const key = JSON.stringify([text, namespace]);
  useEffect(() => {
    if (!text.trim()) {
      setState({ of: key, checked: null, problem: null });
      return undefined;
    }
    let isOver = false;
    const timer = setTimeout(() => {
      post("/api/plans/check", { text, ...(namespace && { namespace }) }).then(
        (checked) => isOver || setState({ of: key, checked, problem: null }),
        (error) => isOver || setState({ of: key, checked: null, problem: toProblem(error) }),
      );
    }, PAUSE_MS);
    return () => {
      isOver = true;
      clearTimeout(timer);
    };
  }, [key]);
  return { checked: state.checked, problem: state.problem, pending: state.of !== key };
}

/** @param {{checked: any, onPick?: (finding: any) => void}} props */
export function Findings({ checked, onPick }) {
  if (!checked) return null;
  const { findings, steps, errors, warnings } = checked;
  if (findings.length === 0) {
    return html`<p class="findings-clean" role="status"><${StatusMark} status="completed" label=${`The checker finds nothing wrong in ${steps} ${steps === 1 ? "step" : "steps"}`} /></p>`;
  }
  return html`<div class="findings" role="status" aria-label="What the checker finds">
    <p>${errors > 0 && html`<strong class="failed-text">${errors} ${errors === 1 ? "error" : "errors"}</strong>`} ${warnings > 0 && html`<strong class="waiting-text">${warnings} ${warnings === 1 ? "warning" : "warnings"}</strong>`}</p>
    <ul>${findings.map((finding) => html`<li>
      <button type="button" class="finding" onClick=${() => onPick?.(finding)}>
        <${StatusMark} status=${finding.severity === "error" ? "failed" : "waiting"} word=${false} label=${finding.severity} />
        <span class="finding-where">${finding.step !== null ? `step ${finding.step}` : finding.path || "plan"}</span>
        <span>${finding.message}${finding.hint && html`<span class="quiet"> – ${finding.hint}</span>`}</span>
      </button></li>`)}</ul>
  </div>`;
}

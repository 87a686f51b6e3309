// The plan as code, with what the checker finds in it; the step that is looked at is scrolled into sight.
import { html, useEffect, useMemo, useRef } from "../../core/html.js";
import { copy } from "../../core/announce.js";
import { CodeEditor } from "../../widgets/code_editor.js";
import { Findings, marksOf, placeOf, stepPathsOf, useCheck } from "../../widgets/findings.js";
import { placesOf } from "../../widgets/json_places.js";
import { EditorView } from "../../../vendor/codemirror.js";
import { ordered, toText } from "../../widgets/json_text.js";
import { ProblemNote } from "../../widgets/problem_note.js";

const FOCUSABLE = EditorView.contentAttributes.of({ tabindex: "0" });

/** @param {{plan: any, namespace: string | null, looked: number | null}} props */
export function PlanCode({ plan, namespace, looked }) {
  const text = useMemo(() => toText(ordered(plan)), [plan]);
  const view = useRef(null);
  const { checked, problem, pending } = useCheck(text, namespace);
  const marks = useMemo(() => (checked && !pending ? marksOf(checked.findings, text) : []), [checked, pending]);
  const goTo = (place) => {
    if (!place || !view.current) return;
    // Not further down than the step begins, so that its first lines are what one sees.
    const block = view.current.lineBlockAt(place.from);
    view.current.dispatch({ selection: { anchor: place.from } });
    view.current.scrollDOM.scrollTop = Math.max(0, block.top - 60);
  };
  useEffect(() => {
    if (looked === null) return;
    const at = stepPathsOf(text).get(looked);
    if (at) goTo(placesOf(text).get(at.join("/")));
  }, [looked, text]);
  const pick = (finding) => goTo(placeOf(finding, text, placesOf(text), stepPathsOf(text)));
  return html`<div class="plan-code">
    <div class="plan-code-head"><${Findings} checked=${pending ? null : checked} onPick=${pick} />
      <button type="button" class="small" onClick=${() => copy(text, "Copied the plan")}>Copy</button></div>
    <${ProblemNote} problem=${problem} />
    <div class="plan-code-text"><${CodeEditor} value=${text} label="The plan as JSON" readOnly=${true} extra=${FOCUSABLE} marks=${marks} handle=${view} /></div>
  </div>`;
}

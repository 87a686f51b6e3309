// An error where it happened: what is wrong, what would be right, and trying again.
import { html } from "../core/html.js";
import { Icon } from "./icon.js";

/** @param {{problem: import("../core/api.js").Problem, onRetry?: () => void, onClose?: () => void}} props */
export function ProblemNote({ problem, onRetry, onClose }) {
  if (!problem) return null;
  return html`<div class="problem" role="alert">
    <${Icon} name="failed" />
    <div>
      <strong>${problem.title}</strong>
      ${problem.detail && html`<div>${problem.detail}</div>`}
      ${problem.problems?.length > 0 && html`<ul>${problem.problems.map((each) => html`<li><code>${each.field}</code> ${each.message}</li>`)}</ul>`}
      ${problem.findings?.length > 0 && html`<ul>${problem.findings.map((each) => html`<li>${each.step !== null && html`step ${each.step}: `}${each.message}</li>`)}</ul>`}
      ${onRetry && html`<div class="problem-actions"><button type="button" class="small" onClick=${onRetry}>Try again</button></div>`}
    </div>
    ${onClose && html`<button type="button" class="bare" aria-label="Close" onClick=${onClose}><${Icon} name="close" /></button>`}
  </div>`;
}

// The head of the screens on which a plan is changed: whose it is, where one is, how it stands.
import { html } from "../core/html.js";
import { useDocument } from "../core/api.js";
import { oneLine, shortId } from "../core/format.js";
import { Link, href, path } from "../core/router.js";
import { useTitle } from "../core/title.js";
import { Icon } from "../widgets/icon.js";

const MARKS = {
  writing: ["planning", "a model writes it"], open: ["queued", "open"], approving: ["running", "is being approved"],
  approved: ["completed", "approved"], discarded: ["cancelled", "discarded"], failed: ["failed", "failed"],
};
const COLOURS = { writing: "planning", open: "open", approving: "running", approved: "completed", failed: "failed", discarded: "cancelled" };

/** The status of a proposal as a shape, a colour and a word. */
export function ProposalMark({ status }) {
  const [icon, word] = MARKS[status] ?? ["pending", status];
  return html`<span class=${`status status-${COLOURS[status]}`}><${Icon} name=${icon} /><span>${word}</span></span>`;
}

/** What a proposal was asked for, in one line. */
export function aboutOf(proposal) {
  if (proposal.kind === "suggestion") return `“${oneLine(proposal.suggestion, 140)}”${proposal.step !== null ? ` (step ${proposal.step})` : ""}`;
  if (proposal.kind === "step") return `step ${proposal.step} changed`;
  return "the plan changed";
}

/** @param {{id: string, crumbs: [string, string?][], branch?: string, children?: any}} props crumbs: title and address */
export function ReviewHead({ id, crumbs, branch, children }) {
  const { data: task } = useDocument(path`/api/tasks/${id}`);
  useTitle(task ? oneLine(task.goal, 80) : null);
  return html`<section class="task-head review-head" aria-label="Where this is, and what can be done">
    <nav class="crumbs" aria-label="Where this is"><${Link} to=${href(path`/tasks/${id}`, { branch })} title=${task ? oneLine(task.goal, 600) : id}>${task ? oneLine(task.goal, 90) : shortId(id)}</${Link}>
      ${crumbs.map(([title, to]) => html`<${Icon} name="right" size=${10} />${to ? html`<${Link} to=${to}>${title}</${Link}>` : html`<span aria-current="page">${title}</span>`}`)}</nav>
    <div class="task-line">${children}</div>
  </section>`;
}

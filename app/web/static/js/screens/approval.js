// Approving a proposal: said once more what will run and what can't be taken back; refused with the reason.
import { html, useState } from "../core/html.js";
import { announce } from "../core/announce.js";
import { getText, post, postText, toProblem } from "../core/api.js";
import { count, plural } from "../core/format.js";
import { href, navigate, path } from "../core/router.js";
import { Dialog } from "../widgets/dialog.js";
import { HappenedMark, WillMark, countCalls } from "../widgets/foreseen.js";
import { placesOf } from "../widgets/json_places.js";
import { headOf } from "../widgets/step_parts.js";
import { ProblemNote } from "../widgets/problem_note.js";

const proposalAt = (proposal, verb = "") => path`/api/tasks/${proposal.task_id}/proposals/${proposal.number}` + (verb && `/${verb}`);
const SHOWN = 12;

/** The same wish as JSON, on the branch as it stands now. What was set is set again, a plan stays as it was written. */
async function wishAgain(proposal) {
  const { name, reuse, irreversible } = proposal.options;
  const isStep = proposal.kind === "step";
  const body = { branch: proposal.revises, reuse, ...(name && { name }), ...(irreversible && { irreversible }), ...(isStep && { step: proposal.step }) };
  const key = isStep ? "set" : "plan";
  const text = await getText(proposalAt(proposal));
  const { from, to } = placesOf(text).get(key);
  return `${JSON.stringify(body).slice(0, -1)}, "${key}": ${text.slice(from, to)}}`;
}

/** Make it again, and go there. Throws Problem. */
export async function proposeAgain(proposal) {
  const made = await postText(path`/api/tasks/${proposal.task_id}/proposals`, await wishAgain(proposal));
  announce(`Made again as proposal ${made.number}`);
  navigate(path`/tasks/${proposal.task_id}/proposals/${made.number}`);
}

export const discard = (proposal) => post(proposalAt(proposal, "discard"));

function WillRun({ proposal }) {
  const steps = proposal.steps.filter((step) => ["run", "may_run", "ask", "fail"].includes(step.will));
  const byNumber = new Map(proposal.plan.steps.map((step) => [step.seq_no, step]));
  if (steps.length === 0) return html`<p>No call will be made: what is needed is there already.</p>`;
  return html`<ul class="approve-list">${steps.slice(0, SHOWN).map((step) => {
    const counts = countCalls(step.calls);
    const some = counts.total > 1 && step.will === "run" && counts.reuse > 0 ? `${count(counts.run)} of ${count(counts.total)}` : counts.total > 1 ? `${count(counts.total)}×` : "";
    return html`<li key=${step.seq_no}><${WillMark} will=${step.will} /> <span class="pd-number">${step.seq_no}</span> <span>${some} <span class="mono">${step.tool ?? headOf(byNumber.get(step.seq_no)).what}</span></span></li>`;
  })}${steps.length > SHOWN && html`<li class="quiet">and ${plural(steps.length - SHOWN, "more step")}</li>`}</ul>`;
}

/** @param {{proposal: any, onClose: () => void, onChanged: () => void}} props */
export function ApproveDialog({ proposal, onClose, onChanged }) {
  const [problem, setProblem] = useState(null);
  const [busy, setBusy] = useState(false);
  const counts = countCalls(proposal.steps.flatMap((step) => step.calls));
  const happened = proposal.beyond;
  const approve = async () => {
    setBusy(true);
    try {
      const approved = await post(proposalAt(proposal, "approve"));
      announce(approved.queued ? `Approved: ${approved.branch} runs` : `Approved: ${approved.branch} has nothing left to run`, {
        link: { to: href("/compare", { left: `${proposal.task_id}:${proposal.revises}`, right: `${proposal.task_id}:${approved.branch}`, view: "runs" }), title: "Compare the runs" },
      });
      navigate(href(path`/tasks/${proposal.task_id}`, { branch: approved.branch }));
    } catch (error) {
      setProblem(toProblem(error));
      setBusy(false);
      onChanged();
    }
  };
  const again = async () => {
    setBusy(true);
    try {
      await proposeAgain(proposal);
    } catch (error) {
      setProblem(toProblem(error));
      setBusy(false);
    }
  };
  const hasMoved = problem?.code === "base-moved";
  return html`<${Dialog} title="Approve and run" onClose=${onClose}>
    <p>It is committed as a branch of its own in your name, and runs. ${proposal.revises} stays as it is.</p>
    <h3>${counts.total > 0 ? `${count(counts.run)} of ${plural(counts.total, "call")} will run${counts.reuse > 0 ? `, ${count(counts.reuse)} reused` : ""}` : "What will run"}</h3>
    <${WillRun} proposal=${proposal} />
    ${happened.length > 0 && html`<h3>Has happened already, and is not undone</h3>
      <ul class="approve-list">${happened.slice(0, SHOWN).map((call) => html`<li key=${`${call.step}/${call.visit}`}><${HappenedMark} call=${call} task=${proposal.task_id} branch=${proposal.revises} /></li>`)}
      ${happened.length > SHOWN && html`<li class="quiet">and ${happened.length - SHOWN} more</li>`}</ul>
      <p class="quiet">No irreversible call is repeated by approving this: where one comes up again, the run waits for a decision.</p>`}
    <${ProblemNote} problem=${problem} />
    <div class="actions">${hasMoved ? html`<button type="button" class="primary" disabled=${busy} onClick=${again}>Make it again on the new base</button>`
      : html`<button type="button" class="primary" autofocus disabled=${busy} onClick=${approve}>Approve and run</button>`}
      <button type="button" onClick=${onClose}>Not yet</button></div>
  </${Dialog}>`;
}

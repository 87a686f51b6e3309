// Why a step ran, or was reused: what the record says, and on asking the parts that differ from an earlier run.
import { html, useState } from "../../core/html.js";
import { get, toProblem } from "../../core/api.js";
import { oneLine, shortId } from "../../core/format.js";
import { path } from "../../core/router.js";
import { ProblemNote } from "../../widgets/problem_note.js";

const OUTCOMES = {
  kept: "It is from before the fork: nothing was done again.",
  reused: "Its result was taken from an earlier run.",
  ran: "It was done anew.",
  none: "It needs nothing from outside, so there is nothing to reuse.",
};

function Part({ part }) {
  const { name, path: place, kind, ...rest } = part;
  return html`<li><strong>${part.part ?? kind ?? name ?? "differs"}</strong> ${place && html`<code>${place}</code>`} <span class="quiet">${oneLine(JSON.stringify(rest), 300)}</span></li>`;
}

export function Why({ id, branch, commit, record, onCommit }) {
  const [told, setTold] = useState(null);
  const [problem, setProblem] = useState(null);
  const [busy, setBusy] = useState(false);
  const from = record.from_commit ?? record.origins?.[0]?.from_commit;
  const ask = async () => {
    setBusy(true);
    try {
      const { steps, forked_from: forked } = await get(path`/api/tasks/${id}/explain`, { branch, step: commit.seq_no });
      setTold({ step: steps.find((each) => each.commit === commit.commit) ?? null, forked });
      setProblem(null);
    } catch (error) {
      setProblem(toProblem(error));
    }
    setBusy(false);
  };
  if (!record.inputs && !from) return null;
  return html`<section class="why"><h3>Why it ran or was reused</h3>
    ${from && html`<p>Taken from <button type="button" class="more mono" onClick=${() => onCommit(from)}>${shortId(from)}</button>, where the same was asked.</p>`}
    ${!told && html`<button type="button" class="small" disabled=${busy} onClick=${ask}>${busy ? "Comparing the runs…" : "Explain"}</button>`}
    ${told && told.step === null && html`<p>This commit is not on the branch ${branch}.</p>`}
    ${told?.step && html`<p>${OUTCOMES[told.step.outcome] ?? told.step.outcome}${told.step.items && ` ${told.step.items.reused} items reused, ${told.step.items.ran} asked.`}
      ${told.step.outcome === "ran" && !told.forked && " The branch was not forked: there was no run to take from."}</p>
      ${told.step.changed.length > 0 && html`<p>Because of</p><ul>${told.step.changed.map((part, index) => html`<${Part} key=${index} part=${part} />`)}</ul>`}`}
    <${ProblemNote} problem=${problem} onRetry=${ask} />
  </section>`;
}

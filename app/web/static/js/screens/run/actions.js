// What can be done with a commit: fork there, edit the plan from there on, take it along as a command.
import { html, useState } from "../../core/html.js";
import { announce, copy } from "../../core/announce.js";
import { post, toProblem } from "../../core/api.js";
import { Link, href, navigate, path } from "../../core/router.js";
import { shortId } from "../../core/format.js";
import { may } from "../../core/session.js";
import { Dialog } from "../../widgets/dialog.js";
import { Icon } from "../../widgets/icon.js";
import { Menu } from "../../widgets/menu.js";
import { ProblemNote } from "../../widgets/problem_note.js";

/** Commands that do for a commit what the page does. */
function commandsOf(id, branch, commit) {
  const task = shortId(id);
  const at = shortId(commit.commit);
  return [
    ["Look at it", `stackvm show ${task} --at ${at}`],
    ["Fork here", `stackvm fork ${task} --at ${at} --name NAME`],
    ["What differs from the newest", `stackvm diff ${task} ${at} ${branch}`],
    ...(commit.seq_no === null ? [] : [["Explain the step", `stackvm explain ${task} --branch ${branch} --step ${commit.seq_no}`]]),
    ["Set a variable here", `stackvm set ${task} NAME=JSON --at ${at}`],
  ];
}

export function ForkDialog({ id, commit, onClose, onDone }) {
  const [name, setName] = useState(`from-${commit.seq_no ?? shortId(commit.commit)}`);
  const [isRun, setRun] = useState(true);
  const [problem, setProblem] = useState(null);
  const [busy, setBusy] = useState(false);
  const submit = async (event) => {
    event.preventDefault();
    setBusy(true);
    try {
      const made = await post(path`/api/tasks/${id}/branches`, { revision: commit.commit, name: name.trim() });
      if (isRun && !["completed", "cancelled"].includes(made.status)) await post(path`/api/tasks/${id}/resume`, { branch: made.branch });
      announce(`The branch ${made.branch} begins here`);
      onDone();
      onClose();
      navigate(href(path`/tasks/${id}`, { branch: made.branch }));
    } catch (error) {
      setProblem(toProblem(error));
      setBusy(false);
    }
  };
  return html`<${Dialog} title="Fork here" onClose=${onClose}><form onSubmit=${submit}>
    <p class="quiet">A new branch that begins at this commit. Nothing is copied; the branch it leaves stays as it is.</p>
    <label class="field"><span class="label">Name of the branch</span><input required autofocus maxlength="240" value=${name} onInput=${(event) => setName(event.target.value)} /></label>
    <label class="check"><input type="checkbox" checked=${isRun} onChange=${(event) => setRun(event.target.checked)} /> Run it from here</label>
    <${ProblemNote} problem=${problem} />
    <div class="actions"><button class="primary" disabled=${busy || !name.trim()}>Fork</button></div>
  </form></${Dialog}>`;
}

const MARKED = "stackvm.compare";

/** The commit that was marked to be compared, as TASK:COMMIT; it is kept while the tab is open. */
export const marked = () => sessionStorage.getItem(MARKED);

/** Mark a commit; where another is marked already, show both side by side. */
export function markOrCompare(id, commit) {
  const here = `${id}:${commit}`;
  const other = marked();
  if (!other || other === here) {
    sessionStorage.setItem(MARKED, here);
    announce("Marked. Select another commit and compare it with this one");
    return;
  }
  sessionStorage.removeItem(MARKED);
  compare(other, here);
}

const compare = (left, right) => navigate(href("/compare", { left, right, view: "runs" }));

const OTHERS = 8;

/** The newest of this branch and of the others, the one that it left first; not where that is this very commit. */
function newest(branch, branches, parent) {
  const others = branches.filter((each) => each.branch !== branch).sort((a, b) => (b.branch === parent) - (a.branch === parent));
  return [...branches.filter((each) => each.branch === branch), ...others.slice(0, OTHERS)];
}

function comparisons(id, branch, commit, branches, parent) {
  const here = `${id}:${commit.commit}`;
  const other = marked();
  return [
    ...(other && other !== here ? [{ label: `Compare with the marked ${shortId(other.split(":")[1])}`, run: () => markOrCompare(id, commit.commit) }] : []),
    { label: other === here ? "This commit is marked" : "Mark to compare (c)", disabled: other === here, run: () => { sessionStorage.removeItem(MARKED); markOrCompare(id, commit.commit); } },
    ...newest(branch, branches, parent).filter((each) => each.commit !== commit.commit).map((each) => ({ label: `With the newest of ${each.branch}`, run: () => compare(here, `${id}:${each.branch}`) })),
    ...(commit.parent ? [{ label: "With the commit before", run: () => compare(`${id}:${commit.parent}`, here) }] : []),
  ];
}

/** @param {{id: string, branch: string, branches: any[], parent?: string, commit: any, step: any, onDone: () => void}} props
 *   `parent` is the branch that this one left */
export function StepActions({ id, branch, branches, parent, commit, step, onDone }) {
  const [isForking, setForking] = useState(false);
  const edit = href(path`/tasks/${id}/edit`, { branch, at: commit.commit, step: step?.seq_no });
  return html`<div class="step-actions">
    ${may("operator") && html`
      <button type="button" class="small" onClick=${() => setForking(true)}><${Icon} name="fork" /> Fork here</button>
      ${commit.kind !== "goal" && html`<${Link} to=${edit} class="button small"><${Icon} name="revision" /> Edit from here</${Link}>`}`}
    <${Menu} class="small" title="Compare" label="Compare" items=${comparisons(id, branch, commit, branches, parent)} />
    <${Menu} class="small" title="Copy as a command" label=${html`<${Icon} name="copy" />`} items=${commandsOf(id, branch, commit).map(([label, command]) => ({
      label: html`<span class="command"><span>${label}</span><code>${command}</code></span>`, run: () => copy(command, "Command copied"),
    }))} />
    ${isForking && html`<${ForkDialog} id=${id} commit=${commit} onClose=${() => setForking(false)} onDone=${onDone} />`}
  </div>`;
}

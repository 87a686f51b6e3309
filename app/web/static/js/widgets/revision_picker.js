// Choose a task, a branch of it, and a commit: the head, wherever it goes, or one that stays.
import { html, useEffect, useState } from "../core/html.js";
import { useDocument, usePages } from "../core/api.js";
import { oneLine, plural, shortId } from "../core/format.js";
import { path } from "../core/router.js";
import { Dialog } from "./dialog.js";
import { Loading } from "./empty.js";
import { ProblemNote } from "./problem_note.js";
import { StatusMark } from "./status_mark.js";
import { Ago } from "./time.js";

const TYPING_MS = 200;

function TaskList({ text, chosen, onChoose }) {
  const list = usePages("/api/tasks", { text }, 30);
  return html`<div class="pick-list" role="group" aria-label="Tasks">
    <${ProblemNote} problem=${list.problem} onRetry=${list.reload} />
    ${list.items.map((task) => html`<button type="button" key=${task.task_id} class="pick-row" aria-pressed=${task.task_id === chosen} onClick=${() => onChoose(task.task_id)}>
      <${StatusMark} status=${task.status} word=${false} /><span class="pick-text">${oneLine(task.goal, 120)}</span><code class="quiet">${shortId(task.task_id)}</code><span class="quiet"><${Ago} ms=${task.created_ms} /></span></button>`)}
    ${list.items.length === 0 && !list.loading && html`<p class="quiet pick-none">No task has that in its goal.</p>`}
    ${!list.done && html`<button type="button" class="more" onClick=${list.more}>more tasks</button>`}
  </div>`;
}

function CommitList({ task, branch, chosen, onPick }) {
  const list = usePages(path`/api/tasks/${task}/commits`, { branch }, 50);
  return html`<div class="pick-list" role="group" aria-label="Commits">
    <button type="button" class="pick-row" aria-pressed=${chosen === branch} onClick=${() => onPick(branch)}><${StatusMark} status="fork" word=${false} label="branch" /><span class="pick-text"><strong>${branch}</strong>, wherever its head is</span></button>
    ${list.loading && list.items.length === 0 && html`<${Loading} />`}
    ${list.items.map((each) => html`<button type="button" key=${each.commit} class="pick-row" aria-pressed=${chosen === each.commit} onClick=${() => onPick(each.commit)}>
      <code class="quiet">${shortId(each.commit)}</code><span class="pick-text">${oneLine(each.subject, 120)}</span><span class="quiet"><${Ago} ms=${each.time * 1000} /></span></button>`)}
    ${!list.done && list.items.length > 0 && html`<button type="button" class="more" onClick=${list.more}>more commits</button>`}
    <${ProblemNote} problem=${list.problem} />
  </div>`;
}

/**
 * @param {{title: string, side: {task: string, rev: string} | null, onPick: (side: {task: string, rev: string}) => void, onClose: () => void}} props
 */
export function RevisionPicker({ title, side, onPick, onClose }) {
  const [task, setTask] = useState(side?.task ?? null);
  const [branch, setBranch] = useState(null);
  const [isTasks, setTasks] = useState(!side);
  const [typed, setTyped] = useState("");
  const [text, setText] = useState("");
  useEffect(() => {
    const timer = setTimeout(() => setText(typed), TYPING_MS);
    return () => clearTimeout(timer);
  }, [typed]);
  const { data: row, problem } = useDocument(task ? path`/api/tasks/${task}` : null);
  const { data: branches } = useDocument(task ? path`/api/tasks/${task}/branches` : null);
  const names = branches?.items.map((each) => each.branch) ?? [];
  const first = names.includes(side?.rev) ? side.rev : branches?.items.find((each) => each.current)?.branch ?? names[0];
  const shown = names.includes(branch) ? branch : first;
  const choose = (id) => {
    setTask(id);
    setBranch(null);
    setTasks(false);
  };
  return html`<${Dialog} title=${title} onClose=${onClose} wide=${true}>
    ${isTasks || !task ? html`
      <label class="field"><span class="label">Task</span><input type="search" autofocus value=${typed} onInput=${(event) => setTyped(event.target.value)} placeholder="Search goals" maxlength="200" /></label>
      <${TaskList} text=${text} chosen=${task} onChoose=${choose} />`
    : html`
      <p class="pick-task"><span>${row ? oneLine(row.goal, 160) : shortId(task)}</span><button type="button" class="small" onClick=${() => setTasks(true)}>Another task</button></p>
      <${ProblemNote} problem=${problem} />
      ${branches && html`<label class="field"><span class="label">Branch <span class="quiet">of ${plural(names.length, "branch", "branches")}</span></span>
        <select value=${shown} onChange=${(event) => setBranch(event.target.value)}>${branches.items.map((each) => html`<option value=${each.branch}>${each.branch} (${each.status})</option>`)}</select></label>
        ${shown && html`<${CommitList} key=${`${task}:${shown}`} task=${task} branch=${shown} chosen=${side?.rev} onPick=${(rev) => onPick({ task, rev })} />`}`}`}
  </${Dialog}>`;
}

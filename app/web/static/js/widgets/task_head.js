// The head of every screen of a task: its goal, how the branch stands, which branch, which view, and what can be done.
import { cx, html, useEffect, useState } from "../core/html.js";
import { announce } from "../core/announce.js";
import { post, toProblem, useDocument } from "../core/api.js";
import { oneLine, plural, shortId } from "../core/format.js";
import { Link, href, navigate, path } from "../core/router.js";
import { may } from "../core/session.js";
import { useTitle } from "../core/title.js";
import { ProblemNote } from "./problem_note.js";
import { StatusMark } from "./status_mark.js";

const VIEWS = [["", "Run"], ["plan", "Plan"], ["timeline", "Timeline"]];
const ACTIVE = ["running", "planning", "queued"];

/** The address of a view of the task: "" is the run, "plan", "timeline". */
export const viewOf = (id, view, query) => href(view ? path`/tasks/${id}/` + view : path`/tasks/${id}`, query);

function Actions({ id, branch, status, onDone, onProblem }) {
  const [busy, setBusy] = useState(false);
  const ask = async (verb) => {
    setBusy(true);
    try {
      await post(path`/api/tasks/${id}/` + verb, { branch });
      announce(`Asked to ${verb}`);
      onProblem(null);
      onDone?.();
    } catch (error) {
      onProblem(toProblem(error));
    }
    setBusy(false);
  };
  if (!may("operator")) return null;
  return html`<div class="task-actions">
    ${["running", "planning"].includes(status) && html`<button type="button" class="small" disabled=${busy} onClick=${() => ask("pause")}>Pause</button>`}
    ${["paused", "failed"].includes(status) && html`<button type="button" class="small" disabled=${busy} onClick=${() => ask("resume")}>Resume</button>`}
    ${[...ACTIVE, "paused", "waiting"].includes(status) && html`<button type="button" class="small" disabled=${busy} onClick=${() => ask("cancel")}>Cancel</button>`}
  </div>`;
}

const PROPOSALS = 50;
const PROPOSALS_MS = 500; // what the screen shows comes first

/** The way to the proposals of the task, and how many of them wait for a word. Nothing tells of a new one: it is asked when
 * a branch has moved and when the page is seen again. */
function Proposals({ id, branches }) {
  const [isBegun, setBegun] = useState(false);
  const { data, reload } = useDocument(isBegun ? path`/api/tasks/${id}/proposals` : null, { limit: PROPOSALS });
  const heads = branches.map((each) => `${each.branch} ${each.commit} ${each.status}`).join();
  useEffect(() => {
    const timer = setTimeout(() => (isBegun ? reload() : setBegun(true)), PROPOSALS_MS);
    return () => clearTimeout(timer);
  }, [heads]);
  useEffect(() => {
    const onVisibility = () => !document.hidden && reload();
    document.addEventListener("visibilitychange", onVisibility);
    return () => document.removeEventListener("visibilitychange", onVisibility);
  }, []);
  if (!data || data.items.length === 0) return null;
  const open = data.items.filter((each) => ["open", "writing", "approving"].includes(each.status));
  const to = open.length === 1 ? path`/tasks/${id}/proposals/${open[0].number}` : path`/tasks/${id}/proposals`;
  return html`<${Link} to=${to} class=${cx("view", open.length > 0 && "waiting-text")}>${open.length > 0 ? `${plural(open.length, "proposal")} open` : "Proposals"}</${Link}>`;
}

/**
 * @param {{task: any, branches: any[], branch: string, view: "" | "plan" | "timeline", query: Object, onDone?: () => void}} props
 *   `branch` is the one that is shown; the links keep `branch` and `commit` of `query`
 */
export function TaskHead({ task, branches, branch, view, query, onDone }) {
  const [problem, setProblem] = useState(null);
  useTitle(oneLine(task.goal, 80));
  const id = task.task_id;
  const here = branches.find((each) => each.branch === branch);
  const status = here?.status ?? task.status;
  const kept = { branch: query.branch, commit: query.commit };
  return html`<header class="task-head">
    <div class="task-title">
      <h1 title=${oneLine(task.goal, 1_000)}>${oneLine(task.goal)}</h1>
      <code class="quiet" title=${id}>${shortId(id)}</code>
    </div>
    <div class="task-line">
      <${StatusMark} status=${status} />
      <label class="branch-choice"><span class="visually-hidden">Branch</span>
        <select value=${branch} onChange=${(event) => navigate(viewOf(id, view, { branch: event.target.value }))}>
          ${branches.map((each) => html`<option key=${each.branch} value=${each.branch}>${each.branch} (${each.status})</option>`)}
        </select></label>
      <nav aria-label="Views of the task">${VIEWS.map(([name, title]) => html`
        <${Link} key=${name} to=${viewOf(id, name, kept)} class=${cx("view", name === view && "here")} aria-current=${name === view ? "page" : undefined}>${title}</${Link}>`)}<${Proposals} id=${id} branches=${branches} /></nav>
      <${Actions} id=${id} branch=${branch} status=${status} onDone=${onDone} onProblem=${setProblem} />
    </div>
    <${ProblemNote} problem=${problem} onClose=${() => setProblem(null)} />
  </header>`;
}

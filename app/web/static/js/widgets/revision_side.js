// One side of a comparison: a task and a revision of it, `TASK:REV` in the address; and the button that says which it is.
import { html } from "../core/html.js";
import { useDocument } from "../core/api.js";
import { oneLine, shortId } from "../core/format.js";
import { Link, href, path } from "../core/router.js";
import { Ago } from "./time.js";
import { Icon } from "./icon.js";

/** @returns {{task: string, rev: string} | null} `rev` "" is the task's current branch */
export function parseSide(text) {
  if (!text) return null;
  const at = text.indexOf(":");
  return at < 0 ? { task: text, rev: "" } : { task: text.slice(0, at), rev: text.slice(at + 1) };
}

export const writeSide = ({ task, rev }) => `${task}:${rev}`;
const isCommit = (rev) => /^[0-9a-f]{7,40}$/.test(rev);

/** What a side leads to: its task, its commit. `problem` where it leads nowhere. */
export function useSide(side) {
  const task = useDocument(side ? path`/api/tasks/${side.task}` : null);
  const rev = side && (side.rev || task.data?.branch);
  const commit = useDocument(side && rev ? path`/api/tasks/${side.task}/commits/` + encodeURI(rev) : null);
  const isReady = Boolean(task.data && commit.data && !task.loading && !commit.loading);
  return { side, rev, task: task.data, commit: commit.data, isReady, problem: task.problem ?? commit.problem };
}

/** The run at that commit. */
export const runAddress = (task, rev, commit) => href(path`/tasks/${task}`, { branch: isCommit(rev) ? null : rev.split("~")[0], commit });

/** @param {{name: string, found: any, onPick: () => void}} props `found` is what `useSide` gives */
export function SideLabel({ name, found, onPick }) {
  const { side, rev, task, commit } = found;
  if (!side) return html`<button type="button" class="side-pick side-empty" onClick=${onPick}><span class="side-name">${name}</span><span>Choose a run</span></button>`;
  const shown = isCommit(rev ?? "") ? shortId(rev) : rev;
  return html`<div class="side-label">
    <button type="button" class="side-pick" onClick=${onPick} title="Choose another">
      <span class="side-name">${name}</span>
      <span class="side-goal">${task ? oneLine(task.goal, 140) : shortId(side.task)}</span>
      <span class="side-rev"><${Icon} name="fork" size=${12} /> ${shown}</span><${Icon} name="down" size=${12} /></button>
    ${commit && html`<p class="side-at quiet"><${Link} to=${runAddress(side.task, rev, commit.commit)} class="mono">${shortId(commit.commit)}</${Link}>
      <span class="side-subject">${oneLine(commit.subject, 90)}</span> <${Ago} ms=${commit.time * 1000} /></p>`}
  </div>`;
}

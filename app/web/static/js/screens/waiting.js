// Everything that waits for a person, across tasks: calls that nobody but a person may decide about, and proposals.
import { html, useEffect, useRef } from "../core/html.js";
import { usePages } from "../core/api.js";
import { money, oneLine, plural } from "../core/format.js";
import { onTasks } from "../core/live.js";
import { useNow } from "../core/media.js";
import { Link, href, path } from "../core/router.js";
import { Empty, Loading } from "../widgets/empty.js";
import { Icon } from "../widgets/icon.js";
import { ProblemNote } from "../widgets/problem_note.js";
import { Ago } from "../widgets/time.js";
import { WaitingCall } from "./waiting/call.js";

const PAUSE_MS = 500;

/** Ask again a moment after a task began to wait, or one that is listed has changed. */
function useReloading(listed, reloads) {
  const latest = useRef(null);
  latest.current = { listed, reloads };
  useEffect(() => {
    let timer = null;
    const stop = onTasks((tasks) => {
      const isOurs = (task) => task.status === "waiting" || latest.current.listed.includes(task.task_id);
      if (!tasks.some(isOurs)) return;
      timer ??= setTimeout(() => {
        timer = null;
        for (const reload of latest.current.reloads) reload();
      }, PAUSE_MS);
    });
    return () => {
      stop();
      clearTimeout(timer);
    };
  }, []);
}

const KINDS = { step: "a change of step", suggestion: "a suggestion, written by a model", plan: "a new plan", set: "a change" };

function Proposal({ row, now }) {
  const expected = row.costs?.expected;
  return html`<li class="waiting-proposal">
    <${Icon} name="revision" />
    <div>
      <${Link} to=${path`/tasks/${row.task_id}/proposals/${row.number}`}>${oneLine(row.goal)}</${Link}>
      <div class="quiet">${KINDS[row.kind] ?? row.kind}${row.step !== null && ` ${row.step}`} on ${row.revises}
        ${row.suggestion && html`: “${oneLine(row.suggestion, 120)}”`}
        ${row.kept !== null && `, ${plural(row.kept, "step")} kept`}${expected?.cost ? `, about ${money(expected.cost)}` : ""}
        ${row.base_moved && html` <span class="waiting-text">the branch has moved on since</span>`}</div>
    </div>
    <span class="quiet">${row.created_by}, <${Ago} ms=${row.created_ms} now=${now} /></span>
    <${Link} class="button small" to=${path`/tasks/${row.task_id}/proposals/${row.number}`}>Review</${Link}>
  </li>`;
}

const keyOf = (entry) => `${entry.task.task_id} ${entry.branch} ${entry.waiting?.idempotency_key ?? ""}`;

export default function Waiting() {
  const calls = usePages("/api/waiting", {}, 50);
  const proposals = usePages("/api/proposals", {}, 50);
  const now = useNow();
  useReloading([...calls.items, ...proposals.items].map((each) => each.task_id ?? each.task.task_id), [calls.reload, proposals.reload]);
  const isEmpty = [calls, proposals].every((list) => !list.loading && !list.problem && list.items.length === 0);
  return html`<main class="page waiting-screen" aria-busy=${calls.loading}>
    <h1>Waiting for you</h1>
    <${ProblemNote} problem=${calls.problem} onRetry=${calls.reload} />
    ${calls.loading && calls.items.length === 0 && html`<${Loading} what="Loading what waits" />`}
    ${isEmpty && html`<${Empty} title="Nothing waits for you">
      <p>A run waits here when a call that can't be taken back may or may not have happened, or would happen twice after a fork. You then say whether it is made.
      Proposals that nobody has approved or discarded stand here too.</p>
      <p><${Link} to=${href("/", { status: "running,queued,planning" })}>What runs now</${Link}></p>
    </${Empty}>`}
    ${calls.items.length > 0 && html`<section aria-label="Calls to decide about">
      ${calls.items.map((entry) => html`<${WaitingCall} key=${keyOf(entry)} entry=${entry} now=${now} onDecided=${calls.reload} />`)}
      ${!calls.done && html`<button type="button" onClick=${calls.more}>Show more</button>`}
    </section>`}
    <${ProblemNote} problem=${proposals.problem} onRetry=${proposals.reload} />
    ${proposals.items.length > 0 && html`<section class="waiting-proposals">
      <h2>Proposals to review</h2>
      <ul>${proposals.items.map((row) => html`<${Proposal} key=${row.number} row=${row} now=${now} />`)}</ul>
      ${!proposals.done && html`<button type="button" onClick=${proposals.more}>Show more</button>`}
    </section>`}
  </main>`;
}

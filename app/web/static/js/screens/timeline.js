// When what was under way: the calls of a branch in lanes, and where the time and the money went.
import { html, useEffect, useMemo, useRef } from "../core/html.js";
import { useNow } from "../core/media.js";
import { href, path, setQuery } from "../core/router.js";
import { useTask } from "../core/task.js";
import { duration } from "../core/format.js";
import { Empty, Loading } from "../widgets/empty.js";
import { ProblemNote } from "../widgets/problem_note.js";
import { TaskHead } from "../widgets/task_head.js";
import { makeAxis } from "./timeline/axis.js";
import { Lanes } from "./timeline/lanes.js";
import { useTimeline } from "./timeline/load.js";
import { timesOf } from "./timeline/model.js";
import { Summary } from "./timeline/summary.js";

const ACTIVE = ["running", "planning", "waiting", "queued"];

const KEY = [["tool", "tool"], ["model", "model"], ["waits", "waits for a person"]];

function Legend({ times, axis, folds }) {
  return html`<div class="timeline-bar-line">
    <ul class="legend" aria-label="What the colours mean">${KEY.filter(([kind]) => kind !== "waits" || times.bars.some((bar) => bar.waits)).map(([kind, name]) => html`<li key=${kind}><svg width="16" height="10" aria-hidden="true" class=${`bar-${kind}`}><rect class="bar-box" width="16" height="10" rx="2" /></svg> ${name}</li>`)}
      ${times.bars.some((bar) => bar.failed) && html`<li><svg width="16" height="10" aria-hidden="true" class="bar-tool bar-failed"><rect class="bar-box" width="16" height="10" rx="2" /><path class="bar-cross" d="M5 2l6 6m0-6l-6 6" /></svg> failed</li>`}
      ${times.marks.some((mark) => mark.kind === "reused") && html`<li><svg width="12" height="12" viewBox="0 0 12 12" aria-hidden="true"><path class="timeline-mark mark-reused" d="M2 6a4 4 0 1 1 4 4" /></svg> reused</li>`}
      ${times.marks.some((mark) => mark.kind === "step") && html`<li><svg width="6" height="12" aria-hidden="true"><path class="timeline-mark mark-step" d="M3 3v6" /></svg> step without a call</li>`}</ul>
    <span class="quiet timeline-hint">wheel to zoom, drag to move</span>
    ${(axis.gaps.length > 0 || !folds) && html`<label class="check push"><input type="checkbox" checked=${folds} onChange=${(event) => setQuery({ idle: event.target.checked ? "" : "1" })} /> fold pauses${axis.gaps.length > 0 && ` (${duration(axis.gaps.reduce((sum, gap) => sum + gap.to - gap.from, 0))})`}</label>`}
  </div>`;
}

export default function TimelineScreen({ params, query }) {
  const { id } = params;
  const branch = useRef(null);
  const { task, branches, live, problem, deleted, reload } = useTask(id, { onCommit: (commit) => commit.branch === branch.current && found.later(), onStart: () => found.later() });
  branch.current = query.branch ?? task?.branch ?? null;
  const found = useTimeline(id, branch.current);
  const status = branches.find((each) => each.branch === branch.current)?.status ?? task?.status;
  useEffect(() => {
    if (status) found.later();
  }, [status]);
  const under = live[branch.current]?.steps;
  const isLive = ACTIVE.includes(status) && ((under?.length ?? 0) > 0 || status === "waiting");
  const now = useNow(isLive ? 500 : 60_000);
  const folds = query.idle !== "1";
  const times = useMemo(() => timesOf(found.entries, { steps: ACTIVE.includes(status) ? under : [], status, now }), [found.entries, under, status, isLive && now]);
  const axis = useMemo(() => makeAxis(times, folds), [times, folds]);
  const linkOf = (bar) => (bar.commit ? href(path`/tasks/${id}`, { branch: branch.current, commit: bar.commit }) : href(path`/tasks/${id}`, { branch: branch.current }));

  if (deleted) return html`<main class="page"><${Empty} title="This task was deleted" /></main>`;
  if (!task) return html`<main class="page"><${ProblemNote} problem=${problem} onRetry=${reload} />${!problem && html`<${Loading} />`}</main>`;
  return html`<main class="timeline-screen">
    <${TaskHead} task=${task} branches=${branches} branch=${branch.current} view="timeline" query=${query} onDone=${reload} />
    <${ProblemNote} problem=${found.problem} onRetry=${found.reload} />
    ${times.bars.length > 0 && html`<${Legend} times=${times} axis=${axis} folds=${folds} /><${Lanes} key=${branch.current} times=${times} axis=${axis} linkOf=${linkOf} isLive=${isLive} />`}
    ${!found.done && !found.problem && html`<${Loading} what=${found.entries.length > 0 ? "Loading earlier steps" : "Loading the times"} />`}
    ${found.done && times.bars.length === 0 && html`<${Empty} title=${ACTIVE.includes(status) ? "Nothing was under way yet" : "Nothing took any time"}><p>Calls of tools and models appear here with their times. Steps that only compute take none.</p></${Empty}>`}
    ${times.bars.length > 0 && html`<${Summary} times=${times} entries=${found.entries} linkOf=${linkOf} />`}
  </main>`;
}

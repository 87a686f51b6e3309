// A run: the branches and their steps, the step that is selected, the state there. Follows the run until one looks back.
import { cx, html, useCallback, useEffect, useMemo, useRef, useState } from "../../core/html.js";
import { useDocument } from "../../core/api.js";
import { useKeys } from "../../core/keys.js";
import { useNarrow } from "../../core/media.js";
import { Link, href, navigate, path, setQuery } from "../../core/router.js";
import { useTask } from "../../core/task.js";
import { Empty, Loading } from "../../widgets/empty.js";
import { ProblemNote } from "../../widgets/problem_note.js";
import { StatusMark } from "../../widgets/status_mark.js";
import { TaskHead } from "../../widgets/task_head.js";
import { markOrCompare } from "./actions.js";
import { BranchTree } from "./branch_tree.js";
import { LivePane } from "./live_pane.js";
import { useIndex, useLog } from "./log.js";
import { Scrubber, StatePane } from "./state_pane.js";
import { StepPane } from "./step_pane.js";
import { StepsPane } from "./steps_pane.js";

const SETTLE_MS = 160;
const TREE_MS = 1_500;
const PANES = [["steps", "Steps"], ["step", "Step"], ["state", "State"]];
const PAGE = 10;

/** The selected commit: here at once, in the address when it has settled, as browsers take few changes a second. */
function useSelection(query) {
  const [commit, setCommit] = useState(query.commit ?? null);
  const timer = useRef(null);
  useEffect(() => {
    if (timer.current === null) setCommit(query.commit ?? null);
  }, [query.commit]);
  useEffect(() => () => clearTimeout(timer.current), []);
  const select = useCallback((next) => {
    setCommit(next);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => {
      timer.current = null;
      setQuery({ commit: next });
    }, SETTLE_MS);
  }, []);
  return [commit, select];
}

/** The tree, asked again a moment after something was committed: it walks whole histories. */
function useTree(id, round, isWanted) {
  const { data, problem, reload } = useDocument(isWanted ? path`/api/tasks/${id}/tree` : null);
  const timer = useRef(null);
  useEffect(() => {
    if (round === 0) return;
    timer.current ??= setTimeout(() => {
      timer.current = null;
      reload();
    }, TREE_MS);
  }, [round]);
  useEffect(() => () => clearTimeout(timer.current), []);
  return { tree: data?.items ?? null, problem };
}

function Notice({ id, status, branch, task }) {
  if (status === "waiting") {
    return html`<div class="notice notice-waiting"><${StatusMark} status="waiting" label="It waits for a person to decide" /><${Link} to=${href("/waiting", { task: id, branch })} class="button small">Decide</${Link}></div>`;
  }
  if (status === "failed" && task.error && task.branch === branch) return html`<div class="notice notice-failed"><${StatusMark} status="failed" word=${false} label="failed" /><span>${task.error}</span></div>`;
  return null;
}

/** A branch or a commit in the address that the task does not have: said once, with the branches that it has. */
function Missing({ id, branch, commit, branches }) {
  const what = commit ? `There is no commit ${commit.slice(0, 40)} here` : `There is no branch ${branch} here`;
  return html`<${Empty} title=${what}><p>The task has ${branches.length === 1 ? "one branch" : "these branches"}:</p>
    <ul class="missing-branches">${branches.map((each) => html`<li key=${each.branch}><${Link} to=${href(path`/tasks/${id}`, { branch: each.branch })}>${each.branch}</${Link}> <${StatusMark} status=${each.status} /></li>`)}</ul></${Empty}>`;
}

/** What of the address the task does not have: null where it has all, or that is not known yet. */
function missingOf({ query, branches, log, commit, problem }) {
  const lacks = (found) => found?.status === 404 || found?.status === 422;
  if (query.branch && branches.length > 0 && lacks(log.problem) && !branches.some((each) => each.branch === query.branch)) return { branch: query.branch };
  return commit && commit === query.commit && lacks(problem) ? { commit } : null;
}

export default function Run({ params, query }) {
  const { id } = params;
  const [round, setRound] = useState(0);
  const logRef = useRef(null);
  const refresh = () => {
    logRef.current?.refresh();
    setRound((before) => before + 1);
  };
  const now = useTask(id, { onCommit: refresh, onStart: refresh });
  const { task, branches } = now;
  const branch = query.branch ?? task?.branch ?? null;
  const log = useLog(id, branch);
  logRef.current = log;
  const { tree: asked } = useTree(id, round, log.asked); // the first steps come first
  // How a branch stands is said by the list of branches alone: the tree comes later.
  const tree = useMemo(() => asked?.map((each) => ({ ...each, status: branches.find((one) => one.branch === each.branch)?.status ?? each.status })) ?? null, [asked, branches]);
  const own = tree?.find((each) => each.branch === branch);
  useEffect(() => {
    if (own && log?.asked) log.setTotal(own.commit, own.commits);
  }, [own, log, log?.asked]);

  const [chosen, select] = useSelection(query);
  const commit = chosen ?? log?.rows[0]?.commit ?? null;
  const index = useIndex(log, commit);
  const { data: state, problem: stateProblem, reload } = useDocument(commit ? path`/api/tasks/${id}/commits/${commit}/state` : null, { limit: 200 });
  const isNarrow = useNarrow();
  const pane = query.tab ?? (query.commit ? "step" : "steps");
  const live = branch === null ? null : now.live[branch];
  const forks = useMemo(() => {
    const found = new Map();
    for (const each of tree ?? []) if (each.fork) found.set(each.fork.commit, [...(found.get(each.fork.commit) ?? []), each.branch]);
    return found;
  }, [tree]);

  const goTo = (next) => {
    const row = log?.rows[next];
    if (row) select(row.commit);
    else log?.want(next, next + 1);
  };
  const wanted = useRef(null);
  const scrubTo = (next) => {
    wanted.current = log.rows[next] ? null : next;
    goTo(next);
  };
  useEffect(() => {
    if (wanted.current !== null && log?.rows[wanted.current]) scrubTo(wanted.current);
  });
  const move = (by) => index >= 0 && log.rows.length > 0 && goTo(Math.max(0, Math.min(log.rows.length - 1, index + by)));
  const onBranch = (name) => navigate(href(path`/tasks/${id}`, { branch: name, tab: query.tab }));
  const onCommit = (next) => {
    select(next);
    if (isNarrow) setQuery({ tab: "step", commit: next });
  };
  useKeys("Run", {
    j: { label: "Next row: the step before", run: () => move(1) },
    k: { label: "Previous row: the step after", run: () => move(-1) },
    ArrowDown: { label: "Next row: the step before", run: () => move(1) },
    ArrowUp: { label: "Previous row: the step after", run: () => move(-1) },
    ArrowLeft: { label: "Back in time", run: () => move(1) },
    ArrowRight: { label: "On in time", run: () => move(-1) },
    PageDown: { label: `${PAGE} steps back`, run: () => move(PAGE) },
    PageUp: { label: `${PAGE} steps on`, run: () => move(-PAGE) },
    Home: { label: "The newest, and follow", run: () => select(null) },
    End: { label: "The oldest", run: () => log && goTo(log.rows.length - 1) },
    c: { label: "Mark to compare, or compare with the marked", run: () => commit && markOrCompare(id, commit) },
    Escape: { label: "Follow the run", run: () => select(null) },
  });

  if (now.problem && !task) return html`<main class="page"><${ProblemNote} problem=${now.problem} onRetry=${now.reload} /><p><${Link} to="/">All tasks</${Link}></p></main>`;
  if (now.deleted) return html`<main class="page"><${Empty} title="This task was deleted"><p><${Link} to="/">All tasks</${Link}></p></${Empty}></main>`;
  if (!task) return html`<main class="page"><${Loading} what="Loading the run" /></main>`;
  const status = branches.find((each) => each.branch === branch)?.status ?? task.status;
  const missing = missingOf({ query, branches, log, commit, problem: stateProblem });
  if (missing) {
    return html`<main class="run"><${TaskHead} task=${task} branches=${branches} branch=${missing.branch ? task.branch : branch} view="" query=${{}} onDone=${refresh} />
      <${Missing} id=${id} ...${missing} branches=${branches} /></main>`;
  }
  const scrubber = log && html`<${Scrubber} total=${log.rows.length} index=${index} onIndex=${scrubTo} label=${log.rows[index]?.subject ?? ""} />`;
  return html`<main class="run">
    <${TaskHead} task=${task} branches=${branches} branch=${branch} view="" query=${query} onDone=${refresh} />
    ${isNarrow && html`<div class="pane-tabs" role="tablist">${PANES.map(([name, title]) => html`<button type="button" role="tab" aria-selected=${pane === name} onClick=${() => setQuery({ tab: name })}>${title}</button>`)}</div>`}
    <div class=${cx("panes", isNarrow && `only-${pane}`)}>
      <section class="pane pane-steps" aria-label="Branches and steps">
        ${tree && tree.length > 1 && html`<${BranchTree} items=${tree} branch=${branch} onBranch=${onBranch} onCommit=${(name, next) => navigate(href(path`/tasks/${id}`, { branch: name, commit: next, tab: query.tab }))} />`}
        <${StepsPane} key=${query.branch} log=${log} live=${live} forks=${forks} selected=${index} onSelect=${(next) => { goTo(next); if (isNarrow) setQuery({ tab: "step", commit: log.rows[next]?.commit }); }} isFollowing=${chosen === null} onFollow=${() => select(null)} />
      </section>
      <section class="pane pane-step" aria-label="The selected step" tabindex="0">
        <${Notice} id=${id} status=${status} branch=${branch} task=${task} />
        ${chosen === null && html`<${LivePane} live=${live} />`}
        ${commit && html`<${StepPane} id=${id} branch=${branch} branches=${branches} parent=${own?.fork?.branch} commit=${commit} state=${state} onCommit=${onCommit} onDone=${refresh} />`}
      </section>
      <section class="pane pane-state" aria-label="The state there">
        <${StatePane} id=${id} branch=${branch} state=${state} isComing=${!log.problem} problem=${stateProblem} onRetry=${reload} open=${query.var ?? ""} onOpen=${(name) => setQuery({ var: name })} onCommit=${onCommit} scrubber=${scrubber} />
      </section>
    </div>
  </main>`;
}

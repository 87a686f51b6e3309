// The plan of a task as a graph, with what became of each step; beside it the same as code and as a list.
import { html, useCallback, useEffect, useMemo, useRef, useState } from "../core/html.js";
import { get, useDocument } from "../core/api.js";
import { plural } from "../core/format.js";
import { useNarrow } from "../core/media.js";
import { href, path, setQuery } from "../core/router.js";
import { useTask } from "../core/task.js";
import { Empty, Loading } from "../widgets/empty.js";
import { ProblemNote } from "../widgets/problem_note.js";
import { StatusMark } from "../widgets/status_mark.js";
import { TaskHead } from "../widgets/task_head.js";
import { PlanCode } from "./plan/code.js";
import { Graph } from "./plan/graph.js";
import { drawn, withLive } from "./plan/model.js";
import { ICONS, WORDS } from "./plan/node.js";
import { Steps } from "./plan/steps.js";

const PAUSE_MS = 600; // between two looks at a graph whose run goes on

/** The states of the items of steps that are open, as far as they are known. */
function useItems(id, steps, open) {
  const [items, setItems] = useState({});
  const asked = useRef(new Set());
  const wanted = steps.filter((step) => open.has(`each-${step.seq_no}`));
  useEffect(() => {
    for (const step of wanted) {
      if (step.commit && !asked.current.has(step.commit)) {
        asked.current.add(step.commit);
        get(path`/api/tasks/${id}/timeline`, { rev: step.commit, limit: 1 }).then(({ items: [entry] }) => setItems((now) => ({ ...now, [step.seq_no]: statesOf(entry) })), () => asked.current.delete(step.commit));
      }
    }
  }, [wanted.map((step) => step.commit).join()]);
  const live = Object.fromEntries(wanted.filter((step) => step.live?.count).map(({ seq_no: number, live: { count, done } }) => [number, Array.from({ length: count }, (_, index) => (index < done ? "ran" : "pending"))]));
  const none = Object.fromEntries(wanted.filter((step) => !step.commit).map((step) => [step.seq_no, []]));
  return { ...none, ...items, ...live };
}

function statesOf(entry) {
  const failed = new Set(entry.failed ?? []);
  const all = entry.count ?? 0;
  return Array.from({ length: all }, (_, index) => (failed.has(index) ? "failed" : entry.calls ? (entry.calls[index] === undefined ? "pending" : entry.calls[index][0] === 0 ? "reused" : "ran") : index < (entry.reused ?? 0) ? "reused" : "ran"));
}

function Legend({ steps }) {
  const counts = Object.keys(ICONS).map((state) => [state, steps.filter((step) => step.state === state).length]).filter(([, number]) => number > 0);
  return html`<ul class="legend" aria-label="States of the steps">${counts.map(([state, number]) => html`<li key=${state}><${StatusMark} status=${ICONS[state]} label=${`${number} ${WORDS[state]}`} /></li>`)}</ul>`;
}

const PANES = [["graph", "Graph"], ["code", "Code"], ["steps", "List"]];

function Tools({ by, model, open, setOpen, pane, panes }) {
  const groups = model?.groups.length ?? 0;
  return html`<div class="plan-tools">
    <div class="segments small-segments" role="group" aria-label="What the picture goes by">
      <button type="button" aria-pressed=${by === "order"} title="Steps one below the other, as they follow each other" onClick=${() => setQuery({ by: "" })}>Order</button>
      <button type="button" aria-pressed=${by === "data"} title="A step stands below those whose values it reads" onClick=${() => setQuery({ by: "data" })}>Data</button></div>
    ${groups > 0 && html`<button type="button" class="small bare" onClick=${() => setOpen(open.has("all") ? new Set() : new Set(["all"]))}>${open.has("all") ? "Fold" : "Unfold"} ${plural(groups, "group")}</button>`}
    <div class="segments small-segments push" role="group" aria-label="What stands beside the picture">
      ${panes.map(([name, title]) => html`<button type="button" key=${name} aria-pressed=${pane === name} onClick=${() => setQuery({ pane: pane === name ? "none" : name })}>${title}</button>`)}</div>
  </div>`;
}

export default function PlanScreen({ params, query }) {
  const { id } = params;
  const timer = useRef(null);
  const { task, branches, live, problem, deleted, reload } = useTask(id, { onCommit: (commit) => commit.branch === branch.current && later() });
  const branch = useRef(null);
  branch.current = query.branch ?? task?.branch ?? null;
  const at = query.commit ?? branch.current;
  const found = useDocument(task && at ? path`/api/tasks/${id}/graph` : null, { rev: at });
  const later = useCallback(() => {
    timer.current ??= setTimeout(() => {
      timer.current = null;
      found.reload();
    }, PAUSE_MS);
  }, [found.reload]);
  useEffect(() => () => clearTimeout(timer.current), []);
  const status = branches.find((each) => each.branch === branch.current)?.status;
  useEffect(() => {
    if (status) later(); // what waits or has failed is told by the status alone
  }, [status]);

  const isNarrow = useNarrow();
  const panes = isNarrow ? PANES : PANES.slice(1);
  const pane = panes.some(([name]) => name === query.pane) ? query.pane : query.pane === "none" ? "none" : isNarrow ? "graph" : "code";
  const by = query.by === "data" ? "data" : "order";
  const open = useMemo(() => new Set((query.open ?? "").split(",").filter(Boolean)), [query.open]);
  const setOpen = (next) => setQuery({ open: [...next].join(",") });
  const [looked, setLooked] = useState(null);
  const graph = found.data;
  const steps = useMemo(() => (graph ? withLive(graph.steps, query.commit ? null : live[branch.current]) : []), [graph, live, query.commit]);
  const model = useMemo(() => graph && drawn(graph, steps, open), [graph, steps, open]);
  const items = useItems(id, steps, open);
  const toggle = (group) => {
    const all = open.has("all") ? new Set(model.groups.map((each) => each.id)) : new Set(open);
    if (!all.delete(group)) all.add(group);
    setOpen(all);
  };
  const linkOf = (step) => (step.commit ? href(path`/tasks/${id}`, { branch: branch.current, commit: step.commit }) : null);
  const current = steps.find((step) => ["running", "waiting", "failed", "next"].includes(step.state));

  if (deleted) return html`<main class="page"><${Empty} title="This task was deleted" /></main>`;
  if (!task) return html`<main class="page"><${ProblemNote} problem=${problem} onRetry=${reload} />${!problem && html`<${Loading} />`}</main>`;
  const hasNone = found.problem?.status === 404 && task.planned_steps === null;
  return html`<main class="plan-screen">
    <${TaskHead} task=${task} branches=${branches} branch=${branch.current} view="plan" query=${query} onDone=${reload} />
    ${graph && html`<div class="plan-bar"><${Legend} steps=${steps} /><${Tools} by=${by} model=${model} open=${open} setOpen=${setOpen} pane=${pane} panes=${panes} /></div>`}
    ${hasNone ? html`<${Empty} title="There is no plan yet"><p>${["planning", "queued"].includes(status) ? "A model is to write it; it appears here." : "None was written."}</p></${Empty}>` : html`<${ProblemNote} problem=${found.problem} onRetry=${found.reload} />`}
    ${!graph && found.loading && html`<${Loading} what="Loading the plan" />`}
    ${model && html`<div class=${pane === "none" ? "plan-panes alone" : "plan-panes"} data-pane=${pane}>
      ${(!isNarrow || pane === "graph") && html`<${Graph} key=${by} model=${model} by=${by} open=${open} linkOf=${linkOf} items=${items} onToggle=${toggle} looked=${looked} onLook=${(step) => setLooked(step.seq_no)} follow=${current && model.nodeOf.get(current.seq_no)?.id} />`}
      ${(pane === "code" || pane === "steps") && html`<aside class="plan-side" aria-label=${pane === "code" ? "The plan as code" : "The plan as a list"} tabindex="-1">
        ${pane === "code" ? html`<${PlanCode} plan=${graph.plan} namespace=${task.namespace} looked=${looked} />` : html`<${Steps} graph=${graph} steps=${steps} linkOf=${linkOf} looked=${looked} onLook=${(step) => setLooked(step.seq_no)} />`}</aside>`}
      ${pane !== "steps" && html`<div class="visually-hidden"><${Steps} graph=${graph} steps=${steps} linkOf=${() => null} looked=${null} onLook=${() => null} /></div>`}
    </div>`}
  </main>`;
}

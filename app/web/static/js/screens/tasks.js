// All tasks, newest first, as they stand now: filters in the address, rows that change while one looks.
import { html, useEffect, useMemo, useRef, useState } from "../core/html.js";
import { useDocument, usePages } from "../core/api.js";
import { useKeys } from "../core/keys.js";
import { onTasks } from "../core/live.js";
import { useNarrow, useNow } from "../core/media.js";
import { Link, path, setQuery } from "../core/router.js";
import { DASH, ago, count, duration, money, moment, oneLine, plural } from "../core/format.js";
import { DataTable } from "../widgets/data_table.js";
import { Loading } from "../widgets/empty.js";
import { Icon } from "../widgets/icon.js";
import { ProblemNote } from "../widgets/problem_note.js";
import { StatusMark } from "../widgets/status_mark.js";
import { FirstTask } from "./first_task.js";

const STATUSES = ["queued", "planning", "running", "waiting", "paused", "completed", "failed", "cancelled"];
const TYPING_MS = 200;

const linkOf = (task) => path`/tasks/${task.task_id}`;
const keyOf = (task) => task.task_id;

/** Whether a task is one that the filters ask for, as the server has it. */
function fits(task, { status, namespace, tag, text }) {
  return (
    (!status || status.split(",").includes(task.status)) &&
    (!namespace || task.namespace === namespace) &&
    (!tag || (task.tags ?? []).includes(tag)) &&
    (!text || task.goal.toLowerCase().includes(text.toLowerCase()))
  );
}

/** The list with what changed: in its place where it is known, else first. */
function merge(items, changed, filters) {
  const news = new Map(changed.map((task) => [task.task_id, task]));
  const kept = items.map((task) => {
    const now = news.get(task.task_id);
    news.delete(task.task_id);
    return now ? { ...task, ...now } : task;
  });
  const oldest = items.at(-1)?.created_ms ?? 0;
  const added = [...news.values()].filter((task) => task.created_ms >= oldest).sort((a, b) => b.created_ms - a.created_ms);
  return [...added, ...kept].filter((task) => fits(task, filters));
}

function Steps({ task }) {
  const isMore = task.planned_steps != null && task.steps > task.planned_steps;
  const told = task.planned_steps == null ? `${plural(task.steps, "step")} run` : `${plural(task.steps, "step")} run, ${count(task.planned_steps)} planned${isMore ? "; loops run some more than once" : ""}`;
  return html`<span title=${told}>${count(task.steps)}${task.planned_steps != null && html`<span class="quiet"> / ${count(task.planned_steps)}</span>`}</span>`;
}

const columns = (now) => [
  { name: "status", title: "Status", width: "104px", render: (task) => html`<${StatusMark} status=${task.status} />` },
  { name: "goal", title: "Goal", width: "minmax(160px, 1fr)", render: (task) => html`<${Link} to=${linkOf(task)} title=${oneLine(task.goal, 600)}>${oneLine(task.goal)}</${Link}>${(task.tags ?? []).map((tag) => html`<span class="tag">${tag}</span>`)}` },
  { name: "namespace", title: "Namespace", width: "minmax(70px, 130px)", render: (task) => task.namespace ?? html`<span class="quiet">${DASH}</span>` },
  { name: "branches", title: "Branches", width: "72px", align: "end", render: (task) => count(task.branches) },
  { name: "steps", title: "Steps", width: "92px", align: "end", render: (task) => html`<${Steps} task=${task} />` },
  { name: "time", title: "Duration", width: "92px", align: "end", render: (task) => html`<span title="time worked">${duration(task.worked_ms)}</span>` },
  { name: "cost", title: "Cost", width: "76px", align: "end", render: (task) => money(task.cost) },
  { name: "started", title: "Started", width: "104px", align: "end", render: (task) => html`<time title=${moment(task.created_ms)} datetime=${new Date(task.created_ms).toISOString()}>${ago(task.created_ms, now)}</time>` },
];

const narrowRow = (now) => (task) => html`
  <${Link} to=${linkOf(task)} class="narrow-title">${oneLine(task.goal)}</${Link}>
  <span class="narrow-facts"><${StatusMark} status=${task.status} /><span><${Steps} task=${task} /> ${(task.planned_steps ?? task.steps) === 1 ? "step" : "steps"}</span>
    ${task.worked_ms != null && html`<span>${duration(task.worked_ms)}</span>`}<span>${ago(task.created_ms, now)}</span></span>`;

function Filters({ query }) {
  const { data } = useDocument("/api/namespaces");
  const chosen = new Set((query.status ?? "").split(",").filter(Boolean));
  const [text, setText] = useState(query.text ?? "");
  const field = useRef(null);
  useEffect(() => setText(query.text ?? ""), [query.text]);
  useEffect(() => {
    if (text === (query.text ?? "")) return undefined;
    const timer = setTimeout(() => setQuery({ text }), TYPING_MS);
    return () => clearTimeout(timer);
  }, [text]);
  useKeys("Filters", {
    "/": { label: "Search the goals", run: () => field.current.focus() },
    Escape: { label: "Leave the search", whileTyping: true, run: () => (document.activeElement === field.current ? field.current.blur() : false) },
  });
  const toggle = (status) => {
    if (!chosen.delete(status)) chosen.add(status);
    setQuery({ status: STATUSES.filter((each) => chosen.has(each)).join(",") }, { replace: false });
  };
  const isFiltered = Boolean(query.status || query.text || query.namespace || query.tag);
  return html`<div class="filters" role="search">
    <label class="search"><${Icon} name="search" /><span class="visually-hidden">Search the goals</span>
      <input ref=${field} type="search" placeholder="Search goals" value=${text} maxlength="200" onInput=${(event) => setText(event.target.value)} /><kbd aria-hidden="true">/</kbd></label>
    <div class="chips" role="group" aria-label="Status">${STATUSES.map((status) => html`
      <button key=${status} class="chip" aria-pressed=${chosen.has(status)} onClick=${() => toggle(status)}><${StatusMark} status=${status} /></button>`)}</div>
    ${(data?.items.length > 0 || query.namespace) && html`<label class="select"><span class="visually-hidden">Namespace</span>
      <select value=${query.namespace ?? ""} onChange=${(event) => setQuery({ namespace: event.target.value }, { replace: false })}>
        <option value="">All namespaces</option>${(data?.items ?? [{ namespace: query.namespace }]).map((each) => html`<option value=${each.namespace}>${each.namespace}</option>`)}
      </select></label>`}
    ${query.tag && html`<button class="chip" aria-pressed="true" onClick=${() => setQuery({ tag: "" })}>tag ${query.tag} <${Icon} name="close" size=${11} title="remove" /></button>`}
    ${isFiltered && html`<button class="bare small" onClick=${() => setQuery({ status: "", text: "", namespace: "", tag: "" }, { replace: false })}>Clear</button>`}
  </div>`;
}

export default function Tasks({ query }) {
  const { status, namespace, tag, text } = query;
  const filters = { status, namespace, tag, text };
  const list = usePages("/api/tasks", filters);
  const [chosen, setChosen] = useState(null);
  const now = useNow();
  const isNarrow = useNarrow();
  const latest = useRef(filters);
  latest.current = filters;
  useEffect(() => onTasks((changed) => list.setItems((items) => merge(items, changed, latest.current))), []);
  const table = useMemo(() => columns(now), [now]);
  const selected = list.items.findIndex((task) => task.task_id === chosen);
  const isFiltered = Boolean(status || namespace || tag || text);
  const isEmpty = !list.loading && !list.problem && list.items.length === 0;
  return html`<main class="tasks-screen" aria-busy=${list.loading}>
    <h1 class="visually-hidden">Tasks</h1>
    ${(!isEmpty || isFiltered) && html`<${Filters} query=${query} />`}
    <${ProblemNote} problem=${list.problem} onRetry=${list.reload} />
    ${isEmpty && !isFiltered && html`<${FirstTask} />`}
    ${isEmpty && isFiltered && html`<p class="nothing" role="status">No task fits these filters.</p>`}
    ${list.loading && list.items.length === 0 && html`<${Loading} what="Loading tasks" />`}
    ${list.items.length > 0 && html`<${DataTable} key=${isNarrow} label="Tasks" rows=${list.items} keyOf=${keyOf} linkOf=${linkOf} columns=${table}
      selected=${selected} onSelect=${(index) => setChosen(list.items[index].task_id)} onEnd=${list.more}
      rowHeight=${isNarrow ? 58 : 34} narrow=${isNarrow ? narrowRow(now) : null} />`}
  </main>`;
}

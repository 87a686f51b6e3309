// One variable of a branch: every value it had, who set each and who read it; and where an expression turns false.
import { cx, html, useState } from "../core/html.js";
import { get, toProblem, useDocument, usePages } from "../core/api.js";
import { count, oneLine, plural, valueSize } from "../core/format.js";
import { Link, href, path, setQuery } from "../core/router.js";
import { useTitle } from "../core/title.js";
import { Loading } from "../widgets/empty.js";
import { LargeValue } from "../widgets/large_value.js";
import { ProblemNote } from "../widgets/problem_note.js";
import { Ago } from "../widgets/time.js";
import { ValueView } from "../widgets/value_view.js";

const CHANGES = { set: ["+", "set first"], changed: ["~", "changed"], again: ["=", "set again to the same"], unset: ["−", "taken away"] };

const nameOf = (by) => (by.seq_no !== null ? `step ${by.seq_no}${by.visit > 1 ? ` ×${by.visit}` : ""}` : by.kind);

function StepLink({ id, branch, by, name }) {
  return html`<${Link} to=${href(path`/tasks/${id}`, { branch, commit: by.commit, var: name })} title=${oneLine(by.subject)}>${nameOf(by)}</${Link}>${by.tool && html` <span class="quiet">${by.tool}</span>`}`;
}

/** Where a value came from, in a word or two. */
function originOf({ kind, tool, models, who }) {
  if (kind === "tool") return `from ${tool}`;
  if (kind === "model") return `by ${models.join(", ")}`;
  if (kind === "person") return `given by ${who}`;
  if (kind === "error") return "left by a failed call";
  return kind === "plan" ? "computed" : `${kind}${who ? ` by ${who}` : ""}`;
}

function Value({ id, branch, name, item }) {
  const [sign, word] = CHANGES[item.change] ?? ["", item.change];
  return html`<li class=${cx("past", `past-${item.change}`)}>
    <div class="past-line"><span class="past-sign" title=${word} aria-hidden="true">${sign}</span><span><${StepLink} id=${id} branch=${branch} by=${item.set_by} name=${name} /></span>
      <span class="quiet">${word}, ${originOf(item.origin)}</span><span class="quiet past-end">${item.type && (valueSize(item.type, item.size) || item.type)} · <${Ago} ms=${item.set_by.time * 1000} /></span></div>
    ${item.type && item.change !== "again" && html`<div class="past-value">${item.inline ? html`<${ValueView} value=${item.value} label=${name} />` : html`<${LargeValue} variable=${item} />`}</div>`}
  </li>`;
}

function Turn({ id, branch, name, found }) {
  const at = (by) => html`<${StepLink} id=${id} branch=${branch} by=${by} name=${name} /> <span class="quiet">${oneLine(by.subject, 80)}</span>`;
  if (!found.first_false) return html`<p role="status">It never turns false on this branch: ${plural(found.evaluated, "state")} looked at.</p>`;
  return html`<div role="status"><dl class="turn">
      <div><dt>It turns false at</dt><dd>${at(found.first_false)}</dd></div>
      <div><dt>true from</dt><dd>${at(found.start)}</dd></div><div><dt>true until</dt><dd>${at(found.last_true)}</dd></div></dl>
    ${found.variables.map((each) => html`<div class="turned" key=${each.name}><h3>because of ${each.name}</h3>
      <div class="was-is"><div><span class="quiet">was</span><${ValueView} value=${each.old} label="Before" /></div><div><span class="quiet">is</span><${ValueView} value=${each.new} label="After" /></div></div></div>`)}
    <p class="quiet">${plural(found.evaluated, "state")} of ${plural(found.commits, "commit")} looked at${found.skipped > 0 && `, ${count(found.skipped)} passed over: ${found.skipped_because}`}.</p></div>`;
}

function Bisect({ id, branch, name, query }) {
  const [text, setText] = useState(query.holds ?? "");
  const [found, setFound] = useState(null);
  const [problem, setProblem] = useState(null);
  const [busy, setBusy] = useState(false);
  const submit = async (event) => {
    event.preventDefault();
    setBusy(true);
    setQuery({ holds: text });
    try {
      setFound(await get(path`/api/tasks/${id}/bisect`, { expression: text, rev: branch }));
      setProblem(null);
    } catch (error) {
      setFound(null);
      setProblem(toProblem(error));
    }
    setBusy(false);
  };
  return html`<section class="bisect"><h2>First commit where this no longer holds</h2>
    <form onSubmit=${submit}><label><span class="visually-hidden">Expression that should hold</span>
      <input class="mono" value=${text} onInput=${(event) => setText(event.target.value)} placeholder=${`len(${name}) == 0`} spellcheck="false" maxlength="2000" required /></label>
      <button disabled=${busy || !text.trim()}>${busy ? "Looking…" : "Find"}</button></form>
    <p class="quiet">An expression as in a plan, variables by their names.</p>
    <${ProblemNote} problem=${problem} />
    ${found && html`<${Turn} id=${id} branch=${branch} name=${name} found=${found} />`}
  </section>`;
}

function Readers({ id, branch, name }) {
  const list = usePages(path`/api/tasks/${id}/readers/${name}`, { rev: branch }, 50);
  return html`<section class="readers"><h2>Read by</h2>
    <${ProblemNote} problem=${list.problem} onRetry=${list.reload} />
    ${!list.loading && list.items.length === 0 && !list.problem && html`<p class="quiet">No step that ran read it.</p>`}
    <ul>${list.items.map((by) => html`<li key=${by.commit}><${StepLink} id=${id} branch=${branch} by=${by} name=${name} /> <span class="quiet">${oneLine(by.subject.replace(/^step \d+: /, ""), 60)}</span></li>`)}</ul>
    ${!list.done && list.items.length > 0 && html`<button type="button" class="more" onClick=${list.more}>Earlier ones</button>`}
  </section>`;
}

export default function Variable({ params, query }) {
  const { id, name } = params;
  const { data: task, problem } = useDocument(path`/api/tasks/${id}`);
  const branch = query.branch ?? task?.branch ?? null;
  const list = usePages(branch === null ? null : path`/api/tasks/${id}/values/${name}`, { rev: branch }, 30);
  useTitle(`${name} of ${oneLine(task?.goal ?? id, 70)}`);
  if (problem) return html`<main class="page"><${ProblemNote} problem=${problem} /></main>`;
  if (branch === null) return html`<main class="page"><${Loading} /></main>`;
  return html`<main class="page variable-page">
    <p class="crumbs"><${Link} to=${href(path`/tasks/${id}`, { branch })}>${oneLine(task?.goal ?? id, 70)}</${Link}> <span class="quiet">on ${branch}</span></p>
    <h1><code>${name}</code></h1>
    <${Bisect} id=${id} branch=${branch} name=${name} query=${query} />
    <div class="variable-columns">
      <section><h2>Values, the newest first</h2>
        <${ProblemNote} problem=${list.problem} onRetry=${list.reload} />
        ${list.loading && !list.problem && html`<${Loading} what="Loading the values" />`}
        <ul class="values">${list.items.map((item) => html`<${Value} key=${item.set_by.commit} id=${id} branch=${branch} name=${name} item=${item} />`)}</ul>
        ${!list.done && list.items.length > 0 && html`<button type="button" class="more" onClick=${list.more}>Earlier values</button>`}
      </section>
      <${Readers} id=${id} branch=${branch} name=${name} />
    </div>
  </main>`;
}

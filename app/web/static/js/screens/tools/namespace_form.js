// A namespace, new or as it is: name, description, tools by checkbox or by pattern, policies; and removing it.
import { cx, html, useMemo, useState } from "../../core/html.js";
import { announce } from "../../core/announce.js";
import { del, patch, post, toProblem } from "../../core/api.js";
import { Link, href, path } from "../../core/router.js";
import { Confirm } from "../../widgets/confirm.js";
import { EffectMark } from "../../widgets/effect_mark.js";
import { ProblemNote } from "../../widgets/problem_note.js";
import { POLICIES } from "./namespace_facts.js";
import { isPattern, toRegExp } from "./patterns.js";

const namesOf = (tool) => [tool.tool, ...tool.aliases];

/** Which of the list's entries are ticked tools, which are patterns or names of what is not here. */
function split(entries, tools) {
  const known = new Map(tools.flatMap((tool) => namesOf(tool).map((name) => [name, tool.tool])));
  const ticked = new Set(entries.filter((each) => known.has(each)).map((each) => known.get(each)));
  return [ticked, entries.filter((each) => !known.has(each))];
}

function ToolChoice({ tool, ticked, pattern, onToggle }) {
  return html`<li><label class=${cx("tool-choice", pattern && "by-pattern")}>
    <input type="checkbox" checked=${ticked || Boolean(pattern)} disabled=${Boolean(pattern)} onChange=${onToggle} />
    <code>${tool.tool}</code><${EffectMark} effect=${tool.effect} declared=${tool.declared} />
    <span class="quiet tool-about">${pattern ? html`by <code>${pattern}</code>` : tool.description.split("\n")[0]}</span>
  </label></li>`;
}

/** @param {{row?: any, tools: any[], onSaved: (name: string | null) => void}} props without `row` a new one */
export function NamespaceForm({ row, tools, onSaved }) {
  const [before, beforePatterns] = useMemo(() => split(row?.allowed_tools ?? [], tools), []);
  const [name, setName] = useState(row?.namespace ?? "");
  const [description, setDescription] = useState(row?.description ?? "");
  const [ticked, setTicked] = useState(before);
  const [patterns, setPatterns] = useState(beforePatterns.join(", "));
  const [policy, setPolicy] = useState(row?.policies.irreversible ?? "");
  const [problem, setProblem] = useState(null);
  const [busy, setBusy] = useState(false);
  const [isRemoving, setRemoving] = useState(false);
  const given = patterns.split(/[\s,]+/).filter(Boolean);
  const patternOf = (tool) => given.find((each) => isPattern(each) && namesOf(tool).some((known) => toRegExp(each).test(known)));
  const entries = [...tools.map((tool) => tool.tool).filter((each) => ticked.has(each)), ...given];
  const unmatched = given.filter((each) => !tools.some((tool) => namesOf(tool).some((known) => toRegExp(each).test(known))));
  const allowed = tools.filter((tool) => ticked.has(tool.tool) || patternOf(tool));
  const toggle = (tool) => {
    const next = new Set(ticked);
    if (!next.delete(tool)) next.add(tool);
    setTicked(next);
  };
  const save = async (event) => {
    event.preventDefault();
    setBusy(true);
    setProblem(null);
    const body = { allowed_tools: entries, description, policies: policy ? { irreversible: policy } : {} };
    try {
      if (row) await patch(path`/api/namespaces/${row.namespace}`, body);
      else await post("/api/namespaces", { name: name.trim(), ...body });
      announce(row ? "Saved" : `Made the namespace ${name.trim()}`);
      onSaved(row?.namespace ?? name.trim());
    } catch (error) {
      setProblem(toProblem(error));
      setBusy(false);
    }
  };
  return html`<form class="namespace-form" onSubmit=${save}>
    <h2>${row ? row.namespace : "New namespace"}</h2>
    ${row
      ? html`<p><${Link} to=${href("/", { namespace: row.namespace })}>Its tasks</${Link}></p>`
      : html`<label class="field"><span class="label">Name</span><input required autofocus maxlength="100" value=${name} onInput=${(event) => setName(event.target.value)} pattern="[A-Za-z0-9][A-Za-z0-9_.\\-]*" title="letters, digits, _ . -" /></label>`}
    <label class="field"><span class="label">Description</span><input maxlength="10000" value=${description} onInput=${(event) => setDescription(event.target.value)} placeholder="What it is for" /></label>
    <fieldset><legend class="label">Tools that its tasks may call <span class="quiet">${allowed.length} of ${tools.length}</span></legend>
      <ul class="tool-choices">${tools.map((tool) => html`<${ToolChoice} key=${tool.tool} tool=${tool} ticked=${ticked.has(tool.tool)} pattern=${patternOf(tool)} onToggle=${() => toggle(tool.tool)} />`)}</ul></fieldset>
    <label class="field"><span class="label">Patterns and other names</span>
      <input class="mono" value=${patterns} onInput=${(event) => setPatterns(event.target.value)} spellcheck="false" placeholder="read_*, *_supplier" />
      <span class="quiet">also allow tools that are added later; * stands for any text</span>
      ${unmatched.length > 0 && html`<span class="waiting-text" role="status">No tool here is meant by ${unmatched.join(", ")}</span>`}</label>
    <label class="field"><span class="label">Irreversible calls after a fork</span>
      <select value=${policy} onChange=${(event) => setPolicy(event.target.value)}>${!row?.policies.irreversible && html`<option value="">ask: ${POLICIES.ask} (default)</option>`}
        ${Object.entries(POLICIES).map(([key, does]) => html`<option value=${key}>${key}: ${does}</option>`)}</select></label>
    <${ProblemNote} problem=${problem} />
    <div class="actions"><button class="primary" disabled=${busy || (!row && !name.trim()) || entries.length === 0}>${row ? "Save" : "Make it"}</button>
      ${entries.length === 0 && html`<span class="quiet">Allow at least one tool.</span>`}
      ${row && html`<button type="button" class="danger push" onClick=${() => setRemoving(true)}>Remove</button>`}</div>
    ${isRemoving && html`<${Confirm} title=${`Remove the namespace ${row.namespace}?`} yes="Remove it" run=${() => del(path`/api/namespaces/${row.namespace}`)}
      onClose=${(done) => { setRemoving(false); if (done) { announce(`Removed ${row.namespace}`); onSaved(null); } }}>
      <p>Its tasks stay and can be looked at, but can't be run any more.</p></${Confirm}>`}
  </form>`;
}

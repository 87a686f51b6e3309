// One tool: what it does, takes and gives, who may call it; and a form to try it.
import { html } from "../core/html.js";
import { useDocument } from "../core/api.js";
import { plural } from "../core/format.js";
import { Link, href } from "../core/router.js";
import { may, session } from "../core/session.js";
import { path } from "../core/router.js";
import { useTitle } from "../core/title.js";
import { EFFECTS, EffectMark } from "../widgets/effect_mark.js";
import { Empty, Loading } from "../widgets/empty.js";
import { JsonTree } from "../widgets/json_tree.js";
import { Markdown } from "../widgets/markdown_view.js";
import { ProblemNote } from "../widgets/problem_note.js";
import { typeOf } from "../widgets/schema_form.js";
import { allowedIn } from "./tools.js";
import { TryTool } from "./tools/try.js";

const LIMITS = { minimum: "≥", maximum: "≤", exclusiveMinimum: ">", exclusiveMaximum: "<", minLength: "chars ≥", maxLength: "chars ≤", minItems: "items ≥", maxItems: "items ≤", pattern: "fits" };
const limitsOf = (schema) => Object.entries(LIMITS).filter(([name]) => schema[name] !== undefined).map(([name, sign]) => `${sign} ${schema[name]}`).join(", ");

function Parameters({ schema }) {
  const required = new Set(schema.required ?? []);
  const all = Object.entries(schema.properties ?? {});
  const isTold = all.some(([, each]) => each.description);
  if (all.length === 0) return html`<p class="quiet">It takes no arguments${schema.additionalProperties ? " of known names; others are given to it as they are" : ""}.</p>`;
  return html`<div class="object-table" tabindex="0" role="region" aria-label="Arguments"><table class="parameters">
    <thead><tr><th>argument</th><th>type</th><th>default</th>${isTold && html`<th>what it is</th>`}</tr></thead>
    <tbody>${all.map(([name, each]) => html`<tr key=${name}>
      <td><code>${name}</code></td>
      <td>${typeOf(each, schema)} <span class="quiet">${limitsOf(each)}</span></td>
      <td>${required.has(name) ? html`<strong>needed</strong>` : html`<code>${each.default === undefined ? "–" : JSON.stringify(each.default)}</code>`}</td>
      ${isTold && html`<td class="wrap">${each.description ?? ""}</td>`}</tr>`)}</tbody>
  </table></div>
  ${schema.additionalProperties && html`<p class="quiet">Arguments of other names are given to it as they are.</p>`}`;
}

function Facts({ tool, namespaces }) {
  const allowed = allowedIn(tool, namespaces);
  return html`<dl class="facts">
    <div><dt>Effect</dt><dd><${EffectMark} effect=${tool.effect} declared=${tool.declared} /> <span class="quiet">${EFFECTS[tool.effect]}</span></dd></div>
    ${tool.aliases.length > 0 && html`<div><dt>Also called</dt><dd>${tool.aliases.map((each) => html`<code>${each}</code> `)}</dd></div>`}
    <div><dt>One attempt</dt><dd>${tool.timeout === null ? "takes as long as it takes" : `ends after ${plural(tool.timeout, "second")}`}${tool.retry && `; ${tool.retry.max_attempts} attempts in all`}</dd></div>
    <div><dt>After a fork</dt><dd>${!["pure", "read"].includes(tool.effect) ? (tool.effect === "write" ? "it is called again" : "a person decides") : tool.reuse ? "an earlier answer is reused" : "it is called again: it opts out of reuse"}</dd></div>
    <div><dt>Allowed in</dt><dd>${allowed.length === 0 ? html`<span class="quiet">no namespace; tasks without one may call every tool</span>` : allowed.map((name, index) => html`${index > 0 && ", "}<${Link} to=${href("/namespaces", { name })}>${name}</${Link}>`)}</dd></div>
    <div><dt>Version</dt><dd><code>${tool.version}</code>${tool.defined && html` <span class="quiet" title=${tool.defined}>${tool.defined.split("/").at(-1)}</span>`}</dd></div>
  </dl>`;
}

export default function ToolScreen({ params }) {
  useTitle(params.name);
  const { data: tool, problem, loading, reload } = useDocument(path`/api/tools/${params.name}`);
  const { data: namespaces } = useDocument("/api/namespaces");
  if (problem?.status === 404) {
    return html`<main class="page"><${Empty} title=${`There is no tool ${params.name}`}>
      <p>${problem.detail ?? (session.get().namespace ? "The namespace of your key does not allow it, or it does not exist." : "It may have another name here.")}</p><p><${Link} to="/tools">All tools</${Link}></p></${Empty}></main>`;
  }
  if (!tool) return html`<main class="page"><${ProblemNote} problem=${problem} onRetry=${reload} />${loading && html`<${Loading} />`}</main>`;
  return html`<main class="page tool-screen">
    <p class="crumbs"><${Link} to="/tools">Tools</${Link}></p>
    <h1><code>${tool.tool}</code></h1>
    ${tool.unavailable && html`<p class="waiting-text">It can't work here: ${tool.unavailable}</p>`}
    <${Markdown} text=${tool.description} />
    <${Facts} tool=${tool} namespaces=${namespaces?.items} />
    <section><h2>What it takes</h2><${Parameters} schema=${tool.parameters} /></section>
    <section><h2>What it gives</h2>${tool.result === null
      ? html`<p class="quiet">It does not say.</p>`
      : html`<p>${typeOf(tool.result, tool.result)}</p>`}
      <details><summary>Schemas</summary><div class="schemas"><div><h3>Arguments</h3><${JsonTree} value=${tool.parameters} label="Schema of the arguments" /></div>
        ${tool.result && html`<div><h3>Result</h3><${JsonTree} value=${tool.result} label="Schema of the result" /></div>`}</div></details></section>
    <section><h2>Try it</h2>
      ${may("operator") ? html`<${TryTool} key=${tool.tool} tool=${tool} />` : html`<p class="quiet">Your key may look, not call tools. A key with the role operator may.</p>`}</section>
  </main>`;
}

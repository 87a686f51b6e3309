// The parts of a step: the templates beside what they became, the items of a for_each, what was set, model calls.
import { html, useState } from "../../core/html.js";
import { DASH, count, duration, money, oneLine, plural, valueSize } from "../../core/format.js";
import { JsonTree } from "../../widgets/json_tree.js";
import { LargeValue } from "../../widgets/large_value.js";
import { StatusMark } from "../../widgets/status_mark.js";
import { ValueView } from "../../widgets/value_view.js";

const SHOWN_ITEMS = 50;
const isTemplate = (value) => /\$\{/.test(JSON.stringify(value) ?? "");

function Value({ value }) {
  if (typeof value === "string") return html`<pre class="inline-value">${value}</pre>`;
  if (value !== null && typeof value === "object") return html`<${JsonTree} value=${value} />`;
  return html`<code>${JSON.stringify(value)}</code>`;
}

/** Rows of a name, its template and what became of it; where nothing was to be filled in, once. */
function Pairs({ rows, heads }) {
  return html`<table class="pairs"><thead><tr><th>${heads[0]}</th><th>${heads[1]}</th><th>${heads[2]}</th></tr></thead>
    <tbody>${rows.map(({ name, template, value, has }) => html`<tr key=${name}><th scope="row">${name}</th>
      ${isTemplate(template) ? html`<td><div class="template"><${Value} value=${template} /></div></td><td>${has ? html`<${Value} value=${value} />` : html`<span class="quiet">${DASH}</span>`}</td>`
        : html`<td colspan="2">${has ? html`<${Value} value=${value} />` : html`<${Value} value=${template} />`}</td>`}</tr>`)}</tbody></table>`;
}

/** What the step was asked. */
export function Asked({ record, step, commit }) {
  const parameters = step?.parameters ?? {};
  if (record.type === "calling") {
    const templates = parameters.tool_params ?? {};
    const inputs = record.inputs ?? {};
    const names = [...new Set([...Object.keys(templates), ...Object.keys(inputs)])].filter((name) => !(record.item_inputs && name in record.item_inputs));
    const rows = names.map((name) => ({ name, template: templates[name], value: inputs[name], has: name in inputs }));
    return html`<section><h3>What it was asked</h3>
      ${parameters.for_each !== undefined && html`<p>for each of <code>${typeof parameters.for_each === "string" ? parameters.for_each : JSON.stringify(parameters.for_each)}</code>: ${plural(record.count ?? 0, "item")}</p>`}
      ${rows.length > 0 ? html`<${Pairs} rows=${rows} heads=${["Argument", "Template", "Resolved"]} />` : record.count === undefined && html`<p class="quiet">It takes no arguments.</p>`}
    </section>`;
  }
  if (record.type === "jmp") {
    const judged = record.inputs;
    const target = /-> (\d+)/.exec(commit.subject)?.[1];
    return html`<section><h3>Where to go on</h3>
      ${parameters.condition !== undefined && html`<p><code>${String(parameters.condition)}</code> is <strong>${/jmp: (\w+)/.exec(commit.subject)?.[1] ?? "–"}</strong></p>`}
      ${judged && html`<${Pairs} rows=${Object.entries(judged).map(([name, value]) => ({ name, template: parameters[name], value, has: true }))} heads=${["", "Template", "What the model judged"]} />`}
      ${target && html`<p>It goes on with step ${target}.</p>`}</section>`;
  }
  return null;
}

/** The items of a for_each: what each was asked and gave. */
export function Items({ record }) {
  const [shown, setShown] = useState(SHOWN_ITEMS);
  const columns = Object.entries(record.item_inputs ?? {});
  const calls = record.calls ?? [];
  const length = record.values?.length ?? 0;
  const errors = record.errors ?? {};
  const [open, setOpen] = useState(null);
  const short = (value) => oneLine(typeof value === "string" ? value : JSON.stringify(value), 120);
  const failed = Object.keys(errors).length;
  return html`<section><h3>Items: ${count(length)} of ${count(record.count)}${failed > 0 && html`, <span class="failed-text">${count(failed)} failed</span>`}</h3>
    <div class="object-table" tabindex="0" role="region" aria-label="Items"><table>
      <thead><tr><th></th>${columns.map(([name]) => html`<th>${name}</th>`)}<th>What came back</th>${calls.length > 0 && html`<th class="end">Took</th>`}</tr></thead>
      <tbody>${Array.from({ length: Math.min(shown, length) }, (_, index) => html`<tr key=${index} aria-selected=${open === index}><td class="json-index"><button type="button" class="more" aria-label=${`Item ${index}`} onClick=${() => setOpen(open === index ? null : index)}>${index}</button></td>
        ${columns.map(([name, column]) => html`<td title=${short(column[index])}>${short(column[index])}</td>`)}
        <td>${errors[index] !== undefined ? html`<span class="failed-text">${short(errors[index])}</span>` : html`<span title=${short(record.values[index])}>${short(record.values[index])}</span>`}</td>
        ${calls.length > 0 && (calls[index]?.[0] > 0 ? html`<td class="end">${duration(calls[index][2] - calls[index][1])}${calls[index][0] > 1 && html` <span class="waiting-text" title="attempts">×${calls[index][0]}</span>`}</td>`
          : html`<td class="end"><${StatusMark} status="reused" word=${false} label="reused" /></td>`)}</tr>`)}</tbody>
    </table>
    ${length > shown && html`<button type="button" class="more" onClick=${() => setShown(shown + 500)}>${plural(length - shown, "more item")}</button>`}</div>
    ${open !== null && html`<div class="open-item"><h3>Item ${open}</h3>
      ${columns.length > 0 && html`<${JsonTree} value=${Object.fromEntries(columns.map(([name, column]) => [name, column[open]]))} label="Arguments" />`}
      ${errors[open] !== undefined ? html`<pre class="error-text">${errors[open]}</pre>` : html`<${ValueView} key=${open} value=${record.values[open]} label="What came back" />`}</div>`}
  </section>`;
}

/** The variables that this commit set, with the expressions of an assign beside them. */
export function SetHere({ state, commit, record, step }) {
  if (!state) return null;
  const all = state.variables.filter((variable) => variable.set_by?.commit === commit.commit);
  if (all.length === 0) return null;
  const parameters = record.type === "assign" ? step?.parameters ?? {} : {};
  // What a call gave is shown already.
  if (record.type === "calling" && record.error === undefined) {
    return html`<p class="quiet">It became ${all.map((variable, index) => html`${index > 0 && ", "}<code>${variable.name}</code>`)}.</p>`;
  }
  return html`<section><h3>What it set</h3>${all.map((variable) => html`<div class="set-here" key=${variable.name}>
    <div class="set-name"><code>${variable.name}</code> <span class="quiet">${variable.type} ${valueSize(variable.type, variable.size)}</span></div>
    ${isTemplate(parameters[variable.name]) && html`<div class="template"><${Value} value=${parameters[variable.name]} /></div>`}
    ${variable.inline ? html`<${ValueView} value=${variable.value} label=${variable.name} />` : html`<${LargeValue} variable=${variable} />`}
  </div>`)}</section>`;
}

/** What models were asked for the step. */
export function ModelCalls({ record }) {
  const calls = record.model_calls ?? [];
  if (calls.length === 0) return null;
  return html`<section><h3>${plural(calls.length, "model call")}</h3><div class="object-table" tabindex="0" role="region" aria-label="Model calls"><table>
    <thead><tr><th>Model</th><th>For</th><th>Prompt</th><th class="end">Tokens in</th><th class="end">out</th><th class="end">Cost</th><th class="end">Took</th></tr></thead>
    <tbody>${calls.map((call, index) => html`<tr key=${index}><td title=${call.provider}>${call.model}</td><td>${call.purpose}</td><td title=${call.prompt_hash}>${call.prompt ?? DASH}</td>
      <td class="end">${count(call.input_tokens)}</td><td class="end">${count(call.output_tokens)}</td><td class="end">${money(call.cost)}</td>
      <td class="end">${duration(call.ended_ms - call.started_ms)}${call.attempts > 1 && ` (${call.attempts} attempts)`}</td></tr>`)}</tbody></table></div>
    ${record.inputs?.prompt !== undefined && html`<details><summary>Prompt</summary><pre class="text-value">${String(record.inputs.prompt)}</pre>${record.inputs.context != null && html`<h3>Context</h3><${ValueView} value=${record.inputs.context} label="Context" />`}</details>`}
    ${typeof record.value === "string" && html`<details><summary>Reply</summary><pre class="text-value">${record.value}</pre></details>`}
  </section>`;
}

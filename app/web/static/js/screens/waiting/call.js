// One call that waits: what is known of it, and a place to decide about it, or about some of its items.
import { html, useState } from "../../core/html.js";
import { useDocument } from "../../core/api.js";
import { count, oneLine, plural, shortId } from "../../core/format.js";
import { Link, href, path } from "../../core/router.js";
import { may } from "../../core/session.js";
import { EffectMark } from "../../widgets/effect_mark.js";
import { JsonTree } from "../../widgets/json_tree.js";
import { ProblemNote } from "../../widgets/problem_note.js";
import { StatusMark } from "../../widgets/status_mark.js";
import { Ago } from "../../widgets/time.js";
import { Choices } from "./choices.js";

/** The arguments that differ between the items: what tells them apart. */
function differing(items) {
  const names = Object.keys(items[0]?.inputs ?? {});
  const found = names.filter((name) => items.some((each) => JSON.stringify(each.inputs[name]) !== JSON.stringify(items[0].inputs[name])));
  return found.length > 0 ? found : names.slice(0, 1);
}

const shown = (value) => oneLine(typeof value === "string" ? value : JSON.stringify(value), 80);

/** The items that wait, to be ticked. */
function Items({ items, total, chosen, setChosen }) {
  const names = differing(items);
  const toggle = (item) => {
    const next = new Set(chosen);
    if (!next.delete(item)) next.add(item);
    setChosen(next);
  };
  const all = chosen.size === items.length;
  return html`<fieldset class="waiting-items">
    <legend class="label">${plural(total, "item")} of the for_each wait${total === 1 ? "s" : ""}</legend>
    <div class="object-table" tabindex="0" role="region" aria-label="Items that wait"><table>
      <thead><tr><th><input type="checkbox" aria-label="All items" checked=${all} indeterminate=${!all && chosen.size > 0}
        onChange=${() => setChosen(new Set(all ? [] : items.map((each) => each.item)))} /></th><th class="end">item</th>${names.map((name) => html`<th>${name}</th>`)}<th class="end">attempts</th></tr></thead>
      <tbody>${items.map((each) => html`<tr key=${each.item}>
        <td><input type="checkbox" aria-label=${`Item ${each.item}`} checked=${chosen.has(each.item)} onChange=${() => toggle(each.item)} /></td>
        <td class="end">${each.item}</td>${names.map((name) => html`<td title=${shown(each.inputs[name])}>${shown(each.inputs[name])}</td>`)}<td class="end">${each.attempt}</td>
      </tr>`)}</tbody>
    </table></div>
    ${total > items.length && html`<p class="quiet">${count(total - items.length)} more are not listed; “all items” means them too.</p>`}
  </fieldset>`;
}

function Head({ entry, now }) {
  const { task, branch, waiting } = entry;
  const at = href(path`/tasks/${task.task_id}`, { branch });
  return html`<header>
    <h2><${StatusMark} status="waiting" word=${false} /> <${Link} to=${at}>${oneLine(task.goal)}</${Link}></h2>
    <p class="quiet waiting-where">
      <code title=${task.task_id}>${shortId(task.task_id)}</code>
      ${task.namespace && html`<span>${task.namespace}</span>`}
      <span>branch ${branch}</span>
      ${waiting && html`<span>step ${waiting.step}${waiting.visit > 1 ? `, visit ${waiting.visit}` : ""}</span>`}
      <span>since <${Ago} ms=${task.updated_ms} now=${now} /></span>
    </p>
  </header>`;
}

/** @param {{entry: any, now: number, onDecided: () => void}} props `entry` as /api/waiting has it */
export function WaitingCall({ entry, now, onDecided }) {
  const { task, branch, waiting, items, error } = entry;
  const [chosen, setChosen] = useState(() => new Set(items.map((each) => each.item)));
  const { data: tool } = useDocument(waiting ? path`/api/tools/${waiting.tool}` : null);
  const { data: plan } = useDocument(waiting ? path`/api/tasks/${task.task_id}/commits/${branch}/plan` : null);
  const step = plan?.steps.find((each) => each.seq_no === waiting?.step);
  if (!waiting) {
    return html`<article class="waiting-call"><${Head} entry=${entry} now=${now} /><p class="failed-text">${error}</p></article>`;
  }
  const isMany = entry.count > 1;
  const inputs = isMany ? { ...waiting.inputs, ...Object.fromEntries(differing(items).map((name) => [name, "(by item)"])) } : waiting.inputs;
  return html`<article class="waiting-call" aria-label=${oneLine(task.goal, 80)}>
    <${Head} entry=${entry} now=${now} />
    <div class="waiting-known">
      <div class="waiting-what">
        <p class="waiting-tool"><${Link} to=${path`/tools/${waiting.tool}`}><code>${waiting.tool}</code></${Link}> <${EffectMark} effect=${tool?.effect ?? "irreversible"} declared=${tool?.declared ?? true} /></p>
        ${(step?.description || tool?.description) && html`<p>${step?.description ?? oneLine(tool.description.split("\n")[0])}</p>`}
        <p class="waiting-why"><strong>Why it waits</strong> ${waiting.reason}</p>
        <p class="quiet">${waiting.attempt === 0 ? "It has not been called on this branch." : `Called ${plural(waiting.attempt, "time")} so far; nobody knows with what effect.`}
          ${" "}Idempotency key <code title=${waiting.idempotency_key}>${shortId(waiting.idempotency_key)}…</code></p>
      </div>
      <div class="waiting-inputs"><h3>What it would be asked</h3><${JsonTree} value=${inputs} label="Inputs" /></div>
    </div>
    ${isMany && html`<${Items} items=${items} total=${entry.count} chosen=${chosen} setChosen=${setChosen} />`}
    ${may("operator")
      ? html`<${Choices} entry=${entry} chosen=${chosen} onDecided=${onDecided} />`
      : html`<${ProblemNote} problem=${{ title: "Your key may look, not decide", detail: "A key with the role operator may." }} />`}
  </article>`;
}

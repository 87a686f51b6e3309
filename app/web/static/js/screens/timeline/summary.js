// Where the time and the money went: the whole as one band, then by tool, by model, and the longest calls.
import { html, useMemo } from "../../core/html.js";
import { DASH, count, duration, money, plural } from "../../core/format.js";
import { Link } from "../../core/router.js";
import { lengthOf, union } from "./model.js";
import { sumOf } from "./details.js";

const LONGEST = 10;

/** The time that has passed, each moment counted once: models, tools, both, a person, nobody. */
export function sharesOf({ bars, start, end }) {
  const working = bars.filter((bar) => !bar.waits);
  const asked = union(working.flatMap((bar) => bar.models.map((each) => [each.started_ms, each.ended_ms])));
  const tools = union(working.filter((bar) => bar.models.length === 0).map((bar) => [bar.start, bar.end]));
  const any = union(working.map((bar) => [bar.start, bar.end]));
  const both = lengthOf(asked) + lengthOf(tools) - lengthOf(union([...asked, ...tools]));
  const waits = lengthOf(union(bars.filter((bar) => bar.waits).map((bar) => [bar.start, bar.end])));
  const models = lengthOf(asked) - both;
  const busy = lengthOf(any);
  return {
    models, both, waits, tools: busy - models - both,
    nobody: Math.max(0, end - start - lengthOf(union(bars.map((bar) => [bar.start, bar.end])))),
    busy, all: end - start, worked: working.reduce((sum, bar) => sum + bar.end - bar.start, 0),
  };
}

const NAMES = { models: "models", both: "models and tools at once", tools: "tools", waits: "waiting for a person", nobody: "nothing under way" };

function Band({ shares }) {
  const parts = Object.keys(NAMES).filter((name) => shares[name] > 0);
  return html`<div class="band">
    <svg width="100%" height="14" role="img" aria-label=${parts.map((name) => `${NAMES[name]} ${duration(shares[name])}`).join(", ")}>${parts.reduce(([drawn, at], name) => {
      const share = (shares[name] / Math.max(1, shares.all)) * 100;
      return [[...drawn, html`<rect class=${`band-${name}`} x=${`${at}%`} width=${`${share}%`} height="14" />`], at + share];
    }, [[], 0])[0]}</svg>
    <ul>${parts.map((name) => html`<li key=${name}><svg width="10" height="10" aria-hidden="true"><rect class=${`band-${name}`} width="10" height="10" rx="2" /></svg> ${NAMES[name]} <strong>${duration(shares[name])}</strong></li>`)}</ul>
  </div>`;
}

function byTool(bars, entries) {
  const rows = new Map();
  const row = (tool) => rows.get(tool) ?? rows.set(tool, { tool, calls: 0, again: 0, failed: 0, reused: 0, total: 0, longest: 0, models: [] }).get(tool);
  for (const bar of bars) {
    if (bar.waits) continue;
    const here = row(bar.planning ? "planning" : bar.tool);
    here.calls += bar.count ?? 1;
    here.again += bar.planning ? 0 : Math.max(0, bar.attempts - 1);
    here.failed += bar.failed ? 1 : 0;
    here.total += bar.end - bar.start;
    here.longest = Math.max(here.longest, bar.end - bar.start);
    here.models.push(...bar.models);
  }
  for (const entry of entries) if (entry.reused) row(entry.tool ?? "condition").reused += entry.reused;
  return [...rows.values()].sort((a, b) => b.total - a.total);
}

function byModel(bars) {
  const rows = new Map();
  for (const model of bars.flatMap((bar) => bar.models)) {
    const here = rows.get(model.model) ?? { model: model.model, provider: model.provider, calls: [] };
    here.calls.push(model);
    rows.set(model.model, here);
  }
  return [...rows.values()];
}

const costOf = (models) => (models.length === 0 ? DASH : money(sumOf(models, "cost") ?? undefined));

function Table({ title, head, rows }) {
  return html`<section><h2>${title}</h2><div class="table-scroll" tabindex="0" role="region" aria-label=${title}><table class="plain-table figures">
    <thead><tr>${head.map((each, index) => html`<th class=${index > 0 && "end"}>${each}</th>`)}</tr></thead><tbody>${rows}</tbody></table></div></section>`;
}

export function Summary({ times, entries, linkOf }) {
  const { bars } = times;
  const shares = useMemo(() => sharesOf(times), [times]);
  const tools = useMemo(() => byTool(bars, entries), [bars, entries]);
  const models = useMemo(() => byModel(bars), [bars]);
  const longest = useMemo(() => bars.filter((bar) => !bar.waits).sort((a, b) => b.end - b.start - (a.end - a.start)).slice(0, LONGEST), [bars]);
  const all = bars.flatMap((bar) => bar.models);
  const most = Math.max(1, ...tools.map((row) => row.total));
  return html`<div class="timeline-summary">
    <p class="timeline-facts">${duration(shares.all)} from start to end; calls took ${duration(shares.worked)} together${shares.busy > 0 && shares.worked > shares.busy * 1.05 && html`, ${(shares.worked / shares.busy).toFixed(1)} at once on average`}${all.length > 0 && html`; ${plural(all.length, "model call")} cost ${costOf(all)}`}.</p>
    <${Band} shares=${shares} />
    <div class="timeline-tables">
      ${tools.length > 0 && html`<${Table} title="By tool" head=${["tool", "calls", "reused", "repeated", "failed", "time", "longest", "cost"]} rows=${tools.map((row) => html`<tr key=${row.tool}>
        <th scope="row"><code>${row.tool}</code><svg class="share" width="100%" height="3" aria-hidden="true"><rect width=${`${(row.total / most) * 100}%`} height="3" /></svg></th>
        <td class="end">${count(row.calls)}</td><td class="end">${row.reused > 0 ? html`<span class="reused-text">${count(row.reused)}</span>` : DASH}</td><td class="end">${row.again || DASH}</td><td class="end">${row.failed > 0 ? html`<span class="failed-text">${count(row.failed)}</span>` : DASH}</td>
        <td class="end">${duration(row.total)}</td><td class="end">${duration(row.longest)}</td><td class="end">${costOf(row.models)}</td></tr>`)} />`}
      ${models.length > 0 && html`<${Table} title="By model" head=${["model", "calls", "tokens in", "tokens out", "time", "cost"]} rows=${models.map((row) => html`<tr key=${row.model}>
        <th scope="row">${row.model} <span class="quiet">${row.provider !== row.model && row.provider}</span></th><td class="end">${count(row.calls.length)}</td>
        <td class="end">${count(sumOf(row.calls, "input_tokens"))}</td><td class="end">${count(sumOf(row.calls, "output_tokens"))}</td>
        <td class="end">${duration(sumOf(row.calls, "ended_ms") - sumOf(row.calls, "started_ms"))}</td><td class="end">${costOf(row.calls)}</td></tr>`)} />`}
      ${longest.length > 0 && html`<${Table} title="The longest calls" head=${["call", "attempts", "took"]} rows=${longest.map((bar) => { const to = linkOf(bar); const name = html`${bar.seq ?? ""}${bar.item !== undefined && `[${bar.item}]`} <code>${bar.tool}</code>`; return html`<tr key=${bar.index}>
        <th scope="row">${to ? html`<${Link} to=${to}>${name}</${Link}>` : name}${bar.failed && html` <span class="failed-text">failed</span>`}</th><td class="end">${bar.attempts}</td><td class="end">${duration(bar.end - bar.start)}</td></tr>`; })} />`}
    </div>
  </div>`;
}

// What there is to say about one bar: shown beside it, and told to screen readers.
import { html } from "../../core/html.js";
import { DASH, count, duration, moment, money, plural } from "../../core/format.js";

/** One line. */
export function titleOf(bar) {
  const where = bar.seq !== null && bar.seq !== undefined ? `step ${bar.seq}${bar.item !== undefined ? ` item ${bar.item}` : ""}: ` : "";
  const more = [duration(bar.end - bar.start), bar.attempts > 1 && !bar.planning && `${bar.attempts} attempts`, bar.failed && "failed", bar.running && "under way"];
  return `${where}${bar.tool}, ${more.filter(Boolean).join(", ")}`;
}

export const sumOf = (models, name) => (models.some((each) => each[name] !== null && each[name] !== undefined) ? models.reduce((sum, each) => sum + (each[name] ?? 0), 0) : null);

export function Details({ bar, start, style }) {
  const facts = [
    ["began", `${duration(bar.start - start)} after the start`],
    ["", moment(bar.start)],
    ["took", bar.running ? `${duration(bar.end - bar.start)} so far` : duration(bar.end - bar.start)],
    bar.count && ["items", `${count(bar.done)} of ${count(bar.count)}`],
    bar.visit > 1 && ["visit", bar.visit],
    bar.attempts > 1 && !bar.planning && ["attempts", `${bar.attempts}, with the waits between them`],
    bar.effect && ["effect", bar.effect],
    bar.who && ["decided by", bar.who],
    bar.models.length > 0 && ["model", `${[...new Set(bar.models.map((each) => each.model))].join(", ")}, ${plural(bar.models.length, "call")}, ${duration(sumOf(bar.models, "ended_ms") - sumOf(bar.models, "started_ms"))}`],
    bar.models.length > 0 && ["tokens", `${count(sumOf(bar.models, "input_tokens"))} in, ${count(sumOf(bar.models, "output_tokens"))} out`],
    bar.models.length > 0 && ["cost", sumOf(bar.models, "cost") === null ? DASH : money(sumOf(bar.models, "cost"))],
    bar.failed && ["", html`<span class="failed-text">it failed</span>`],
  ].filter(Boolean);
  return html`<div class="timeline-details" role="presentation" style=${style}>
    <strong>${bar.seq !== null && bar.seq !== undefined ? `${bar.seq}${bar.item !== undefined ? `[${bar.item}]` : ""} ` : ""}${bar.tool}</strong>
    <dl>${facts.map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl>
  </div>`;
}

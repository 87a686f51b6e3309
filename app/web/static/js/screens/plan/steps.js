// The plan as a list: each step with its state and its edges in words. Says what the picture shows.
import { cx, html, useMemo } from "../../core/html.js";
import { oneLine } from "../../core/format.js";
import { Link } from "../../core/router.js";
import { EffectMark } from "../../widgets/effect_mark.js";
import { StatusMark } from "../../widgets/status_mark.js";
import { ICONS, WORDS, nameOf } from "./node.js";

const WAYS = { next: "then", jump: "jumps to", true: "if yes", false: "if no", error: "on error" };

const source = (edge) => edge.from;
const target = (edge) => edge.to;

function edgesBy(edges, keyOf) {
  const found = new Map();
  for (const edge of edges) found.set(keyOf(edge), [...(found.get(keyOf(edge)) ?? []), edge]);
  return found;
}

/** @param {{graph: any, steps: any[], linkOf: (step: any) => string | null, looked: number | null, onLook: (step: any) => void}} props */
export function Steps({ graph, steps, linkOf, looked, onLook }) {
  const [ways, reads, read] = useMemo(() => [edgesBy(graph.edges, source), edgesBy(graph.data, target), edgesBy(graph.data, source)], [graph]);
  const loopOf = useMemo(() => new Map(graph.loops.flatMap((loop) => loop.map((number) => [number, loop]))), [graph]);
  return html`<ol class="plan-steps" aria-label="Steps of the plan">${steps.map((step) => {
    const to = linkOf(step);
    const loop = loopOf.get(step.seq_no);
    return html`<li key=${step.seq_no} class=${cx(looked === step.seq_no && "here")} onPointerEnter=${() => onLook(step)}>
      <div class="plan-step-head"><${StatusMark} status=${ICONS[step.state]} word=${false} label=${WORDS[step.state]} />
        <span class="plan-step-number">${step.seq_no}</span>
        ${to ? html`<${Link} to=${to}>${nameOf(step)}</${Link}>` : html`<span>${nameOf(step)}</span>`}
        ${step.for_each && html`<span class="tag">for each</span>`}${loop && html`<span class="tag">loop ${loop[0]}–${loop.at(-1)}</span>`}${step.visits > 1 && html`<span class="quiet">×${step.visits}</span>`}
        ${["write", "irreversible"].includes(step.effect) && html`<${EffectMark} effect=${step.effect} />`}</div>
      ${(step.description ?? step.condition) && html`<div>${oneLine(step.description ?? step.condition, 160)}</div>`}
      <div class="quiet plan-step-edges">
        ${(ways.get(step.seq_no) ?? []).map((edge) => `${WAYS[edge.kind]} ${edge.to}`).join(", ") || "ends the run"}
        ${reads.has(step.seq_no) && html`; reads ${reads.get(step.seq_no).map((edge) => `${edge.names.join(", ")} of ${edge.from}`).join("; ")}`}
        ${read.has(step.seq_no) && html`; read by ${[...new Set(read.get(step.seq_no).map((edge) => edge.to))].join(", ")}`}
      </div></li>`;
  })}</ol>`;
}

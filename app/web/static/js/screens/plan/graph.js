// The plan as a picture: nodes where the layout put them, lines of control and of data, all of it to move over.
import { cx, html, useCallback, useEffect, useMemo, useRef, useState } from "../../core/html.js";
import { useKeys } from "../../core/keys.js";
import { navigate } from "../../core/router.js";
import { ZoomButtons, usePanZoom } from "../../widgets/pan_zoom.js";
import { useLayout } from "./layout.js";
import { Node } from "./node.js";

const SEEN = 400; // px around what is seen that is drawn as well

/** A smooth line through the points that the layout gives. */
function pathOf(points) {
  if (points.length < 3) return `M${points.map(({ x, y }) => `${x} ${y}`).join("L")}`;
  let text = `M${points[0].x} ${points[0].y}`;
  for (let at = 1; at < points.length - 1; at++) {
    const [here, next] = [points[at], points[at + 1]];
    const isLast = at === points.length - 2;
    const end = isLast ? next : { x: (here.x + next.x) / 2, y: (here.y + next.y) / 2 };
    text += `Q${here.x} ${here.y} ${end.x} ${end.y}`;
  }
  return text;
}

/** A line from node to node that the layout knows nothing of: beside the others, on the right. */
function bow(from, to) {
  const [x1, y1, x2, y2] = [from.x + from.width, from.y + from.height / 2, to.x + to.width, to.y + to.height / 2];
  const out = Math.max(x1, x2) + Math.min(160, 30 + Math.abs(y2 - y1) * 0.16);
  return `M${x1} ${y1}C${out} ${y1} ${out} ${y2} ${x2} ${y2}`;
}

function ControlEdge({ edge, line, isLit }) {
  const name = { true: "yes", false: "no", error: "on error" }[edge.kind];
  return html`<g class=${cx("graph-edge", `edge-${edge.kind}`, isLit && "lit")}>
    <path d=${pathOf(line.points)} marker-end=${`url(#arrow-${edge.kind === "error" ? "error" : "control"})`} />
    ${name && line.x !== undefined && html`<text x=${line.x} y=${line.y + 3} text-anchor="middle">${name}</text>`}</g>`;
}

function DataEdge({ edge, d, isLit, middle }) {
  return html`<g class=${cx("graph-edge edge-data", isLit && "lit")}><path d=${d} marker-end="url(#arrow-data)"><title>${edge.names.join(", ")}</title></path>
    ${isLit && middle && html`<text x=${middle.x + 5} y=${middle.y + 3}>${edge.names.slice(0, 3).join(", ")}${edge.names.length > 3 ? "…" : ""}</text>`}</g>`;
}

const Arrows = () => html`<defs>${["control", "data", "error"].map((kind) => html`
  <marker id=${`arrow-${kind}`} class=${`arrow arrow-${kind}`} viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto-start-reverse"><path d="M0 0.6L8 4L0 7.4z" /></marker>`)}</defs>`;

/** The node that an arrow key leads to: the nearest in that direction. */
function nearest(places, from, key) {
  const [dx, dy] = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] }[key];
  const middle = (place) => [place.x + place.width / 2, place.y + place.height / 2];
  const [x, y] = middle(from);
  let [best, least] = [null, Infinity];
  for (const [id, place] of Object.entries(places)) {
    if (place === from) continue;
    const [a, b] = middle(place);
    const [along, across] = [(a - x) * dx + (b - y) * dy, Math.abs((a - x) * dy) + Math.abs((b - y) * dx)];
    if (along > 1 && along + 2 * across < least) [best, least] = [id, along + 2 * across];
  }
  return best;
}

/**
 * @param {{model: any, by: "order" | "data", open: Set<string>, linkOf: (step: any) => string | null, items: Object<number, string[]>,
 *   onToggle: (id: string) => void, looked: number | null, onLook: (step: any) => void, follow: string | null}} props
 *   `items` are states of the items of a for_each that is open; `looked` the step that is looked at elsewhere; `follow` a node to keep in sight
 */
export function Graph({ model, by, open, linkOf, items, onToggle, looked, onLook, follow }) {
  const itemsOf = useCallback((node) => (node.step && open.has(`each-${node.step.seq_no}`) ? items[node.step.seq_no] ?? null : undefined), [open, JSON.stringify(Object.entries(items).map(([number, each]) => [number, each.length]))]);
  const found = useLayout(model, by, itemsOf);
  const places = found?.places ?? {};
  const zoom = usePanZoom({ width: found?.width ?? 0, height: found?.height ?? 0, start: places[model.nodes[0]?.id] });
  const { box, view } = zoom;
  const [at, setAt] = useState(null);
  const nodes = useMemo(() => model.nodes.filter((node) => places[node.id]), [model, places]);
  const lit = at ?? (looked !== null ? model.nodeOf.get(looked)?.id : null);
  const shown = useRef(null);
  const look = (id) => {
    setAt(id);
    const node = id && model.nodes.find((each) => each.id === id);
    if (node?.step) onLook(node.step);
  };
  useEffect(() => {
    const id = looked !== null && at === null ? model.nodeOf.get(looked)?.id : null;
    if (id && places[id]) zoom.show(places[id]);
  }, [looked]);
  useEffect(() => {
    if (follow && follow !== shown.current && places[follow]) {
      if (shown.current !== null) zoom.show(places[follow]);
      shown.current = follow;
    }
  }, [follow, found]);

  const move = (key) => (event) => {
    const id = document.activeElement?.closest?.("[data-node]")?.dataset.node;
    const next = id && places[id] ? nearest(Object.fromEntries(nodes.map((node) => [node.id, places[node.id]])), places[id], key) : (follow ?? nodes[0]?.id);
    if (!next || (!id && event.target.closest?.(".plan-side"))) return false;
    zoom.show(places[next]);
    requestAnimationFrame(() => box.current?.querySelector(`[data-node="${next}"] a, [data-node="${next}"] [role=button]`)?.focus({ preventScroll: true }));
    return true;
  };
  useKeys("Graph", Object.fromEntries(["ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight"].map((key) => [key, { label: "Next node in that direction", run: move(key) }])));

  // What is far from sight is not drawn: a plan of a thousand steps stays quick.
  const [w, h] = [box.current?.clientWidth ?? 2_000, box.current?.clientHeight ?? 2_000];
  const seen = (place) => place && place.x * view.k + view.x < w + SEEN && (place.x + place.width) * view.k + view.x > -SEEN && place.y * view.k + view.y < h + SEEN && (place.y + place.height) * view.k + view.y > -SEEN;
  const isNear = (edge) => seen(places[edge.source]) || seen(places[edge.target]);
  const touches = (edge) => lit !== null && (edge.source === lit || edge.target === lit);
  const data = model.data.filter((edge) => places[edge.source] && places[edge.target] && (by === "data" ? isNear(edge) : touches(edge)));
  const pick = (node) => (event) => {
    event.preventDefault();
    const to = linkOf(node.step);
    if (!zoom.wasDragged()) {
      onLook(node.step);
      if (to) navigate(to);
    }
  };
  return html`<div class="graph-box" ref=${box} data-laid=${found && !found.isOld ? by : undefined}>
    <svg class="graph" role="group" aria-label="The plan as a graph; the steps with their edges stand in the list beside it" aria-busy=${!found || found.isOld}>
      <${Arrows} />
      <g transform=${`translate(${view.x} ${view.y}) scale(${view.k})`}>
        ${model.clusters.map((cluster) => places[cluster.id] && html`<g key=${cluster.id} class="graph-cluster" transform=${`translate(${places[cluster.id].x} ${places[cluster.id].y})`}>
          <rect width=${places[cluster.id].width} height=${places[cluster.id].height} rx="10" />
          <g role="button" tabindex="0" class="cluster-close" aria-label=${`Fold the loop of steps ${cluster.steps[0].seq_no} to ${cluster.steps.at(-1).seq_no}`} onClick=${() => onToggle(cluster.id)}
            onKeyDown=${(event) => ["Enter", " "].includes(event.key) && (event.preventDefault(), onToggle(cluster.id))}><rect width="52" height="18" rx="4" x="10" y="-9" /><text x="17" y="4" aria-hidden="true">loop −</text></g></g>`)}
        ${model.control.map((edge) => found?.lines[edge.id] && isNear(edge) && html`<${ControlEdge} key=${edge.id} edge=${edge} line=${found.lines[edge.id]} isLit=${touches(edge)} />`)}
        ${data.map((edge) => {
          const points = found.lines[edge.id]?.points;
          return html`<${DataEdge} key=${edge.id} edge=${edge} d=${points ? pathOf(points) : bow(places[edge.source], places[edge.target])} isLit=${touches(edge)} middle=${points?.[Math.floor(points.length / 2)]} />`;
        })}
        ${nodes.filter((node) => seen(places[node.id])).map((node) => html`<${Node} key=${node.id} node=${node} place=${places[node.id]} to=${node.step && linkOf(node.step)}
          isOpen=${node.step && open.has(`each-${node.step.seq_no}`)} items=${node.step && open.has(`each-${node.step.seq_no}`) ? items[node.step.seq_no] ?? null : undefined}
          isLit=${lit === node.id} onLook=${look} onPick=${pick(node)} onOpen=${() => zoom.wasDragged() || onToggle(node.kind === "step" ? `each-${node.step.seq_no}` : node.id)} />`)}
      </g>
    </svg>
    <${ZoomButtons} ...${zoom} k=${view.k} />
    <p class="graph-hint quiet">drag or scroll to move, Ctrl and scroll to zoom</p>
  </div>`;
}

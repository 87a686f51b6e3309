// A plan as nodes and edges to draw: loops and long stretches folded into one node each, unless they are open.

export const FOLD_ABOVE = 40; // nodes: beyond, straight stretches are folded
const STRETCH = 4; // shorter ones are not worth it

/** The states of steps, the one that matters most first: a group has that of its first. */
const ORDER = ["failed", "waiting", "running", "next", "done", "pending"];
export const stateOf = (steps) => ORDER.find((state) => steps.some((step) => step.state === state)) ?? "pending";

/** Steps with what is under way now, told by the task's events. */
export function withLive(steps, live) {
  const running = new Map((live?.steps ?? []).map((each) => [each.seq_no, each]));
  return steps.map((step) => (running.has(step.seq_no) ? { ...step, state: "running", live: running.get(step.seq_no) } : step));
}

/** Runs of steps that just follow each other: no jump leads in or out, all in one state. */
function stretchesOf(graph, steps, inLoop) {
  const [outs, ins] = [new Map(), new Map()];
  for (const edge of graph.edges) {
    outs.set(edge.from, [...(outs.get(edge.from) ?? []), edge]);
    ins.set(edge.to, [...(ins.get(edge.to) ?? []), edge]);
  }
  const isPlain = (step) => !inLoop.has(step.seq_no) && ["done", "pending"].includes(step.state) && !step.for_each;
  const found = [];
  let here = [];
  const close = () => {
    if (here.length >= STRETCH) found.push(here);
    here = [];
  };
  for (const step of steps) {
    const before = here.at(-1);
    const [out, into] = [before && outs.get(before.seq_no), ins.get(step.seq_no) ?? []];
    const follows = before && before.state === step.state && out?.length === 1 && out[0].kind === "next" && out[0].to === step.seq_no && into.length === 1;
    if (!follows) close();
    if (isPlain(step)) here.push(step);
    else close();
  }
  close();
  return found;
}

/** The groups there are: loops, and stretches where the plan is long. */
export function groupsOf(graph, steps) {
  const byNumber = new Map(steps.map((step) => [step.seq_no, step]));
  const loops = graph.loops.filter((loop) => loop.length > 1);
  const inLoop = new Set(loops.flat());
  const groups = loops.map((loop) => ({ id: `loop-${loop[0]}`, kind: "loop", steps: loop.map((number) => byNumber.get(number)) }));
  if (steps.length - inLoop.size + loops.length > FOLD_ABOVE) {
    for (const stretch of stretchesOf(graph, steps, inLoop)) groups.push({ id: `stretch-${stretch[0].seq_no}`, kind: "stretch", steps: stretch });
  }
  return groups;
}

/** Edges between nodes instead of steps, each pair and kind once; those within a folded group are gone. */
function between(edges, nodeOf, keyOf) {
  const found = new Map();
  for (const edge of edges) {
    const [from, to] = [nodeOf.get(edge.from), nodeOf.get(edge.to)];
    if (!from || !to || (from === to && edge.from !== edge.to)) continue;
    if (from === to && from.kind !== "step") continue;
    const key = `${from.id} ${to.id} ${keyOf(edge)}`;
    const known = found.get(key);
    if (known) known.names = [...new Set([...(known.names ?? []), ...(edge.names ?? [])])];
    else found.set(key, { ...edge, id: key, source: from.id, target: to.id });
  }
  return [...found.values()];
}

/**
 * @param {any} graph as the API has it @param {any[]} steps with their states @param {Set<string>} open ids of groups that are open
 * @returns {{nodes: any[], control: any[], data: any[], clusters: any[], groups: any[]}} clusters are loops that are open
 */
export function drawn(graph, steps, open) {
  const groups = groupsOf(graph, steps);
  const folded = groups.filter((group) => !open.has("all") && !open.has(group.id));
  const foldedOf = new Map(folded.flatMap((group) => group.steps.map((step) => [step.seq_no, group])));
  const clusters = groups.filter((group) => group.kind === "loop" && !folded.includes(group));
  const nodeOf = new Map();
  const nodes = [];
  for (const step of steps) {
    const group = foldedOf.get(step.seq_no);
    if (!group) nodes.push({ id: `step-${step.seq_no}`, kind: "step", step, state: step.state, steps: [step] });
    else if (group.steps[0] === step) nodes.push({ id: group.id, kind: group.kind, state: stateOf(group.steps), steps: group.steps });
    nodeOf.set(step.seq_no, group ? nodes.find((node) => node.id === group.id) : nodes.at(-1));
  }
  for (const cluster of clusters) for (const step of cluster.steps) nodeOf.get(step.seq_no).cluster = cluster.id;
  return {
    nodes, groups, clusters, nodeOf,
    control: between(graph.edges, nodeOf, (edge) => edge.kind),
    data: between(graph.data.filter((edge) => edge.from !== edge.to), nodeOf, () => "data"),
  };
}

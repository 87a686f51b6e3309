// Places nodes by dagre, beside the page: a large plan takes a second, and the page must not stand still.
import { Graph, layout } from "../../../vendor/dagre.esm.js";

onmessage = ({ data }) => {
  const { id, nodes, edges, clusters } = data;
  const graph = new Graph({ multigraph: true, compound: clusters.length > 0 });
  graph.setGraph({ rankdir: "TB", nodesep: 26, ranksep: 30, edgesep: 14, marginx: 24, marginy: 24 });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const cluster of clusters) graph.setNode(cluster.id, {});
  for (const node of nodes) {
    graph.setNode(node.id, { width: node.width, height: node.height });
    if (node.cluster) graph.setParent(node.id, node.cluster);
  }
  for (const edge of edges) graph.setEdge(edge.source, edge.target, { weight: edge.weight ?? 1, minlen: 1, ...(edge.label && { width: edge.label, height: 12, labelpos: "r" }) }, edge.id);
  try {
    layout(graph);
  } catch (error) {
    postMessage({ id, error: String(error) });
    return;
  }
  const place = ({ x, y, width, height }) => ({ x: x - width / 2, y: y - height / 2, width, height });
  postMessage({
    id,
    places: Object.fromEntries([...nodes, ...clusters].map((each) => [each.id, place(graph.node(each.id))])),
    lines: Object.fromEntries(graph.edges().map((edge) => [edge.name, graph.edge(edge)]).map(([name, { points, x, y }]) => [name, { points, x, y }])),
    width: graph.graph().width,
    height: graph.graph().height,
  });
};

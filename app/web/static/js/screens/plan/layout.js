// Where the nodes and edges of a plan go. The work is done by a worker; the picture before stays until it is done.
import { useEffect, useMemo, useRef, useState } from "../../core/html.js";

export const WIDTH = 230;
const HEIGHT = 42;
const LABELS = { true: 22, false: 18, error: 46 };
export const ROW = 24; // items of a for_each in a row
export const SQUARE = 8.6;
export const ROWS = 7;

/** @param {string[] | null | undefined} items of a for_each that is open, null while they are not known */
function heightOf(items) {
  if (items === undefined) return HEIGHT;
  return HEIGHT + Math.max(1, Math.min(ROWS, Math.ceil((items?.length ?? 0) / ROW))) * SQUARE + 20;
}

/**
 * @param {{nodes: any[], control: any[], data: any[], clusters: any[]}} model
 * @param {"order" | "data"} by which edges say what stands below what
 * @returns {{places: Object, lines: Object, width: number, height: number} | null}
 */
export function useLayout(model, by, itemsOf) {
  const worker = useRef(null);
  const [found, setFound] = useState(null);
  useEffect(() => {
    worker.current = new Worker(new URL("layout_worker.js", import.meta.url), { type: "module" });
    worker.current.onmessage = ({ data }) => {
      if (data.error) console.error(data.error);
      else setFound(data);
    };
    return () => worker.current.terminate();
  }, []);
  const asked = useMemo(() => {
    const nodes = model.nodes.map((node) => ({ id: node.id, width: WIDTH, height: heightOf(itemsOf(node)), cluster: node.cluster }));
    const jumps = model.control.filter((edge) => edge.kind !== "next");
    const edges = by === "data" ? [...model.data, ...jumps.filter((edge) => edge.source !== edge.target)] : model.control.map((edge) => ({ ...edge, weight: edge.kind === "next" ? 4 : 1 }));
    return { nodes, edges: edges.map(({ id, source, target, weight, kind }) => ({ id, source, target, weight, label: LABELS[kind] })), clusters: model.clusters.map(({ id }) => ({ id })) };
  }, [model, by, itemsOf]);
  const text = JSON.stringify(asked); // states change while a run goes on; the places do not
  useEffect(() => {
    worker.current.postMessage({ id: text, ...asked });
  }, [text]);
  return found?.id === text ? found : found && { ...found, isOld: true };
}

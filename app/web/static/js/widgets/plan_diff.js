// Two plans side by side, aligned by what their steps do: changes with their words marked, what is the same folded.
import { html, useEffect, useMemo, useRef, useState } from "../core/html.js";
import { plural } from "../core/format.js";
import { useKeys } from "../core/keys.js";
import { useNarrow } from "../core/media.js";
import { DiffStep } from "./diff_step.js";
import { countKinds, foldRows, isChange } from "./diff_rows.js";
import { Icon } from "./icon.js";

const FIRST = 150; // rows drawn at once; more when they are wanted

const NOTHING = [];

/** "3 changed · 1 moved · 30 the same" */
export function KindCounts({ rows }) {
  const counts = countKinds(rows);
  const words = [["changed", "changed"], ["moved", "moved"], ["added", "added"], ["removed", "removed"], ["unchanged", "the same"]];
  return html`<span class="pd-counts">${words.filter(([kind]) => counts[kind] > 0).map(([kind, word]) => html`<span key=${kind} class=${`pd-count pd-count-${kind}`}>${counts[kind]} ${word}</span>`)}</span>`;
}

/**
 * @param {{
 *   rows: any[], label: string, isUnified?: boolean, selected?: string, onSelect?: (key: string) => void,
 *   keeps?: (row: any) => boolean, beside?: (row: any) => any, below?: (row: any) => any, foldNote?: (rows: any[]) => string,
 *   version?: any[], keys?: Object, tools?: any,
 * }} props `rows` are those of diff_rows.js; `selected` is a row's key; `keeps`: rows that matter though they are the same;
 *   `version` is all that `beside` and `below` look at: a row is drawn anew where it has changed; `keys` are more keys for the screen
 */
export function PlanDiff({ rows, label, isUnified, selected, onSelect, keeps = () => false, beside, below, foldNote, version = NOTHING, keys = {}, tools }) {
  const isNarrow = useNarrow();
  const unified = isUnified || isNarrow;
  const [opened, setOpened] = useState(() => new Set());
  const [open, setOpen] = useState(() => new Set());
  const [most, setMost] = useState(FIRST);
  const box = useRef(null);
  const isMatter = (row) => isChange(row) || keeps(row);
  const stops = useMemo(() => rows.filter(isMatter).map((row) => row.key), [rows, keeps]);
  const shown = useMemo(() => foldRows(rows, (row) => keeps(row) || row.key === selected, opened), [rows, keeps, opened, selected]);

  const show = (key) => {
    const element = box.current?.querySelector(`[data-row="${CSS.escape(key)}"]`);
    element?.scrollIntoView({ block: "nearest" });
    element?.focus({ preventScroll: true });
  };
  const step = (by) => {
    if (stops.length === 0) return;
    const at = stops.indexOf(selected);
    let next = at + by;
    if (at < 0) next = by > 0 ? 0 : stops.length - 1;
    const key = stops[(next + stops.length) % stops.length];
    const place = shown.findIndex((each) => each.row?.key === key);
    if (place >= most) setMost(place + FIRST);
    onSelect?.(key);
    requestAnimationFrame(() => show(key));
  };
  useEffect(() => {
    if (selected) requestAnimationFrame(() => box.current?.querySelector(`[data-row="${CSS.escape(selected)}"]`)?.scrollIntoView({ block: "nearest" }));
  }, []);
  const toggle = (key) => setOpen((now) => {
    const next = new Set(now);
    if (!next.delete(key)) next.add(key);
    return next;
  });
  // A row that is as it was is not looked at again: going from change to change draws two of them.
  const latest = useRef({});
  latest.current = { selected, onSelect };
  const drawn = useRef(new Map());
  const draw = (row) => {
    const state = [row, unified, row.key === selected, open.has(row.key), ...version];
    const before = drawn.current.get(row.key);
    if (before?.state.length === state.length && before.state.every((each, at) => each === state[at])) return before.node;
    const node = html`<${DiffStep} key=${row.key} row=${row} isUnified=${unified} isSelected=${row.key === selected} isOpen=${open.has(row.key)}
      onToggle=${() => toggle(row.key)} onSelect=${() => row.key !== latest.current.selected && latest.current.onSelect?.(row.key)} beside=${beside?.(row)} below=${below?.(row)} />`;
    drawn.current.set(row.key, { state, node });
    return node;
  };
  const isAll = opened === "all";
  useKeys("Plan diff", {
    n: { label: "Next change", run: () => step(1) },
    p: { label: "Previous change", run: () => step(-1) },
    a: { label: "Show all steps, or the changes alone", run: () => setOpened(isAll ? new Set() : "all") },
    Enter: { label: "All of the step, or what changed", run: () => (selected ? toggle(selected) : false) },
    ...keys,
  });
  const at = stops.indexOf(selected);
  return html`<section class=${unified ? "pd pd-unified" : "pd"} aria-label=${label}>
    <div class="pd-bar">
      <${KindCounts} rows=${rows} />
      <div class="pd-tools">${tools}
        ${shown.some((each) => each.fold) || isAll ? html`<button type="button" class="bare small" aria-pressed=${isAll} onClick=${() => setOpened(isAll ? new Set() : "all")}>All steps</button>` : null}
        ${stops.length > 0 && html`<span class="quiet pd-at">${at >= 0 ? `${at + 1} of ` : ""}${plural(stops.length, "place")}</span>
        <button type="button" class="bare small" onClick=${() => step(-1)} aria-label="Previous change" title="Previous change (p)"><${Icon} name="up" size=${12} /></button>
        <button type="button" class="bare small" onClick=${() => step(1)} aria-label="Next change" title="Next change (n)"><${Icon} name="down" size=${12} /></button>`}</div>
    </div>
    <div class="pd-rows" ref=${box}>
      ${shown.slice(0, most).map((each) => (each.fold
        ? html`<button type="button" class="pd-fold" key=${`fold-${each.key}`} onClick=${() => setOpened((now) => new Set([...now, each.key]))}>
            <${Icon} name="more" size=${12} /> ${plural(each.fold.length, "step")} the same${foldNote?.(each.fold)}</button>`
        : draw(each.row)))}
      ${shown.length > most && html`<button type="button" class="pd-fold" onClick=${() => setMost(most + 400)}>${plural(shown.length - most, "more row")}</button>`}
    </div>
  </section>`;
}

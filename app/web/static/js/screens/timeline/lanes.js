// The lanes: bars side by side as the calls were under way. Wheel, drag, keys and buttons zoom and move.
import { cx, html, useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from "../../core/html.js";
import { announce } from "../../core/announce.js";
import { duration } from "../../core/format.js";
import { useKeys } from "../../core/keys.js";
import { navigate } from "../../core/router.js";
import { ZoomButtons } from "../../widgets/pan_zoom.js";
import { ticks } from "./axis.js";
import { Details, titleOf } from "./details.js";

const LANE = 24;
const BAR = 18;
const TOP = 26;
const MARKS = 16;
const BOTTOM = 34; // room for the buttons
const STEP = 1.4;
const CHAR = 6.3;
const LEAST_SHOWN = 4; // ms that the whole width may stand for at least
const DRAG = 4;

/** The part of the time that is seen, in shown ms; it stays at the end while a run goes on and the end is seen. */
function useWindow(length) {
  const [window, setWindow] = useState(null); // null: all
  const clamp = useCallback(([from, to]) => {
    const span = Math.max(LEAST_SHOWN, Math.min(length, to - from));
    if (span >= length) return null;
    const first = Math.max(0, Math.min(length - span, from));
    return [first, first + span];
  }, [length]);
  const change = useCallback((next) => setWindow((now) => clamp(next(now ?? [0, length]))), [clamp, length]);
  return { seen: window ? clamp(window) ?? [0, length] : [0, length], change, all: () => setWindow(null) };
}

/** The bars that are drawn: those in sight, and of many within a pixel one. */
function visible(bars, toX, width) {
  const lastX = [];
  return bars.filter((bar) => {
    const [x1, x2] = [toX(bar.start), toX(bar.end)];
    if (x2 < -2 || x1 > width + 2) return false;
    if (x2 - x1 < 1 && x2 < (lastX[bar.lane] ?? -9) + 0.7) return false;
    lastX[bar.lane] = Math.max(x2, x1 + 1);
    return true;
  });
}

function Bar({ bar, x1, x2, isChosen, toX, onPick, onLook, to }) {
  const width = Math.max(1.5, x2 - x1);
  const y = TOP + MARKS + bar.lane * LANE;
  const kind = bar.waits ? "waits" : bar.planning || (bar.models.length > 0 && !["tool"].includes(bar.kind)) ? "model" : "tool";
  const left = Math.max(x1, 0);
  const room = Math.floor((Math.min(x2, 100_000) - left - 8) / CHAR);
  const text = bar.seq !== null ? `${bar.seq}${bar.item !== undefined ? `[${bar.item}]` : ""} ${bar.tool}` : bar.tool;
  return html`<a class=${cx("timeline-bar", `bar-${kind}`, bar.failed && "bar-failed", bar.running && "bar-running", isChosen && "chosen")} href=${to ?? "#"} tabindex="-1" draggable="false"
    onClick=${onPick} onPointerEnter=${(event) => onLook(bar, event)} onPointerLeave=${() => onLook(null)}>
    <rect class="bar-box" x=${x1} y=${y} width=${width} height=${BAR} rx=${width > 6 ? 3 : 0.5} />
    ${kind === "model" && !bar.planning && bar.models.map((model) => { const at = toX(model.started_ms); return html`<rect class="bar-asked" x=${at} y=${y + BAR - 4} width=${Math.max(1, toX(model.ended_ms) - at)} height="4" />`; })}
    ${bar.failed && width > 3 && html`<path class="bar-cross" d=${`M${x2 - 11} ${y + 5}l8 8m0 -8l-8 8`} />`}
    ${room > 2 && html`<text x=${left + 4} y=${y + 13}>${text.length > room ? `${text.slice(0, Math.max(1, room - 1))}…` : text}</text>`}
    ${bar.attempts > 1 && !bar.planning && html`<text class="bar-retries" x=${Math.min(x2, 1e5) + 2} y=${y + 13}>${room < 40 ? `×${bar.attempts}` : ""}</text>`}
  </a>`;
}

/** @param {{times: any, axis: any, linkOf: (bar: any) => string | null, isLive: boolean}} props */
export function Lanes({ times, axis, linkOf, isLive }) {
  const box = useRef(null);
  const [width, setWidth] = useState(0);
  const { seen, change, all } = useWindow(axis.length);
  const [looked, setLooked] = useState(null);
  const [chosen, setChosen] = useState(null);
  const drag = useRef(null);
  const [from, to] = seen;
  const scale = width / (to - from);
  const toX = (ms) => (axis.toShown(ms) - from) * scale;
  useLayoutEffect(() => {
    const observer = new ResizeObserver(() => setWidth(box.current.clientWidth));
    observer.observe(box.current);
    setWidth(box.current.clientWidth);
    return () => observer.disconnect();
  }, []);

  const zoomBy = useCallback((factor, share = 0.5) => change(([a, b]) => {
    const at = a + (b - a) * share;
    return [at - (at - a) / factor, at + (b - at) / factor];
  }), [change]);
  const panBy = useCallback((share) => change(([a, b]) => [a + (b - a) * share, b + (b - a) * share]), [change]);
  useEffect(() => {
    const element = box.current;
    const onWheel = (event) => {
      const { left, width: whole } = element.getBoundingClientRect();
      const unit = event.deltaMode === 1 ? 18 : 1;
      const sideways = event.shiftKey ? event.deltaY : event.deltaX;
      if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) panBy((sideways * unit) / whole);
      else zoomBy(Math.exp(-event.deltaY * unit * 0.0025), (event.clientX - left) / whole);
      event.preventDefault();
    };
    element.addEventListener("wheel", onWheel, { passive: false });
    return () => element.removeEventListener("wheel", onWheel);
  }, [zoomBy, panBy]);
  const onPointerDown = (event) => {
    if (event.button === 0) drag.current = { x: event.clientX, moved: 0 };
  };
  const onPointerMove = (event) => {
    if (!drag.current || event.buttons === 0) return;
    const by = event.clientX - drag.current.x;
    drag.current.moved += Math.abs(by);
    if (drag.current.moved > DRAG) {
      panBy(-by / width);
      setLooked(null);
    }
    drag.current.x = event.clientX;
  };

  const choose = (by) => () => {
    const here = chosen === null ? times.bars.findIndex((bar) => axis.toShown(bar.end) >= from) - (by > 0 ? 1 : 0) : chosen;
    const next = Math.max(0, Math.min(times.bars.length - 1, here + by));
    const bar = times.bars[next];
    if (!bar) return;
    setChosen(next);
    setLooked(null);
    announce(titleOf(bar), { quiet: true });
    const [a, b] = [axis.toShown(bar.start), axis.toShown(bar.end)];
    if (a < from || b > to) change(([first, last]) => { const span = last - first; const middle = (a + b) / 2; return [middle - span / 2, middle + span / 2]; });
  };
  const open = (bar) => {
    const target = bar && linkOf(bar);
    return target ? navigate(target) : false;
  };
  useKeys("Timeline", {
    ArrowRight: { label: "Next call", run: choose(1) },
    ArrowLeft: { label: "Call before", run: choose(-1) },
    Enter: { label: "Open its step", run: () => (chosen === null ? false : open(times.bars[chosen])) },
    Escape: { label: "Choose none", run: () => (chosen === null ? false : setChosen(null)) },
    "+": { label: "Closer", run: () => zoomBy(STEP) },
    "=": { label: "Closer", run: () => zoomBy(STEP) },
    "-": { label: "Further away", run: () => zoomBy(1 / STEP) },
    0: { label: "All of it", run: all },
    "Shift+ArrowRight": { label: "Later", run: () => panBy(0.2) },
    "Shift+ArrowLeft": { label: "Earlier", run: () => panBy(-0.2) },
  });

  const drawnBars = width > 0 ? visible(times.bars, toX, width) : [];
  const marks = useMemo(() => thin(times.marks, (ms) => (axis.toShown(ms) - from) * scale, width), [times, axis, from, scale, width]);
  const height = TOP + MARKS + times.lanes * LANE + BOTTOM;
  const shown = looked ?? (chosen !== null && times.bars[chosen] ? { bar: times.bars[chosen], x: Math.max(0, Math.min(width - 20, toX(times.bars[chosen].start))), y: TOP + MARKS + times.bars[chosen].lane * LANE + LANE } : null);
  const look = (bar, event) => {
    if (!bar || event.buttons > 0) return setLooked(null);
    const { left, top } = box.current.getBoundingClientRect();
    return setLooked({ bar, x: event.clientX - left, y: event.clientY - top + 14 });
  };
  return html`<div class="timeline-lanes">
    <div class="timeline-scroll" tabindex="0" role="region" aria-label=${`${times.bars.length} calls in ${times.lanes} lanes. Arrow keys go from call to call and tell it, Enter opens its step; the tables below sum them up`}>
      <div class="timeline-box" ref=${box} onPointerDown=${onPointerDown} onPointerMove=${onPointerMove} onPointerUp=${() => setTimeout(() => { drag.current = null; })} onPointerLeave=${() => setLooked(null)}>
        <svg width="100%" height=${height} aria-hidden="true">
          <defs><pattern id="gap" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect class="gap-line" width="2" height="6" /></pattern></defs>
          ${width > 0 && ticks(axis, from, to, width / 110, times.start).map(({ shown: at, ms }) => html`<g key=${at} class="timeline-tick"><path d=${`M${(at - from) * scale} 18V${height}`} /><text x=${(at - from) * scale + 4} y="14">${duration(ms)}</text></g>`)}
          ${axis.gaps.map((gap) => { const x = (gap.at - from) * scale; const w = gap.width * scale; return x + w > 0 && x < width && html`<g class="timeline-gap"><rect x=${x} y=${TOP} width=${w} height=${height - TOP} fill="url(#gap)"><title>${`folded: ${duration(gap.to - gap.from)} in which nothing ran`}</title></rect>${w > 34 && html`<text x=${x + w / 2} y=${TOP + 11} text-anchor="middle">${duration(gap.to - gap.from)}</text>`}</g>`; })}
          ${marks.map((mark) => html`<path key=${mark.commit} class=${`timeline-mark mark-${mark.kind}`} d=${shapeOf(mark.kind, mark.x, TOP + 6)}><title>${mark.many > 1 ? `${mark.many} steps that took no time` : mark.subject}</title></path>`)}
          ${drawnBars.map((bar) => html`<${Bar} key=${bar.key ?? `${bar.commit} ${bar.item ?? ""} ${bar.waits ?? ""}`} bar=${bar} x1=${toX(bar.start)} x2=${toX(bar.end)} toX=${toX} isChosen=${chosen === bar.index} to=${linkOf(bar)} onLook=${look}
            onPick=${(event) => { event.preventDefault(); if ((drag.current?.moved ?? 0) <= DRAG) { setChosen(bar.index); open(bar); } }} />`)}
          ${isLive && html`<path class="timeline-now" d=${`M${toX(times.end)} 18V${height}`} />`}
        </svg>
      </div>
    </div>
    ${shown && html`<${Details} bar=${shown.bar} start=${times.start} style=${{ left: `${Math.min(shown.x, Math.max(0, width - 310))}px`, top: `${shown.y}px` }} />`}
    <${ZoomButtons} zoomBy=${(factor) => zoomBy(factor)} fit=${all} k=${axis.length / (to - from)} />
  </div>`;
}

/** Moments that would stand on each other as one. */
function thin(marks, toX, width) {
  const found = [];
  for (const mark of marks) {
    const x = toX(mark.at);
    if (x < -5 || x > width + 5) continue;
    const before = found.at(-1);
    if (before && x - before.x < 5 && before.kind === mark.kind) before.many += 1;
    else found.push({ ...mark, x, many: 1 });
  }
  return found;
}

function shapeOf(kind, x, y) {
  if (kind === "decision") return `M${x} ${y - 5}l5 5-5 5-5-5z`;
  if (kind === "failed") return `M${x - 4} ${y - 4}l8 8m0-8l-8 8`;
  if (kind === "reused") return `M${x - 4} ${y}a4 4 0 1 1 4 4`;
  return kind === "step" ? `M${x} ${y - 3}v6` : `M${x - 3} ${y - 3}h6v6h-6z`;
}

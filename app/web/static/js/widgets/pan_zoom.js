// Moving over a large picture: drag, wheel, pinch, buttons, keys. The picture itself is drawn by whoever uses it.
import { html, useCallback, useEffect, useLayoutEffect, useRef, useState } from "../core/html.js";
import { useKeys } from "../core/keys.js";
import { Icon } from "./icon.js";

const LEAST = 0.05;
const MOST = 2.5;
const STEP = 1.25;
const READABLE = 0.62;
const DRAG = 4; // px: less is a click

/**
 * @param {{width: number, height: number, start?: {x: number, y: number, width: number}}} size of the picture, and the place in it
 *   with which one begins where not all of it can be read at once
 * @returns {{box: any, view: {x: number, y: number, k: number}, zoomBy: Function, fit: Function, show: Function, wasDragged: () => boolean}}
 *   `box` is a ref for the element that is looked through, `view` where the picture's corner is and how large it is drawn
 */
export function usePanZoom({ width, height, start }) {
  const box = useRef(null);
  const [view, setView] = useState(null);
  const drag = useRef({ pointers: new Map(), moved: 0 });
  const isMoved = useRef(false); // by somebody: until then what is seen follows the picture's size

  const clamp = useCallback((next) => {
    const [w, h] = [box.current.clientWidth, box.current.clientHeight];
    const k = Math.max(LEAST, Math.min(MOST, next.k));
    // A third of what is seen stays picture, whatever one does.
    const keep = (at, size, all) => Math.max(Math.min(at, size * 0.66), size * 0.34 - all * k);
    return { k, x: keep(next.x, w, width), y: keep(next.y, h, height) };
  }, [width, height]);

  const fitted = useCallback((whole) => {
    const [w, h] = [box.current.clientWidth, box.current.clientHeight];
    const k = Math.min(1, w / width, whole ? h / height : Infinity);
    return clamp({ k, x: (w - width * k) / 2, y: whole ? Math.max(0, (h - height * k) / 2) : 0 });
  }, [width, height, clamp]);

  const zoomBy = useCallback((factor, at) => {
    isMoved.current = true;
    setView((now) => {
      const from = now ?? fitted(true);
      const point = at ?? { x: box.current.clientWidth / 2, y: box.current.clientHeight / 2 };
      const k = Math.max(LEAST, Math.min(MOST, from.k * factor));
      return clamp({ k, x: point.x - ((point.x - from.x) / from.k) * k, y: point.y - ((point.y - from.y) / from.k) * k });
    });
  }, [clamp, fitted]);
  const panBy = useCallback((dx, dy) => {
    isMoved.current = true;
    setView((now) => clamp({ ...(now ?? fitted(true)), x: (now?.x ?? 0) + dx, y: (now?.y ?? 0) + dy }));
  }, [clamp, fitted]);

  /** Bring a rectangle of the picture into sight, at a size at which it can be read. */
  const show = useCallback((place, { least = 0.7 } = {}) => {
    isMoved.current = true;
    setView((now) => {
      const k = Math.max(now?.k ?? 1, least);
      const [w, h] = [box.current.clientWidth, box.current.clientHeight];
      const [x, y] = [now?.x ?? 0, now?.y ?? 0];
      const isSeen = now && k === now.k && place.x * k + x >= 0 && (place.x + place.width) * k + x <= w && place.y * k + y >= 0 && (place.y + place.height) * k + y <= h;
      return isSeen ? now : clamp({ k, x: w / 2 - (place.x + place.width / 2) * k, y: h / 2 - (place.y + place.height / 2) * k });
    });
  }, [clamp]);

  useLayoutEffect(() => {
    if (!width || isMoved.current) return;
    const [w, h] = [box.current.clientWidth, box.current.clientHeight];
    const whole = Math.min(1, w / width, h / height);
    if (whole >= READABLE) setView(fitted(true));
    else if (w / width >= READABLE || !start) setView(fitted(false));
    else setView(clamp({ k: READABLE, x: Math.min(20, w / 2 - (start.x + start.width / 2) * READABLE), y: 0 }));
  }, [width, height]);

  useEffect(() => {
    const element = box.current;
    const at = (event) => {
      const { left, top } = element.getBoundingClientRect();
      return { x: event.clientX - left, y: event.clientY - top };
    };
    const onWheel = (event) => {
      event.preventDefault();
      const unit = event.deltaMode === 1 ? 18 : 1;
      if (event.ctrlKey || event.metaKey) zoomBy(Math.exp(-event.deltaY * unit * 0.004), at(event));
      else panBy(-(event.shiftKey ? event.deltaY : event.deltaX) * unit, event.shiftKey ? 0 : -event.deltaY * unit);
    };
    const { pointers } = drag.current;
    const onDown = (event) => {
      if (event.button !== 0) return;
      if (pointers.size === 0) drag.current.moved = 0;
      pointers.set(event.pointerId, at(event));
    };
    const onMove = (event) => {
      const before = pointers.get(event.pointerId);
      if (!before) return;
      const now = at(event);
      const other = [...pointers].find(([id]) => id !== event.pointerId)?.[1];
      drag.current.moved += Math.hypot(now.x - before.x, now.y - before.y);
      if (drag.current.moved > DRAG) element.setPointerCapture(event.pointerId);
      if (other) {
        const gap = (point) => Math.hypot(point.x - other.x, point.y - other.y);
        zoomBy(gap(now) / Math.max(gap(before), 1), other);
      } else if (drag.current.moved > DRAG) panBy(now.x - before.x, now.y - before.y);
      pointers.set(event.pointerId, now);
    };
    const onUp = (event) => pointers.delete(event.pointerId);
    element.addEventListener("wheel", onWheel, { passive: false });
    element.addEventListener("pointerdown", onDown);
    element.addEventListener("pointermove", onMove);
    for (const name of ["pointerup", "pointercancel"]) element.addEventListener(name, onUp);
    return () => {
      element.removeEventListener("wheel", onWheel);
      element.removeEventListener("pointerdown", onDown);
      element.removeEventListener("pointermove", onMove);
      for (const name of ["pointerup", "pointercancel"]) element.removeEventListener(name, onUp);
    };
  }, [zoomBy, panBy]);

  const fit = () => setView(fitted(true));
  useKeys("Picture", {
    "+": { label: "Larger", run: () => zoomBy(STEP) },
    "=": { label: "Larger", run: () => zoomBy(STEP) },
    "-": { label: "Smaller", run: () => zoomBy(1 / STEP) },
    0: { label: "All of it", run: fit },
    "Shift+ArrowUp": { label: "Move over it", run: () => panBy(0, 80) },
    "Shift+ArrowDown": { label: "Move over it", run: () => panBy(0, -80) },
    "Shift+ArrowLeft": { label: "Move over it", run: () => panBy(80, 0) },
    "Shift+ArrowRight": { label: "Move over it", run: () => panBy(-80, 0) },
  });
  return { box, view: view ?? { x: 0, y: 0, k: 1 }, zoomBy, fit, show, wasDragged: () => drag.current.moved > DRAG };
}

/** Buttons for those without a wheel. */
export function ZoomButtons({ zoomBy, fit, k }) {
  return html`<div class="zoom-buttons" role="group" aria-label="Size of the picture">
    <button type="button" class="bare" title="Smaller (-)" aria-label="Smaller" onClick=${() => zoomBy(1 / STEP)}>−</button>
    <button type="button" class="bare zoom-size" title="All of it (0)" aria-label=${`All of it; now ${Math.round(k * 100)} %`} onClick=${fit}>${Math.round(k * 100)} %</button>
    <button type="button" class="bare" title="Larger (+)" aria-label="Larger" onClick=${() => zoomBy(STEP)}><${Icon} name="add" /></button>
  </div>`;
}

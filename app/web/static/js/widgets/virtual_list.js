// A list of any length: only the rows in sight are in the document. All rows have one height.
import { html, useEffect, useImperativeHandle, useLayoutEffect, useRef, useState } from "../core/html.js";

const BEYOND = 12; // rows drawn above and below what is seen, so that scrolling shows no gap

/**
 * @param {{
 *   count: number, rowHeight: number, renderRow: (index: number) => any, keyOf?: (index: number) => any,
 *   selected?: number, onEnd?: () => void, onScrolled?: (atTop: boolean, atBottom: boolean) => void,
 *   label: string, role?: string, class?: string, handle?: object, header?: any,
 *   onRange?: (first: number, last: number) => void, prepended?: number,
 * }} props
 *   `selected` is scrolled into sight when it changes; `onEnd` is called when the last rows come near;
 *   `handle` is a ref that gets {scrollTo(index, where)}; `onRange` is told which rows are drawn; `prepended` counts the
 *   rows that ever came before the first: who has scrolled away from the top keeps seeing the same rows.
 */
export function VirtualList({ count, rowHeight, renderRow, keyOf = (index) => index, selected = -1, onEnd, onScrolled, label, role = "list", class: name = "", handle, header = null, rowAttributes, onRange, prepended = 0, ...rest }) {
  const box = useRef(null);
  const [range, setRange] = useState([0, 40]);
  const top = useRef(0);

  function measure() {
    const element = box.current;
    if (!element) return;
    const first = Math.max(0, Math.floor(element.scrollTop / rowHeight) - BEYOND);
    const last = Math.ceil((element.scrollTop + element.clientHeight) / rowHeight) + BEYOND;
    setRange((now) => (now[0] === first && now[1] === last ? now : [first, last]));
    onRange?.(first, Math.min(last, count));
    if (onEnd && last >= count - BEYOND) onEnd();
    if (element.scrollTop !== top.current) {
      top.current = element.scrollTop;
      onScrolled?.(element.scrollTop < rowHeight, element.scrollTop + element.clientHeight >= element.scrollHeight - rowHeight);
    }
  }

  const before = useRef(prepended);
  useLayoutEffect(() => {
    const added = prepended - before.current;
    before.current = prepended;
    if (added > 0 && box.current.scrollTop > rowHeight / 2) box.current.scrollTop += added * rowHeight;
    measure();
  }, [count, rowHeight, prepended]);
  useEffect(() => {
    const observer = new ResizeObserver(measure);
    observer.observe(box.current);
    return () => observer.disconnect();
  }, [rowHeight, count, onEnd]);

  function scrollTo(index, where = "near") {
    const element = box.current;
    if (!element || index < 0) return;
    const [from, to] = [index * rowHeight, (index + 1) * rowHeight];
    const view = element.clientHeight - (element.querySelector(".virtual-header")?.offsetHeight ?? 0);
    if (where === "top") element.scrollTop = from;
    else if (where === "middle") element.scrollTop = from - view / 2;
    else if (from < element.scrollTop) element.scrollTop = from;
    else if (to > element.scrollTop + view) element.scrollTop = to - view;
  }
  useImperativeHandle(handle, () => ({ scrollTo, element: box.current }));
  useLayoutEffect(() => scrollTo(selected), [selected]);

  const rows = [];
  for (let index = range[0]; index < Math.min(range[1], count); index++) {
    rows.push(html`<div key=${keyOf(index)} class="virtual-row" ...${rowAttributes?.(index)}
      style=${{ height: `${rowHeight}px`, transform: `translateY(${index * rowHeight}px)` }}>${renderRow(index)}</div>`);
  }
  return html`<div ref=${box} class=${`virtual ${name}`} role=${role} aria-label=${label} tabindex="0" onScroll=${measure} ...${rest}>
    ${header && html`<div class="virtual-header" role=${role === "table" ? "row" : undefined}>${header}</div>`}
    <div class="virtual-space" role=${role === "table" ? "rowgroup" : "presentation"} style=${{ height: `${count * rowHeight}px` }}>${rows}</div>
  </div>`;
}

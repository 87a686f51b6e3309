// A table of any length with a selected row: columns as data, rows as links, the keyboard up and down.
import { cx, html } from "../core/html.js";
import { navigate } from "../core/router.js";
import { useKeys } from "../core/keys.js";
import { VirtualList } from "./virtual_list.js";

/**
 * @param {{
 *   label: string, rows: any[], keyOf: (row: any) => string, linkOf?: (row: any) => string,
 *   columns: {name: string, title: string, width: string, render: (row: any) => any, align?: "end"}[],
 *   selected: number, onSelect: (index: number) => void, onEnd?: () => void, rowHeight?: number,
 *   narrow?: (row: any) => any,
 * }} props `narrow` draws a whole row where there is no room for columns
 */
export function DataTable({ label, rows, keyOf, linkOf, columns, selected, onSelect, onEnd, rowHeight = 34, narrow }) {
  const template = { gridTemplateColumns: columns.map((column) => column.width).join(" ") };
  const step = (by) => rows.length && onSelect(Math.max(0, Math.min(rows.length - 1, selected + by)));
  const open = () => (rows[selected] && linkOf ? navigate(linkOf(rows[selected])) : false);
  useKeys(label, {
    j: { label: "Next row", run: () => step(1) },
    k: { label: "Previous row", run: () => step(-1) },
    ArrowDown: { label: "Next row", run: () => step(1) },
    ArrowUp: { label: "Previous row", run: () => step(-1) },
    Enter: { label: "Open", run: open },
  });
  const click = (event, index) => {
    onSelect(index);
    if (event.target.closest("a, button") || !linkOf || String(getSelection())) return;
    navigate(linkOf(rows[index]));
  };
  const header = !narrow && html`<div class="table-line table-head" style=${template}>
    ${columns.map((column) => html`<div role="columnheader" class=${cx("cell", column.align === "end" && "end")}>${column.title}</div>`)}
  </div>`;
  const row = (index) => {
    const each = rows[index];
    const content = narrow
      ? html`<div role="cell" class="table-line narrow-line">${narrow(each)}</div>`
      : html`<div class="table-line" role="presentation" style=${template}>
          ${columns.map((column) => html`<div role="cell" class=${cx("cell", `cell-${column.name}`, column.align === "end" && "end")}>${column.render(each)}</div>`)}
        </div>`;
    return content;
  };
  return html`<${VirtualList} class="table" role="table" label=${label} count=${rows.length} rowHeight=${rowHeight} selected=${selected}
    keyOf=${(index) => keyOf(rows[index])} header=${header} renderRow=${row} onEnd=${onEnd} aria-rowcount=${rows.length}
    rowAttributes=${(index) => ({ role: "row", "data-selected": index === selected ? "" : undefined, "aria-rowindex": index + 1, onClick: (event) => click(event, index) })} />`;
}

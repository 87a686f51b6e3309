// All keys of the keyboard that do something here, by the table they stand in.
import { html } from "../core/html.js";
import { keyTables } from "../core/keys.js";
import { Dialog } from "./dialog.js";

function Table({ title, keys }) {
  const byLabel = new Map();
  for (const [key, { label }] of Object.entries(keys)) byLabel.set(label, [...(byLabel.get(label) ?? []), key]);
  return html`<section><h3>${title}</h3><dl class="keys">${[...byLabel].map(([label, all]) => html`
    <div><dt>${all.map((key, index) => html`${index > 0 && " or "}${key.split(" ").map((part) => html`<kbd>${part}</kbd>`)}`)}</dt><dd>${label}</dd></div>`)}</dl></section>`;
}

export function KeyHelp({ onClose }) {
  const tables = [...keyTables.get()].reverse().map((table) => table.current);
  return html`<${Dialog} title="Keyboard shortcuts" onClose=${onClose} wide=${true}><div class="key-help">${tables.map((table) => html`<${Table} ...${table} />`)}</div></${Dialog}>`;
}

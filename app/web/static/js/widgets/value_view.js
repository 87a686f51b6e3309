// A value in the form that suits it: markdown, text, a picture, a table for a list of objects, else a tree.
import { html, useState } from "../core/html.js";
import { JsonTree } from "./json_tree.js";
import { Markdown, looksLikeMarkdown } from "./markdown_view.js";

const PICTURE = /^data:image\/(png|jpeg|gif|webp|svg\+xml);base64,[A-Za-z0-9+/=\s]+$/;
const MOST_COLUMNS = 8;
const SHOWN_ROWS = 200;
const SHOWN_CHARS = 20_000;

function columnsOf(list) {
  const names = new Set();
  for (const each of list.slice(0, 50)) for (const name of Object.keys(each)) names.add(name);
  return [...names];
}

const isTable = (value) =>
  Array.isArray(value) && value.length > 0 &&
  value.every((each) => each !== null && typeof each === "object" && !Array.isArray(each)) &&
  columnsOf(value).length <= MOST_COLUMNS;

/** The forms that fit, the best first. */
function formsOf(value) {
  if (typeof value === "string") {
    if (PICTURE.test(value)) return ["picture", "text"];
    return looksLikeMarkdown(value) ? ["markdown", "text"] : ["text"];
  }
  return isTable(value) ? ["table", "tree"] : ["tree"];
}

const cell = (value) => (typeof value === "string" ? value : JSON.stringify(value)) ?? "";

function ObjectTable({ value }) {
  const [shown, setShown] = useState(SHOWN_ROWS);
  const columns = columnsOf(value);
  const isNumber = (name) => value.slice(0, 20).every((each) => typeof each[name] === "number");
  return html`<div class="object-table" tabindex="0" role="region" aria-label="Rows"><table>
    <thead><tr><th></th>${columns.map((name) => html`<th class=${isNumber(name) && "end"}>${name}</th>`)}</tr></thead>
    <tbody>${value.slice(0, shown).map((each, index) => html`<tr key=${index}><td class="json-index">${index}</td>
      ${columns.map((name) => html`<td class=${isNumber(name) && "end"} title=${cell(each[name]).slice(0, 500)}>${cell(each[name]).slice(0, 200)}</td>`)}</tr>`)}</tbody>
  </table>
  ${value.length > shown && html`<button type="button" class="more" onClick=${() => setShown(shown + 1_000)}>${value.length - shown} more rows</button>`}</div>`;
}

function Text({ text }) {
  const [whole, setWhole] = useState(false);
  const isCut = text.length > SHOWN_CHARS && !whole;
  return html`<pre class="text-value">${isCut ? text.slice(0, SHOWN_CHARS) : text}</pre>
    ${isCut && html`<button type="button" class="more" onClick=${() => setWhole(true)}>show all ${text.length} chars</button>`}`;
}

/** @param {{value: any, label?: string}} props */
export function ValueView({ value, label = "Value" }) {
  const forms = formsOf(value);
  const [chosen, setChosen] = useState(null);
  const form = forms.includes(chosen) ? chosen : forms[0];
  return html`<div class="value-view">
    ${forms.length > 1 && html`<div class="forms" role="group" aria-label="Shown as">${forms.map((each) =>
      html`<button type="button" class="small bare" aria-pressed=${each === form} onClick=${() => setChosen(each)}>${each}</button>`)}</div>`}
    ${form === "markdown" && html`<${Markdown} text=${value} />`}
    ${form === "text" && html`<${Text} text=${value} />`}
    ${form === "picture" && html`<img class="picture-value" src=${value} alt=${label} />`}
    ${form === "table" && html`<${ObjectTable} value=${value} />`}
    ${form === "tree" && html`<${JsonTree} value=${value} label=${label} />`}
  </div>`;
}

// Any JSON value as a tree that opens where it is wanted; long lists and texts show their beginning first.
import { html, useState } from "../core/html.js";
import { copy } from "../core/announce.js";
import { plural } from "../core/format.js";
import { Icon } from "./icon.js";

const SHOWN_ITEMS = 100;
const SHOWN_CHARS = 300;
const OPEN_ITEMS = 12;

const isBranch = (value) => value !== null && typeof value === "object";
const entriesOf = (value) => (Array.isArray(value) ? value.map((each, index) => [index, each]) : Object.entries(value));

function Leaf({ value }) {
  const [whole, setWhole] = useState(false);
  if (typeof value !== "string") return html`<span class=${`json-${value === null ? "null" : typeof value}`}>${String(value)}</span>`;
  const isCut = value.length > SHOWN_CHARS && !whole;
  const text = isCut ? value.slice(0, SHOWN_CHARS) : value;
  return html`<span class="json-string">${JSON.stringify(text).slice(0, isCut ? -1 : undefined)}${isCut &&
    html`<button type="button" class="more" onClick=${() => setWhole(true)}>… ${plural(value.length, "char")}</button>`}</span>`;
}

/** The first few of what is inside, on the line of a closed branch. */
function Glimpse({ value }) {
  const parts = [];
  for (const [key, each] of entriesOf(value).slice(0, 4)) {
    const text = isBranch(each) ? (Array.isArray(each) ? "[…]" : "{…}") : JSON.stringify(each).slice(0, 24);
    parts.push(Array.isArray(value) ? text : `${key}: ${text}`);
  }
  return html`<span class="json-glimpse">${parts.join(", ")}</span>`;
}

function Node({ name, value, depth, open }) {
  const [isOpen, setOpen] = useState(open);
  const [shown, setShown] = useState(SHOWN_ITEMS);
  const label = name !== undefined && html`<span class=${typeof name === "number" ? "json-index" : "json-key"}>${name}</span>`;
  if (!isBranch(value)) return html`<div class="json-line" style=${{ paddingLeft: `${depth * 14 + 16}px` }}>${label}<${Leaf} value=${value} /></div>`;
  const entries = entriesOf(value);
  const size = Array.isArray(value) ? plural(entries.length, "item") : plural(entries.length, "key");
  if (entries.length === 0) {
    return html`<div class="json-line" style=${{ paddingLeft: `${depth * 14 + 16}px` }}>${label}<span class="json-null">${Array.isArray(value) ? "[]" : "{}"}</span></div>`;
  }
  return html`<div>
    <div class="json-line" style=${{ paddingLeft: `${depth * 14}px` }}>
      <button type="button" class="json-toggle" aria-expanded=${isOpen} onClick=${() => setOpen(!isOpen)}>
        <${Icon} name=${isOpen ? "down" : "right"} size=${12} />${label}<span class="json-size">${size}</span>
      </button>
      ${!isOpen && html`<${Glimpse} value=${value} />`}
    </div>
    ${isOpen && html`${entries.slice(0, shown).map(([key, each]) =>
        html`<${Node} key=${key} name=${key} value=${each} depth=${depth + 1} open=${depth < 1 && isBranch(each) && entriesOf(each).length <= OPEN_ITEMS && entries.length <= OPEN_ITEMS} />`)}
      ${entries.length > shown && html`<div class="json-line" style=${{ paddingLeft: `${depth * 14 + 30}px` }}>
        <button type="button" class="more" onClick=${() => setShown(shown + 10 * SHOWN_ITEMS)}>${plural(entries.length - shown, "more item", "more items")}</button></div>`}`}
  </div>`;
}

/** @param {{value: any, name?: string, label?: string}} props */
export function JsonTree({ value, name, label = "JSON value" }) {
  return html`<div class="json" role="group" aria-label=${label}>
    <${Node} name=${name} value=${value} depth=${0} open=${true} />
    ${isBranch(value) && html`<button type="button" class="json-copy bare" title="Copy as JSON" aria-label="Copy as JSON" onClick=${() => copy(JSON.stringify(value, null, 2))}><${Icon} name="copy" /></button>`}
  </div>`;
}

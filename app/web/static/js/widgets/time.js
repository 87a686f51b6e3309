// A moment, told relative to now, with the absolute one on hover.
import { html } from "../core/html.js";
import { ago, moment } from "../core/format.js";

/** @param {{ms: number, now?: number}} props */
export function Ago({ ms, now }) {
  if (!ms) return null;
  return html`<time datetime=${new Date(ms).toISOString()} title=${moment(ms)}>${ago(ms, now)}</time>`;
}

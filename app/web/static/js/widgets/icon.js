// Small signs drawn as SVG in the text's colour, so that a state is told by a shape as well as by a colour.
import { html } from "../core/html.js";

const PATHS = {
  completed: html`<circle cx="8" cy="8" r="6.5" /><path d="M5 8.2l2.1 2.1L11 6.2" />`,
  failed: html`<circle cx="8" cy="8" r="6.5" /><path d="M5.8 5.8l4.4 4.4M10.2 5.8l-4.4 4.4" />`,
  waiting: html`<path d="M8 1.6L14.4 8 8 14.4 1.6 8z" /><path d="M8 5v3.4M8 10.7v.1" />`,
  running: html`<path class="turning" d="M8 1.5a6.5 6.5 0 1 1-6.2 4.6" /><circle cx="8" cy="8" r="1.6" fill="currentColor" stroke="none" />`,
  planning: html`<path class="turning" d="M8 1.5a6.5 6.5 0 1 1-6.2 4.6" /><path d="M6 10l.4-1.9L10 4.6l1.4 1.4-3.5 3.6z" />`,
  queued: html`<circle cx="8" cy="8" r="6.5" stroke-dasharray="2.2 1.9" />`,
  paused: html`<circle cx="8" cy="8" r="6.5" /><path d="M6.4 5.8v4.4M9.6 5.8v4.4" />`,
  cancelled: html`<circle cx="8" cy="8" r="6.5" /><path d="M3.6 12.4l8.8-8.8" />`,
  reused: html`<path d="M12.9 6.2A5.3 5.3 0 0 0 3.4 5.4M3.1 9.8a5.3 5.3 0 0 0 9.5.8" /><path d="M3.2 2.6v3h3M12.8 13.4v-3h-3" />`,
  ran: html`<circle cx="8" cy="8" r="2.6" fill="currentColor" stroke="none" />`,
  pending: html`<circle cx="8" cy="8" r="2.6" />`,
  decision: html`<path d="M8 1.6L14.4 8 8 14.4 1.6 8z" /><path d="M5.4 8.1l1.8 1.8 3.4-3.5" />`,
  revision: html`<path d="M3 12.8l.6-2.9 6.9-7 2.4 2.4-7 6.9z" />`,
  fork: html`<circle cx="4.5" cy="3.5" r="1.8" /><circle cx="4.5" cy="12.5" r="1.8" /><circle cx="11.5" cy="4.5" r="1.8" /><path d="M4.5 5.3v5.4M11.5 6.3c0 2.4-4.6 2-6.6 4.4" />`,
  plan: html`<path d="M3.5 2.5h9v11h-9zM5.8 5.5h4.4M5.8 8h4.4M5.8 10.5h2.6" />`,
  search: html`<circle cx="7" cy="7" r="4.5" /><path d="M10.4 10.4l3.6 3.6" />`,
  close: html`<path d="M4 4l8 8M12 4l-8 8" />`,
  add: html`<path d="M8 3v10M3 8h10" />`,
  down: html`<path d="M4 6l4 4 4-4" />`,
  up: html`<path d="M4 10l4-4 4 4" />`,
  swap: html`<path d="M2.5 5.5h10M10 3l2.5 2.5L10 8M13.5 10.5h-10M6 8l-2.5 2.5L6 13" />`,
  comment: html`<path d="M2.5 3h11v7.5H7.5L4.5 13v-2.5h-2z" />`,
  will_run: html`<path d="M5 3l7.5 5L5 13z" fill="currentColor" />`,
  may_run: html`<path d="M5 3l7.5 5L5 13z" stroke-dasharray="2 1.6" />`,
  happened: html`<path d="M8 1.8L14.6 13.4H1.4z" /><path d="M8 6v3.6M8 11.4v.1" />`,
  skipped: html`<path d="M3 4l5 4-5 4zM8 4l5 4-5 4z" />`,
  kept: html`<path d="M4.5 7.2V5a3.5 3.5 0 0 1 7 0v2.2M3.5 7.2h9v6.3h-9z" />`,
  unknown: html`<circle cx="8" cy="8" r="6.5" /><path d="M6.2 6.2A1.9 1.9 0 1 1 8 8.6v.6M8 11.3v.1" />`,
  right: html`<path d="M6 4l4 4-4 4" />`,
  copy: html`<path d="M5.5 5.5h8v8h-8z" /><path d="M10.5 5.5v-3h-8v8h3" />`,
  open: html`<path d="M9 2.5h4.5V7M13.5 2.5L7.5 8.5M6.5 3.5h-4v10h10v-4" />`,
  sun: html`<circle cx="8" cy="8" r="3" /><path d="M8 1v1.6M8 13.4V15M1 8h1.6M13.4 8H15M3 3l1.2 1.2M11.8 11.8L13 13M13 3l-1.2 1.2M4.2 11.8L3 13" />`,
  moon: html`<path d="M13.5 9.6A6 6 0 0 1 6.4 2.5a6 6 0 1 0 7.1 7.1z" />`,
  system: html`<path d="M2 3h12v8H2zM6 14h4M8 11v3" />`,
  help: html`<path d="M5.6 5.8A2.4 2.4 0 1 1 8 8.4v1.4M8 12.4v.1" />`,
  menu: html`<path d="M2.5 4.5h11M2.5 8h11M2.5 11.5h11" />`,
  more: html`<path d="M3.5 8v.1M8 8v.1M12.5 8v.1" />`,
};

/** A sign. With `title` it is told to screen readers, without it is only decoration. */
export function Icon({ name, title, size = 14, class: more = "" }) {
  const told = title ? { role: "img", "aria-label": title } : { "aria-hidden": "true" };
  return html`<svg class=${`icon icon-${name} ${more}`} viewBox="0 0 16 16" width=${size} height=${size} ...${told}>
    ${title && html`<title>${title}</title>`}${PATHS[name] ?? PATHS.pending}
  </svg>`;
}

// What stands where there is nothing yet: why, and what to do.
import { html } from "../core/html.js";

/** @param {{title: string, children?: any}} props */
export function Empty({ title, children }) {
  return html`<div class="empty"><h2>${title}</h2>${children}</div>`;
}

/** While something is on its way: told only when it takes long enough to be noticed. */
export function Loading({ what = "Loading" }) {
  return html`<div class="loading" role="status">${what}…</div>`;
}

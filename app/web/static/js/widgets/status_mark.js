// A status as a shape, a colour and a word. The words are the API's, a closed list, and what happened to a step.
import { html } from "../core/html.js";
import { Icon } from "./icon.js";

/** @param {{status: string, word?: boolean, label?: string}} props `word` false: the shape alone, with its word as title */
export function StatusMark({ status, word = true, label = status }) {
  return html`<span class=${`status status-${status}`}>
    <${Icon} name=${status} title=${word ? undefined : label} />${word && html`<span>${label}</span>`}
  </span>`;
}

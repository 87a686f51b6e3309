// The effect class of a tool: what calling it does to the outside, as a shape, a word, and a sentence.
import { html } from "../core/html.js";

export const EFFECTS = {
  pure: "a function of its arguments: it looks at nothing and changes nothing",
  read: "looks at the outside and changes nothing",
  write: "changes the outside; the same call again changes it no further",
  irreversible: "changes the outside and can't be taken back: it is never repeated without a person's word",
};

const SHAPES = {
  pure: html`<circle cx="8" cy="8" r="5.5" />`,
  read: html`<path d="M1.8 8s2.2-4 6.2-4 6.2 4 6.2 4-2.2 4-6.2 4-6.2-4-6.2-4z" /><circle cx="8" cy="8" r="1.6" />`,
  write: html`<path d="M3 13l.7-3.1L10.4 3.2l2.4 2.4L6.1 12.3z" />`,
  irreversible: html`<path d="M8 2l6.2 11.4H1.8z" /><path d="M8 6.4v3.4M8 11.6v.1" />`,
};

/** @param {{effect: string | null, declared?: boolean, word?: boolean}} props */
export function EffectMark({ effect, declared = true, word = true }) {
  if (!effect) return null;
  const told = declared ? EFFECTS[effect] : `declares no effect class, so it counts as irreversible: ${EFFECTS[effect]}`;
  return html`<span class=${`effect effect-${effect}`} title=${`${effect}: ${told}`}>
    <svg class="icon" viewBox="0 0 16 16" width="14" height="14" role=${word ? undefined : "img"} aria-label=${word ? undefined : effect} aria-hidden=${word ? "true" : undefined}>${SHAPES[effect]}</svg>
    ${word && html`<span>${effect}${!declared && html` <span class="quiet">(not declared)</span>`}</span>`}
  </span>`;
}

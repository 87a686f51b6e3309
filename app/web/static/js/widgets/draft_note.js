// Says that what stands here was typed earlier and never sent, with a way to drop it.
import { html } from "../core/html.js";

/** @param {{draft: {isRestored: boolean, drop: () => void}}} props */
export function DraftNote({ draft }) {
  if (!draft.isRestored) return null;
  return html`<p class="quiet draft-note" role="status">This is a draft that you left here; nothing of it was sent.${" "}<button type="button" class="small" onClick=${draft.drop}>Drop the draft</button></p>`;
}

// Stands where a screen is not built yet.
import { html } from "../core/html.js";
import { Empty } from "../widgets/empty.js";

export default function NotBuilt() {
  return html`<main class="page"><${Empty} title="Not built yet" /></main>`;
}

// A namespace for whoever may only look at it, and what its policies mean.
import { html } from "../../core/html.js";
import { Link, href, path } from "../../core/router.js";
import { EffectMark } from "../../widgets/effect_mark.js";

/** What is done, after a fork, with irreversible calls of tools that were called beyond the fork point. */
export const POLICIES = {
  ask: "wait for a person's decision",
  reuse: "take the earlier result where the inputs are the same, else wait",
  run: "make the call again",
  skip: "make no call; its result is null",
};

export function NamespaceFacts({ row, tools }) {
  const allowed = tools.filter((tool) => row.tools.includes(tool.tool));
  const policy = row.policies.irreversible ?? "ask";
  return html`<div class="namespace-facts">
    <h2>${row.namespace}</h2>
    ${row.description && html`<p>${row.description}</p>`}
    <p><${Link} to=${href("/", { namespace: row.namespace })}>Its tasks</${Link}></p>
    <h3>Irreversible calls after a fork</h3><p>${policy}: ${POLICIES[policy]}</p>
    <h3>Allowed</h3><p>${row.allowed_tools.map((each) => html`<code class="entry">${each}</code> `)}</p>
    <ul class="tool-choices">${allowed.map((tool) => html`<li key=${tool.tool}><span class="tool-choice"><${Link} to=${path`/tools/${tool.tool}`}><code>${tool.tool}</code></${Link}><${EffectMark} effect=${tool.effect} declared=${tool.declared} /></span></li>`)}</ul>
  </div>`;
}

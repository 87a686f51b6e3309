// What a proposal will do: of each step a sign and a word, and what all of it adds up to, as a plan of terraform's does.
import { cx, html } from "../core/html.js";
import { count, duration, money, plural, shortId } from "../core/format.js";
import { Link, href, path } from "../core/router.js";
import { Icon } from "./icon.js";

const MARKS = {
  run: { icon: "will_run", word: "will run" },
  may_run: { icon: "may_run", word: "may run" },
  ask: { icon: "waiting", word: "will ask" },
  fail: { icon: "failed", word: "will fail" },
  skip: { icon: "skipped", word: "skipped" },
  reuse: { icon: "reused", word: "reused" },
  kept: { icon: "kept", word: "kept" },
  compute: { icon: "pending", word: "calls nothing" },
  unknown: { icon: "unknown", word: "not known yet" },
};

/** Whether a step does something that a reviewer has to see, changed or not. */
export const doesSomething = (step) => ["run", "may_run", "ask", "fail", "skip"].includes(step.will) || step.happened.length > 0;

const itemsOf = (call) => call.items ?? 1;
const reusedOf = (call) => (call.will === "reuse" ? itemsOf(call) : call.reused_items ?? 0);

/** How many calls do what; the items of a `for_each` are calls. */
export function countCalls(calls) {
  const counts = { total: 0, run: 0, reuse: 0, may_run: 0, ask: 0, skip: 0, fail: 0 };
  for (const call of calls) {
    const reused = call.will === "run" || call.will === "reuse" ? reusedOf(call) : 0;
    counts.total += itemsOf(call);
    counts.reuse += reused;
    counts[call.will] += call.will === "reuse" ? 0 : itemsOf(call) - reused;
  }
  return counts;
}

export function WillMark({ will, word, title }) {
  const mark = MARKS[will] ?? MARKS.unknown;
  return html`<span class=${`will will-${will}`} title=${title}><${Icon} name=${mark.icon} size=${13} /><span>${word ?? mark.word}</span></span>`;
}

/** What a step will do, in a few words. */
export function StepMark({ step }) {
  const counts = countCalls(step.calls);
  const parts = counts.total > 1 && ["run", "ask", "may_run", "fail"].filter((will) => counts[will] > 0);
  if (parts && (parts.length > 0 || counts.reuse > 0) && step.will !== "kept") {
    return html`<span class="will-parts">${parts.map((will) => html`<${WillMark} key=${will} will=${will} word=${`${count(counts[will])} ${MARKS[will].word}`} title=${step.meaning} />`)}
      ${counts.reuse > 0 && html`<${WillMark} will="reuse" word=${`${count(counts.reuse)} reused`} />`}</span>`;
  }
  return html`<${WillMark} will=${step.will} title=${step.meaning} />`;
}

/** What happened that can't be taken back, beyond the point where the new plan leaves the old one. */
export function HappenedMark({ call, task, branch }) {
  const said = call.effect === "irreversible" ? "irreversible, already happened" : "written already, is written again";
  return html`<span class=${cx("happened", `happened-${call.effect}`)}><${Icon} name=${call.effect === "irreversible" ? "happened" : "revision"} size=${13} /><span><span class="mono">${call.tool}</span>: ${said}</span>
    ${call.commit ? html`<${Link} class="mono" to=${href(path`/tasks/${task}`, { branch, commit: call.commit })}>${shortId(call.commit)}</${Link}>` : html`<span class="quiet">its outcome is not known</span>`}</span>`;
}

/** Why, and what the same took before. */
export function StepReasons({ step }) {
  const told = step.calls.filter((call) => !["reuse"].includes(call.will) || call.items);
  if (told.length === 0 || step.will === "kept" || step.will === "reuse") return null;
  const call = told[0];
  const earlier = call.earlier;
  return html`<p class="pd-reason quiet">${told.length > 1 ? `${plural(told.length, "time")}: ` : ""}${call.items && call.reused_items ? `${count(call.items - call.reused_items)} of ${count(call.items)} items are asked again` : call.reason}${earlier && html`; ${call.items ? "all of them" : "it"} took ${duration(earlier.duration_ms)}${earlier.model_calls > 0 ? `, ${plural(earlier.model_calls, "model call")}, ${money(earlier.cost)}` : ""} before`}${!earlier && call.tool && call.will !== "skip" ? "; nothing is known of what it takes" : ""}</p>`;
}

const took = (cost) => `${duration(cost.duration_ms)}${cost.model_calls > 0 ? `, ${plural(cost.model_calls, "model call")}, ${cost.cost === null ? "cost not known" : money(cost.cost)}` : ""}`;

/** The line on top: what runs, what is reused, what it costs. */
export function Totals({ proposal }) {
  const counts = countCalls(proposal.steps.flatMap((step) => step.calls));
  const { costs } = proposal;
  const after = [
    counts.may_run > 0 && ["may_run", `${count(counts.may_run)} may run`],
    counts.ask > 0 && ["ask", `${count(counts.ask)} will ask`],
    counts.fail > 0 && ["fail", `${count(counts.fail)} will fail`],
    counts.skip > 0 && ["skip", `${count(counts.skip)} skipped`],
  ].filter(Boolean);
  const unknown = proposal.steps.filter((step) => step.will === "unknown").length;
  return html`<div class="totals">
    <p class="totals-calls">${counts.total === 0 ? html`<strong>No calls will be made</strong>` : html`<strong>${count(counts.run)} of ${plural(counts.total, "call")} will run</strong>`}
      ${counts.reuse > 0 && html`<${WillMark} will="reuse" word=${`${count(counts.reuse)} reused`} />`}
      ${after.map(([will, word]) => html`<${WillMark} key=${will} will=${will} word=${word} />`)}
      ${unknown > 0 && html`<${WillMark} will="unknown" word=${`${plural(unknown, "step")} behind a branching, not known yet`} />`}
      ${proposal.kept > 0 && html`<${WillMark} will="kept" word=${`${plural(proposal.kept, "step")} kept as they are`} />`}</p>
    ${costs && html`<dl class="totals-costs">
      <div><dt>${counts.run > 0 ? "Will take about" : "Will take"}</dt><dd>${counts.run > 0 ? took(costs.expected) : "no time: nothing is called"}</dd></div>
      ${(costs.possible.duration_ms > 0 || costs.possible.model_calls > 0) && html`<div><dt>Perhaps also</dt><dd>${took(costs.possible)}</dd></div>`}
      <div><dt>Saved by reuse</dt><dd>${counts.reuse > 0 ? took(costs.saved) : "nothing"}</dd></div>
      ${costs.unknown > 0 && html`<div><dt>Not known</dt><dd>${plural(costs.unknown, "call")} that nobody made before</dd></div>`}</dl>`}
  </div>`;
}

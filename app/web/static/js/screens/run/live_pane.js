// What is under way while one follows the run: calls with their progress, the texts that models are writing.
import { html, useEffect, useRef } from "../../core/html.js";
import { count, duration, money, plural } from "../../core/format.js";
import { useNow } from "../../core/media.js";
import { StatusMark } from "../../widgets/status_mark.js";

function Text({ text }) {
  const box = useRef(null);
  useEffect(() => {
    box.current.scrollTop = box.current.scrollHeight;
  }, [text.text]);
  return html`<div class="live-text"><div class="quiet">${text.seq_no == null ? "The plan" : `Step ${text.seq_no}`}${text.item != null && `, item ${text.item}`}: ${plural(text.chars, "char")} so far</div>
    ${text.retry && html`<p class="waiting-text">${text.retry.kind}: ${text.retry.message}; the model is asked again</p>`}
    <pre ref=${box} tabindex="0" aria-label="What the model is writing">${text.text}</pre></div>`;
}

export function LivePane({ live }) {
  const now = useNow(500);
  const steps = live?.steps ?? [];
  if (!live || (steps.length === 0 && !live.planning)) return null;
  return html`<section class="live-pane" aria-label="Under way">
    ${live.planning && html`<div class="live-step"><${StatusMark} status="planning" label=${live.planning.revises ? "The model revises the plan" : "The model writes the plan"} />
      <span class="quiet">${live.planning.model}, round ${live.planning.round}, ${duration(Math.max(0, now - live.planning.since_ms))}</span></div>`}
    ${steps.map((step) => html`<div class="live-step" key=${`${step.seq_no}`}>
      <${StatusMark} status="running" label=${`Step ${step.seq_no}: ${step.tool ?? step.type}`} />
      <span class="quiet">${duration(Math.max(0, now - step.since_ms))}</span>
      ${step.count != null && html`<span>${count(step.done ?? 0)} of ${count(step.count)} items</span>`}
      ${step.message && html`<span class="quiet">${step.message}</span>`}
      ${(step.fraction != null || step.count > 0) && html`<progress max="1" value=${step.fraction ?? (step.done ?? 0) / step.count} aria-label=${`step ${step.seq_no}`} />`}
    </div>`)}
    ${(live.texts ?? []).map((text) => html`<${Text} key=${`${text.seq_no} ${text.item}`} text=${text} />`)}
    ${live.usage?.model_calls > 0 && html`<p class="quiet">So far: ${plural(live.usage.model_calls, "model call")}, ${money(live.usage.cost)}</p>`}
    ${live.asked && html`<p class="waiting-text">Asked to ${live.asked.request}; it does at its next step.</p>`}
  </section>`;
}

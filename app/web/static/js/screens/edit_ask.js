// Ask a model for a revision: one sentence, of the whole plan or of a step. Where no model is set up, what to set.
import { html, useLayoutEffect, useState } from "../core/html.js";
import { useDocument } from "../core/api.js";
import { Empty, Loading } from "../widgets/empty.js";
import { headOf } from "../widgets/step_parts.js";

/** @param {{plan: any, step: number | null, onAsk: (wish: {suggestion: string, step?: number}) => void, formId: string, text: string,
 *   setText: (text: string) => void, setReady: (isReady: boolean) => void}} props */
export function AskForm({ plan, step, onAsk, formId, text, setText, setReady }) {
  const { data: writer } = useDocument("/api/plans/writer");
  const [about, setAbout] = useState(step === null ? "" : String(step));
  const isReady = Boolean(writer && writer.model !== null && text.trim());
  // At once, not after the next painting: who types and sends by the keyboard is quicker.
  useLayoutEffect(() => setReady(isReady), [isReady]);
  if (!writer) return html`<${Loading} />`;
  if (writer.model === null) {
    return html`<${Empty} title="No model is set up to write revisions">
      <p>Set <code>LLM_PROVIDER</code> and <code>LLM_MODEL</code> where the server runs, and start it again: <code>docs/models.md</code> tells how. <code>REASON_LLM_MODEL</code> names another one for plans.</p>
      <p>Without one you can change the plan yourself.</p></${Empty}>`;
  }
  const send = (event) => {
    event.preventDefault();
    if (text.trim()) onAsk({ suggestion: text.trim(), ...(about !== "" && { step: Number(about) }) });
  };
  return html`<form class="ask-form" id=${formId} onSubmit=${send}>
    <label class="field"><span class="label">What should be different?</span><textarea rows="5" autofocus required maxlength="20000" value=${text} onInput=${(event) => setText(event.target.value)} placeholder="Read the whole folder, not only docs" /></label>
    <label class="field"><span class="label">About</span><select value=${about} onChange=${(event) => setAbout(event.target.value)}><option value="">the whole plan</option>
      ${plan.steps.map((each) => html`<option key=${each.seq_no} value=${String(each.seq_no)}>${`step ${each.seq_no} only: ${headOf(each).verb} ${headOf(each).what}`.slice(0, 90)}</option>`)}</select></label>
    <p class="quiet">${writer.scripted ? "Replies are read from a file here." : html`<code>${writer.model}</code> writes it.`} What it writes is checked, and comes as a proposal: nothing runs before somebody approves it.</p>
  </form>`;
}

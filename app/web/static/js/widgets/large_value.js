// A value that is too large to come with the rest: it is asked for when it is wanted, a part at a time.
import { html, useState } from "../core/html.js";
import { get, toProblem } from "../core/api.js";
import { valueSize } from "../core/format.js";
import { ProblemNote } from "./problem_note.js";
import { ValueView } from "./value_view.js";

const PART = { list: 200, object: 200, text: 50_000 };

/** Parts put together: a list, an object or a text. */
function join(parts) {
  if (parts.length === 1) return parts[0];
  if (typeof parts[0] === "string") return parts.join("");
  return Array.isArray(parts[0]) ? parts.flat(1) : Object.assign({}, ...parts);
}

/** @param {{variable: {href: string, type: string, size: number, preview: string, name?: string}, open?: boolean}} props */
export function LargeValue({ variable }) {
  const [parts, setParts] = useState([]);
  const [next, setNext] = useState(0);
  const [problem, setProblem] = useState(null);
  const [busy, setBusy] = useState(false);
  const load = async () => {
    setBusy(true);
    try {
      const part = await get(variable.href, { offset: next, limit: PART[variable.type] });
      setParts([...parts, part.value]);
      setNext(part.next);
      setProblem(null);
    } catch (error) {
      setProblem(toProblem(error));
    }
    setBusy(false);
  };
  const size = valueSize(variable.type, variable.size);
  return html`<div class="large-value">
    ${parts.length === 0 ? html`<code class="preview">${variable.preview}</code>` : html`<${ValueView} value=${join(parts)} label=${variable.name} />`}
    ${next !== null && html`<button type="button" class="more" disabled=${busy} onClick=${load}>${parts.length === 0 ? `Load the value, ${size}` : `Load more of ${size}`}</button>`}
    <${ProblemNote} problem=${problem} onRetry=${load} />
  </div>`;
}

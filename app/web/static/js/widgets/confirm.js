// Asks once more before what can't be taken back.
import { html, useState } from "../core/html.js";
import { toProblem } from "../core/api.js";
import { Dialog } from "./dialog.js";
import { ProblemNote } from "./problem_note.js";

/**
 * @param {{title: string, yes: string, run: () => Promise<any>, onClose: (done: boolean) => void, children: any, danger?: boolean}} props
 *   `run` does it; where it throws, the dialog stays and says why
 */
export function Confirm({ title, yes, run, onClose, children, danger = true }) {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState(null);
  const go = async () => {
    setBusy(true);
    try {
      await run();
      onClose(true);
    } catch (error) {
      setProblem(toProblem(error));
      setBusy(false);
    }
  };
  return html`<${Dialog} title=${title} onClose=${() => onClose(false)}>
    ${children}
    <${ProblemNote} problem=${problem} />
    <div class="actions end-actions">
      <button type="button" autofocus onClick=${() => onClose(false)}>Cancel</button>
      <button type="button" class=${danger ? "danger" : "primary"} disabled=${busy} onClick=${go}>${yes}</button>
    </div>
  </${Dialog}>`;
}

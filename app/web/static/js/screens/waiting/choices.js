// What a person can say about a call that waits, with what each word will do; what would call the tool asks once more.
import { html, useState } from "../../core/html.js";
import { announce } from "../../core/announce.js";
import { post, toProblem } from "../../core/api.js";
import { plural } from "../../core/format.js";
import { path } from "../../core/router.js";
import { Confirm } from "../../widgets/confirm.js";
import { JsonTree } from "../../widgets/json_tree.js";
import { ProblemNote } from "../../widgets/problem_note.js";

const WORDS = { reuse: "Reuse the earlier result", run: "Make the call", skip: "Skip it, with a value", fail: "Let it fail" };

/** Text as JSON where it is JSON, else what is wrong. */
function valueOf(text) {
  if (!text.trim()) return { value: null };
  try {
    return { value: JSON.parse(text) };
  } catch {
    return { wrong: 'This is not JSON. A text stands in quotes: "posted by hand"' };
  }
}

/** What the API calls the items: null is the one that waits, [] all of them. */
const itemsOf = (entry, chosen) => {
  if (entry.count <= 1) return entry.count === 1 ? [entry.items[0].item] : null;
  return chosen.size === entry.items.length ? [] : [...chosen].sort((a, b) => a - b);
};

/** @param {{entry: any, chosen: Set<number>, onDecided: () => void}} props */
export function Choices({ entry, chosen, onDecided }) {
  const { task, branch, waiting } = entry;
  const [choice, setChoice] = useState(null);
  const [text, setText] = useState("");
  const [goesOn, setGoesOn] = useState(true);
  const [asks, setAsks] = useState(false);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState(null);
  const isMany = entry.count > 1;
  const all = isMany && chosen.size === entry.items.length;
  const number = all ? entry.count : chosen.size;
  const { value, wrong } = choice === "skip" ? valueOf(text) : { value: null };
  const isReady = choice !== null && !wrong && (!isMany || chosen.size > 0);

  const send = () => post(path`/api/tasks/${task.task_id}/decide`, {
    branch, choice, resume: goesOn, key: waiting.idempotency_key, items: itemsOf(entry, chosen), ...(choice === "skip" && { value }),
  });
  const done = () => {
    announce(`Decided: ${WORDS[choice].toLowerCase()}${isMany ? ` for ${plural(number, "item")}` : ""}`);
    onDecided();
  };
  const decide = async (event) => {
    event.preventDefault();
    if (!isReady || busy) return;
    if (choice === "run") {
      setAsks(true);
      return;
    }
    setBusy(true);
    setProblem(null);
    try {
      await send();
      done();
    } catch (error) {
      setProblem(toProblem(error));
    }
    setBusy(false);
  };
  return html`<form class="choices" onSubmit=${decide}>
    <fieldset><legend class="label">What shall happen?</legend>
      ${waiting.choices.map((each) => html`<label key=${each.choice} class="choice">
        <input type="radio" name=${`choice ${waiting.idempotency_key}`} checked=${choice === each.choice} onChange=${() => setChoice(each.choice)} />
        <span><strong>${WORDS[each.choice] ?? each.choice}</strong><span class="quiet">${isMany ? forItems(each.does) : each.does}</span></span>
      </label>`)}
    </fieldset>
    ${choice === "skip" && html`<label class="field"><span class="label">The result, as JSON</span>
      <textarea class="mono" rows="2" value=${text} onInput=${(event) => setText(event.target.value)} spellcheck="false" placeholder="null"></textarea>
      ${wrong && html`<span class="failed-text" role="alert">${wrong}</span>`}</label>`}
    <${ProblemNote} problem=${problem} onClose=${() => setProblem(null)} />
    <div class="actions">
      <button class="primary" disabled=${!isReady || busy}>${isMany ? `Decide for ${all ? `all ${plural(number, "item")}` : plural(number, "item")}` : "Decide"}</button>
      <label class="check"><input type="checkbox" checked=${goesOn} onChange=${(event) => setGoesOn(event.target.checked)} /> and go on with the run</label>
    </div>
    ${asks && html`<${Confirm} title=${`Call ${waiting.tool}${isMany ? ` ${plural(number, "time")}` : ""}?`} yes=${isMany ? "Make the calls" : "Make the call"} run=${send}
      onClose=${(yes) => { setAsks(false); if (yes) done(); }}>
      <p>This can't be taken back. ${waiting.attempt > 0 && html`<strong>If the earlier attempt took effect, it may do so twice.</strong>`}</p>
      ${!isMany && html`<${JsonTree} value=${waiting.inputs} label="Inputs" />`}
    </${Confirm}>`}
  </form>`;
}

/** What a choice does, said of each item rather than of the first. */
const forItems = (does) => does.replace(/^(take the result that .*) at commit \w+$/, "$1 before").replace(/item \d+ of step/, "each item of step");

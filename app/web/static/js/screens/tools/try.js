// Calls a tool by hand: a form from its schema, or JSON; what changes the outside asks first.
import { html, useEffect, useState } from "../../core/html.js";
import { post, toProblem } from "../../core/api.js";
import { duration, plural } from "../../core/format.js";
import { useKeys } from "../../core/keys.js";
import { path } from "../../core/router.js";
import { CodeEditor } from "../../widgets/code_editor.js";
import { Confirm } from "../../widgets/confirm.js";
import { EFFECTS } from "../../widgets/effect_mark.js";
import { JsonTree } from "../../widgets/json_tree.js";
import { ProblemNote } from "../../widgets/problem_note.js";
import { SchemaForm, textsOf, valuesOf } from "../../widgets/schema_form.js";
import { StatusMark } from "../../widgets/status_mark.js";
import { ValueView } from "../../widgets/value_view.js";

/** Arguments as JSON, or what is wrong with the text. */
function parse(text) {
  try {
    const values = JSON.parse(text);
    if (values === null || typeof values !== "object" || Array.isArray(values)) return { wrong: 'The arguments are an object, such as {"path": "README.md"}' };
    return { values };
  } catch (error) {
    return { wrong: `This is not JSON: ${error.message}` };
  }
}

function Running({ since }) {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 250);
    return () => clearInterval(timer);
  }, []);
  return html`<p><${StatusMark} status="running" label=${`under way for ${duration(now - since)}`} /></p>`;
}

function Result({ result }) {
  const took = result.ended_ms - result.started_ms;
  return html`<section class="try-result" aria-live="polite">
    <p class="try-facts"><${StatusMark} status=${result.error === null ? "completed" : "failed"} label=${result.error === null ? "It gave" : "It failed"} />
      <span class="quiet">after ${duration(took)}${result.attempts > 1 ? `, ${plural(result.attempts, "attempt")}` : ""}</span></p>
    ${result.error === null ? html`<${ValueView} value=${result.value} label="Result" />` : html`<pre class="failed-text">${result.error}</pre>`}
  </section>`;
}

export function TryTool({ tool }) {
  const schema = tool.parameters;
  const hasForm = Object.keys(schema.properties ?? {}).length > 0 && !schema.additionalProperties;
  const [isJson, setJson] = useState(!hasForm);
  const [texts, setTexts] = useState({});
  const [json, setJsonText] = useState("{}");
  const [isTold, setTold] = useState(false); // what is missing is said when one has tried
  const [asks, setAsks] = useState(null);
  const [since, setSince] = useState(null);
  const [result, setResult] = useState(null);
  const [problem, setProblem] = useState(null);
  const fields = valuesOf(schema, texts);
  const typed = isJson ? parse(json) : fields;
  const changes = tool.effect === "write" || tool.effect === "irreversible";

  const toggle = () => {
    if (isJson) {
      const { values } = parse(json);
      if (values) setTexts(textsOf(schema, values));
    } else setJsonText(JSON.stringify(fields.values, null, 2));
    setJson(!isJson);
  };
  const run = async (values) => {
    setSince(Date.now());
    setProblem(null);
    setResult(null);
    try {
      setResult(await post(path`/api/tools/${tool.tool}/call`, { arguments: values }));
    } catch (error) {
      setProblem(toProblem(error));
    }
    setSince(null);
  };
  const submit = (event) => {
    event?.preventDefault();
    setTold(true);
    const isWrong = isJson ? typed.wrong : Object.keys(typed.wrong).length > 0;
    if (isWrong || since) return;
    if (changes) setAsks(typed.values);
    else run(typed.values);
  };
  useKeys("Try it", { "Ctrl+Enter": { label: "Call the tool", whileTyping: true, run: () => submit() } });
  return html`<form class="try" onSubmit=${submit}>
    ${hasForm && html`<div class="segments" role="group" aria-label="How the arguments are given">
      <button type="button" aria-pressed=${!isJson} onClick=${() => isJson && toggle()}>Form</button>
      <button type="button" aria-pressed=${isJson} onClick=${() => !isJson && toggle()}>JSON</button></div>`}
    ${isJson
      ? html`<div class="try-json"><${CodeEditor} value=${json} onChange=${setJsonText} label="Arguments as JSON" /></div>${typed.wrong && isTold && html`<p class="failed-text" role="alert">${typed.wrong}</p>`}`
      : html`<${SchemaForm} schema=${schema} texts=${texts} onTexts=${setTexts} wrong=${isTold ? fields.wrong : {}} />`}
    <div class="actions"><button class=${changes ? "danger" : "primary"} disabled=${since !== null}>Call ${tool.tool}</button><kbd>Ctrl</kbd><kbd>Enter</kbd>
      ${changes && html`<span class="quiet">You are asked before it is called: it ${tool.effect === "write" ? "changes the outside" : "can't be taken back"}.</span>`}</div>
    ${since && html`<${Running} since=${since} />`}
    <${ProblemNote} problem=${problem} />
    ${result && html`<${Result} result=${result} />`}
    ${asks && html`<${Confirm} title=${`Call ${tool.tool}?`} yes="Call it" run=${async () => { run(asks); }} onClose=${() => setAsks(null)}>
      <p>It ${EFFECTS[tool.effect]}. No run, no history: it happens for real.</p><${JsonTree} value=${asks} label="Arguments" /></${Confirm}>`}
  </form>`;
}

// The state at the selected commit: the variables, who set each, what this step changed; and a slider through time.
import { cx, html, useEffect, useMemo, useState } from "../../core/html.js";
import { get, toProblem } from "../../core/api.js";
import { count, oneLine, plural, valueSize } from "../../core/format.js";
import { Link, href, path } from "../../core/router.js";
import { Icon } from "../../widgets/icon.js";
import { Loading } from "../../widgets/empty.js";
import { LargeValue } from "../../widgets/large_value.js";
import { ProblemNote } from "../../widgets/problem_note.js";
import { ValueView } from "../../widgets/value_view.js";

/** The slider over the branch: the oldest commit left, the newest right. */
export function Scrubber({ total, index, onIndex, label }) {
  if (total < 2) return null;
  const position = index < 0 ? total : total - index;
  return html`<div class="scrubber">
    <label><span class="visually-hidden">Commit of the branch</span>
      <input type="range" min="1" max=${total} value=${position} disabled=${index < 0} onInput=${(event) => onIndex(total - Number(event.target.value))} aria-valuetext=${`${label}, ${position} of ${total}`} /></label>
    <span class="quiet" aria-hidden="true">${count(position)} / ${count(total)}</span>
  </div>`;
}

function SetBy({ id, branch, commit, variable, onCommit }) {
  const [problem, setProblem] = useState(null);
  const by = variable.set_by;
  const find = async () => {
    try {
      const { variables } = await get(path`/api/tasks/${id}/blame`, { rev: commit, name: variable.name });
      onCommit(variables[0].set_by.commit);
    } catch (error) {
      setProblem(toProblem(error));
    }
  };
  if (problem) return html`<span class="failed-text" title=${problem.title}>not found</span>`;
  if (!by) return html`<button type="button" class="more" onClick=${find} title="It was set long before: look for it">earlier</button>`;
  const name = by.seq_no !== null ? `${by.seq_no}${by.visit > 1 ? ` ×${by.visit}` : ""}` : by.kind;
  return html`<button type="button" class="more" title=${`Set by: ${oneLine(by.subject)}. Go there`} onClick=${() => onCommit(by.commit)}>${name}</button>`;
}

function Variable({ id, branch, commit, variable, isOpen, onToggle, onCommit }) {
  const isChanged = variable.set_by?.commit === commit;
  return html`<li class=${cx("variable", isChanged && "changed", isOpen && "open")}>
    <div class="variable-line">
      <button type="button" class="variable-name" aria-expanded=${isOpen} onClick=${onToggle}>
        <${Icon} name=${isOpen ? "down" : "right"} size=${12} /><code>${variable.name}</code>${isChanged && html`<span class="visually-hidden">, changed by this step</span>`}</button>
      <span class="variable-type">${valueSize(variable.type, variable.size) || variable.type}</span>
      <${SetBy} id=${id} branch=${branch} commit=${commit} variable=${variable} onCommit=${onCommit} />
    </div>
    ${isOpen
      ? html`<div class="variable-value">${variable.inline ? html`<${ValueView} value=${variable.value} label=${variable.name} />` : html`<${LargeValue} key=${variable.href} variable=${variable} />`}
          <${Link} class="small-link" to=${href(path`/tasks/${id}/variables/${variable.name}`, { branch })}>Every value it had</${Link}></div>`
      : html`<button type="button" class="variable-preview" tabindex="-1" aria-hidden="true" onClick=${onToggle}>${variable.preview}</button>`}
  </li>`;
}

/** The variables behind the first page. */
function useMore(id, state) {
  const [more, setMore] = useState({ of: null, variables: [], next: null, problem: null });
  const isOurs = more.of === state?.commit;
  const load = async () => {
    try {
      const page = await get(path`/api/tasks/${id}/commits/${state.commit}/state`, { limit: 200, cursor: isOurs ? more.next : state.next });
      setMore({ of: state.commit, variables: [...(isOurs ? more.variables : []), ...page.variables], next: page.next, problem: null });
    } catch (error) {
      setMore({ ...more, problem: toProblem(error) });
    }
  };
  return { variables: isOurs ? more.variables : [], next: isOurs ? more.next : state?.next, problem: more.problem, load };
}

/**
 * @param {{id: string, branch: string, state: any, isComing: boolean, problem: any, onRetry: () => void, open: string, onOpen: (name: string) => void, onCommit: (commit: string) => void, scrubber: any}} props
 *   `state` may be of the commit before while the next is on its way; `isComing`: it is to come
 */
export function StatePane({ id, branch, state, isComing, problem, onRetry, open, onOpen, onCommit, scrubber }) {
  const [text, setText] = useState("");
  const [onlyChanged, setOnlyChanged] = useState(false);
  const more = useMore(id, state);
  const variables = useMemo(() => (state ? [...state.variables, ...more.variables] : []), [state, more.variables]);
  const changed = variables.filter((each) => each.set_by?.commit === state?.commit).length;
  useEffect(() => setOnlyChanged(false), [branch]);
  const shown = variables.filter((each) =>
    (!text || each.name.toLowerCase().includes(text.toLowerCase()) || each.preview.toLowerCase().includes(text.toLowerCase())) &&
    (!onlyChanged || each.set_by?.commit === state.commit));
  return html`<div class="state-pane">
    ${scrubber}
    ${(variables.length > 0 || text) && html`<div class="state-tools">
      <label class="search"><${Icon} name="search" /><span class="visually-hidden">Search the variables</span><input type="search" placeholder=${`Search ${plural(state.count, "variable")}`} value=${text} onInput=${(event) => setText(event.target.value)} /></label>
      <button type="button" class="chip" aria-pressed=${onlyChanged} disabled=${changed === 0 && !onlyChanged} onClick=${() => setOnlyChanged(!onlyChanged)}>${count(changed)} changed</button>
    </div>`}
    <${ProblemNote} problem=${problem ?? more.problem} onRetry=${onRetry} />
    ${!state && !problem && isComing && html`<${Loading} what="Loading the state" />`}
    ${state && state.count === 0 && html`<p class="nothing quiet">No variable is set yet.</p>`}
    ${state && html`<ul class="variables" tabindex="0" aria-label="Variables">${shown.map((variable) => html`
      <${Variable} key=${variable.name} id=${id} branch=${branch} commit=${state.commit} variable=${variable} isOpen=${open === variable.name}
        onToggle=${() => onOpen(open === variable.name ? "" : variable.name)} onCommit=${onCommit} />`)}
      ${text && shown.length === 0 && html`<li class="nothing quiet">No variable has that in its name or its beginning.</li>`}
      ${more.next && html`<li><button type="button" class="more" onClick=${more.load}>More: ${count(variables.length)} of ${count(state.count)} are here</button></li>`}</ul>`}
  </div>`;
}

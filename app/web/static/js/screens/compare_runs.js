// Two runs compared: where they part, what their steps did, the variables and the answer in the end, time and cost.
import { cx, html, useMemo, useState } from "../core/html.js";
import { count, duration, money, oneLine, plural } from "../core/format.js";
import { useKeys } from "../core/keys.js";
import { Link, setQuery } from "../core/router.js";
import { Icon } from "../widgets/icon.js";
import { runAddress } from "../widgets/revision_side.js";
import { StatusMark } from "../widgets/status_mark.js";
import { ValueDiff } from "../widgets/value_diff.js";

const WORDS = {
  inputs: ["given something else", "~"], output: ["gave something else", "≠"], step: ["another step in its place", "≠"],
  removed: ["run on the left only", "−"], added: ["run on the right only", "+"], same: ["the same", ""],
};
const MORE = 200;
const LEAST = 3;

function Figures({ left, right }) {
  const rows = [
    ["Status", (run) => html`<${StatusMark} status=${run.status} />`],
    ["Steps", (run) => count(run.steps), (run) => run.steps],
    ["Time worked", (run) => duration(run.worked_ms), (run) => run.worked_ms, duration],
    ["Model calls", (run) => count(run.usage.model_calls), (run) => run.usage.model_calls],
    ["Tokens in", (run) => count(run.usage.input_tokens), (run) => run.usage.input_tokens],
    ["Tokens out", (run) => count(run.usage.output_tokens), (run) => run.usage.output_tokens],
    ["Cost", (run) => money(run.usage.cost), (run) => run.usage.cost, money],
  ];
  const isIdle = (valueOf) => valueOf && valueOf(left) === 0 && valueOf(right) === 0;
  const change = (valueOf, write = count) => {
    const by = valueOf ? valueOf(right) - valueOf(left) : null;
    if (by === null || !Number.isFinite(by) || valueOf(left) === null || valueOf(right) === null) return "";
    return by === 0 ? "the same" : `${by > 0 ? "+" : "−"}${write(Math.abs(by))}`;
  };
  return html`<table class="figures"><thead><tr><th><span class="visually-hidden">Figure</span></th><th>Left</th><th>Right</th><th>Right − left</th></tr></thead>
    <tbody>${rows.filter(([, , valueOf]) => !isIdle(valueOf)).map(([name, show, valueOf, write]) => html`<tr key=${name}><th scope="row">${name}</th><td>${show(left)}</td><td>${show(right)}</td><td class="quiet">${change(valueOf, write)}</td></tr>`)}</tbody></table>`;
}

function Side({ step, run }) {
  if (!step) return html`<div class="pd-none"></div>`;
  return html`<div class="pd-cell"><span class="pd-number">${step.seq_no ?? ""}${step.visit > 1 ? html`<span class="quiet" title=${`the ${step.visit}th time`}>×${step.visit}</span>` : ""}</span>
    <${Link} class="pd-what" to=${runAddress(run.task_id, run.branch ?? step.commit, step.commit)}>${step.subject ? oneLine(step.subject.replace(/^step \d+: /, ""), 160) : html`<span class="quiet">shared by both</span>`}</${Link}>
    <span class="run-took quiet">${step.duration_ms ? duration(step.duration_ms) : ""} ${step.cost ? money(step.cost) : ""}</span></div>`;
}

function Divergence({ found }) {
  if (!found) return null;
  const where = found.left ?? found.right;
  return html`<div class="divergence"><p><${Icon} name="fork" /> <strong>The first divergence</strong>: step ${where.seq_no}${where.visit > 1 ? ` (the ${where.visit}th time)` : ""}, ${WORDS[found.change][0]}</p>
    ${found.changes.map((change) => html`<${ValueDiff} key=${change.path} label=${change.path || "the whole"} left=${change.old} right=${change.new} />`)}</div>`;
}

/** Runs of steps that are the same become one fold. */
function group(pairs) {
  const groups = [];
  pairs.forEach((pair, index) => {
    const last = groups.at(-1);
    if (pair.change === "same" && last?.same) last.items.push(index);
    else groups.push({ same: pair.change === "same", items: [index] });
  });
  return groups;
}

/** How the steps that ran differ, by what differs: one change in a plan may be many steps that only one side ran. */
function toldOf(pairs) {
  const many = (change) => pairs.filter((pair) => pair.change === change).length;
  const parts = Object.keys(WORDS).filter((change) => change !== "same" && many(change) > 0).map((change) => `${count(many(change))} ${WORDS[change][0]}`);
  return parts.length > 0 ? `Of ${plural(pairs.length, "step")} that ran: ${parts.join(", ")}` : "no difference";
}

function Steps({ runs, selected }) {
  const [opened, setOpened] = useState(() => new Map());
  const groups = useMemo(() => group(runs.steps), [runs]);
  const stops = useMemo(() => runs.steps.flatMap((pair, index) => (pair.change === "same" ? [] : [index])), [runs]);
  const [shownGroups, setShownGroups] = useState(MORE);
  const step = (by) => {
    if (stops.length === 0) return;
    const at = stops.indexOf(selected);
    const next = stops[(at < 0 ? (by > 0 ? 0 : stops.length - 1) : at + by + stops.length) % stops.length];
    setShownGroups((now) => Math.max(now, groups.findIndex((each) => each.items.includes(next)) + 1));
    setQuery({ step: String(next) });
    requestAnimationFrame(() => {
      const element = document.querySelector(`[data-row="${next}"]`);
      element?.scrollIntoView({ block: "nearest" });
      element?.focus({ preventScroll: true });
    });
  };
  useKeys("Runs side by side", { n: { label: "Next difference", run: () => step(1) }, p: { label: "Previous difference", run: () => step(-1) } });
  const draw = (index) => {
    const { left, right, change } = runs.steps[index];
    const isFirst = runs.first_divergence?.index === index;
    return html`<div key=${index} data-row=${index} tabindex="-1" role="group" aria-label=${`Step ${(left ?? right).seq_no}, ${WORDS[change][0]}`}
        class=${cx("pd-row run-row", `run-${change}`, index === selected && "selected")}>
      <div class="pd-head"><span class="pd-sign" aria-hidden="true">${WORDS[change][1]}</span><div class="pd-pair"><${Side} step=${left} run=${runs.left} /><${Side} step=${right} run=${runs.right} /></div>
        <span class="pd-beside run-word">${change !== "same" && WORDS[change][0]}</span></div>
      ${isFirst && html`<${Divergence} found=${runs.first_divergence} />`}
    </div>`;
  };
  return html`<div class="pd"><div class="pd-bar"><h2>Steps</h2><div class="pd-tools"><span class="quiet">${toldOf(runs.steps)}</span>
      <button type="button" class="bare small" onClick=${() => step(-1)} aria-label="Previous difference" title="Previous difference (p)" disabled=${stops.length === 0}><${Icon} name="up" size=${12} /></button>
      <button type="button" class="bare small" onClick=${() => step(1)} aria-label="Next difference" title="Next difference (n)" disabled=${stops.length === 0}><${Icon} name="down" size=${12} /></button></div></div>
    <div class="pd-rows">${groups.slice(0, shownGroups).map(({ same, items }) => {
      if (!same || items.length < LEAST) return items.map(draw);
      const many = opened.get(items[0]) ?? 0;
      return html`${items.slice(0, many).map(draw)}${many < items.length && html`<button type="button" class="pd-fold" key=${`fold-${items[0]}`} onClick=${() => setOpened((now) => new Map(now).set(items[0], many + MORE))}>
        <${Icon} name="more" size=${12} /> ${plural(items.length - many, many > 0 ? "more step" : "step")} the same${many === 0 && runs.shared && items.at(-1) < runs.shared.steps ? ", shared" : ""}</button>`}`;
    })}
    ${groups.length > shownGroups && html`<button type="button" class="pd-fold" onClick=${() => setShownGroups(shownGroups + MORE)}>more differences</button>`}</div></div>`;
}

/** @param {{runs: any, query: Object}} props `runs` as the server compares them */
export function CompareRuns({ runs, query }) {
  const isSame = !runs.first_divergence;
  const answer = runs.final_answer;
  const hasAnswer = "left" in answer || "right" in answer;
  const others = runs.variables.filter((each) => each.name !== "final_answer");
  const value = (change, side) => ((side === "old" ? change.change === "added" : change.change === "removed") ? undefined : change[side]);
  return html`<div class="compare-runs">
    ${isSame && html`<div class="same" role="status"><${Icon} name="completed" size=${18} /><div><strong>${runs.left.head === runs.right.head ? "This is one and the same commit." : "The two runs did the same."}</strong></div></div>`}
    <${Figures} left=${runs.left} right=${runs.right} />
    ${hasAnswer && html`<section><h2>Answer</h2>${answer.same ? html`<p class="quiet">Both gave the same answer.</p>`
      : html`<${ValueDiff} label="final_answer" left=${answer.left} right=${answer.right} note=${"left" in answer ? ("right" in answer ? "differs" : "left only") : "right only"} />`}</section>`}
    <${Steps} runs=${runs} selected=${query.step === undefined ? -1 : Number(query.step)} />
    <section><h2>Variables in the end</h2>
      ${others.length === 0 ? html`<p class="quiet">${runs.variables.length > 0 ? "All others are the same." : "All are the same."}</p>`
        : others.slice(0, 200).map((change) => html`<${ValueDiff} key=${change.name} label=${change.name} note=${{ added: "right only", removed: "left only", changed: "differs" }[change.change]} left=${value(change, "old")} right=${value(change, "new")} />`)}
      ${others.length > 200 && html`<p class="quiet">and ${others.length - 200} more</p>`}</section>
  </div>`;
}

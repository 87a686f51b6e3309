// A proposal, reviewed like a pull request: the diff with what each step will do, comments, approve or discard.
import { html, useCallback, useEffect, useMemo, useRef, useState } from "../core/html.js";
import { announce } from "../core/announce.js";
import { post, toProblem, useDocument, usePages } from "../core/api.js";
import { plural, shortId } from "../core/format.js";
import { useKeys } from "../core/keys.js";
import { useNarrow } from "../core/media.js";
import { Link, href, path, setQuery } from "../core/router.js";
import { may } from "../core/session.js";
import { useTask } from "../core/task.js";
import { CommentBox, CommentList } from "../widgets/comments.js";
import { rowsOf } from "../widgets/diff_rows.js";
import { Loading } from "../widgets/empty.js";
import { HappenedMark, StepMark, StepReasons, Totals, doesSomething } from "../widgets/foreseen.js";
import { Icon } from "../widgets/icon.js";
import { PlanDiff } from "../widgets/plan_diff.js";
import { ProblemNote } from "../widgets/problem_note.js";
import { Ago } from "../widgets/time.js";
import { AboutPlan } from "../widgets/value_diff.js";
import { ApproveDialog, discard, proposeAgain } from "./approval.js";
import { ProposalMark, ReviewHead, aboutOf } from "./review_head.js";

const POLL_MS = 1_000;
const COMMENTS_MS = 15_000;

/** The proposal, told anew while a model writes it and when the task's branches move. */
function useProposal(id, number) {
  const found = useDocument(path`/api/tasks/${id}/proposals/${number}`);
  const { branches } = useTask(id);
  const heads = branches.map((each) => `${each.branch} ${each.commit}`).join();
  const status = found.data?.status;
  useEffect(() => {
    if (status === undefined) return undefined;
    if (status !== "writing" && status !== "approving") return found.reload();
    const timer = setInterval(found.reload, POLL_MS);
    return () => clearInterval(timer);
  }, [status, heads]);
  const became = found.data?.branch;
  return { ...found, became: became ? branches.find((each) => each.branch === became)?.status : undefined };
}

function useComments(id, number) {
  const at = path`/api/tasks/${id}/proposals/${number}/comments`;
  const list = usePages(at, {}, 500);
  useEffect(() => {
    const timer = setInterval(() => !document.hidden && list.reload(), COMMENTS_MS);
    return () => clearInterval(timer);
  }, [at]);
  const send = async (body, seq_no) => {
    const made = await post(at, { body, ...(seq_no !== null && { seq_no }) });
    list.setItems((items) => [...items.filter((each) => each.number !== made.number), made]);
    announce("Comment kept", { quiet: true });
  };
  const byStep = useMemo(() => Map.groupBy(list.items, (each) => each.seq_no), [list.items]);
  return { byStep, send, problem: list.problem };
}

function Moved({ proposal }) {
  const [problem, setProblem] = useState(null);
  const [busy, setBusy] = useState(false);
  const again = () => {
    setBusy(true);
    proposeAgain(proposal).catch((error) => {
      setProblem(toProblem(error));
      setBusy(false);
    });
  };
  return html`<div class="moved" role="status"><${Icon} name="waiting" /><div><strong>${proposal.revises} has moved since this was worked out.</strong>
    <p>It was made for <span class="mono">${shortId(proposal.base)}</span>, and what it would do now is not known: so nobody can approve it.</p>
    ${may("operator") && proposal.plan && html`<button type="button" disabled=${busy} onClick=${again}>Make it again on the new base</button>`}
    <${ProblemNote} problem=${problem} /></div></div>`;
}

const OVER = { completed: "It ran as", failed: "It failed as", cancelled: "It was cancelled as", waiting: "It waits for a person as", paused: "It is paused as" };

/** `became`: the status of the branch that came of it, where that is known. */
function Outcome({ proposal, became }) {
  const { status } = proposal;
  if (status === "writing") return html`<div class="same" role="status"><${Icon} name="planning" size=${18} /><div><strong>A model writes the new plan.</strong><p class="quiet">It comes here by itself; nothing runs before somebody approves it.</p></div></div>`;
  if (status === "failed") return html`<div class="problem" role="alert"><${Icon} name="failed" /><div><strong>No plan came of it</strong><div>${proposal.error?.message}</div>${proposal.error?.hint && html`<div class="quiet">${proposal.error.hint}</div>`}
    <p class="actions"><${Link} class="button small" to=${href(path`/tasks/${proposal.task_id}/edit`, { branch: proposal.revises, mode: "ask" })}>Ask again</${Link}></p></div></div>`;
  if (status === "approved") return html`<div class="same" role="status"><${Icon} name="completed" size=${18} /><div><strong>Approved.</strong> ${became === undefined ? "It became" : OVER[became] ?? "It runs as"} <${Link} to=${href(path`/tasks/${proposal.task_id}`, { branch: proposal.branch })}>${proposal.branch}</${Link}>.${" "}
    <${Link} to=${href("/compare", { left: `${proposal.task_id}:${proposal.revises}`, right: `${proposal.task_id}:${proposal.branch}`, view: "runs" })}>Compare the runs</${Link}></div></div>`;
  return null;
}

function Diff({ proposal, base, comments, query }) {
  const [writing, setWriting] = useState(null);
  const isNarrow = useNarrow();
  const rows = useMemo(() => rowsOf(proposal.changes, base, proposal.plan), [proposal.changes, base, proposal.plan]);
  const byNumber = useMemo(() => new Map(proposal.steps.map((step) => [step.seq_no, step])), [proposal.steps]);
  const keeps = useCallback((row) => {
    const step = row.right && byNumber.get(row.right.seq_no);
    return Boolean(step && (doesSomething(step) || comments.byStep.has(step.seq_no) || writing === step.seq_no));
  }, [byNumber, comments.byStep, writing]);
  const beside = (row) => {
    const step = row.right && byNumber.get(row.right.seq_no);
    if (!step) return html`<span class="quiet">taken out</span>`;
    const said = comments.byStep.get(step.seq_no)?.length ?? 0;
    return html`<${StepMark} step=${step} /><button type="button" class="bare small comment-open" title="Comment on this step (c)" aria-label=${said > 0 ? `${plural(said, "comment")} on step ${step.seq_no}; add one` : `Comment on step ${step.seq_no}`}
      onClick=${() => setWriting(writing === step.seq_no ? null : step.seq_no)}><${Icon} name="comment" size=${13} />${said > 0 ? said : ""}</button>`;
  };
  const below = (row) => {
    const step = row.right && byNumber.get(row.right.seq_no);
    if (!step) return null;
    const said = comments.byStep.get(step.seq_no) ?? [];
    return html`<${StepReasons} step=${step} />
      ${step.happened.map((call) => html`<p class="pd-happened" key=${call.visit}><${HappenedMark} call=${call} task=${proposal.task_id} branch=${proposal.revises} /></p>`)}
      ${(said.length > 0 || writing === step.seq_no) && html`<div class="pd-comments"><${CommentList} comments=${said} />
        ${writing === step.seq_no && html`<${CommentBox} label=${`Say something about step ${step.seq_no}`} focused=${true} onSend=${(text) => comments.send(text, step.seq_no)} onClose=${() => setWriting(null)} />`}</div>`}`;
  };
  const foldNote = (folded) => {
    const wills = folded.map((row) => byNumber.get(row.right.seq_no)?.will);
    const parts = [["kept", "kept"], ["reuse", "reused"], ["compute", "without a call"], ["unknown", "not known yet"]];
    const said = parts.map(([will, word]) => [wills.filter((each) => each === will).length, word]).filter(([many]) => many > 0);
    return said.length > 0 ? `: ${said.map(([many, word]) => `${many} ${word}`).join(", ")}` : "";
  };
  const isUnified = query.form === "unified";
  const setForm = (form) => setQuery({ form });
  const tools = !isNarrow && html`<div class="segments small-segments" role="group" aria-label="Layout">
    <button type="button" aria-pressed=${!isUnified} onClick=${() => setForm("")}>Side by side</button><button type="button" aria-pressed=${isUnified} onClick=${() => setForm("unified")}>Unified</button></div>`;
  const keys = {
    c: { label: "Comment on the step", run: () => (query.step && !query.step.startsWith("-") ? setWriting(Number(query.step)) : document.getElementById("say").querySelector("textarea")?.focus()) },
    u: { label: "Side by side, or unified", run: () => setForm(isUnified ? "" : "unified") },
  };
  return html`<${AboutPlan} changes=${proposal.changes.changes} />
    <${PlanDiff} rows=${rows} label="What changes, and what each step will do" isUnified=${isUnified} selected=${query.step} onSelect=${(step) => setQuery({ step })}
      keeps=${keeps} beside=${beside} below=${below} foldNote=${foldNote} version=${[byNumber, comments.byStep, writing]} keys=${keys} tools=${tools} />`;
}

function Actions({ proposal, onChanged, onProblem }) {
  const [isAsking, setAsking] = useState(false);
  const isOpen = proposal.status === "open";
  const canApprove = isOpen && !proposal.base_moved;
  useKeys("Proposal", { A: { label: "Approve and run", run: () => (canApprove && may("operator") ? setAsking(true) : false) } });
  if (!may("operator")) return html`<span class="quiet">Your key may look, not approve.</span>`;
  if (!["open", "writing", "failed"].includes(proposal.status)) return null;
  const throwAway = () => discard(proposal).then(() => announce(`Proposal ${proposal.number} is discarded`), (error) => onProblem(toProblem(error))).then(onChanged);
  return html`<div class="task-actions">
    <button type="button" class="small" onClick=${throwAway}>Discard</button>
    ${isOpen && html`<button type="button" class="small primary" disabled=${!canApprove} title=${proposal.base_moved ? "The branch has moved" : "Approve and run (A)"} onClick=${() => setAsking(true)}>Approve and run</button>`}
    ${isAsking && html`<${ApproveDialog} proposal=${proposal} onClose=${() => setAsking(false)} onChanged=${onChanged} />`}
  </div>`;
}

export default function ProposalScreen({ params, query }) {
  const { data: proposal, problem, reload, became } = useProposal(params.id, params.number);
  const base = useDocument(proposal?.plan ? path`/api/tasks/${params.id}/commits/${proposal.base}/plan` : null);
  const comments = useComments(params.id, params.number);
  const [failed, setFailed] = useState(null);
  const say = useRef(null);
  if (problem && !proposal) return html`<main class="page"><${ProblemNote} problem=${problem} onRetry=${reload} /></main>`;
  if (!proposal) return html`<main class="page"><${Loading} what="Loading the proposal" /></main>`;
  const general = comments.byStep.get(null) ?? [];
  return html`<${ReviewHead} id=${params.id} branch=${proposal.revises} crumbs=${[["Proposals", path`/tasks/${params.id}/proposals`], [`Proposal ${proposal.number}`]]}>
      <${ProposalMark} status=${proposal.status} /><span>${aboutOf(proposal)}</span>
      <span class="quiet">${proposal.created_by}, <${Ago} ms=${proposal.created_ms} />, for <${Link} to=${href(path`/tasks/${params.id}`, { branch: proposal.revises })}>${proposal.revises}</${Link}></span>
      <${Actions} proposal=${proposal} onChanged=${reload} onProblem=${setFailed} />
    </${ReviewHead}>
    <main class="page full review">
      <h1 class="visually-hidden">Proposal ${proposal.number}</h1>
      <${ProblemNote} problem=${failed ?? problem} onClose=${() => setFailed(null)} />
      <${Outcome} proposal=${proposal} became=${became} />
      ${proposal.status === "open" && proposal.base_moved && html`<${Moved} proposal=${proposal} />`}
      ${proposal.plan && html`<${Totals} proposal=${proposal} />`}
      ${proposal.beyond.length > 0 && html`<details class="beyond" open=${proposal.beyond.length <= 3}><summary>${plural(proposal.beyond.length, "call")} behind the fork point changed the outside, and ${proposal.beyond.length === 1 ? "is" : "are"} not undone</summary>
        <ul class="approve-list">${proposal.beyond.slice(0, 100).map((call) => html`<li key=${`${call.step}/${call.visit}`}><span class="pd-number">${call.step}</span> <${HappenedMark} call=${call} task=${proposal.task_id} branch=${proposal.revises} /></li>`)}</ul></details>`}
      <${ProblemNote} problem=${base.problem} />
      ${proposal.plan && !base.data && !base.problem && html`<${Loading} what="Comparing the plans" />`}
      ${proposal.plan && base.data && html`<${Diff} proposal=${proposal} base=${base.data} comments=${comments} query=${query} />`}
      <section class="general" id="say" ref=${say}><h2>Comments</h2><${ProblemNote} problem=${comments.problem} />
        ${general.length === 0 && html`<p class="quiet">None about the whole yet.</p>`}
        <${CommentList} comments=${general} /><${CommentBox} label="Say something about the whole" onSend=${(text) => comments.send(text, null)} /></section>
    </main>`;
}

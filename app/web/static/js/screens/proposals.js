// The proposals of a task: those that wait for somebody's word first.
import { html, useEffect, useMemo } from "../core/html.js";
import { usePages } from "../core/api.js";
import { useTask } from "../core/task.js";
import { money, shortId } from "../core/format.js";
import { Link, href, path } from "../core/router.js";
import { may } from "../core/session.js";
import { Empty, Loading } from "../widgets/empty.js";
import { ProblemNote } from "../widgets/problem_note.js";
import { Ago } from "../widgets/time.js";
import { ProposalMark, ReviewHead, aboutOf } from "./review_head.js";

const WAITING = ["open", "writing", "approving"];

function Row({ proposal, id }) {
  return html`<li class="proposal-row"><span class="pd-number">${proposal.number}</span><${ProposalMark} status=${proposal.status} />
    <${Link} class="proposal-about" to=${path`/tasks/${id}/proposals/${proposal.number}`}>${aboutOf(proposal)}</${Link}>
    <span class="quiet proposal-more">for ${proposal.revises}${proposal.branch ? html`, became <${Link} to=${href(path`/tasks/${id}`, { branch: proposal.branch })}>${proposal.branch}</${Link}>` : ""}
      ${proposal.status === "open" && proposal.base_moved && html` <span class="waiting-text">the branch has moved</span>`}
      ${proposal.costs?.expected.cost ? html`, about ${money(proposal.costs.expected.cost)}` : ""}</span>
    <span class="quiet proposal-who">${proposal.created_by}, <${Ago} ms=${proposal.created_ms} /></span></li>`;
}

export default function Proposals({ params }) {
  const { id } = params;
  const list = usePages(path`/api/tasks/${id}/proposals`, {}, 200);
  const { branches } = useTask(id);
  const heads = branches.map((each) => `${each.branch} ${each.commit}`).join();
  useEffect(() => {
    if (heads) list.reload();
  }, [heads]);
  const [open, others] = useMemo(() => [list.items.filter((each) => WAITING.includes(each.status)), list.items.filter((each) => !WAITING.includes(each.status))], [list.items]);
  const isEmpty = !list.loading && !list.problem && list.items.length === 0;
  const edit = may("operator") && html`<div class="task-actions"><${Link} class="button small" to=${path`/tasks/${id}/edit`}>Edit the plan</${Link}></div>`;
  return html`<${ReviewHead} id=${id} crumbs=${[["Proposals"]]}><span class="quiet">Changes of the plan that have not run yet, and what became of them</span>${edit}</${ReviewHead}>
    <main class="page full"><h1 class="visually-hidden">Proposals of task ${shortId(id)}</h1>
      <${ProblemNote} problem=${list.problem} onRetry=${list.reload} />
      ${list.loading && list.items.length === 0 && html`<${Loading} what="Loading proposals" />`}
      ${isEmpty && html`<${Empty} title="No proposals yet"><p>Change a step, or ask a model for a revision: it becomes a proposal, which says what it would run and what it would cost before anything runs.</p>
        ${may("operator") && html`<p class="actions"><${Link} class="button primary" to=${path`/tasks/${id}/edit`}>Edit the plan</${Link}></p>`}</${Empty}>`}
      ${open.length > 0 && html`<section><h2>Open</h2><ul class="proposal-list">${open.map((each) => html`<${Row} key=${each.number} proposal=${each} id=${id} />`)}</ul></section>`}
      ${others.length > 0 && html`<section><h2>Decided</h2><ul class="proposal-list">${others.map((each) => html`<${Row} key=${each.number} proposal=${each} id=${id} />`)}</ul></section>`}
      ${!list.done && list.items.length > 0 && html`<button type="button" class="more" onClick=${list.more}>more</button>`}
    </main>`;
}

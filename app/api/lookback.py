"""``/api/tasks/{id}/diff``, ``blame``, ``values``, ``bisect``, ``explain``, ``replay``: looking back."""

from __future__ import annotations

from typing import Any, Final, Literal

from apiflask import APIBlueprint
from pydantic import BaseModel, ConfigDict, Field

from app.api.descriptions import problems, tagged
from app.api.etags import answer, etag, not_modified, tagged_answer
from app.api.lookup import is_commit_id, the_task, value_url
from app.api.models import BisectOut, BlameOut, DiffOut, ExplainOut, ReadersOut, ReplayOut, ValuesOut
from app.api.paging import PageQuery, page, read_cursor, write_cursor
from app.api.state import place
from app.errors import InputError
from app.services.bisects import bisect_branch
from app.services.blame import blame_variables
from app.services.diffs import LEVELS, diff_revisions, find_ends
from app.services.explain import explain_run
from app.services.inspect import find_commit
from app.services.readers import read_readers
from app.services.replays import replay_within
from app.services.values import read_values_page

lookback = APIBlueprint("lookback", __name__, url_prefix="/api/tasks/<task_id>", tag="looking back")

REPLAY_SECONDS: Final = 20.0
_REVISION: Final = 300


class DiffQuery(BaseModel):
    """Which two revisions, and what of them."""

    model_config = ConfigDict(extra="forbid")

    from_: str = Field(
        alias="from", min_length=1, max_length=_REVISION, description="a revision; TASK:REV of another task"
    )
    to: str | None = Field(
        None, min_length=1, max_length=_REVISION, description="default: the head of the current branch"
    )
    form: Literal["all", "plan", "state", "text", "runs"] = Field(
        "all", description="text: as `git diff` shows it; runs: the executed steps side by side"
    )


@lookback.get("/diff")
@lookback.input(DiffQuery, location="query")
@lookback.output(DiffOut)
@lookback.doc(
    summary="What differs between two revisions", operation_id="diff", responses=tagged(404, 409, 422)
)
def diff(task_id: str, query_data: DiffQuery) -> Any:
    """Of plans, states, texts and runs; also between two tasks."""
    task, form = the_task(task_id), query_data.form
    levels = LEVELS if form == "all" else (form,)
    old, new = find_ends(place(), task, query_data.from_, query_data.to)
    # The runs tell the status of branches, which no commit holds.
    tag = etag(old.id, new.id, form) if "runs" not in levels else None
    known = not_modified(tag) if tag is not None else None
    if known is not None:
        return known
    document = diff_revisions(place(), task, query_data.from_, query_data.to, levels).to_json()
    return tagged_answer(document, tag) if tag is not None else answer(document)


class BlameQuery(BaseModel):
    """Of which state, and which variable."""

    model_config = ConfigDict(extra="forbid")

    rev: str | None = Field(None, max_length=_REVISION, description="default: the head of the current branch")
    name: str | None = Field(None, max_length=300, description="only this variable")


@lookback.get("/blame")
@lookback.input(BlameQuery, location="query")
@lookback.output(BlameOut)
@lookback.doc(
    summary="Which commit last set each variable", operation_id="blame", responses=tagged(404, 409, 422)
)
def blame(task_id: str, query_data: BlameQuery) -> Any:
    """And where the value came from: the plan, a tool, a model, a person."""
    task, rev = the_task(task_id), query_data.rev
    tag = etag(find_commit(place(), task, rev).id, rev or task.current_branch)
    known = not_modified(tag)
    if known is not None:
        return known
    found = blame_variables(place(), task, rev, query_data.name, whole=False)
    variables = [
        {**each.to_json(), "href": value_url(task.id, found.commit.id, each.name)} for each in found.variables
    ]
    return tagged_answer({**found.to_json(), "variables": variables}, tag)


class ValuesQuery(PageQuery):
    """Up to which state."""

    rev: str | None = Field(None, max_length=_REVISION, description="default: the head of the current branch")


def _start_of(query: ValuesQuery) -> str | None:
    """The commit that the page begins at; ``None``: the newest. Raises ``InputError``."""
    cursor = read_cursor(query.cursor, str)
    if cursor is None:
        return None
    if not is_commit_id(cursor[0]):
        raise InputError("the cursor is none of this list", hint="take `next` of the page before, as it is")
    return str(cursor[0])


@lookback.get("/values/<name>")
@lookback.input(ValuesQuery, location="query")
@lookback.output(ValuesOut)
@lookback.doc(
    summary="Every value that a variable had", operation_id="list_values", responses=tagged(404, 409, 422)
)
def values(task_id: str, name: str, query_data: ValuesQuery) -> Any:
    """The newest first; set again is told, too."""
    task, start = the_task(task_id), _start_of(query_data)
    tag = etag(find_commit(place(), task, start or query_data.rev).id)
    known = not_modified(tag)
    if known is not None:
        return known
    found = read_values_page(place(), task, query_data.rev, name, query_data.limit, start)
    after = write_cursor(found.after) if found.after is not None else None
    items = [
        {**each.to_json(), "href": value_url(task.id, each.set_by.commit.id, name) if each.view else None}
        for each in found.values
    ]
    return tagged_answer(page(items, after), tag)


@lookback.get("/readers/<name>")
@lookback.input(ValuesQuery, location="query")
@lookback.output(ReadersOut)
@lookback.doc(
    summary="Every executed step that read a variable",
    operation_id="list_readers",
    responses=tagged(404, 409, 422),
)
def readers(task_id: str, name: str, query_data: ValuesQuery) -> Any:
    """The newest first, by the plan that each ran under."""
    task, start = the_task(task_id), _start_of(query_data)
    tag = etag(find_commit(place(), task, start or query_data.rev).id)
    known = not_modified(tag)
    if known is not None:
        return known
    found = read_readers(place(), task, query_data.rev, name, query_data.limit, start)
    after = write_cursor(found.after) if found.after is not None else None
    return tagged_answer(page([each.to_json() for each in found.readers], after), tag)


class BisectQuery(BaseModel):
    """What has to hold."""

    model_config = ConfigDict(extra="forbid")

    expression: str = Field(
        min_length=1, max_length=2_000, description="as in a plan, variables by their bare names"
    )
    rev: str | None = Field(None, max_length=_REVISION, description="default: the head of the current branch")


@lookback.get("/bisect")
@lookback.input(BisectQuery, location="query")
@lookback.output(BisectOut)
@lookback.doc(
    summary="Where an expression turns false", operation_id="bisect", responses=tagged(404, 409, 422)
)
def bisect(task_id: str, query_data: BisectQuery) -> Any:
    """The first commit at which it is false, having been true; `first_false` is null where it never turns."""
    task, rev = the_task(task_id), query_data.rev
    tag = etag(find_commit(place(), task, rev).id, rev or task.current_branch)
    return not_modified(tag) or tagged_answer(
        bisect_branch(place(), task, rev, query_data.expression).to_json(), tag
    )


class ExplainQuery(BaseModel):
    """Which run, which step."""

    model_config = ConfigDict(extra="forbid")

    branch: str | None = Field(None, max_length=_REVISION, description="default: the task's current branch")
    step: int | None = Field(None, ge=0, lt=1 << 53, description="only this step")


@lookback.get("/explain")
@lookback.input(ExplainQuery, location="query")
@lookback.output(ExplainOut)
@lookback.doc(
    summary="Why each step ran, or was reused", operation_id="explain", responses=problems(404, 409, 422)
)
def explain(task_id: str, query_data: ExplainQuery) -> Any:
    """With the commits that results were taken from, and the parts of a step's key that differ."""
    task = the_task(task_id)
    branch, fork, steps = explain_run(place(), task, query_data.branch, query_data.step)
    forked_from = None
    if fork is not None:
        source = fork.source
        forked_from = {"branch": source.branch, "commit": source.head.hex(), "fork_point": fork.point.hex()}
    return answer(
        {
            "task_id": task.id,
            "branch": branch,
            "forked_from": forked_from,
            "steps": [step.to_json() for step in steps],
        }
    )


class ReplayQuery(BaseModel):
    """Which run."""

    model_config = ConfigDict(extra="forbid")

    branch: str | None = Field(None, max_length=_REVISION, description="default: the task's current branch")


@lookback.post("/replay")
@lookback.input(ReplayQuery, location="query")
@lookback.output(ReplayOut)
@lookback.doc(summary="Replay a run and compare", operation_id="replay", responses=problems(404, 409, 422))
def replay(task_id: str, query_data: ReplayQuery) -> Any:
    """Every step again from what was recorded, nothing called, every commit id compared. Changes nothing.

    It ends after 20 seconds: `complete` is false then. `stackvm replay` has no such limit.
    """
    return answer(replay_within(place(), the_task(task_id), query_data.branch, REPLAY_SECONDS))

"""``/api/tasks/{id}/commits``: the log, and what a commit holds.

A revision is a branch, a commit id or the beginning of one, or either with ``~n``, as on the command line.
"""

from __future__ import annotations

from typing import Any, Final

from apiflask import APIBlueprint
from flask import Response
from pydantic import BaseModel, ConfigDict, Field

from app.api.descriptions import tagged
from app.api.etags import etag, not_modified, tagged_answer
from app.api.lookup import is_commit_id, the_task, value_url
from app.api.models import CommitOut, LogOut, PlanOut, RecordOut, StateOut, ValueOut
from app.api.paging import PageQuery, page, read_cursor, write_cursor
from app.api.state import place
from app.errors import InputError
from app.services.inspect import find_commit, read_entry, read_log_page, read_plan
from app.services.states import StateView, read_state, read_variable

commits = APIBlueprint("commits", __name__, url_prefix="/api/tasks/<task_id>/commits", tag="commits")

_FAR: Final = 1 << 53


class LogQuery(PageQuery):
    """Which commits. ``rev`` may be any revision; ``branch`` is the same, for those who know branches."""

    branch: str | None = Field(None, max_length=300, description="default: the task's current branch")
    rev: str | None = Field(None, max_length=300, description="a revision, instead of a branch")
    records: bool = Field(False, description="with each commit's record")
    digests: bool = Field(False, description="with what each commit did, on one line")


@commits.get("")
@commits.input(LogQuery, location="query")
@commits.output(LogOut)
@commits.doc(
    summary="The commits of a branch, newest first",
    operation_id="list_commits",
    responses=tagged(404, 409, 422),
)
def log(task_id: str, query_data: LogQuery) -> Any:
    """The first-parent line from a revision on. A page costs the same wherever it is."""
    if query_data.branch is not None and query_data.rev is not None:
        raise InputError("both branch and rev are given", hint="give one of them")
    task, cursor = the_task(task_id), read_cursor(query_data.cursor, str)
    if cursor is not None and not is_commit_id(cursor[0]):
        raise InputError("the cursor is none of this list", hint="take `next` of the page before, as it is")
    revision = query_data.branch if query_data.branch is not None else query_data.rev
    found = read_log_page(
        place(),
        task,
        revision,
        query_data.limit,
        cursor[0] if cursor is not None else None,
        with_records=query_data.records,
        with_digests=query_data.digests,
    )
    tag, immutable = etag(found.start.id), cursor is not None
    after = write_cursor(found.after) if found.after is not None else None
    return not_modified(tag, immutable=immutable) or tagged_answer(
        page([entry.to_json() for entry in found.entries], after), tag, immutable=immutable
    )


@commits.get("/<path:rev>")
@commits.output(CommitOut)
@commits.doc(summary="One commit with its record", operation_id="get_commit", responses=tagged(404, 409, 422))
def one(task_id: str, rev: str) -> Any:
    """What made the commit, and everything from outside that went into it."""
    task = the_task(task_id)
    tag, known = _known(task_id, rev)
    return known or tagged_answer(read_entry(place(), task, rev).to_json(), tag, immutable=is_commit_id(rev))


@commits.get("/<path:rev>/record")
@commits.output(RecordOut)
@commits.doc(summary="The record of a commit", operation_id="get_record", responses=tagged(404, 409, 422))
def record(task_id: str, rev: str) -> Any:
    """``record.json``, with the large parts that lie beside it put back in their places."""
    tag, known = _known(task_id, rev)
    return known or tagged_answer(
        read_entry(place(), the_task(task_id), rev).record, tag, immutable=is_commit_id(rev)
    )


@commits.get("/<path:rev>/plan")
@commits.output(PlanOut)
@commits.doc(summary="The plan of a commit", operation_id="get_plan", responses=tagged(404, 409, 422))
def plan(task_id: str, rev: str) -> Any:
    """The plan document, ready to be submitted again."""
    tag, known = _known(task_id, rev)
    return known or tagged_answer(
        read_plan(place(), the_task(task_id), rev), tag, immutable=is_commit_id(rev)
    )


class StateQuery(PageQuery):
    """Which variables."""

    limit: int = Field(100, ge=1, le=500, description="at most so many variables")
    set_by: bool = Field(
        True,
        description="with the commit that last set each variable, if it is one of the last 300; `blame` has all",
    )


@commits.get("/<path:rev>/state")
@commits.input(StateQuery, location="query")
@commits.output(StateOut)
@commits.doc(summary="The state at a commit", operation_id="get_state", responses=tagged(404, 409, 422))
def state(task_id: str, rev: str, query_data: StateQuery) -> Any:
    """Goal, plan, where the run stands, and the variables: small values with them, of large ones the beginning and
    where to read them."""
    cursor = read_cursor(query_data.cursor, str)
    tag, known = _known(task_id, rev)
    if known is not None:
        return known
    found = read_state(
        place(),
        the_task(task_id),
        rev,
        query_data.limit,
        cursor[0] if cursor is not None else None,
        with_authors=query_data.set_by,
    )
    return tagged_answer(_state_document(found), tag, immutable=is_commit_id(rev))


def _state_document(found: StateView) -> dict[str, Any]:
    commit = found.commit.id
    return {
        "task_id": found.task_id,
        "commit": commit,
        "goal": dict(found.goal),
        "control": dict(found.control),
        "plan": dict(found.plan) if found.plan is not None else None,
        "count": found.count,
        "variables": [
            {**each.to_json(), "href": value_url(found.task_id, commit, each.name)}
            for each in found.variables
        ],
        "next": write_cursor(found.after) if found.after is not None else None,
    }


class ValueQuery(BaseModel):
    """Which part of a value."""

    model_config = ConfigDict(extra="forbid")

    path: str = Field("", max_length=2_000, description='a place in the value, such as rows[3]."odd key"')
    offset: int = Field(0, ge=0, lt=_FAR, description="the first item, key or character, from 0")
    limit: int | None = Field(None, ge=1, lt=_FAR, description="at most so many; default: what fits")


@commits.get("/<path:rev>/variables/<name>")
@commits.input(ValueQuery, location="query")
@commits.output(ValueOut)
@commits.doc(
    summary="The value of a variable, or a part of it",
    operation_id="get_variable",
    responses=tagged(404, 409, 422),
)
def variable(task_id: str, rev: str, name: str, query_data: ValueQuery) -> Any:
    """Of a long list, object or text about a megabyte is given; `next` is the offset of what follows.

    The keys of an object are counted in their order.
    """
    tag, known = _known(task_id, rev)
    if known is not None:
        return known
    found = read_variable(
        place(), the_task(task_id), rev, name, query_data.path, query_data.offset, query_data.limit
    )
    return tagged_answer(found.to_json(), tag, immutable=is_commit_id(rev))


def _known(task_id: str, rev: str) -> tuple[str, Response | None]:
    """The ETag of what hangs on a revision's commit, and 304 where the client has it."""
    tag = etag(find_commit(place(), the_task(task_id), rev).id)
    return tag, not_modified(tag, immutable=is_commit_id(rev))

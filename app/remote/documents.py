"""A server's documents as what the services give here, so that they are shown alike.

What a server of another version leaves out or adds is a ``ServerFailed``, or passed over.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from app.db.base import TaskRow
from app.errors import ServerFailed
from app.history.commits import Commit
from app.services.branches import BranchView
from app.services.inspect import LogEntry, StepView, TaskView
from app.services.reports import Revised, RunReport
from app.services.steering import Steered
from app.services.waiting import Decided
from app.vm.decisions import Choice, Place, Waiting

_NO_TREE: Final = b""

Document = Mapping[str, Any]


@contextmanager
def understood(what: str) -> Iterator[None]:
    """Within, a document that is not as it should be is said to be none."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ServerFailed(
            f"the server's {what} is not understood: {type(error).__name__} {error}",
            hint="is its version another than that of `stackvm --version` here?",
        ) from None


def task_of(document: Document) -> TaskRow:
    """A task of a list."""
    return TaskRow(
        id=document["task_id"],
        goal=document["goal"],
        namespace=document["namespace"],
        status=document["status"],
        store=document["history"],
        current_branch=document["branch"],
        created_ms=document["created_ms"],
        updated_ms=document["updated_ms"],
        steps=document["steps"],
        error=document["error"],
        planned_steps=document["planned_steps"],
        worked_ms=document["worked_ms"],
        usage=None if document["cost"] is None else json.dumps({"cost": document["cost"]}),
        branches=document["branches"],
    )


def entry_of(document: Document) -> LogEntry:
    """A commit of a log. Its tree stays with the server."""
    trailers = {"Kind": document["kind"]}
    if document["seq_no"] is not None:
        trailers["Step"] = str(document["seq_no"])
    if document["tool"] is not None:
        trailers["Tool"] = document["tool"]
    parent = document["parent"]
    commit = Commit(
        bytes.fromhex(document["commit"]),
        _NO_TREE,
        () if parent is None else (bytes.fromhex(parent),),
        document["author"],
        document["time"],
        document["subject"],
        trailers,
    )
    return LogEntry(commit, document.get("record"))


def branch_of(document: Document) -> BranchView:
    """A branch of a list."""
    return BranchView(
        document["branch"],
        document["status"],
        document["commit"],
        document["subject"],
        document["time"],
        document["steps"],
        document["current"],
    )


def view_of(document: Document, commit: Commit) -> TaskView:
    """What ``show`` shows. ``commit`` is the one that the document names."""
    row = TaskRow(
        id=document["task_id"],
        goal=document["goal"],
        namespace=document["namespace"],
        status=document["status"],
        store=document["history"],
        current_branch=document["current_branch"],
        created_ms=document["created_ms"],
        updated_ms=document["created_ms"],
    )
    told = ("response_format", "limits")
    return TaskView(
        row,
        document["branch"],
        commit,
        document["status"],
        {name: document[name] for name in told if document[name] is not None},
        [branch_of(each) for each in document["branches"]],
        [_step_of(each) for each in document["plan"]],
        document["variables"],
        document["steps"],
        document["usage"],
        document["error"],
        waiting_of(document["waiting"]),
    )


def _step_of(document: Document) -> StepView:
    return StepView(
        document["seq_no"],
        document["type"],
        document["description"],
        document["tool"],
        document["state"],
        document["visits"],
        document["commit"],
        document["parameters"],
    )


def waiting_of(document: Document | None) -> Waiting | None:
    """The call that waits, if any."""
    if document is None:
        return None
    return Waiting(
        document["reason"],
        Place(document["step"], document["visit"], document["item"]),
        document["tool"],
        document["inputs"],
        document["idempotency_key"],
        document["attempt"],
        tuple(Choice(each["choice"], each["does"], each.get("from_commit")) for each in document["choices"]),
    )


def decided_of(document: Document) -> Decided:
    """A decision that was recorded. Of the call, its place and tool are told."""
    place = Place(document["step"], document["visit"], document["item"])
    return Decided(
        document["task_id"],
        document["branch"],
        document["commit"],
        document["choice"],
        Waiting("", place, document["tool"], {}, "", 0),
        tuple(document["items"]),
    )


def steered_of(document: Document) -> Steered:
    """What became of a request to pause or cancel."""
    return Steered(
        document["task_id"],
        document["branch"],
        document["status"],
        document["commit"],
        document["steps"],
        document["asked"],
    )


def report_of(document: Document) -> RunReport:
    """How a run stands."""
    return RunReport(
        document["task_id"],
        document["branch"],
        document["head"],
        document["status"],
        document["final_answer"],
        document["steps"],
        document["usage"],
        document["error"],
        waiting_of(document["waiting"]),
        tuple(
            Revised(each["branch"], each["revises"], each["fork_point"], each["commit"], each["kept"])
            for each in document["revisions"]
        ),
    )

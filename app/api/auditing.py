"""Every change over HTTP is noted: who, what, when, on which task; and can be read by admins."""

from __future__ import annotations

import logging
from typing import Any, Final

from apiflask import APIBlueprint
from flask import Flask, Response, g, request
from pydantic import BaseModel, Field

from app.api.descriptions import problems
from app.api.paging import PageQuery, page, read_cursor, write_cursor
from app.api.state import place, server
from app.db.base import TaskRow
from app.db.serving import AuditRow
from app.errors import StorageError
from app.log_fields import tell

_CHANGES: Final = ("POST", "PUT", "PATCH", "DELETE")
_TASK_ID: Final = 64
_NO_CHANGES: Final = frozenset(
    {"git.upload_pack", "git.receive_pack", "plans.check", "plans.diff", "lookback.replay"}
)
"""Endpoints whose POST only asks, or which note what they changed themselves."""

audit = APIBlueprint("audit", __name__, url_prefix="/api", tag="audit")
logger = logging.getLogger(__name__)


class AuditQuery(PageQuery):
    """Which changes."""

    task: str | None = Field(None, max_length=_TASK_ID, description="of the task with this id")


class AuditOut(BaseModel):
    """A change."""

    at_ms: int
    actor: str
    action: str
    task_id: str | None
    detail: dict[str, Any]


class AuditPageOut(BaseModel):
    """A page of changes, newest first."""

    items: list[AuditOut]
    next: str | None


def register(app: Flask) -> None:
    """Note what changes something, once it has."""

    @app.after_request
    def note(response: Response) -> Response:
        is_change = request.method in _CHANGES and response.status_code < 400
        is_new = hasattr(g, "actor") and "Idempotent-Replayed" not in response.headers
        is_new = is_new and not getattr(g, "is_noted", False)
        if is_change and is_new and request.endpoint and request.endpoint not in _NO_CHANGES:
            done = {"path": request.path, "status": response.status_code}
            note_change(request.endpoint, _task_of(response), done)
        return response


def note_submission(task: TaskRow) -> None:
    """Note a new task, as part of the transaction that makes it. Raises ``StorageError``: there is no task then."""
    done = {"path": request.path, "status": 202}
    server().audit.note(AuditRow(task.created_ms, g.actor.name, str(request.endpoint)[:64], task.id, done))
    g.is_noted = True


def note_change(action: str, task_id: str | None, detail: dict[str, Any]) -> None:
    """Note a change of the request's actor. What is done is done: that it can't be noted is logged."""
    parts = server()
    try:
        parts.audit.note(AuditRow(parts.workplace.clock_ms(), g.actor.name, action[:64], task_id, detail))
    except StorageError as error:
        message = f"the change {action} of {task_id} could not be noted: {error}"
        tell(logger, logging.ERROR, "audit.lost", message)


def _task_of(response: Response) -> str | None:
    """The task's whole id: from the answer, where a URL may give its beginning."""
    if response.is_json and not response.is_streamed:
        document = response.get_json(silent=True)
        if isinstance(document, dict) and isinstance(document.get("task_id"), str):
            return str(document["task_id"])
    given = (request.view_args or {}).get("task_id")
    return None if given is None else str(given)[:_TASK_ID]


@audit.get("/audit")
@audit.input(AuditQuery, location="query")
@audit.output(AuditPageOut)
@audit.doc(summary="Who changed what", operation_id="list_audit", responses=problems(422))
def many(query_data: AuditQuery) -> Any:
    """The newest first. Takes the role admin."""
    place().actor.require("admin")
    before = read_cursor(query_data.cursor, int)
    rows = server().audit.page(query_data.limit + 1, before[0] if before else None, query_data.task)
    shown = rows[: query_data.limit]
    after = write_cursor(shown[-1][0]) if len(rows) > len(shown) else None
    return page((row._asdict() for _, row in shown), after)

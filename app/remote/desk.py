"""The :class:`app.services.desk.Desk` of a server."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from time import sleep
from typing import Any, Final
from urllib.parse import quote

from app.db.base import TaskRow
from app.errors import Conflict, NotFound, ServerFailed
from app.remote.client import ServerClient
from app.remote.documents import (
    branch_of,
    decided_of,
    entry_of,
    report_of,
    steered_of,
    task_of,
    understood,
    view_of,
)
from app.services.branches import BranchView
from app.services.inspect import LogEntry, TaskView
from app.services.reports import RunReport
from app.services.steering import Steered
from app.services.waiting import Decided, Decision
from app.vm.state import CANCELLED, COMPLETED, FAILED, PAUSED, WAITING

AT_REST: Final = (COMPLETED, FAILED, CANCELLED, PAUSED, WAITING)
"""Nobody runs it, nor is to."""

_PAGE: Final = 500
_RECORDS_PAGE: Final = 100
_POLL_SECONDS: Final = 0.3
_MOST_CHARACTERS: Final = 300
_DONE: Final = {"pause": PAUSED, "cancel": CANCELLED}


class RemoteDesk:
    """Asks a server. Every document is asked for when it is needed, and kept nowhere."""

    def __init__(self, client: ServerClient) -> None:
        self.client = client

    def tasks(self, status: str | None, limit: int) -> Sequence[TaskRow]:
        rows: list[TaskRow] = []
        for document in self._items("/api/tasks", {"status": status}, limit, _PAGE):
            with understood("list of tasks"):
                rows.append(task_of(document))
        return rows

    def show(self, task: str, revision: str | None) -> TaskView:
        path = task_path(task)
        document = self.client.get(f"{path}/view", {"at": revision})
        with understood("view of a task"):
            commit = self.client.get(f"{path}/commits", {"rev": document["commit"], "limit": 1})["items"][0]
            return view_of(document, entry_of(commit).commit)

    def log(
        self, task: str, branch: str | None, limit: int | None, *, with_records: bool
    ) -> Iterator[LogEntry]:
        query = {"rev": branch, "records": "true" if with_records else None}
        size = _RECORDS_PAGE if with_records else _PAGE
        for document in self._items(f"{task_path(task)}/commits", query, limit, size):
            with understood("log"):
                yield entry_of(document)

    def branches(self, task: str) -> Sequence[BranchView]:
        found = self.client.get(f"{task_path(task)}/branches")
        with understood("list of branches"):
            return [branch_of(each) for each in found["items"]]

    def decide(self, task: str, branch: str | None, decision: Decision) -> Decided:
        items = None if decision.items is None else list(decision.items)
        body = {"branch": branch, "choice": decision.choice, "items": items, "key": decision.key}
        if decision.choice == "skip":
            body["value"] = decision.value
        document = self.client.post(f"{task_path(task)}/decide", {**body, "resume": False})
        with understood("decision"):
            return decided_of(document)

    def pause(self, task: str, branch: str | None, *, wait: bool, on_asked: Callable[[str], None]) -> Steered:
        return self._steer("pause", task, branch, wait, on_asked)

    def cancel(
        self, task: str, branch: str | None, *, wait: bool, on_asked: Callable[[str], None]
    ) -> Steered:
        return self._steer("cancel", task, branch, wait, on_asked)

    def submit(self, body: Mapping[str, Any]) -> TaskRow:
        """A new task, whose run is queued. It is made once, however often it has to be sent."""
        document = self.client.post("/api/tasks", body)
        with understood("task"):
            return task_of(document)

    def find(self, task: str) -> TaskRow:
        """One task as it stands."""
        document = self.client.get(task_path(task))
        with understood("task"):
            return task_of(document)

    def resume(self, task: str, body: Mapping[str, Any]) -> None:
        """Have a worker of the server go on with a run."""
        self.client.post(f"{task_path(task)}/resume", body)

    def report(self, task: str, branch: str | None) -> tuple[RunReport, bool]:
        """How a run stands, and whether its models are a file of replies."""
        document = self.client.get(f"{task_path(task)}/report", {"branch": branch})
        with understood("report"):
            return report_of(document), document.get("scripted", False) is True

    def plan(self, task: str, commit: str) -> Any:
        """The plan document of a commit, by its id."""
        return self.client.get(f"{task_path(task)}/commits/{commit}/plan")

    def _steer(
        self, request: str, task: str, branch: str | None, wait: bool, on_asked: Callable[[str], None]
    ) -> Steered:
        document = self.client.post(f"{task_path(task)}/{request}", {"branch": branch})
        with understood("answer"):
            steered = steered_of(document)
        if steered.was_asked is None:
            return steered
        on_asked(steered.was_asked)
        return self._obeyed(request, steered) if wait else steered

    def _obeyed(self, request: str, asked: Steered) -> Steered:
        """How the branch stands once it rests. Raises ``Conflict`` where it came to another end."""
        while True:
            found = next((each for each in self.branches(asked.task_id) if each.name == asked.branch), None)
            if found is None:
                raise Conflict(f"branch {asked.branch!r} is gone")
            if found.status in AT_REST:
                break
            sleep(_POLL_SECONDS)
        done = _DONE[request]
        if found.status != done:
            raise Conflict(f"the run has ended before it could be {done}: it is {found.status}")
        return Steered(asked.task_id, asked.branch, done, found.commit, found.steps, asked.was_asked)

    def _items(
        self, path: str, query: Mapping[str, Any], limit: int | None, page_size: int
    ) -> Iterator[Mapping[str, Any]]:
        """The items of a list, page after page, at most ``limit``."""
        left, cursor = limit, None
        while left is None or left > 0:
            size = page_size if left is None else min(left, page_size)
            page = self.client.get(path, {**query, "limit": size, "cursor": cursor})
            items, cursor = page.get("items"), page.get("next")
            if not isinstance(items, list):
                raise ServerFailed(f"{self.client.address} gave no list at {path}")
            yield from items
            if cursor is None:
                return
            left = None if left is None else left - len(items)


def task_path(task: str) -> str:
    """Where a task is. Raises ``NotFound`` for what is no part of a path, and so no task's id either."""
    if not task or len(task) > _MOST_CHARACTERS or set(task) & set("/\\?#") or not task.strip("."):
        raise NotFound("task", task)
    return f"/api/tasks/{quote(task, safe='', errors='replace')}"

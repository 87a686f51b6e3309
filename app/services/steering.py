"""Pausing and cancelling a run from outside: whoever runs it is asked, and what nobody runs is changed here."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from app.crash_points import reached
from app.db.base import Request, TaskRow
from app.errors import Conflict, LeaseHeld
from app.services.branches import require_branch, status_of
from app.services.leases import find_holder, hold_lease
from app.services.progress import progress_at
from app.services.scribes import open_held
from app.services.tasks import open_repository
from app.services.workplace import Workplace
from app.vm.interrupts import Interrupts
from app.vm.limits import cancelled_by
from app.vm.state import CANCELLED, COMPLETED, FAILED, PAUSED, PLANNING, RUNNING, WAITING

_POLL_SECONDS: Final = 0.1
_ENDED: Final = (COMPLETED, FAILED, CANCELLED)
_PARTICIPLES: Final = {"pause": "paused", "cancel": "cancelled"}


@dataclass(frozen=True, slots=True)
class Steered:
    """What became of a request. ``status`` is that of the branch, ``commit`` its head, ``steps`` how many were done.

    ``was_asked``: the owner of the lease, where somebody ran the branch.
    """

    task_id: str
    branch: str
    status: str
    commit: str
    steps: int
    was_asked: str | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "task_id": self.task_id,
            "branch": self.branch,
            "status": self.status,
            "commit": self.commit,
            "steps": self.steps,
            "asked": self.was_asked,
        }


def pause_run(
    workplace: Workplace,
    task: TaskRow,
    branch: str | None,
    *,
    wait: bool = True,
    on_asked: Callable[[str], None] = lambda owner: None,
) -> Steered:
    """Have a run pause at its next step boundary. ``on_asked`` is told who was asked, before waiting for it.

    ``wait`` ``False`` comes back as soon as somebody was asked. Raises ``NotFound`` (branch), ``Conflict`` where the
    run is paused, waits, has ended, or ends before it can pause.
    """
    return _Steering(workplace, task, branch, "pause").steer(wait, on_asked)


def cancel_run(
    workplace: Workplace,
    task: TaskRow,
    branch: str | None,
    *,
    wait: bool = True,
    on_asked: Callable[[str], None] = lambda owner: None,
) -> Steered:
    """End a run for good, as a commit. Calls under way are told to end. Otherwise as :func:`pause_run`."""
    return _Steering(workplace, task, branch, "cancel").steer(wait, on_asked)


def look_at(workplace: Workplace, task: TaskRow, branch: str) -> Steered:
    """How a branch stands. Raises ``NotFound``."""
    with open_repository(workplace, task) as repository:
        head = repository.commit(repository.head(branch))
        control = repository.reader.control(head.tree)
    status = str(control.get("status"))
    if status not in _ENDED:
        rows = workplace.tasks.branches(task.id)
        status = next((row.status for row in rows if row.name == branch), status_of(control))
    return Steered(task.id, branch, status, head.id, int(control.get("steps", 0)))


class _Steering:
    def __init__(self, workplace: Workplace, task: TaskRow, branch: str | None, request: Request) -> None:
        workplace.actor.require("operator")
        self._workplace = workplace
        self._task = task
        self._request = request
        with open_repository(workplace, task) as repository:
            self._branch = require_branch(repository, task, branch)
        self._asked: str | None = None

    def steer(self, wait: bool, on_asked: Callable[[str], None]) -> Steered:
        while True:
            holder = find_holder(self._workplace, self._task.id, self._branch)
            if holder is None:
                steered = self._change_here()
                if steered is not None:
                    return steered
            elif holder[0] != self._asked and self._ask():
                self._asked = holder[0]
                on_asked(holder[0])
                if not wait:
                    return self._look()
            time.sleep(_POLL_SECONDS)

    def _ask(self) -> bool:
        """Whether the one who runs it was asked; not where it has just ended."""
        return self._workplace.leases.ask(self._task.id, self._branch, self._request, self._workplace.person)

    def _change_here(self) -> Steered | None:
        """Nobody runs the branch: see what became of the request, or do it. ``None``: somebody runs it now."""
        try:
            with hold_lease(self._workplace, self._task, self._branch, Interrupts()) as heartbeat:
                seen = self._look()
                done = _PARTICIPLES[self._request]
                if seen.status == done and self._asked is not None:
                    return seen
                self._mend_row(seen.status)
                self._refuse(seen.status)
                if self._request == "cancel":
                    self._commit_stop(heartbeat.fence)
                self._note(done)
                return self._look()
        except LeaseHeld:
            return None

    def _mend_row(self, status: str) -> None:
        """Who ended the run may have been killed before it could say so."""
        rows = self._workplace.tasks.branches(self._task.id)
        if status in _ENDED and any(row.name == self._branch and row.status != status for row in rows):
            self._note(status)

    def _note(self, status: str) -> None:
        with open_repository(self._workplace, self._task) as repository:
            progress = progress_at(repository, repository.head(self._branch))
        now_ms = self._workplace.clock_ms()
        self._workplace.tasks.note_run(self._task.id, self._branch, status, now_ms, progress=progress)

    def _refuse(self, status: str) -> None:
        done = _PARTICIPLES[self._request]
        if status in _ENDED and self._asked is not None:
            raise Conflict(f"the run has ended before it could be {done}: it is {status}")
        if status in _ENDED or (status == PAUSED and self._request == "pause"):
            hint = "`fork` goes on from any commit" if status == CANCELLED else None
            raise Conflict(
                f"branch {self._branch!r} is {status}; there is nothing to {self._request}", hint=hint
            )
        if status == WAITING and self._request == "pause":
            raise Conflict(
                f"branch {self._branch!r} waits for a decision; nothing runs", hint="`decide` answers it"
            )

    def _commit_stop(self, fence: int) -> None:
        with open_repository(self._workplace, self._task) as repository:
            scribe = open_held(repository, self._task.id, self._branch, fence)
            record = cancelled_by(self._workplace.person, self._workplace.clock_ms())
            scribe.stop(record, author=record["who"])
            scribe.journal.flush()
            reached("stop.committed")

    def _look(self) -> Steered:
        with open_repository(self._workplace, self._task) as repository:
            head = repository.commit(repository.head(self._branch))
            control = repository.reader.control(head.tree)
        status = str(control.get("status"))
        if status not in _ENDED:
            rows = self._workplace.tasks.branches(self._task.id)
            known = next((row.status for row in rows if row.name == self._branch), status_of(control))
            # Nobody runs it, or the history would say that it has ended.
            status = RUNNING if known in (*_ENDED, PLANNING) else known
        steps = int(control.get("steps", 0))
        return Steered(self._task.id, self._branch, status, head.id, steps, self._asked)

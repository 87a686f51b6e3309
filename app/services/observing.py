"""A run as others see it: its lines, figures and spans, whoever had it run."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic

from app.db.base import TaskRow
from app.errors import BranchMoved, LeaseHeld
from app.log_fields import RUNS, bound, tell
from app.observability.base import Subject
from app.observability.watching import Watches
from app.services.reports import RunReport
from app.services.workplace import Workplace
from app.vm.events import Listener


@dataclass(slots=True)
class Observed:
    """``listener`` is to hear of the run, whose ``report`` is told at its end."""

    listener: Listener | None
    report: RunReport | None = None


@contextmanager
def observed(
    workplace: Workplace, task: TaskRow, branch: str, listener: Listener | None
) -> Iterator[Observed]:
    """The block is a run of the branch."""
    with bound(task_id=task.id, branch=branch):
        watches = Watches(workplace.observers, Subject(task.id, branch, task.namespace), listener)
        # Unobserved, nobody is told more than was asked for: that costs nothing.
        run = Observed(watches.hear if workplace.observers else listener)
        began = monotonic()
        tell(RUNS, logging.INFO, "run.started", namespace=task.namespace)
        try:
            yield run
        except BaseException as error:
            watches.end(_tell_broken_off(error, monotonic() - began))
            raise
        if run.report is not None:
            _tell_end(run.report, monotonic() - began)
            watches.end(run.report.status)


def _tell_end(report: RunReport, seconds: float) -> None:
    waiting = report.waiting
    if waiting is not None:
        place = waiting.place
        tell(RUNS, logging.INFO, "step.waits", waiting.reason, step=place.seq_no, item=place.item)
    message = str(report.error["message"]) if report.error is not None else ""
    tell(
        RUNS,
        logging.INFO,
        "run.ended",
        message,
        status=report.status,
        steps=report.steps,
        seconds=round(seconds, 3),
        branch=report.branch,
    )


def _tell_broken_off(error: BaseException, seconds: float) -> str:
    """Gives how it ended: it came to no status of its own."""
    event, status, level = "run.broken_off", "broken_off", logging.WARNING
    if isinstance(error, BranchMoved):
        event, status = "lease.lost", "lease_lost"
    elif isinstance(error, LeaseHeld):
        event, status, level = "lease.held", "lease_held", logging.INFO
    tell(RUNS, level, event, str(error), error=type(error).__name__, seconds=round(seconds, 3))
    return status

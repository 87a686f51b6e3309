"""The lines of a run: what of its events an operator wants to read."""

from __future__ import annotations

import logging

from app.log_fields import RUNS, bind, tell
from app.observability.base import Claimed, Handed, Subject
from app.vm.events import AttemptBegan, Event, ModelRetried, RevisionMade, StepCommitted


class RunLines:
    """An :class:`app.observability.base.Observer`, and the watch of every run: it keeps nothing."""

    def open(self, subject: Subject) -> RunLines:
        """See :class:`app.observability.base.Observer`."""
        return self

    def note(self, handed: Handed) -> None:
        """See :class:`app.observability.base.Observer`."""
        if not isinstance(handed, Claimed):
            _say("run.handed_back", reason=handed.reason)
        elif handed.takeovers:
            _say("run.taken_over", level=logging.WARNING, takeovers=handed.takeovers)
        else:
            _say("run.claimed")

    def hear(self, event: Event) -> None:
        """See :class:`app.observability.base.RunWatch`."""
        if isinstance(event, StepCommitted):
            if event.error is not None and event.kind == "failure":
                _say("step.failed", event.error, level=logging.WARNING, step=event.step.seq_no)
        elif isinstance(event, AttemptBegan):
            if event.number > 1:
                _say(
                    "step.retried", step=event.seq_no, item=event.item, tool=event.tool, attempt=event.number
                )
        elif isinstance(event, ModelRetried):
            _say(
                "model.retried",
                event.message,
                step=event.seq_no,
                error=event.kind,
                seconds=event.wait_seconds,
            )
        elif isinstance(event, RevisionMade):
            _say("run.revised", branch=event.branch, kept=event.kept)
            bind(branch=event.branch)

    def end(self, status: str) -> None:
        """See :class:`app.observability.base.RunWatch`."""


def _say(event: str, message: str = "", *, level: int = logging.INFO, **more: object) -> None:
    tell(RUNS, level, event, message, **more)

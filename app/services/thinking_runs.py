"""A run that thinks: while its model writes a plan it can be paused between two replies, and cancelled at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from app.services.kept_replies import KeepingAsker, KeptReplies
from app.services.leases import Heartbeat
from app.services.thinking import Askers
from app.services.workplace import Workplace
from app.tools.context import Cancellation, Cancelled
from app.vm.interrupts import Interrupts, StopAsked
from app.vm.limits import cancelled_by
from app.vm.machine import RunResult
from app.vm.scribe import Scribe
from app.vm.state import CANCELLED, PAUSED


def keeping(askers: Askers | None, replies: KeptReplies, interrupts: Interrupts) -> Askers | None:
    """The models, with every reply of the one that plans kept until it is committed."""
    if askers is None:
        return None
    keeping = KeepingAsker(askers.reasoning, askers.model, replies, interrupts, Cancellation())
    return replace(askers, reasoning=keeping)


@contextmanager
def thinking(heartbeat: Heartbeat, interrupts: Interrupts, askers: Askers | None) -> Iterator[None]:
    """While a plan is written: the lease is kept, a cancellation ends the model's call. Raises ``StopAsked``."""
    reasoning = askers.reasoning if askers is not None else None
    cancellation = reasoning.cancellation if isinstance(reasoning, KeepingAsker) else Cancellation()
    try:
        with (
            heartbeat.beating(interrupts),
            interrupts.cancelling(cancellation.request),
            interrupts.awaiting_effect(),
        ):
            yield
    except (Cancelled, KeyboardInterrupt):
        if not interrupts.is_cancelled:
            raise
        raise StopAsked from None


def stop_thinking(workplace: Workplace, scribe: Scribe, interrupts: Interrupts) -> RunResult:
    """The run was to stop while a plan was being written. What the model has said so far is kept."""
    status = PAUSED
    if interrupts.asked is not None and interrupts.is_cancelled:
        record = cancelled_by(interrupts.asked.who, workplace.clock_ms())
        scribe.stop(record, author=record["who"])
        scribe.journal.flush()
        status = CANCELLED
    assert scribe.journal.head is not None
    return RunResult(status, scribe.journal.head)

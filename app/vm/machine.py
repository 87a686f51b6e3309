"""The machine: interpret, perform, commit, until the run ends or waits."""

from __future__ import annotations

from dataclasses import dataclass
from threading import TIMEOUT_MAX, Timer
from time import monotonic
from typing import Final

from app.crash_points import reached
from app.errors import ModelError
from app.plan.model import Json
from app.tools.context import Cancelled
from app.vm.caller import Caller, CutShort, MustWait, Tools
from app.vm.decisions import Place, Waiting
from app.vm.effects import Effect, JudgementNeeded, Outcome
from app.vm.events import Event, Listener, RunStopped, StepCommitted, StepStarted, UsageGrew
from app.vm.interpreter import Interpreter
from app.vm.interrupts import Interrupts, StopAsked
from app.vm.limits import cancelled_by, limit_reached
from app.vm.records import Record, judgement_record, plain_record, recorded_outcome, reused_calls
from app.vm.scheduler import WIDTH, Scheduler
from app.vm.scribe import Scribe
from app.vm.state import FAILED, PAUSED, RUNNING, WAITING, Transition
from app.vm.thinking import Thinker, model_error_text

NO_MODEL = "the step asks a model, and none is configured: set LLM_PROVIDER and LLM_MODEL, or use `condition`"

_SLACK_SECONDS: Final = 0.01
"""So that the clock agrees that the time is over when the timer says so."""


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a run ended: ``status`` is ``completed``, ``failed``, ``cancelled``, ``waiting`` or ``paused``."""

    status: str
    head: bytes
    waiting: Waiting | None = None


class Machine:
    """Runs one branch from where its scribe stands. One use: make a new one to go on."""

    def __init__(
        self,
        *,
        scribe: Scribe,
        interpreter: Interpreter,
        tools: Tools,
        caller: Caller,
        interrupts: Interrupts,
        listener: Listener | None = None,
        thinker: Thinker | None = None,
        width: int = WIDTH,
    ) -> None:
        self._scribe = scribe
        self._interpreter = interpreter
        self._caller = caller
        self._interrupts = interrupts
        self._listener = listener
        self._thinker = thinker
        self._started = monotonic()
        self._worked_before = scribe.state.worked_ms / 1000
        self._scheduler = Scheduler(
            scribe=scribe,
            interpreter=interpreter,
            tools=tools,
            caller=caller,
            interrupts=interrupts,
            tell=self._tell,
            width=width,
        )

    def run(self) -> RunResult:
        """Go on until the run ends, waits, or is paused or cancelled. What was committed is durable on return.

        Raises ``BranchMoved`` where the branch is no longer ours, ``StorageError``, and ``KeyboardInterrupt``
        where it was to stop at once; the run can be resumed after each.
        """
        state = self._scribe.state
        if state.status == FAILED:
            state.status = RUNNING  # the failed step is tried again
        timer = self._start_timer()
        try:
            with self._interrupts.cancelling(self._caller.performer.cancellation.request):
                waiting = self._run_steps()
            self._scribe.journal.flush()
            self._scheduler.wind_up()
        except BaseException as error:
            self._scheduler.abandon()
            if isinstance(error, KeyboardInterrupt):
                self._scribe.journal.flush()
            raise
        finally:
            timer.cancel()
        head = self._scribe.journal.head
        assert head is not None
        if waiting is not None:
            return RunResult(WAITING, head, waiting)
        # One that still runs was asked to pause.
        return RunResult(PAUSED if state.status == RUNNING else state.status, head)

    def _run_steps(self) -> Waiting | None:
        """Until the run ends, is to pause, or gives what it waits for."""
        waiting: Waiting | None = None
        try:
            while self._scribe.state.status == RUNNING:
                if self._stopped_by_limit(self._seconds()):
                    break
                self._interrupts.check_asked()
                self._step()
        except StopAsked:
            pass
        except MustWait as wait:
            waiting = wait.waiting
        except CutShort:
            if not self._interrupts.is_cancelled:
                self._stopped_by_limit(max(self._seconds(), self._scribe.limits.get("seconds", 0)))
        except KeyboardInterrupt:
            if not self._interrupts.is_cancelled:
                raise
        if self._interrupts.is_cancelled and self._scribe.state.status == RUNNING:
            self._cancel()
            return None
        return waiting

    def _cancel(self) -> None:
        asked = self._interrupts.asked
        record = cancelled_by(asked.who if asked is not None else None, self._caller.now_ms())
        self._scribe.stop(record, author=record["who"])
        self._tell(RunStopped(record["message"]))

    def _step(self) -> None:
        scribe, state = self._scribe, self._scribe.state
        assert state.pc is not None, "a running state has a next step"
        self._scheduler.tend()
        request = scribe.begin(self._interpreter)
        if isinstance(request, Transition):
            record = plain_record(self._interpreter.instruction(state.pc).step)
            transition = request
        else:
            record = self._perform(request)
            transition = self._interpreter.finish(state, request, recorded_outcome(record))
        oid, made = scribe.step(self._interpreter, transition, record)
        reached("step.committed")
        if not made.failed and not isinstance(request, Transition):
            self._caller.committed(record, oid, request)
        self._scheduler.committed(made)
        if not isinstance(request, Transition) and self._must_flush(record):
            scribe.journal.flush()
        if self._listener is not None:
            self._tell_committed(oid, made, record)

    def _must_flush(self, record: Record) -> bool:
        """Whether the effect that was committed is at risk until then. Reads side by side are flushed together."""
        effect = record.get("effect")
        if effect == "pure" or "from_commit" in record:
            return False  # made again, or found again, it is the same
        return not (effect == "read" and self._scheduler.is_flushing)

    def _perform(self, effect: Effect) -> Record:
        """Get the effect done; gives its record. Raises ``MustWait``."""
        if not isinstance(effect, JudgementNeeded):
            return self._scheduler.perform(effect)
        self._scribe.journal.flush()
        self._tell(StepStarted(self._interpreter.instruction(effect.seq_no).step, effect.visit))
        return self._judge(effect)

    def _judge(self, effect: JudgementNeeded) -> Record:
        """Ask the model about a condition."""
        earlier = self._caller.earlier_judgement(effect)
        if earlier is not None:
            return judgement_record(effect, Outcome(earlier.value), origin=earlier.origin)
        if self._thinker is None:
            return judgement_record(effect, Outcome(error=NO_MODEL))
        try:
            with self._interrupts.awaiting_effect():
                watch = self._caller.watch(Place(effect.seq_no, effect.visit))
                thought = self._thinker.judge(effect.prompt, effect.context, watch)
        except Cancelled:
            raise CutShort from None
        except ModelError as error:
            calls = [call.to_json() for call in error.calls]
            return judgement_record(effect, Outcome(error=model_error_text(error)), calls)
        return judgement_record(effect, Outcome(thought.value), [call.to_json() for call in thought.calls])

    def _start_timer(self) -> Timer:
        """What tells the calls under way to end when the run's time is over; those that heed it do."""
        seconds = self._scribe.limits.get("seconds", TIMEOUT_MAX) - self._seconds() + _SLACK_SECONDS
        timer = Timer(min(max(seconds, 0.0), TIMEOUT_MAX), self._caller.performer.cancellation.request)
        timer.daemon = True
        timer.start()
        return timer

    def _seconds(self) -> float:
        """For how long the run has worked, earlier processes included."""
        return self._worked_before + monotonic() - self._started

    def _stopped_by_limit(self, seconds: float) -> bool:
        scribe = self._scribe
        record = limit_reached(scribe.limits, scribe.state, seconds)
        if record is None:
            return False
        scribe.stop(record)
        self._tell(RunStopped(record["message"]))
        return True

    def _tell(self, event: Event) -> None:
        if self._listener is not None:
            self._listener(event)

    def _tell_committed(self, oid: bytes, made: Transition, record: Record) -> None:
        step = self._interpreter.instruction(record["seq_no"]).step
        duration = record["ended_ms"] - record["started_ms"] if "started_ms" in record else None
        error = made.failure.message if made.failure is not None else None
        kind = "failure" if made.failed else "step"
        values: dict[str, Json] = dict(made.variables)
        self._tell(
            StepCommitted(oid.hex(), step, kind, made.summary, duration, values, error, reused_calls(record))
        )
        if record.get("model_calls"):
            self._tell(UsageGrew(self._scribe.state.usage))

"""The machine: interpret, perform, commit, until the run ends or waits."""

from __future__ import annotations

from dataclasses import dataclass
from time import monotonic

from app.errors import ModelError, StepError
from app.plan.model import Json
from app.vm.caller import Caller, MustWait, Request, Tools
from app.vm.decisions import Place, Waiting
from app.vm.effects import CallNeeded, Effect, FanNeeded, JudgementNeeded, Outcome
from app.vm.events import Event, ItemDone, Listener, RunStopped, StepCommitted, StepStarted
from app.vm.fans import Fan
from app.vm.interpreter import Interpreter
from app.vm.interrupts import Interrupts
from app.vm.limits import limit_reached
from app.vm.records import Record, call_record, fan_record, judgement_record, plain_record, recorded_outcome
from app.vm.scribe import Scribe
from app.vm.state import FAILED, RUNNING, WAITING, Transition
from app.vm.thinking import Thinker, model_error_text

NO_MODEL = "the step asks a model, and none is configured: set LLM_PROVIDER and LLM_MODEL, or use `condition`"


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a run ended: ``status`` is ``completed``, ``failed``, ``cancelled`` or ``waiting``."""

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
    ) -> None:
        self._scribe = scribe
        self._interpreter = interpreter
        self._tools = tools
        self._caller = caller
        self._interrupts = interrupts
        self._listener = listener
        self._thinker = thinker
        self._started = monotonic()
        self._worked_before = scribe.state.worked_ms / 1000

    def run(self) -> RunResult:
        """Go on until the run ends or waits. What was committed is durable on return.

        Raises ``BranchMoved`` where the branch is no longer ours, ``StorageError``, and ``KeyboardInterrupt``
        where a stop was asked for; the run can be resumed after each.
        """
        state = self._scribe.state
        waiting = None
        if state.status == FAILED:
            state.status = RUNNING  # the failed step is tried again
        try:
            while state.status == RUNNING:
                if self._stopped_by_limit():
                    break
                self._interrupts.check()
                self._step()
        except MustWait as wait:
            waiting = wait.waiting
        except KeyboardInterrupt:
            self._scribe.journal.flush()
            raise
        self._scribe.journal.flush()
        head = self._scribe.journal.head
        assert head is not None
        return RunResult(WAITING if waiting else state.status, head, waiting)

    def _step(self) -> None:
        scribe, state = self._scribe, self._scribe.state
        assert state.pc is not None, "a running state has a next step"
        request = scribe.begin(self._interpreter)
        if isinstance(request, Transition):
            record = plain_record(self._interpreter.instruction(state.pc).step)
            transition = request
        else:
            scribe.journal.flush()
            record = self._perform(request)
            transition = self._interpreter.finish(state, request, recorded_outcome(record))
        oid, made = scribe.step(self._interpreter, transition, record)
        if not isinstance(request, Transition) and record.get("effect") != "pure":
            scribe.journal.flush()
            if isinstance(request, FanNeeded) and not made.failed:
                self._caller.ledger.drop_effects(self._caller.branch, request.seq_no, request.visit)
        if self._listener is not None:
            self._tell_committed(oid, made, record)

    def _perform(self, effect: Effect) -> Record:
        """Get the effect done; gives its record. Raises ``MustWait``."""
        step = self._interpreter.instruction(effect.seq_no).step
        count = effect.count if isinstance(effect, FanNeeded) else None
        self._tell(StepStarted(step, effect.visit, count))
        if isinstance(effect, JudgementNeeded):
            return self._judge(effect)
        try:
            tool = self._tools.find(effect.tool_name)
        except StepError as error:
            return self._refused(effect, str(error))
        with self._interrupts.awaiting():
            if isinstance(effect, FanNeeded):
                fan = Fan(
                    self._caller, effect, tool, lambda done: self._tell(ItemDone(step, done, effect.count))
                )
                return fan_record(effect, tool, fan.run())
            place = Place(effect.seq_no, effect.visit)
            request = Request(
                place,
                tool,
                effect.inputs,
                effect.timeout,
                effect.retry,
                effect.handles_errors,
                effect.outputs,
            )
            answered = self._caller.answer(request)
        return call_record(effect, tool, answered.outcome, key=answered.key, decision=answered.decision)

    def _judge(self, effect: JudgementNeeded) -> Record:
        """Ask the model about a condition."""
        if self._thinker is None:
            return judgement_record(effect, Outcome(error=NO_MODEL))
        try:
            with self._interrupts.awaiting():
                thought = self._thinker.judge(effect.prompt, effect.context)
        except ModelError as error:
            calls = [call.to_json() for call in error.calls]
            return judgement_record(effect, Outcome(error=model_error_text(error)), calls)
        return judgement_record(effect, Outcome(thought.value), [call.to_json() for call in thought.calls])

    def _refused(self, effect: CallNeeded | FanNeeded, message: str) -> Record:
        """There is no tool to call."""
        outcome = self._caller.without_call(error=message)
        if isinstance(effect, FanNeeded):
            return fan_record(effect, None, [outcome] * min(1, effect.count))
        return call_record(effect, None, outcome)

    def _stopped_by_limit(self) -> bool:
        scribe = self._scribe
        worked = self._worked_before + monotonic() - self._started
        record = limit_reached(scribe.limits, scribe.state, worked)
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
        self._tell(StepCommitted(oid.hex(), step, kind, made.summary, duration, values, error))

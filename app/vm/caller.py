"""Gets one call of a step done: keeps its attempts, obeys decisions, waits where nobody knows what happened."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, Final, Protocol

from app.db.base import Attempt, AttemptState, Ledger
from app.history.canonical import RECORD_DEPTH, canonical
from app.plan.model import Json, Retry
from app.tools.base import Tool
from app.tools.context import Generate
from app.vm.calls import Call, CallError, CallState, Outcome
from app.vm.decisions import Decisions, Place, Waiting, in_doubt, reason_for_waiting
from app.vm.performer import Performer
from app.vm.thinking import ModelUse, Thinker

KEYED: Final = frozenset({"write", "irreversible"})
"""Effect classes whose calls have attempts and idempotency keys."""

_ATTEMPT_STATES: Final[Mapping[str, AttemptState]] = {
    "timeout": "timeout",
    "not_performed": "not_performed",
    "arguments": "not_performed",
}


class Tools(Protocol):
    """The tools that the task's namespace allows."""

    def find(self, name: str) -> Tool:
        """The tool of that name or alias. Raises ``StepError`` where there is none, or it is not allowed."""


class MustWait(Exception):
    """The run waits for a decision about a call."""

    def __init__(self, waiting: Waiting) -> None:
        super().__init__(waiting.reason)
        self.waiting = waiting


@dataclass(frozen=True, slots=True)
class Request:
    """One call as the step asks for it. ``handles_errors``: the plan says what follows an error."""

    place: Place
    tool: Tool
    inputs: Mapping[str, Json]
    timeout: float | None
    retry: Retry | None
    handles_errors: bool
    outputs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """An outcome, with the key and the decision that belong into its record."""

    outcome: Outcome
    key: str | None = None
    decision: Mapping[str, Any] | None = None


class Caller:
    """Makes the calls of one run. ``anchor`` gives the commit that idempotency keys hang on."""

    def __init__(
        self,
        *,
        task_id: str,
        branch: str,
        performer: Performer,
        ledger: Ledger,
        decisions: Decisions,
        anchor: Callable[[], bytes | None],
        clock_ms: Callable[[], int],
        max_result_bytes: int,
        thinker: Thinker | None = None,
        on_token: Callable[[Place, str], None] | None = None,
    ) -> None:
        self.task_id = task_id
        self.branch = branch
        self.performer = performer
        self.ledger = ledger
        self._decisions = decisions
        self._anchor = anchor
        self._clock_ms = clock_ms
        self._max_result_bytes = max_result_bytes
        self._thinker = thinker
        self._on_token = on_token
        self._uses: dict[Place, ModelUse] = {}

    def answer(self, request: Request) -> Answer:
        """Make the call, or take what was decided about it. Raises :class:`MustWait`."""
        settled = self.settled(request)
        if settled is not None:
            return settled
        return self.answered(request, self.performer.perform(self.call(request), self.hooks(request.tool)))

    def answered(self, request: Request, performed: Outcome) -> Answer:
        """The answer that a call gave. Raises :class:`MustWait`."""
        outcome = self.with_model_calls(request.place, performed)
        if request.tool.effect not in KEYED:
            return Answer(outcome)
        self._refuse_doubt(request, outcome)
        return Answer(outcome, self.key(request.place))

    def settled(self, request: Request) -> Answer | None:
        """The answer that needs no call: an error the plan handles, or a decision. Raises :class:`MustWait`."""
        attempt = self.doubtful(request)
        if attempt is None:
            return None
        decision = self._decisions.about(attempt)
        if decision is None:
            if attempt.state == "raised" and request.handles_errors:
                return Answer(self.without_call(error=attempt.error or "the tool raised"), attempt.key)
            raise MustWait(self._waiting(request, attempt))
        if decision["choice"] == "run":
            return None
        noted = {name: decision[name] for name in ("choice", "who", "from_commit") if name in decision}
        if decision["choice"] == "fail":
            return Answer(
                self.without_call(error="somebody decided that this step fails"), attempt.key, noted
            )
        return Answer(self.without_call(value=decision.get("value")), attempt.key, noted)

    def doubtful(self, request: Request) -> Attempt | None:
        """The attempt of this very call whose effect nobody knows."""
        if request.tool.effect != "irreversible":
            return None
        return in_doubt(self.ledger.attempts(self.key(request.place)))

    def _refuse_doubt(self, request: Request, outcome: Outcome) -> None:
        """Wait where a call that can't be repeated was made and nobody knows what it did."""
        if outcome.state != "unknown":
            return
        attempt = self.doubtful(request)
        if attempt is not None and not (attempt.state == "raised" and request.handles_errors):
            raise MustWait(self._waiting(request, attempt))

    def key(self, place: Place) -> str:
        """The idempotency key of a call: the same for all its attempts, also after a failure was committed."""
        anchor = self._anchor()
        where = [self.task_id, self.branch, anchor.hex() if anchor else None]
        return sha256(canonical([*where, place.seq_no, place.visit, place.item])).hexdigest()

    def call(self, request: Request) -> Call:
        """The call as the performer wants it: the step's timeout and retry, else the tool's."""
        tool, place = request.tool, request.place
        return Call(
            tool=tool,
            arguments=request.inputs,
            task_id=self.task_id,
            branch=self.branch,
            seq_no=place.seq_no,
            visit=place.visit,
            item=place.item,
            idempotency_key=self.key(place) if tool.effect in KEYED else None,
            timeout=request.timeout if request.timeout is not None else tool.timeout,
            retry=request.retry if request.retry is not None else tool.retry,
            max_result_bytes=self._max_result_bytes,
            generate=self._generate(request),
        )

    def _generate(self, request: Request) -> Generate | None:
        """The way to the model for a tool that takes a context; what it asks is accounted for by place."""
        thinker, on_token, place = self._thinker, self._on_token, request.place
        if thinker is None or request.tool.context_parameter is None:
            return None
        listener = None if on_token is None else lambda token: on_token(place, token)
        self._uses[place] = ModelUse(thinker, request.outputs, listener)
        return self._uses[place].generate

    def with_model_calls(self, place: Place, outcome: Outcome) -> Outcome:
        """The outcome of a call with the model calls it made."""
        use = self._uses.pop(place, None)
        calls = use.to_json() if use is not None else ()
        return replace(outcome, model_calls=calls) if calls else outcome

    def hooks(self, tool: Tool) -> AttemptKeeper | None:
        """What makes attempts durable, for the classes that have them."""
        return AttemptKeeper(self.ledger, self._clock_ms) if tool.effect in KEYED else None

    def without_call(self, value: Json = None, error: str | None = None) -> Outcome:
        """An outcome for which no tool was called."""
        now = self._clock_ms()
        if error is None:
            return Outcome("ok", value, None, 0, now, now)
        return Outcome("failed", None, CallError("arguments", error), 0, now, now)

    def _waiting(self, request: Request, attempt: Attempt) -> Waiting:
        reason = reason_for_waiting(attempt, declared=request.tool.declared)
        return Waiting(reason, request.place, request.tool.name, request.inputs, attempt.key, attempt.number)


class AttemptKeeper:
    """Writes attempts into the ledger, numbered on from those of earlier runs."""

    def __init__(self, ledger: Ledger, clock_ms: Callable[[], int]) -> None:
        self._ledger = ledger
        self._clock_ms = clock_ms
        self._earlier: dict[str, int] = {}

    def before_attempt(self, call: Call, number: int) -> None:
        """Durable before the tool is called."""
        key = call.idempotency_key
        assert key is not None
        if key not in self._earlier:
            attempts = self._ledger.attempts(key)
            self._earlier[key] = attempts[-1].number if attempts else 0
        asked = inputs_hash(call.tool, call.arguments)
        self._ledger.begin(
            Attempt(
                key=key,
                branch=call.branch,
                seq_no=call.seq_no,
                visit=call.visit,
                item=call.item,
                tool=call.tool.name,
                inputs_hash=asked,
                number=self._earlier[key] + number,
                started_ms=self._clock_ms(),
                state="begun",
                error=None,
            )
        )

    def after_attempt(self, call: Call, number: int, state: CallState, error: CallError | None) -> None:
        """Note what went wrong. Success needs no note: the commit that follows is one."""
        key = call.idempotency_key
        if error is not None and error.kind != "cancelled" and key is not None:
            known = _ATTEMPT_STATES.get(error.kind, "raised")
            self._ledger.close(key, self._earlier[key] + number, known, error.message)


def inputs_hash(tool: Tool, inputs: Mapping[str, Json]) -> str:
    """What a call asks, as a hash: tool, version and resolved inputs."""
    return sha256(canonical([tool.name, tool.version, dict(inputs)], RECORD_DEPTH)).hexdigest()

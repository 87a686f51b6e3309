"""Gets one call of a step done: keeps its attempts, obeys decisions, waits where nobody knows what happened."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, Final, Protocol

from app.crash_points import reached
from app.db.base import Attempt, AttemptState, Ledger
from app.history.canonical import canonical
from app.llm.base import UNWATCHED, Watch
from app.plan.model import Json, Retry
from app.tools.base import Tool
from app.tools.context import Cancellation, Generate
from app.tools.secrets import NO_SECRETS, Secrets
from app.vm.calls import Call, CallError, CallState, Outcome
from app.vm.decisions import Decisions, Place, Waiting, in_doubt, reason_for_waiting
from app.vm.effects import Effect, JudgementNeeded
from app.vm.keys import KEYED, NOTHING_WRITTEN, CallKey, call_key, input_digests, judgement_key
from app.vm.origins import Origin
from app.vm.performer import Performer
from app.vm.records import Record
from app.vm.reuse import Found, Reuse
from app.vm.thinking import ModelUse, Thinker

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


class CutShort(Exception):
    """The run's time was over before a call had an outcome. Its step is not committed, and is begun anew later."""


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

    def content_key(self, written: bytes) -> CallKey:
        """What the call asks, after the writes that ``written`` stands for."""
        tool = self.tool
        return call_key(tool.name, tool.version, tool.effect, input_digests(self.inputs), written)


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
        watch: Callable[[Place], Watch] | None = None,
        reuse: Reuse | None = None,
        secrets: Secrets = NO_SECRETS,
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
        self._watch = watch
        self._secrets = secrets
        self._uses: dict[Place, ModelUse] = {}
        self.reuse = reuse

    def answer(self, request: Request) -> Answer:
        """Make the call, or take what was decided about it. Raises :class:`MustWait` and :class:`CutShort`."""
        settled = self.settled(request)
        if settled is not None:
            return settled
        return self.answered(request, self.performer.perform(self.call(request), self.hooks(request.tool)))

    def answered(self, request: Request, performed: Outcome) -> Answer:
        """The answer that a call gave. Raises :class:`MustWait` and :class:`CutShort`."""
        outcome = self.with_model_calls(request.place, performed)
        if request.tool.effect in KEYED:
            self._refuse_doubt(request, outcome)
        if self.was_cut_short(outcome):
            raise CutShort
        return Answer(outcome, self.key(request.place) if request.tool.effect in KEYED else None)

    def settled(self, request: Request) -> Answer | None:
        """The answer that needs no call: an error the plan handles, or a decision. Raises :class:`MustWait`."""
        if request.tool.effect != "irreversible":
            return None
        attempt = self.doubtful(request)
        if attempt is None:
            return self._after_fork(request)
        decision = self._decisions.about(attempt.key, attempt.number)
        if decision is not None:
            return self._decided(attempt.key, decision)
        if attempt.state == "raised" and request.handles_errors:
            return Answer(self.without_call(error=attempt.error or "the tool raised"), attempt.key)
        raise MustWait(self._waiting(request, attempt))

    def _decided(self, key: str, decision: Mapping[str, Any]) -> Answer | None:
        """What a decision makes of a call; ``None``: it is made."""
        if decision["choice"] == "run":
            return None
        noted = {name: decision[name] for name in ("choice", "who", "from_commit") if name in decision}
        if decision["choice"] == "fail":
            return Answer(self.without_call(error="somebody decided that this step fails"), key, noted)
        outcome = self.without_call(value=decision.get("value"))
        if "from_commit" in noted:
            outcome = replace(outcome, origin=Origin(noted["from_commit"]))
        return Answer(outcome, key, noted)

    def _after_fork(self, request: Request) -> Answer | None:
        """What becomes of a call whose tool was called beyond the fork point, and must not be repeated unasked."""
        reuse = self.reuse
        if reuse is None or request.tool.name not in reuse.again:
            return None
        key = self.key(request.place)
        decision = self._decisions.about(key, 0)
        if decision is not None:
            return self._decided(key, decision)
        if reuse.policy == "run":
            return None
        if reuse.policy == "skip":
            return Answer(self.without_call(), key, {"choice": "skip"})
        found = reuse.find(request.content_key(reuse.written)) if reuse.policy == "reuse" else None
        if found is not None and found.origin.commit is not None:
            noted = {"choice": "reuse", "from_commit": found.origin.commit}
            return Answer(self.from_earlier(found), key, noted)
        reason = f"{request.tool.name} was called beyond the fork point, and must not be repeated unasked"
        raise MustWait(Waiting(reason, request.place, request.tool.name, request.inputs, key, 0))

    def earlier_judgement(self, effect: JudgementNeeded) -> Found | None:
        """What a model said of the same condition before."""
        if self.reuse is None or not self.reuse.enabled:
            return None
        return self.reuse.find(judgement_key(effect.prompt, effect.context))

    def committed(self, record: Record, oid: bytes, effect: Effect) -> None:
        """A step with an effect was committed: its answers count from now on."""
        if self.reuse is not None:
            outputs = () if isinstance(effect, JudgementNeeded) else effect.outputs
            self.reuse.committed(record, oid.hex(), outputs)

    def from_earlier(self, found: Found) -> Outcome:
        """An earlier answer as the outcome of a call that was not made."""
        return replace(self.without_call(value=found.value), origin=found.origin)

    def doubtful(self, request: Request) -> Attempt | None:
        """The attempt of this very call whose effect nobody knows."""
        if request.tool.effect != "irreversible":
            return None
        return in_doubt(self.ledger.attempts(self.key(request.place)))

    def was_cut_short(self, outcome: Outcome) -> bool:
        """Whether the call was ended, or not begun, because the run's time is over."""
        error = outcome.error
        return error is not None and error.kind == "cancelled" and self.performer.cancellation.requested

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
            secrets=self._secrets,
        )

    def _generate(self, request: Request) -> Callable[[Cancellation], Generate] | None:
        """The way to the model for a tool that takes a context; what it asks is accounted for by place."""
        if self._thinker is None or request.tool.context_parameter is None:
            return None
        use = self._uses[request.place] = ModelUse(self._thinker, request.outputs, self.watch(request.place))
        return use.until

    def watch(self, place: Place) -> Watch:
        """Who follows the models that are asked at ``place``; the end of the run's time ends them."""
        watch = UNWATCHED if self._watch is None else self._watch(place)
        return replace(watch, cancellation=self.performer.cancellation)

    def with_model_calls(self, place: Place, outcome: Outcome) -> Outcome:
        """The outcome of a call with the model calls it made."""
        use = self._uses.pop(place, None)
        calls = use.to_json() if use is not None else ()
        return replace(outcome, model_calls=calls) if calls else outcome

    def hooks(self, tool: Tool) -> AttemptKeeper | None:
        """What makes attempts durable, for the classes that have them."""
        return AttemptKeeper(self.ledger, self._clock_ms) if tool.effect in KEYED else None

    def now_ms(self) -> int:
        """The run's clock."""
        return self._clock_ms()

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
        asked = inputs_hash(call.tool, input_digests(call.arguments))
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
        reached("attempt.begun")

    def after_attempt(self, call: Call, number: int, state: CallState, error: CallError | None) -> None:
        """Note what went wrong. Success needs no note: the commit that follows is one."""
        key = call.idempotency_key
        if error is not None and error.kind != "cancelled" and key is not None:
            known = _ATTEMPT_STATES.get(error.kind, "raised")
            self._ledger.close(key, self._earlier[key] + number, known, error.message)
            reached("attempt.closed")


def inputs_hash(tool: Tool, digests: Mapping[str, str]) -> str:
    """What a call asks, as a hash: tool, version and the digests of the resolved inputs."""
    return call_key(tool.name, tool.version, tool.effect, digests, NOTHING_WRITTEN).asked.hex()

"""Runs a stored history again with what there is now: tools, prompts, interpreter.

Where the same is asked as was recorded, the recorded outcome is taken, errors too. A ``pure`` or ``read`` call that
was not recorded is made; a ``write`` or ``irreversible`` one never is: its step fails. Plans, edits and decisions are
taken as they were. Where nothing has changed, the commits get the same ids.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

from app.errors import ModelError, NotFound, StepError
from app.history.codec import Snapshot
from app.history.commits import ENGINE, Commit
from app.history.journal import Journal
from app.history.repository import HEADS, Repository
from app.llm.base import UNWATCHED
from app.plan.parse import plan_from_json
from app.tools.base import Tool
from app.vm.answers import Line
from app.vm.caller import Caller, Request, Tools
from app.vm.calls import CallError, Outcome
from app.vm.decisions import Place
from app.vm.effects import CallNeeded, Effect, FanNeeded, JudgementNeeded
from app.vm.effects import Outcome as Judged
from app.vm.forks import PLAN_KINDS
from app.vm.interpreter import Interpreter
from app.vm.keys import KEYED, CallKey, call_key, input_digests, judgement_key, recorded_calls
from app.vm.origins import Mind, minds_of
from app.vm.records import Record, call_record, fan_record, judgement_record, plain_record, recorded_outcome
from app.vm.scribe import Scribe
from app.vm.state import FAILED, RUNNING, Transition
from app.vm.thinking import Thinker

StepKey: TypeAlias = tuple[str | None, tuple[CallKey, ...]]
"""The tool, and the keys of all its calls."""

NOT_MADE = "this call was not recorded, and a golden run makes none that changes the outside"


NO_MODEL = "the condition or its prompt is not what was recorded, and no model is configured to ask"


class Given(NamedTuple):
    """What one recorded call gave."""

    value: Any
    error: str | None


class Rerun:
    """``knows`` says whether a model that took part in a recorded answer would be asked the same way now.

    ``made`` counts the calls that were made anew.
    """

    def __init__(
        self,
        repository: Repository,
        task_id: str,
        *,
        tools: Tools,
        caller: Callable[[Scribe], Caller],
        thinker: Thinker | None,
        knows: Callable[[Mind], bool],
    ) -> None:
        self._repository = repository
        self._task_id = task_id
        self._tools = tools
        self._make_caller = caller
        self._thinker = thinker
        self._knows = knows
        self._tools_used: set[str] = set()
        self._steps: dict[StepKey, deque[Record]] = defaultdict(deque)
        self._calls: dict[CallKey, deque[Given]] = defaultdict(deque)
        self._line = Line()
        self._interpreter: Interpreter
        self._scribe: Scribe
        self._caller: Caller
        self.made = 0

    def run(self, head: bytes, branch: str) -> bytes:
        """Run the line of history that ends at ``head`` again, as ``branch``; gives its new head.

        Raises ``NotFound`` for a tool that is not there any more.
        """
        commits = list(self._repository.log(head))[::-1]
        self._learn(commits)
        self._begin(commits[0], branch)
        for control, steps, is_last in _segments(commits[1:]):
            if control is not None:
                self._control(control)
            self._run_steps(steps, to_the_end=is_last)
        self._scribe.journal.flush()
        made = self._scribe.journal.head
        assert made is not None
        return made

    def _learn(self, commits: Sequence[Commit]) -> None:
        """Everything that was recorded, in order."""
        line = Line()
        for commit in commits:
            if commit.kind not in ("step", "failure"):
                continue
            record = self._repository.reader.record(commit.tree)
            if "inputs" not in record:
                continue
            calls = list(recorded_calls(_versionless(record), line.written))
            self._steps[record.get("tool"), tuple(call.key for call in calls)].append(record)
            if "effect" in record:
                self._tools_used.add(record["tool"])
            for call in calls:
                self._calls[call.key].append(_given(record, call.item))
            if commit.kind == "step":
                line.take(_versionless(record), commit.id, ())

    def _begin(self, commit: Commit, branch: str) -> None:
        record = self._repository.reader.record(commit.tree)
        record.pop("kind")
        journal = Journal(self._repository.store, HEADS + branch, None)
        goal = self._repository.reader.goal(commit.tree)
        self._scribe = Scribe(journal, Snapshot(goal=goal, record={}, control={}), self._task_id)
        self._scribe.begin_task(record, commit.time, author=_author(commit))
        self._caller = self._make_caller(self._scribe)

    def _control(self, commit: Commit) -> None:
        """A commit that is no step, as it was."""
        record = self._repository.reader.record(commit.tree)
        kind = record.pop("kind")
        if kind in PLAN_KINDS:
            plan = plan_from_json(self._repository.reader.plan(commit.tree))
            self._interpreter = Interpreter(plan)
            self._scribe.bring_plan(kind, plan, record, author=_author(commit))
        elif kind == "edit":
            self._scribe.edit(record.pop("variables"), record, author=_author(commit))
        elif kind == "decision":
            self._scribe.decide(record, author=_author(commit))
        elif kind == "stop":
            self._scribe.stop(record)

    def _run_steps(self, stored: int, *, to_the_end: bool) -> None:
        """As many steps as were stored, and at the end of the history as many as there are."""
        state, done = self._scribe.state, 0
        most = self._scribe.limits.get("steps", 1_000)
        while state.pc is not None and state.steps < most:
            if state.status == FAILED and done < stored:
                state.status = RUNNING
            if state.status != RUNNING or (done >= stored and not to_the_end):
                break
            self._step()
            done += 1

    def _step(self) -> None:
        scribe, state = self._scribe, self._scribe.state
        assert state.pc is not None
        request = scribe.begin(self._interpreter)
        if isinstance(request, Transition):
            record = plain_record(self._interpreter.instruction(state.pc).step)
            scribe.step(self._interpreter, request, record)
            return
        record = self._record(request)
        transition = self._interpreter.finish(state, request, recorded_outcome(record))
        oid, made = scribe.step(self._interpreter, transition, record)
        if not made.failed:
            self._line.take(_versionless(record), oid.hex(), ())

    def _record(self, effect: Effect) -> Record:
        """The record of an effect: that of the same step where it was recorded as a whole, else made of parts."""
        if isinstance(effect, JudgementNeeded):
            return self._judgement(effect)
        try:
            tool = self._tools.find(effect.tool_name)
        except StepError as error:
            return self._refused(effect, error)
        keys = self._keys(effect, tool)
        stored = self._take_step((tool.name, keys), effect)
        if stored is not None:
            return stored
        outcomes = []
        for item, key in enumerate(keys):
            outcome = self._outcome(effect, tool, item, key)
            outcomes.append(outcome)
            if isinstance(effect, FanNeeded) and outcome.error is not None and effect.stops_at_error:
                break
        if isinstance(effect, FanNeeded):
            return fan_record(effect, tool, outcomes)
        return call_record(effect, tool, outcomes[0])

    def _refused(self, effect: CallNeeded | FanNeeded, error: StepError) -> Record:
        """There is no such tool, nor was there; where there was, the run can't be judged."""
        if effect.tool_name in self._tools_used:
            raise NotFound("tool", effect.tool_name, hint=error.hint)
        outcome = self._caller.without_call(error=str(error))
        if isinstance(effect, FanNeeded):
            return fan_record(effect, None, [outcome] * min(1, effect.count))
        return call_record(effect, None, outcome)

    def _keys(self, effect: CallNeeded | FanNeeded, tool: Tool) -> tuple[CallKey, ...]:
        inputs = (
            [effect.inputs] if isinstance(effect, CallNeeded) else map(effect.inputs, range(effect.count))
        )
        version = "" if tool.effect in KEYED else tool.version
        written = self._line.written
        return tuple(
            call_key(tool.name, version, tool.effect, input_digests(each), written) for each in inputs
        )

    def _take_step(self, key: StepKey, effect: Effect) -> Record | None:
        waiting = self._steps.get(key)
        if not waiting or not all(map(self._knows, minds_of(waiting[0]))):
            return None
        record = waiting.popleft()
        for each in key[1]:
            if self._calls[each]:
                self._calls[each].popleft()
        del record["kind"]
        return {**record, "seq_no": effect.seq_no, "visit": effect.visit}

    def _outcome(self, effect: CallNeeded | FanNeeded, tool: Tool, item: int, key: CallKey) -> Outcome:
        if isinstance(effect, CallNeeded):
            inputs, index = effect.inputs, None
        elif item in effect.broken:
            return self._caller.without_call(error=effect.broken[item])
        elif self._calls[key]:
            return _as_outcome(self._calls[key].popleft())
        else:
            inputs, index = effect.inputs(item), item
        if tool.effect in KEYED:
            return self._caller.without_call(error=NOT_MADE)
        place = Place(effect.seq_no, effect.visit, index)
        self.made += 1
        limits = effect.timeout, effect.retry, effect.handles_errors, effect.outputs
        return self._caller.answer(Request(place, tool, inputs, *limits)).outcome

    def _judgement(self, effect: JudgementNeeded) -> Record:
        stored = self._take_step((None, (judgement_key(effect.prompt, effect.context),)), effect)
        if stored is not None:
            return stored
        if self._thinker is None:
            return judgement_record(effect, Judged(error=NO_MODEL))
        self.made += 1
        try:
            thought = self._thinker.judge(effect.prompt, effect.context, UNWATCHED)
        except ModelError as error:
            return judgement_record(effect, Judged(error=f"the model: {error}"))
        return judgement_record(effect, Judged(thought.value), [call.to_json() for call in thought.calls])


def _segments(commits: Sequence[Commit]) -> list[tuple[Commit | None, int, bool]]:
    """Each commit that is no step, with how many steps follow it, and whether it is the last one."""
    segments: list[tuple[Commit | None, int]] = []
    for commit in commits:
        if commit.kind not in ("step", "failure"):
            segments.append((commit, 0))
        elif segments:
            segments[-1] = segments[-1][0], segments[-1][1] + 1
    return [(commit, steps, place == len(segments) - 1) for place, (commit, steps) in enumerate(segments)]


def _author(commit: Commit) -> str | None:
    return None if commit.author == ENGINE else commit.author


def _versionless(record: Record) -> Record:
    """What changes the outside is known by its inputs alone: it is never made, so a new version can't tell."""
    return {**record, "version": ""} if record.get("effect") in KEYED else record


def _given(record: Record, item: int | None) -> Given:
    if item is None:
        return Given(record.get("value"), record.get("error"))
    return Given(record["values"][item], record.get("errors", {}).get(str(item)))


def _as_outcome(given: Given) -> Outcome:
    if given.error is not None:
        return Outcome("failed", None, CallError("raised", given.error), 1, 0, 0)
    return Outcome("ok", given.value, None, 1, 0, 0)

"""``calling``: ask for one call of a tool, or one an item of ``for_each``, and name what it gave."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping, Sequence
from typing import Any, Final

from app.errors import ReferenceFailed, StepError, ToolFailed
from app.plan.budget import WORK_LIMIT, Budget
from app.plan.dataflow import ITEM_NAMES
from app.plan.model import Calling, Json, Step
from app.plan.parse import JsonTextError, find_json_object
from app.plan.references import Template, compile_template
from app.plan.values import type_name
from app.vm.effects import CallNeeded, Effect, FanNeeded, FanOutcome, Outcome
from app.vm.instructions.base import Instruction
from app.vm.state import State, StepFailure, Transition

_FAN_WORK: Final = 16 * WORK_LIMIT
"""What resolving the arguments of all items together may cost."""


class CallingInstruction(Instruction):
    __slots__ = ("_call", "_for_each", "_params", "_summary")

    def __init__(self, step: Step, next_pc: int | None) -> None:
        super().__init__(step, next_pc)
        assert isinstance(step.instruction, Calling)
        self._call = step.instruction
        self._params = {name: compile_template(value) for name, value in self._call.tool_params.items()}
        self._for_each = compile_template(self._call.for_each) if self._call.for_each is not None else None
        outputs = ", ".join(self._call.outputs)
        self._summary = self._call.tool_name + (f" -> {outputs}" if outputs else "")

    @property
    def _handles_errors(self) -> bool:
        return self._call.on_error.action != "fail"

    def begin(self, state: State) -> Transition | Effect:
        visit = state.visit(self.seq_no)
        call = self._call
        if self._for_each is None:
            inputs = {name: template.resolve(state.variables) for name, template in self._params.items()}
            return CallNeeded(
                self.seq_no,
                visit,
                call.tool_name,
                inputs,
                call.timeout,
                call.retry,
                self._handles_errors,
                self._call.wanted_keys,
            )
        items = self._for_each.resolve(state.variables)
        if not isinstance(items, list):
            raise StepError(f"for_each needs a list, this is {type_name(items)}")
        return self._fan(items, state.variables, visit)

    def _fan(self, items: list[Json], variables: dict[str, Json], visit: int) -> FanNeeded:
        shared = {n: t.resolve(variables) for n, t in self._params.items() if not t.reads & ITEM_NAMES}
        each = {name: template for name, template in self._params.items() if name not in shared}
        columns: dict[str, list[Json]] = {name: [] for name in each}
        broken: dict[int, str] = {}
        budget = Budget(_FAN_WORK)
        for index, item in enumerate(items):
            scope = ChainMap({"item": item, "index": index}, variables)
            self._resolve_item(each, scope, index, columns, broken, budget)
        return FanNeeded(
            self.seq_no,
            visit,
            self._call.tool_name,
            len(items),
            shared,
            columns,
            broken,
            self._call.timeout,
            self._call.retry,
            self._handles_errors,
            stops_at_error=self._call.on_error.action != "continue",
            outputs=self._call.wanted_keys,
        )

    @staticmethod
    def _resolve_item(
        each: Mapping[str, Template],
        scope: Mapping[str, Json],
        index: int,
        columns: dict[str, list[Json]],
        broken: dict[int, str],
        budget: Budget,
    ) -> None:
        for name, template in each.items():
            try:
                columns[name].append(template.resolve(scope, budget))
            except StepError as error:
                columns[name].append(None)
                broken.setdefault(index, str(error))

    def finish(self, state: State, effect: Effect, outcome: Outcome | FanOutcome) -> Transition:
        if isinstance(outcome, FanOutcome):
            return self._finish_fan(outcome)
        if outcome.error is not None:
            return self.fail(StepFailure(self.seq_no, outcome.error, self._call.tool_name))
        try:
            values = self._outputs(outcome.value)
        except StepError as error:
            return self.fail(StepFailure(self.seq_no, str(error), self._call.tool_name))
        return Transition(self.next_pc, values, summary=self._summary)

    def _finish_fan(self, outcome: FanOutcome) -> Transition:
        errors = dict(outcome.errors)
        rows: list[dict[str, Json]] = []
        nothing = dict.fromkeys(self._call.outputs)
        for index, value in enumerate(outcome.values):
            try:
                rows.append(nothing if index in errors else self._outputs(value))
            except StepError as error:
                errors[index] = str(error)
                rows.append(nothing)
        variables: dict[str, Json] = {name: [row[name] for row in rows] for name in self._call.outputs}
        if not errors:
            return Transition(self.next_pc, variables, summary=f"{self._summary} ({len(rows)} items)")
        first = min(errors)
        failure = StepFailure(self.seq_no, errors[first], self._call.tool_name, first)
        if self._call.on_error.action != "continue":
            return self.fail(failure)
        variables["error"] = failure.to_json()
        summary = f"{self._summary} ({len(rows)} items, {len(errors)} failed)"
        return Transition(self.next_pc, variables, failure=failure, summary=summary)

    def fail(self, failure: StepFailure) -> Transition:
        if failure.tool is None:
            failure = StepFailure(failure.step, failure.message, self._call.tool_name, failure.item)
        on_error = self._call.on_error
        if on_error.action == "fail":
            return Transition(self.seq_no, failure=failure, failed=True, summary=self._call.tool_name)
        summary = f"{self._call.tool_name} failed"
        variables: dict[str, Json] = {"error": failure.to_json()}
        if on_error.action == "goto":
            return Transition(
                on_error.target, variables, failure, summary=f"{summary}, goto {on_error.target}"
            )
        variables = {**dict.fromkeys(self._call.outputs), **variables}
        return Transition(self.next_pc, variables, failure, summary=f"{summary}, continue")

    def _outputs(self, result: Json) -> dict[str, Json]:
        """Output variables of one result. Raises ``StepError`` where it doesn't have them."""
        outputs = self._call.outputs
        if all(not path for path in outputs.values()):
            return dict.fromkeys(outputs, result)
        source = _as_object(result) if isinstance(result, str) else result
        return {name: _at_path(source, path) if path else result for name, path in outputs.items()}


def _as_object(text: str) -> Json:
    try:
        return find_json_object(text)
    except JsonTextError as error:
        raise ToolFailed(f"several output_vars need one JSON object, the result is text: {error}") from None


def _at_path(value: Any, path: Sequence[str | int]) -> Json:
    for key in path:
        in_object = isinstance(key, str) and isinstance(value, dict) and key in value
        if in_object or (
            isinstance(key, int) and isinstance(value, list) and -len(value) <= key < len(value)
        ):
            value = value[key]
        else:
            there = ", ".join(sorted(value)[:10]) if isinstance(value, dict) else type_name(value)
            raise ReferenceFailed(f"the result has no {key!r}; there is: {there}")
    return value

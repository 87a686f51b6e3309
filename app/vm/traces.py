"""What the steps of a run did, in a form that can be compared: with another run's, cheaply.

Large inputs and results are compared by the ids they have in the trees; nothing of them is read.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from app.history.commits import Commit
from app.history.variable_trees import VariableTrees, WatchedVariable
from app.plan.dataflow import ERROR, results
from app.plan.model import Assign, Calling, Json, Jump, Step
from app.plan.values import to_json_text
from app.vm.moments import STEP_KINDS, Moment, Moments, notes_error

Record: TypeAlias = Mapping[str, Any]
Parts: TypeAlias = Mapping[str, bytes]

_INPUTS: Final = ("inputs", "item_inputs")
_RESULTS: Final = ("value", "values", "error", "errors")


@dataclass(frozen=True, slots=True)
class Trace:
    """An executed step, or another commit that changed variables.

    Of two traces, ``form`` is equal for the same type and tool, ``sets`` for the same variables, ``asked`` for
    equal resolved inputs, ``gave`` for equal results. ``error`` is what the step noted, if anything.
    ``items`` are those of a ``for_each``. ``duration_ms`` and ``cost`` are ``None`` where none is recorded;
    ``model_calls`` are counted.
    """

    moment: Moment
    visit: int | None
    form: tuple[str, str | None]
    sets: tuple[str, ...]
    asked: Hashable
    gave: Hashable
    error: str | None = None
    items: int | None = None
    duration_ms: int | None = None
    model_calls: int = 0
    cost: float | None = None

    @property
    def commit(self) -> Commit:
        return self.moment.commit


class Traces:
    """Reads the traces of one repository."""

    def __init__(self, moments: Moments) -> None:
        self._moments = moments
        self._trees = VariableTrees(moments.reader)
        self._variables: dict[str, WatchedVariable] = {}

    def between(self, head: bytes, base: bytes | None) -> Iterator[Trace]:
        """The traces from ``head`` back to the commit after ``base``, newest first."""
        for moment, before in self._moments.line(head):
            if moment.commit.oid == base:
                return
            if counts(moment, before):
                yield self._trace(moment, before)

    def _trace(self, moment: Moment, before: Moment | None) -> Trace:
        step = self._moments.step(moment)
        if step is None:
            was = before.id_of("vars") if before is not None else None
            names = tuple(sorted(self._trees.changes(was, moment.id_of("vars"))))
            return Trace(moment, None, (moment.commit.kind, None), names, self._values(moment, names), None)
        record = self._moments.inline_record(moment)
        calls = record.get("model_calls", ())
        costs = [call.get("cost") for call in calls]
        timed = "started_ms" in record and "ended_ms" in record
        parts = self._parts(moment)
        return Trace(
            moment,
            self._moments.visit(moment),
            (step.type, step.instruction.tool_name if isinstance(step.instruction, Calling) else None),
            tuple(sorted(results(step.instruction))),
            self._asked(moment, step, record, parts),
            self._gave(moment, step, record, parts),
            self._error(moment, before),
            record.get("count"),
            max(0, record["ended_ms"] - record["started_ms"]) if timed else None,
            len(calls),
            sum(costs) if calls and None not in costs else None,
        )

    def _asked(self, moment: Moment, step: Step, record: Record, parts: Parts) -> Hashable:
        instruction = step.instruction
        if "inputs" in record:
            return _fingerprint(record, parts, _INPUTS)
        if isinstance(instruction, Assign) and moment.commit.kind == "step":
            return self._values(moment, instruction.values)
        if isinstance(instruction, Jump):
            # As the values of an assign count and not their templates, so does the answer and not the condition.
            return instruction.condition is not None
        return to_json_text(dict(step.parameters))

    def _gave(self, moment: Moment, step: Step, record: Record, parts: Parts) -> Hashable:
        jump = step.instruction
        if not isinstance(jump, Jump):
            return _fingerprint(record, parts, _RESULTS)
        return self._answer(moment, jump, record) if moment.commit.kind == "step" else None

    def _answer(self, moment: Moment, jump: Jump, record: Record) -> bool | None:
        """What a condition gave. A model's explanation is no part of it: no two are the same."""
        if jump.condition is not None:
            return bool(self._moments.control(moment).get("pc") == jump.if_true)
        if jump.condition_prompt is None:
            return None
        value = self._moments.reader.record(moment.commit.tree).get("value")
        return bool(value.get("result")) if isinstance(value, dict) else None

    def _error(self, moment: Moment, before: Moment | None) -> str | None:
        """The error that the step noted, without its number, which another plan may have changed."""
        if not notes_error(moment, before):
            return None
        if moment.commit.kind == "failure":
            error = self._moments.control(moment).get("error")
        else:
            entry = self._watched(ERROR).find(moment.id_of("vars"))
            error = self._moments.reader.value(entry) if entry is not None else None
        return str(error.get("message")) if isinstance(error, dict) else ""

    def _values(self, moment: Moment, names: Iterable[str]) -> Hashable:
        folder = moment.id_of("vars")
        entries = ((name, self._watched(name).find(folder)) for name in sorted(names))
        return tuple((name, entry.oid if entry is not None else None) for name, entry in entries)

    def _watched(self, name: str) -> WatchedVariable:
        known = self._variables.get(name)
        if known is None:
            known = self._variables[name] = WatchedVariable(self._trees, name)
        return known

    def _parts(self, moment: Moment) -> Parts:
        """The fields of the record that lie beside it, with their ids."""
        folder = moment.id_of("record")
        entries = self._moments.reader.read_tree(folder) if folder is not None else []
        return {entry.name.removesuffix(".json").removesuffix(".d"): entry.oid for entry in entries}

    def request(self, trace: Trace) -> tuple[dict[str, Json], dict[str, list[Json]]]:
        """The resolved arguments of a call: those of all items, and of a ``for_each`` those of each."""
        _, record = self._read(trace)
        return record.get("inputs", {}), record.get("item_inputs", {})

    def inputs(self, trace: Trace) -> dict[str, Json]:
        """What the step was given, in full: resolved arguments, assigned values, or its text."""
        step, record = self._read(trace)
        if "inputs" in record:
            return {**record["inputs"], **record.get("item_inputs", {})}
        if step is None or (isinstance(step.instruction, Assign) and trace.commit.kind == "step"):
            entries = ((name, self._watched(name).find(trace.moment.id_of("vars"))) for name in trace.sets)
            return {name: self._moments.reader.value(entry) for name, entry in entries if entry is not None}
        return dict(step.parameters)

    def output(self, trace: Trace) -> dict[str, Json]:
        """What came of the step, in full: the result or results, its errors, the answer of a condition."""
        step, record = self._read(trace)
        found = {"error": trace.error} if trace.error is not None else {}
        if step is not None and isinstance(step.instruction, Jump):
            answer = self._answer(trace.moment, step.instruction, record)
            return {**found, "answer": answer} if trace.commit.kind == "step" else found
        return {**{name: record[name] for name in _RESULTS if name in record}, **found}

    def _read(self, trace: Trace) -> tuple[Step | None, Record]:
        return self._moments.step(trace.moment), self._moments.reader.record(trace.commit.tree)


def counts(moment: Moment, before: Moment | None) -> bool:
    """Whether the commit is one that is compared: a step was executed, or variables changed otherwise."""
    was = before.id_of("vars") if before is not None else None
    return moment.commit.kind in STEP_KINDS or was != moment.id_of("vars")


def _fingerprint(record: Record, parts: Parts, fields: Iterable[str]) -> Hashable:
    """Equal for equal fields: what lies beside the record is known by its id."""
    return tuple((to_json_text(record[name]) if name in record else None, parts.get(name)) for name in fields)

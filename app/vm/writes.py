"""Which commit set a variable, and where the value came from.

A commit sets what its step sets, by its plan, whether the value is another one or not; and whatever differs between
its tree and its parent's. So a history shows it exactly, and nothing has to be read of values.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Set
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, NamedTuple

from app.history.commits import ENGINE
from app.history.trees import Entry
from app.history.variable_trees import VariableTrees, WatchedVariable
from app.plan.dataflow import ERROR, results
from app.plan.model import Calling
from app.vm.moments import Moment, Moments, notes_error

PLAN: Final = "plan"
TOOL: Final = "tool"
MODEL: Final = "model"
PERSON: Final = "person"
FAILED_CALL: Final = "error"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value came from. ``kind``: ``plan`` (an ``assign``), ``tool``, ``model`` (a call that asked one),
    ``error`` (a call failed and the plan goes on), ``person`` (decided what a call gave), or else the kind of the
    commit, such as ``edit``. ``who`` is the person, where one acted.
    """

    kind: str
    tool: str | None = None
    models: tuple[str, ...] = ()
    who: str | None = None

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "tool": self.tool, "models": list(self.models), "who": self.who}


class Write(NamedTuple):
    """A commit that set a variable, its parent, and the variable before and after; ``None`` where it was not set."""

    moment: Moment
    before: Moment | None
    old: Entry | None
    new: Entry | None


class Writes:
    """What the commits of one repository set."""

    def __init__(self, moments: Moments) -> None:
        self._moments = moments
        self._trees = VariableTrees(moments.reader)

    def last(
        self, head: bytes, wanted: Set[str], within: int | None = None
    ) -> dict[str, tuple[Moment, Moment | None]]:
        """For each of the variables the newest commit up to ``head`` that set it, with its parent; only among the
        newest ``within`` commits."""
        found: dict[str, tuple[Moment, Moment | None]] = {}
        pending = set(wanted)
        for moment, before in islice(self._moments.line(head), within):
            if not pending:
                break
            names = self.names(moment, before) & pending
            pending -= names
            found.update(dict.fromkeys(names, (moment, before)))
        return found

    def of(self, head: bytes, name: str) -> Iterator[Write]:
        """The commits up to ``head`` that set the variable or took it away, newest first."""
        watched = WatchedVariable(self._trees, name)
        new: Entry | None = None
        for place, (moment, before) in enumerate(self._moments.line(head)):
            if place == 0:
                new = watched.find(moment.id_of("vars"))
            old = watched.find(before.id_of("vars") if before is not None else None)
            differs = (old.oid if old is not None else None) != (new.oid if new is not None else None)
            if differs or name in self.declared(moment, before):
                yield Write(moment, before, old, new)
            new = old

    def names(self, moment: Moment, before: Moment | None) -> set[str]:
        """Every variable that the commit set or took away. ``before`` is its parent."""
        was = before.id_of("vars") if before is not None else None
        return {*self._trees.changes(was, moment.id_of("vars")), *self.declared(moment, before)}

    def declared(self, moment: Moment, before: Moment | None) -> Collection[str]:
        """The variables that the commit is known to set, equal values among them."""
        kind = moment.commit.kind
        if kind == "edit":
            variables = self._moments.inline_record(moment).get("variables")
            return variables if isinstance(variables, dict) else ()
        step = self._moments.step(moment) if kind == "step" else None
        if step is None:
            return ()
        names = results(step.instruction)
        if not notes_error(moment, before) or not isinstance(step.instruction, Calling):
            return names
        # A call that failed with `goto` leaves its outputs alone; with `continue` they are null, or have gaps.
        return (ERROR,) if step.instruction.on_error.action == "goto" else (*names, ERROR)

    def origin(self, moment: Moment, before: Moment | None, name: str) -> Origin:
        """Where the value that the commit gave the variable came from."""
        kind = moment.commit.kind
        step = self._moments.step(moment) if kind == "step" else None
        if step is None or name not in self.declared(moment, before):
            author = moment.commit.author
            return Origin(kind or "commit", who=author if author != ENGINE else None)
        if not isinstance(step.instruction, Calling):
            return Origin(PLAN)
        return self._origin_of_result(moment, before, name, step.instruction.tool_name)

    def _origin_of_result(self, moment: Moment, before: Moment | None, name: str, called: str) -> Origin:
        record = self._moments.inline_record(moment)
        tool = record.get("tool", called)
        if notes_error(moment, before) and (name == ERROR or "count" not in record):
            return Origin(FAILED_CALL, tool)
        decision = record.get("decision")
        if isinstance(decision, dict) and decision.get("choice") == "skip":
            return Origin(PERSON, tool, who=decision.get("who"))
        models = [str(call.get("model")) for call in record.get("model_calls", ())]
        return Origin(MODEL, tool, tuple(dict.fromkeys(models))) if models else Origin(TOOL, tool)

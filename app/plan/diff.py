"""What changed between two plans, step by step and by meaning: :func:`diff_plans`.

Steps are told apart by what they do, not by their numbers. A jump is the same jump when it leads to the same
step, whatever that step is called now; so renumbering a plan changes nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final, Literal, TypeAlias

from app.plan.alignment import Pair, align, align_more, longest_ascending, match
from app.plan.dataflow import results, targets
from app.plan.model import Calling, Json, Jump, Plan, Step
from app.plan.paths import Path, format_path
from app.plan.values import to_json_text

Kind: TypeAlias = Literal["unchanged", "changed", "moved", "added", "removed"]


class Absent(Enum):
    """The one value that JSON doesn't have: nothing stands there."""

    ABSENT = "absent"


ABSENT: Final = Absent.ABSENT


@dataclass(frozen=True, slots=True)
class Change:
    """One place that differs, with its values; ``ABSENT`` for the side that has nothing there."""

    path: str
    old: Json
    new: Json

    def to_json(self) -> dict[str, Any]:
        """``path``, ``old`` and ``new``, the absent side left out."""
        document = {"path": self.path, "old": self.old, "new": self.new}
        return {key: value for key, value in document.items() if value is not ABSENT}


@dataclass(frozen=True, slots=True)
class StepDiff:
    """One step in the old plan (``None``: added) and in the new one (``None``: removed).

    A ``moved`` step stands elsewhere among the others than it did; it may have ``changes`` as well.
    """

    kind: Kind
    old: Step | None
    new: Step | None
    changes: tuple[Change, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The difference with the steps' numbers; the whole step where it is on one side only."""
        document: dict[str, Any] = {
            "kind": self.kind,
            "old_seq_no": self.old.seq_no if self.old else None,
            "new_seq_no": self.new.seq_no if self.new else None,
            "changes": [change.to_json() for change in self.changes],
        }
        alone = self.old if self.new is None else self.new if self.old is None else None
        if alone is not None:
            document["step"] = alone.to_json()
        return document


@dataclass(frozen=True, slots=True)
class PlanDiff:
    """``steps`` in the new plan's order, removed ones where they stood; ``changes`` outside the steps."""

    steps: tuple[StepDiff, ...]
    changes: tuple[Change, ...] = field(default=())

    @property
    def is_empty(self) -> bool:
        """Whether the two plans mean the same."""
        return not self.changes and all(step.kind == "unchanged" for step in self.steps)

    def to_json(self) -> dict[str, Any]:
        """``changes`` and ``steps``, the unchanged ones among them."""
        return {
            "changes": [change.to_json() for change in self.changes],
            "steps": [step.to_json() for step in self.steps],
        }


def diff_plans(old: Plan, new: Plan) -> PlanDiff:
    """The differences from ``old`` to ``new``. Deterministic; time grows with the plans' size."""
    pairs, moved = _pair(old.steps, new.steps)
    became = {old.steps[i].seq_no: new.steps[j].seq_no for i, j in pairs}
    old_of = {j: i for i, j in pairs}
    gone = deque(sorted(set(range(len(old.steps))) - set(old_of.values())))
    steps: list[StepDiff] = []
    for j, (step, stop) in enumerate(
        zip(new.steps, _stops(old_of, moved, len(old.steps), len(new.steps)), strict=True)
    ):
        while gone and gone[0] < stop:
            steps.append(StepDiff("removed", old.steps[gone.popleft()], None))
        i = old_of.get(j)
        steps.append(
            StepDiff("added", None, step) if i is None else _compare(old.steps[i], step, became, j in moved)
        )
    steps.extend(StepDiff("removed", old.steps[i], None) for i in gone)
    about = value_changes(_or_absent(old.reasoning), _or_absent(new.reasoning), ("reasoning",))
    return PlanDiff(tuple(steps), tuple(about))


def _stops(old_of: Mapping[int, int], moved: frozenset[int], old_size: int, new_size: int) -> list[int]:
    """For each new step, the old index of the first one from there on that stayed in its place."""
    stops: list[int] = []
    stop = old_size
    for j in reversed(range(new_size)):
        if j in old_of and j not in moved:
            stop = old_of[j]
        stops.append(stop)
    return stops[::-1]


def _pair(old: Sequence[Step], new: Sequence[Step]) -> tuple[list[Pair], frozenset[int]]:
    """Which step became which, and the new indices of those that moved."""
    old_keys = [_content(step) for step in old]
    new_keys = [_content(step) for step in new]
    pairs = align(old_keys, new_keys)
    rest_old, rest_new = _rest(pairs, len(old), len(new))
    pairs += match(((old_keys[i], i) for i in rest_old), ((new_keys[j], j) for j in rest_new))
    pairs = sorted(pairs, key=lambda pair: pair[1])
    for role in (_role, _purpose, _form):
        pairs = align_more(pairs, [role(step) for step in old], [role(step) for step in new])
    kept = {j for _, j in longest_ascending(pairs)}
    return pairs, frozenset(j for _, j in pairs if j not in kept)


def _rest(pairs: Sequence[Pair], old_size: int, new_size: int) -> tuple[list[int], list[int]]:
    used_old, used_new = {i for i, _ in pairs}, {j for _, j in pairs}
    return (
        [i for i in range(old_size) if i not in used_old],
        [j for j in range(new_size) if j not in used_new],
    )


def _content(step: Step) -> Hashable:
    """All that a step does, with jump targets left open: where they lead is compared later."""
    return step.type, to_json_text(_without(step.parameters, [path[1:] for path in _targets(step)]))


def _role(step: Step) -> Hashable:
    """What the step is for: the same tool or way of deciding, the same variables."""
    return step.type, _form(step), _results(step)


def _purpose(step: Step) -> Hashable:
    """The same variables, however they come about; steps without any are told by their form."""
    return _results(step) or _form(step)


def _results(step: Step) -> frozenset[str]:
    return frozenset(results(step.instruction))


def _form(step: Step) -> Hashable:
    """The kind of step, and the tool of a call."""
    instruction = step.instruction
    if isinstance(instruction, Calling):
        return step.type, instruction.tool_name
    if isinstance(instruction, Jump):
        return step.type, instruction.target is None
    return step.type, None


def _targets(step: Step) -> dict[Path, int]:
    return {target.path: target.seq_no for target in targets(step.instruction)}


def _compare(old: Step, new: Step, became: Mapping[int, int], moved: bool) -> StepDiff:
    changes = tuple(_step_changes(old, new, became))
    kind: Kind = "moved" if moved else "changed" if changes else "unchanged"
    return StepDiff(kind, old, new, changes)


def _step_changes(old: Step, new: Step, became: Mapping[int, int]) -> Iterator[Change]:
    yield from value_changes(old.type, new.type, ("type",))
    yield from value_changes(_or_absent(old.description), _or_absent(new.description), ("description",))
    led, leads = _targets(old), _targets(new)
    paths = [path[1:] for path in (*led, *leads)]
    yield from value_changes(
        _without(old.parameters, paths), _without(new.parameters, paths), ("parameters",)
    )
    for path in dict.fromkeys((*led, *leads)):
        before, after = led.get(path), leads.get(path)
        if before is None or after is None or became.get(before, before) != after:
            yield Change(format_path(path), _or_absent(before), _or_absent(after))


def _or_absent(value: Json) -> Json:
    return ABSENT if value is None else value


def value_changes(old: Json, new: Json, path: Path = ()) -> Iterator[Change]:
    """The innermost places that differ; lists of different lengths differ as a whole."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in dict.fromkeys((*old, *new)):
            yield from value_changes(old.get(key, ABSENT), new.get(key, ABSENT), (*path, key))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, (before, after) in enumerate(zip(old, new, strict=True)):
            yield from value_changes(before, after, (*path, index))
    elif type(old) is not type(new) or old != new:
        yield Change(format_path(path), old, new)


def _without(value: Json, paths: Sequence[Path]) -> Json:
    """The object without what stands at ``paths``; the value itself is left as it is."""
    if not paths or not isinstance(value, Mapping):
        return value
    here = {path[0] for path in paths if len(path) == 1}
    deeper = {path[0]: [path[1:]] for path in paths if len(path) > 1}
    return {key: _without(part, deeper.get(key, ())) for key, part in value.items() if key not in here}

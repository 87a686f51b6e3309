"""Where on a line of history an expression over the variables turns false.

An expression need not stay false once it was, so halving could meet a later turn. Instead every state is looked at
in order, but only those in which a variable that the expression reads has another value.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from app.errors import InputError, StepError
from app.history.trees import Entry
from app.history.value_cache import ValueCache
from app.history.variable_trees import VariableTrees, WatchedVariable
from app.plan.expressions import Expression
from app.plan.model import Json
from app.plan.values import type_name
from app.vm.moments import Moment, Moments

Key: TypeAlias = frozenset[tuple[str, bytes]]


@dataclass(frozen=True, slots=True)
class Stretch:
    """The commits from ``first`` on up to the next stretch: the variables that are read don't change in it.

    ``before`` is the parent of ``first``. ``entries`` are of the variables that are set.
    """

    first: Moment
    before: Moment | None
    entries: Mapping[str, Entry]

    @property
    def key(self) -> Key:
        """Equal where all values are."""
        return frozenset((name, entry.oid) for name, entry in self.entries.items())


@dataclass(frozen=True, slots=True)
class Turn:
    """``start`` is the first stretch with a value, a true one; ``last_true`` the newest true one before
    ``first_false``, which is ``None`` where there is none. ``until`` is the last commit of ``last_true``.

    ``at_head`` is the value in the end, ``None`` where it has none. ``evaluated`` stretches were looked at;
    ``skipped`` of them had no value, the first one for ``reason``.
    """

    start: Stretch
    first_false: Stretch | None
    last_true: Stretch
    until: Moment | None
    at_head: bool | None
    evaluated: int
    skipped: int
    reason: str | None


def stretches(moments: Moments, names: Sequence[str], head: bytes) -> tuple[list[Stretch], int]:
    """The stretches of the line that leads to ``head``, oldest first, and the number of its commits."""
    trees = VariableTrees(moments.reader)
    watched = [WatchedVariable(trees, name) for name in names]

    def look(moment: Moment | None) -> dict[str, Entry]:
        folder = moment.id_of("vars") if moment is not None else None
        return {each.name: entry for each in watched if (entry := each.find(folder)) is not None}

    found: list[Stretch] = []
    commits = 0
    entries: dict[str, Entry] | None = None
    for moment, before in moments.line(head):
        commits += 1
        if entries is None:
            entries = look(moment)
        same = before is not None and before.id_of("vars") == moment.id_of("vars")
        earlier = entries if same else look(before)
        stretch = Stretch(moment, before, entries)
        if before is None or stretch.key != Stretch(before, None, earlier).key:
            found.append(stretch)
        entries = earlier
    return found[::-1], commits


class Evaluator:
    """An expression over stretches. What has been evaluated is not evaluated again."""

    def __init__(self, moments: Moments, expression: Expression) -> None:
        self.expression = expression
        self.cache = ValueCache(moments.reader)
        self.evaluated = 0
        self.skipped = 0
        self.reason: str | None = None
        self._known: dict[Key, bool | None] = {}
        self._newest: dict[str, tuple[bytes, Json]] = {}

    def value(self, stretch: Stretch) -> bool | None:
        """True or false; ``None`` where a variable is not set or the expression has no value.

        Raises ``InputError`` where it has another value.
        """
        if stretch.entries.keys() < self.expression.reads:
            return None
        if stretch.key not in self._known:
            self.evaluated += 1
            self._known[stretch.key] = self._evaluate(stretch)
        return self._known[stretch.key]

    def _evaluate(self, stretch: Stretch) -> bool | None:
        try:
            value = self.expression.evaluate(_Variables(self, stretch.entries))
        except StepError as error:
            self.skipped += 1
            why = error.message.removeprefix(f"{self.expression.spelling}: ")
            self.reason = self.reason or f"at commit {stretch.first.commit.id[:8]}: {why}"
            return None
        if not isinstance(value, bool):
            raise InputError(
                f"{self.expression.spelling} gives {type_name(value)} at commit {stretch.first.commit.id[:8]} "
                f"({stretch.first.commit.subject})",
                hint="an expression that is true or false is needed, such as len(rows) < 10",
            )
        return value

    def variable(self, name: str, entry: Entry) -> Json:
        """The value of a variable; that which was read last is at hand."""
        known = self._newest.get(name)
        if known is None or known[0] != entry.oid:
            known = self._newest[name] = entry.oid, self.cache.value(entry)
        return known[1]


class _Variables(Mapping[str, Any]):
    """The variables of a stretch, read when the expression comes to them."""

    def __init__(self, evaluator: Evaluator, entries: Mapping[str, Entry]) -> None:
        self._evaluator = evaluator
        self._entries = entries

    def __getitem__(self, name: str) -> Json:
        return self._evaluator.variable(name, self._entries[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)


def find_turn(line: Sequence[Stretch], evaluator: Evaluator) -> Turn:
    """The first false stretch behind a true one.

    Raises ``InputError`` where the expression has no value anywhere, is false from the start, or is not boolean.
    """
    values = ((index, evaluator.value(stretch)) for index, stretch in enumerate(line))
    decided = ((index, value) for index, value in values if value is not None)
    start, value = next(decided, (None, None))
    if start is None:
        raise InputError(
            f"{evaluator.expression.spelling} can't be evaluated at any commit",
            hint=evaluator.reason or "its variables are never set together",
        )
    if value is False:
        first = line[start].first.commit
        raise InputError(
            f"{evaluator.expression.spelling} is false from the start, at commit {first.id[:8]} ({first.subject})",
            hint="it has to be true at first; not (…) turns it round",
        )
    last_true = start
    for index, value in decided:
        if value is False:
            return _turn(line, evaluator, start, last_true, index)
        last_true = index
    return _turn(line, evaluator, start, last_true, None)


def _turn(
    line: Sequence[Stretch], evaluator: Evaluator, start: int, last_true: int, first_false: int | None
) -> Turn:
    evaluated, skipped, reason = evaluator.evaluated, evaluator.skipped, evaluator.reason
    until = line[last_true + 1].before if last_true + 1 < len(line) else None
    try:
        at_head = evaluator.value(line[-1])
    except InputError:
        at_head = None
    false = line[first_false] if first_false is not None else None
    return Turn(line[start], false, line[last_true], until, at_head, evaluated, skipped, reason)

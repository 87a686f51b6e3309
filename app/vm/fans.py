"""A ``for_each``: one call an item, side by side, none asked twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property

from app.tools.base import Tool
from app.vm.caller import Answer, Caller, Request
from app.vm.calls import Outcome
from app.vm.effects import CallNeeded, FanNeeded
from app.vm.forks import same_json
from app.vm.kept import load_outcome
from app.vm.keys import input_digests, value_digest
from app.vm.records import Record, fan_record
from app.vm.work import Work, request_of


class Fan(Work):
    """One execution of a ``for_each`` step. ``on_done`` is told how many items have an outcome.

    Items are asked in their order. Behind the first that failed none is begun where the step stops at an error; those
    under way still end, as their outcomes are of use when the step is tried again.
    """

    def __init__(self, caller: Caller, effect: FanNeeded, tool: Tool, on_done: Callable[[int], None]) -> None:
        self.effect: FanNeeded = effect
        self.tool = tool
        self._on_done = on_done
        self._outcomes: dict[int, Outcome] = {}
        self._first_error = effect.count
        self._next = 0
        self._under_way = 0
        for item, message in effect.broken.items():
            self._add(item, caller.without_call(error=message))

    @property
    def has_more(self) -> bool:
        # What can't be repeated is not begun before it is known that everything before it went well.
        if self._under_way and self.tool.effect == "irreversible":
            return False
        return self._find_next() < self._end

    @property
    def is_done(self) -> bool:
        return not self._under_way and self._find_next() >= self._end

    @property
    def _end(self) -> int:
        """The first item that need not be asked any more."""
        return self._first_error if self.effect.stops_at_error else self.effect.count

    def _find_next(self) -> int:
        while self._next < self._end and self._next in self._outcomes:
            self._next += 1
        return self._next

    def is_for(self, effect: CallNeeded | FanNeeded) -> bool:
        mine = self.effect
        return (
            isinstance(effect, FanNeeded)
            and (effect.visit, effect.count, effect.broken) == (mine.visit, mine.count, mine.broken)
            and same_json(dict(mine.shared), dict(effect.shared))
            and same_json(dict(mine.columns), dict(effect.columns))
        )

    def following(self) -> Request:
        item = self._find_next()
        self._next += 1
        self._under_way += 1
        return request_of(self.effect, self.tool, self.effect.inputs(item), item)

    def take(self, item: int | None, answer: Answer) -> None:
        assert item is not None
        self._under_way -= 1
        self._add(item, answer.outcome)

    def take_kept(self, rows: Mapping[int, tuple[str, bytes]]) -> None:
        for item, (asked, data) in rows.items():
            if 0 <= item < self.effect.count and item not in self._outcomes and asked == self.hash_of(item):
                self._add(item, load_outcome(data))

    def _add(self, item: int, outcome: Outcome) -> None:
        self._outcomes[item] = outcome
        if outcome.error is not None:
            self._first_error = min(self._first_error, item)
        self._on_done(len(self._outcomes))

    def _is_worth_keeping(self, outcome: Outcome) -> bool:
        """Also an error of which nobody knows what came of it, where the call must not be made twice."""
        return outcome.error is None or (outcome.state == "unknown" and self.tool.effect == "irreversible")

    @cached_property
    def _shared_digests(self) -> dict[str, str]:
        # The shared inputs, which may be large, are hashed once.
        return input_digests(self.effect.shared)

    def digests_of(self, item: int | None) -> dict[str, str]:
        assert item is not None
        own = {name: value_digest(column[item]) for name, column in self.effect.columns.items()}
        return {**self._shared_digests, **own}

    def calls(self) -> Iterator[tuple[int | None, bool]]:
        items = (item for item in range(self.effect.count) if item not in self.effect.broken)
        return ((item, item in self._outcomes) for item in items)

    def settle(self, item: int | None, answer: Answer) -> None:
        assert item is not None
        self._add(item, answer.outcome)

    def record(self) -> Record:
        wanted = self.effect.count
        if self.effect.stops_at_error and self._first_error < wanted:
            wanted = self._first_error + 1
        return fan_record(self.effect, self.tool, [self._outcomes[item] for item in range(wanted)])

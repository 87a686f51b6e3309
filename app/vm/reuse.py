"""Takes earlier answers of a task instead of asking again, and says which calls must not simply be made again.

The n-th call with a key in a run takes the n-th recorded answer of the run it was forked from, else of the newest
other run that has one. Errors are never taken.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal, NamedTuple, TypeAlias

from app.db.base import Ledger
from app.plan.model import Json
from app.tools.base import Tool
from app.vm.answers import Answer, Call, CallReader, Line, by_key, finished_answers
from app.vm.keys import CallKey
from app.vm.origins import Mind, Origin
from app.vm.records import Record

Policy: TypeAlias = Literal["ask", "reuse", "run", "skip"]
POLICIES: Final[Mapping[str, str]] = {
    "ask": "wait for a decision",
    "reuse": "take the earlier result where the inputs are the same, else wait for a decision",
    "run": "make the call again",
    "skip": "make no call; its result is null",
}
"""What is done with an ``irreversible`` call whose tool was called beyond the fork point."""

REUSED: Final = frozenset({"pure", "read"})
"""Effect classes whose answers are taken again without a word."""


@dataclass(frozen=True, slots=True)
class Source:
    """A run whose answers may be taken; ``head`` is where its line of history ends."""

    branch: str
    head: bytes


class Found(NamedTuple):
    """An earlier answer."""

    value: Json
    origin: Origin


@dataclass(frozen=True, slots=True)
class Earlier:
    """What a run may know of others. ``own`` is its line so far; ``sources`` are in the order of preference.

    ``again`` names the ``irreversible`` tools that were called beyond the fork point.
    """

    reader: CallReader
    own: Line
    sources: Sequence[Source]
    enabled: bool = True
    policy: Policy = "ask"
    again: frozenset[str] = frozenset()


class Reuse:
    """The earlier answers for one run.

    ``look`` is called when they are first needed, at the head where the run goes on. ``knows`` says whether a model
    that took part in an answer is the one that would be asked now.
    """

    def __init__(self, look: Callable[[], Earlier], ledger: Ledger, knows: Callable[[Mind], bool]) -> None:
        self._look = look
        self._ledger = ledger
        self._knows = knows
        self._opened: list[_Answers] = []

    @cached_property
    def _earlier(self) -> Earlier:
        return self._look()

    @cached_property
    def _counts(self) -> Counter[CallKey]:
        return Counter(call.key for call in self._earlier.own.calls if call.answer is not None)

    @property
    def policy(self) -> Policy:
        """What is done with calls of the tools in :attr:`again`."""
        return self._earlier.policy

    @property
    def again(self) -> frozenset[str]:
        """The ``irreversible`` tools that were called beyond the fork point."""
        return self._earlier.again

    @property
    def enabled(self) -> bool:
        """Whether anything is taken again unasked."""
        return self._earlier.enabled

    @property
    def written(self) -> bytes:
        """The digest of everything written so far in this run."""
        return self._earlier.own.written

    def takes(self, tool: Tool) -> bool:
        """Whether answers of the tool are taken again."""
        return self.enabled and tool.reuse and tool.effect in REUSED

    def find(self, key: CallKey, outputs: tuple[str, ...] = (), earlier: int = 0) -> Found | None:
        """The answer for the next call with ``key``, ``earlier`` ones being under way and not committed."""
        place = self._counts[key] + earlier
        for answers in self._all_answers():
            found = answers.nth(key, place, lambda answer: self._fits(answer, outputs))
            if found is not None:
                return found
        return None

    def committed(self, record: Record, commit: str, outputs: tuple[str, ...]) -> None:
        """A step of this run was committed."""
        own, counts = self._earlier.own, self._counts
        before = len(own.calls)
        own.take(record, commit, outputs)
        counts.update(call.key for call in own.calls[before:] if call.answer is not None)

    def _fits(self, answer: Answer, outputs: tuple[str, ...]) -> bool:
        if not answer.minds:
            return True
        return answer.outputs == outputs and all(map(self._knows, answer.minds))

    def _all_answers(self) -> Iterator[_Answers]:
        """Of one source after the other, each read when it is first needed."""
        yield from self._opened
        sources = self._earlier.sources
        while len(self._opened) < len(sources):
            source = sources[len(self._opened)]
            self._opened.append(_Answers(self._earlier.reader, self._ledger, source))
            yield self._opened[-1]


class _Answers:
    """The answers of one source, those that were never committed last."""

    def __init__(self, reader: CallReader, ledger: Ledger, source: Source) -> None:
        self._reader = reader
        line = reader.line(source.head)
        finished = finished_answers(source.branch, ledger.branch_effects(source.branch), line.written)
        self._values = {id(each.answer.origin): each.value for each in finished}
        self._answers = by_key([*line.calls, *(Call(each.key, each.answer) for each in finished)])

    def nth(self, key: CallKey, place: int, fits: Callable[[Answer], bool]) -> Found | None:
        fitting = [answer for answer in self._answers.get(key, ()) if fits(answer)]
        if place >= len(fitting):
            return None
        origin = fitting[place].origin
        if origin.commit is None:
            return Found(self._values[id(origin)], origin)
        return Found(self._reader.value(origin), origin)

"""Takes earlier answers of a task instead of asking again, and says which calls must not simply be made again.

The n-th call with a key in a run takes the n-th recorded answer of the run it was forked from, else of the newest
other run that has one. Errors are never taken.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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


_Asked: TypeAlias = tuple[frozenset[Mind], tuple[str, ...]]
"""What besides its key tells an answer's question: the models that took part, and the keys that were wanted."""


def _asked(answer: Answer) -> _Asked:
    return answer.minds, answer.outputs


def _count(own: dict[CallKey, Counter[_Asked]], calls: Iterable[Call]) -> None:
    for call in calls:
        if call.answer is not None:
            own[call.key][_asked(call.answer)] += 1


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
    def _own(self) -> dict[CallKey, Counter[_Asked]]:
        """How often each call was answered in this run."""
        own: dict[CallKey, Counter[_Asked]] = defaultdict(Counter)
        _count(own, self._earlier.own.calls)
        return own

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
        own = self._own[key].items() if key in self._own else ()
        place = earlier + sum(times for asked, times in own if self._fits(*asked, outputs))
        for answers in self._all_answers():
            found = answers.nth(key, place, lambda answer: self._fits(*_asked(answer), outputs))
            if found is not None:
                return found
        return None

    def committed(self, record: Record, commit: str, outputs: tuple[str, ...]) -> None:
        """A step of this run was committed."""
        own, counts = self._earlier.own, self._own
        before = len(own.calls)
        own.take(record, commit, outputs)
        _count(counts, own.calls[before:])

    def _fits(self, minds: frozenset[Mind], asked_for: tuple[str, ...], outputs: tuple[str, ...]) -> bool:
        """Whether an answer is one to the same question: models, prompts and wanted keys are part of that."""
        return not minds or (asked_for == outputs and all(map(self._knows, minds)))

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
        rows = [row for row in ledger.branch_effects(source.branch) if row.seq_no >= 0]  # steps' alone
        # The branch may have gone on since: what arrived was asked at its newest head.
        written = reader.written_at(source.branch, line.written) if rows else line.written
        finished = finished_answers(source.branch, rows, written)
        self._values = {id(each.answer.origin): each.value for each in finished}
        self._answers = by_key([*line.calls, *(Call(each.key, each.answer) for each in finished)])
        self._of_models = {
            key for key, answers in self._answers.items() if any(answer.minds for answer in answers)
        }

    def nth(self, key: CallKey, place: int, fits: Callable[[Answer], bool]) -> Found | None:
        fitting = self._answers.get(key, ())
        if key in self._of_models:  # all others fit, and may be many
            fitting = [answer for answer in fitting if fits(answer)]
        if place >= len(fitting):
            return None
        origin = fitting[place].origin
        if origin.commit is None:
            return Found(self._values[id(origin)], origin)
        return Found(self._reader.value(origin), origin)

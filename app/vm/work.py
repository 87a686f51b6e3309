"""The calls that one effect takes: which to make next, what they gave, and the record of it all.

Whoever makes the calls asks for the ``following`` one while there are more, and hands back each answer.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping

from app.db.base import NO_ITEM, FinishedEffect
from app.errors import InvalidValue
from app.plan.model import Json
from app.tools.base import Tool
from app.vm.caller import Answer, Request, inputs_hash
from app.vm.calls import Outcome
from app.vm.decisions import Place
from app.vm.effects import CallNeeded, FanNeeded
from app.vm.forks import same_json
from app.vm.kept import dump_outcome, load_outcome
from app.vm.keys import CallKey, call_key, input_digests
from app.vm.records import Record, call_record


class Work(ABC):
    """``has_more``: a call can be made now. ``is_done``: every call that is wanted has its answer."""

    effect: CallNeeded | FanNeeded
    tool: Tool

    @property
    @abstractmethod
    def has_more(self) -> bool: ...

    @property
    @abstractmethod
    def is_done(self) -> bool: ...

    @abstractmethod
    def is_for(self, effect: CallNeeded | FanNeeded) -> bool:
        """Whether it is what ``effect`` asks, to the letter."""

    @abstractmethod
    def following(self) -> Request:
        """The next call to make, where there are more. It is under way from here on."""

    @abstractmethod
    def take(self, item: int | None, answer: Answer) -> None:
        """The answer of a call that was under way."""

    @abstractmethod
    def take_kept(self, rows: Mapping[int, tuple[str, bytes]]) -> None:
        """Outcomes that an earlier run left behind, item → (inputs hash, outcome): those of the same inputs count."""

    @abstractmethod
    def calls(self) -> Iterator[tuple[int | None, bool]]:
        """Every call in order, and whether it has an answer. Items that can't be asked are left out."""

    @abstractmethod
    def settle(self, item: int | None, answer: Answer) -> None:
        """An answer that needs no call."""

    @abstractmethod
    def digests_of(self, item: int | None) -> dict[str, str]:
        """The digests of a call's inputs. Raises ``InvalidValue`` where no record can hold them."""

    def hash_of(self, item: int | None) -> str:
        """What a call asks. Raises as :meth:`digests_of`."""
        return inputs_hash(self.tool, self.digests_of(item))

    def key_of(self, item: int | None, written: bytes) -> CallKey:
        """The same with ``written``, what was written before: what an earlier answer is found by."""
        tool = self.tool
        return call_key(tool.name, tool.version, tool.effect, self.digests_of(item), written)

    @abstractmethod
    def record(self) -> Record:
        """Once it is done."""

    def _is_worth_keeping(self, outcome: Outcome) -> bool:
        """An error is not: the call is to be made again."""
        return outcome.error is None

    def to_keep(self, item: int | None, outcome: Outcome) -> FinishedEffect | None:
        """What is worth keeping until the commit: not what a ``pure`` call gave, which costs nothing to get again."""
        if self.tool.effect == "pure" or outcome.origin is not None or not self._is_worth_keeping(outcome):
            return None
        try:
            asked = self.hash_of(item)
        except InvalidValue:
            return None  # its commit will say so
        where = (self.effect.seq_no, self.effect.visit, NO_ITEM if item is None else item)
        return FinishedEffect(*where, asked, dump_outcome(outcome, self.tool, self.effect.outputs))


def request_of(
    effect: CallNeeded | FanNeeded, tool: Tool, inputs: Mapping[str, Json], item: int | None = None
) -> Request:
    """One call of the effect."""
    place = Place(effect.seq_no, effect.visit, item)
    return Request(place, tool, inputs, effect.timeout, effect.retry, effect.handles_errors, effect.outputs)


class SingleCall(Work):
    """A step's one call."""

    def __init__(self, effect: CallNeeded, tool: Tool) -> None:
        self.effect: CallNeeded = effect
        self.tool = tool
        self._begun = False
        self._answer: Answer | None = None

    @property
    def has_more(self) -> bool:
        return not self._begun

    @property
    def is_done(self) -> bool:
        return self._answer is not None

    def is_for(self, effect: CallNeeded | FanNeeded) -> bool:
        mine = self.effect
        return (
            isinstance(effect, CallNeeded)
            and effect.visit == mine.visit
            and same_json(dict(mine.inputs), dict(effect.inputs))
        )

    def following(self) -> Request:
        self._begun = True
        return request_of(self.effect, self.tool, self.effect.inputs)

    def take(self, item: int | None, answer: Answer) -> None:
        self._begun = True
        self._answer = answer

    def take_kept(self, rows: Mapping[int, tuple[str, bytes]]) -> None:
        row = rows.get(NO_ITEM)
        if row is not None and row[0] == self.hash_of(None):
            self.take(None, Answer(load_outcome(row[1])))

    def digests_of(self, item: int | None) -> dict[str, str]:
        return input_digests(self.effect.inputs)

    def calls(self) -> Iterator[tuple[int | None, bool]]:
        yield None, self._answer is not None

    def settle(self, item: int | None, answer: Answer) -> None:
        self.take(item, answer)

    def record(self) -> Record:
        assert self._answer is not None
        answer = self._answer
        return call_record(self.effect, self.tool, answer.outcome, key=answer.key, decision=answer.decision)

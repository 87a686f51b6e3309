"""Gets a ``for_each`` done: items side by side, each outcome durable as it arrives, none asked twice."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from app.tools.base import Tool
from app.vm.caller import Caller, CutShort, Request, inputs_hash
from app.vm.calls import Call, CallError, Outcome
from app.vm.decisions import Place
from app.vm.effects import FanNeeded
from app.vm.keys import CallKey, input_digests, reads_outside, value_digest

WIDTH: Final = 8
"""Items in flight at once."""


class Fan:
    """One execution of a ``for_each`` step."""

    def __init__(self, caller: Caller, effect: FanNeeded, tool: Tool, on_done: Callable[[int], None]) -> None:
        self._caller = caller
        self._effect = effect
        self._tool = tool
        self._on_done = on_done
        self._shared_digests = input_digests(effect.shared)
        self._outcomes: dict[int, Outcome] = {}
        self._first_error = effect.count

    def run(self) -> list[Outcome]:
        """The outcomes in the items' order, up to the first error where the step stops at one.

        Raises :class:`app.vm.caller.MustWait` and :class:`app.vm.caller.CutShort`, the outcomes so far being kept.
        """
        for item, message in self._effect.broken.items():
            self._take(item, self._caller.without_call(error=message))
        self._take_finished()
        self._take_reused()
        # What can't be repeated is not begun before it is known that everything before it went well.
        if self._tool.effect == "irreversible":
            self._one_by_one()
        else:
            self._side_by_side()
        wanted = self._effect.count
        if self._effect.stops_at_error and self._first_error < wanted:
            wanted = self._first_error + 1
        return [self._outcomes[item] for item in range(wanted)]

    def settle(self) -> None:
        """Raise :class:`app.vm.caller.MustWait` where :meth:`run` would before it calls anything."""
        self._take_finished()
        for item in range(self._effect.count):
            if item not in self._outcomes and self._caller.settled(self._request(item)) is None:
                return

    def _take(self, item: int, outcome: Outcome) -> None:
        self._outcomes[item] = outcome
        if outcome.error is not None:
            self._first_error = min(self._first_error, item)
        self._on_done(len(self._outcomes))

    def _is_wanted(self, item: int) -> bool:
        """Whether the item has to be asked: not behind the first error where that ends the step."""
        if item in self._outcomes:
            return False
        return not self._effect.stops_at_error or item < self._first_error

    def _take_finished(self) -> None:
        """Outcomes that an earlier execution of this very step left behind, where the inputs are the same."""
        effect = self._effect
        rows = self._caller.ledger.effects(self._caller.branch, effect.seq_no, effect.visit)
        for item, (asked, data) in rows.items():
            if item < effect.count and item not in self._outcomes and asked == self._hash(item):
                self._take(item, load_outcome(data))

    def _take_reused(self) -> None:
        """Earlier answers of the task. Items with the same key take one answer after the other."""
        reuse = self._caller.reuse
        if reuse is None or not reuse.takes(self._tool):
            return
        earlier: Counter[CallKey] = Counter()
        for item in range(self._effect.count):
            if item in self._effect.broken:
                continue
            key = self._request(item).content_key(reuse.written)
            if item not in self._outcomes:
                found = reuse.find(key, self._effect.outputs, earlier[key])
                if found is not None:
                    self._take(item, self._caller.from_earlier(found))
            earlier[key] += 1

    def _one_by_one(self) -> None:
        for item in range(self._effect.count):
            if self._is_wanted(item):
                answered = self._caller.answer(self._request(item))
                self._keep(item, answered.outcome)

    def _side_by_side(self) -> None:
        issued: list[int] = []

        def calls() -> Iterator[Call]:
            for item in range(self._effect.count):
                if self._is_wanted(item):
                    issued.append(item)
                    yield self._caller.call(self._request(item))

        self._caller.performer.perform_many(
            calls(),
            lambda position, outcome: self._arrived(issued[position], outcome),
            width=WIDTH,
            hooks=self._caller.hooks(self._tool),
        )
        if self._caller.performer.cancellation.requested and self._lacks_an_outcome():
            raise CutShort

    def _lacks_an_outcome(self) -> bool:
        """Whether an item that has to be asked was cut short or not begun."""
        for item in range(self._effect.count):
            outcome = self._outcomes.get(item)
            if outcome is None or self._caller.was_cut_short(outcome):
                return True
            if outcome.error is not None and self._effect.stops_at_error:
                return False
        return False

    def _arrived(self, item: int, outcome: Outcome) -> None:
        self._keep(item, self._caller.with_model_calls(self._place(item), outcome))

    def _place(self, item: int) -> Place:
        return Place(self._effect.seq_no, self._effect.visit, item)

    def _keep(self, item: int, outcome: Outcome) -> None:
        """Make a good outcome durable. A ``pure`` one costs nothing to get again; an error is to be retried."""
        performed = outcome.error is None or (
            outcome.state == "unknown" and self._tool.effect == "irreversible"
        )
        if performed and outcome.origin is None and self._tool.effect != "pure":
            effect = self._effect
            self._caller.ledger.save_effect(
                self._caller.branch,
                effect.seq_no,
                effect.visit,
                item,
                self._hash(item),
                dump_outcome(outcome, self._tool, effect.outputs),
            )
        self._take(item, outcome)

    def _request(self, item: int) -> Request:
        effect = self._effect
        return Request(
            self._place(item),
            self._tool,
            effect.inputs(item),
            effect.timeout,
            effect.retry,
            effect.handles_errors,
            effect.outputs,
            self._digests(item),
        )

    def _digests(self, item: int) -> dict[str, str]:
        """Of the item's inputs. The shared ones, which may be large, are hashed once."""
        own = {name: value_digest(column[item]) for name, column in self._effect.columns.items()}
        return {**self._shared_digests, **own}

    def _hash(self, item: int) -> str:
        return inputs_hash(self._tool, self._digests(item))


def dump_outcome(outcome: Outcome, tool: Tool, outputs: Sequence[str]) -> bytes:
    """An outcome as bytes for the effects table, with what it takes to find it as an earlier answer."""
    fields = {
        "value": outcome.value,
        "error": outcome.error.message if outcome.error is not None else None,
        "attempts": outcome.attempts,
        "started_ms": outcome.started_ms,
        "ended_ms": outcome.ended_ms,
        "reads": reads_outside(tool.name, tool.effect),
    }
    if outputs:
        fields["outputs"] = list(outputs)
    if outcome.model_calls:
        fields["model_calls"] = outcome.model_calls
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()


def load_outcome(data: bytes) -> Outcome:
    """Read what :func:`dump_outcome` wrote."""
    fields = json.loads(data)
    error = CallError("raised", fields["error"]) if fields["error"] is not None else None
    return Outcome(
        "ok" if error is None else "failed",
        fields["value"],
        error,
        fields["attempts"],
        fields["started_ms"],
        fields["ended_ms"],
        tuple(fields.get("model_calls", ())),
    )

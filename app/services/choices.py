"""What a person can say about a call that waits, and what each choice will do here."""

from __future__ import annotations

from dataclasses import replace
from typing import Final, NamedTuple

from app.history.canonical import RECORD_DEPTH, canonical
from app.history.repository import Repository
from app.plan.model import Json
from app.vm.decisions import Choice, Waiting
from app.vm.records import recorded_answers

_SHOWN: Final = 10
"""Digits of a commit's id in a text."""


class Earlier(NamedTuple):
    """A result of the same call: the id of the commit that holds it, and the value."""

    commit: str
    value: Json


def with_choices(repository: Repository, waiting: Waiting) -> Waiting:
    """``waiting`` with what each choice will do; ``reuse`` is there only where there is something to reuse."""
    earlier = find_earlier(repository, waiting)
    choices = []
    if earlier is not None:
        does = f"take the result that {waiting.tool} gave for the same inputs at commit {earlier.commit[:_SHOWN]}"
        choices.append(Choice("reuse", does, earlier.commit))
    call = f"call {waiting.tool} with the same idempotency key, as attempt {waiting.attempt + 1}"
    if waiting.attempt:
        call += "; if the earlier one took effect, it may do so twice"
    place = f"step {waiting.place.seq_no}"
    if waiting.place.item is not None:
        place = f"item {waiting.place.item} of {place}"
    choices += [
        Choice("run", call),
        Choice("skip", f"take a value that you give as the result of {place}, and make no call"),
        Choice("fail", f"let {place} fail, without a call"),
    ]
    return replace(waiting, choices=tuple(choices))


def find_earlier(repository: Repository, waiting: Waiting) -> Earlier | None:
    """The newest result of the same tool with the same inputs, on any branch of the task."""
    asked = canonical(dict(waiting.inputs), RECORD_DEPTH)
    seen: set[bytes] = set()
    found: list[tuple[int, Earlier]] = []
    for head in repository.branches().values():
        for commit in repository.log(head):
            if commit.oid in seen:
                break
            seen.add(commit.oid)
            if commit.trailers.get("Tool") != waiting.tool or commit.kind != "step":
                continue
            record = repository.reader.record(commit.tree)
            for inputs, value in recorded_answers(record):
                if canonical(inputs, RECORD_DEPTH) == asked:
                    found.append((commit.time, Earlier(commit.id, value)))
    return max(found, key=lambda entry: entry[0])[1] if found else None

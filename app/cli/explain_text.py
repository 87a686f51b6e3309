"""What a revision will do, and why each step of a run did what it did."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from app.cli.screen import BAD, GOOD, ID, NAME, QUIET, WARN, Line
from app.cli.texts import count, preview, short_commit
from app.plan.model import Json
from app.services.explain import Explanation
from app.services.reusing import Fork
from app.services.revise import Proposal
from app.vm.differences import Part
from app.vm.foresight import Foreseen

_MARKS = {
    "reuse": ("=", QUIET),
    "run": (">", GOOD),
    "ask": ("?", WARN),
    "depends": ("~", NAME),
    "skip": ("-", QUIET),
    "fail": ("✗", BAD),
}
_WORDS = {
    "reuse": "reused",
    "run": "will run",
    "ask": "will ask",
    "depends": "may run",
    "skip": "skipped",
    "fail": "will fail",
}
_SHOWN = 40
_VALUE_CHARACTERS = 60


def proposal_lines(proposal: Proposal) -> Iterator[Line]:
    """Where the revision leaves the old run, what it will do, and what was done beyond that point."""
    yield [
        ("revision", NAME),
        f" of {proposal.branch} as {proposal.name}, behind ",
        (short_commit(proposal.fork_point), ID),
        (f"  {count(proposal.kept, 'step')} kept", QUIET),
    ]
    tally = Counter(each.will for each in proposal.foreseen)
    if tally:
        yield ["  " + ", ".join(f"{number:,} {_WORDS[will]}" for will, number in tally.items())]
    telling = [each for each in proposal.foreseen if each.will != "reuse"]
    for each in telling[:_SHOWN]:
        yield _foreseen_line(each)
    if len(telling) > _SHOWN:
        yield [(f"  … {len(telling) - _SHOWN:,} more", QUIET)]
    if proposal.beyond:
        yield [("!", WARN), " beyond the fork point these were called:"]
        for call in proposal.beyond[:_SHOWN]:
            yield [
                f"    step {call.seq_no} {call.tool}  {call.effect}",
                (f"  {short_commit(call.commit)}", ID) if call.commit is not None else "  outcome unknown",
            ]
        if len(proposal.beyond) > _SHOWN:
            yield [(f"    … {len(proposal.beyond) - _SHOWN:,} more", QUIET)]


def _foreseen_line(each: Foreseen) -> Line:
    items = "" if each.items is None else f"  {each.reused or 0:,} of {count(each.items, 'item')} reused"
    what = each.tool or "condition"
    return ["  ", _MARKS[each.will], f" {each.seq_no} {what}", (f"  {_WORDS[each.will]}{items}", QUIET)]


_OUTCOMES = {"kept": ("·", QUIET), "reused": ("=", QUIET), "ran": (">", GOOD), "none": (" ", QUIET)}


def explanation_lines(branch: str, fork: Fork | None, explained: Sequence[Explanation]) -> Iterator[Line]:
    """A line a step, and below those that ran what differed."""
    if fork is None:
        yield [(branch, NAME), "  was not forked from another run: every step ran"]
    else:
        yield [
            (branch, NAME),
            f"  forked from {fork.source.branch} behind ",
            (short_commit(fork.point.hex()), ID),
        ]
    for each in explained:
        visit = f" ×{each.visit}" if each.visit > 1 else ""
        what = each.tool or ("condition" if each.effect else "")
        failed = ("  failed", BAD) if each.failed else ("", "")
        yield [
            _OUTCOMES[each.outcome],
            f" {each.seq_no}{visit}{' ' if what else ''}{what}",
            failed,
            (f"  {_outcome(each)}", QUIET),
        ]
        if each.outcome == "ran":
            for part in each.changed:
                yield [f"      {part.part}: ", (_values(part), QUIET)]


def _outcome(each: Explanation) -> str:
    if each.outcome == "none":
        return "no effect"
    text: str = each.outcome
    if each.items is not None and each.outcome != "kept":
        text = f"{each.items[0]:,} items reused, {each.items[1]:,} ran"
    if each.outcome == "reused" and each.origin is not None:
        commit = each.origin.commit
        return (
            f"{text} from {short_commit(commit)}" if commit is not None else f"{text}, never committed before"
        )
    return text


def _values(part: Part) -> str:
    def shown(value: Json) -> str:
        return preview(value, _VALUE_CHARACTERS)

    if part.part == "step":
        return "the earlier run made no such call"
    if part.part == "reuse":
        return "turned off"
    if part.part == "effect":
        return f"{part.new} calls are made again"
    if part.part == "error" or part.part.endswith("].error"):
        return f"the earlier call failed: {shown(part.old)}"
    if part.part == "occurrence":
        return "the same was asked before, but not so often"
    return f"{shown(part.old)} -> {shown(part.new)}"

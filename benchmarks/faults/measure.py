"""Sowing faults and counting what the checker finds before step one."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Final

from app.plan.check import check_text
from app.plan.findings import Finding
from app.plan.parse import plan_from_json
from app.plan.problems import PlanSyntaxError
from benchmarks.faults.operators import BEYOND, OPERATORS, Broken, Operator
from benchmarks.faults.running import run
from benchmarks.faults.subjects import CHANCES, Subject

WARNINGS: Final = frozenset({"P004", "P006"})
"""Codes that keep no plan from running: found is what is warned of."""
_WARN_TOO: Final = frozenset({"one_way_ends_without_an_answer", "some_ways_end_before_the_answer"})
"""So they are where only some ways end without an answer (P011)."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A broken plan and the findings about it. ``origin`` is the plan it was made from."""

    code: str
    operator: str
    origin: str
    broken: Broken
    findings: tuple[Finding, ...]

    @property
    def named(self) -> bool:
        """Whether it was found under its own code."""
        warn = self.code in WARNINGS or self.operator in _WARN_TOO
        return any(f.code == self.code and (warn or f.severity == "error") for f in self.findings)

    @property
    def found(self) -> bool:
        """Whether it was named, or the plan is refused for another reason."""
        return self.named or any(finding.severity == "error" for finding in self.findings)


@dataclass(slots=True)
class Count:
    """Of one code or operator. ``missed`` are the faults that nobody would hear of before step one."""

    sown: int = 0
    named: int = 0
    found: int = 0
    missed: list[Fault] = field(default_factory=list)

    def add(self, fault: Fault) -> None:
        self.sown += 1
        self.named += fault.named
        self.found += fault.found
        if not fault.found:
            self.missed.append(fault)

    @property
    def share(self) -> float:
        """How much of what was sown was found."""
        return self.found / self.sown if self.sown else 1.0


def sow(subject: Subject, operator: Operator, code: str, most: int, chance: Random) -> Iterator[Fault]:
    """At most ``most`` faults of an operator in a plan, chosen by chance among all it can make."""
    ways = list(operator(subject))
    for broken in chance.sample(ways, min(most, len(ways))):
        text = broken if isinstance(broken, str) else json.dumps(broken)
        findings = check_text(text, subject.catalog)[1]
        yield Fault(code, operator.__name__, subject.name, broken, tuple(findings))


def sow_all(
    subjects: Sequence[Subject], most: int, seed: int, operators: Mapping[str, Sequence[Operator]] = OPERATORS
) -> Iterator[Fault]:
    """Faults of every operator in every plan. The same for the same seed."""
    for subject in subjects:
        for code, of_code in operators.items():
            for operator in of_code:
                chance = Random(f"{seed} {subject.name} {operator.__name__}")
                yield from sow(subject, operator, code, most, chance)


def unclaimed(subjects: Sequence[Subject], most: int, seed: int) -> Count:
    """What is found of the faults that the checker does not claim to find."""
    count = Count()
    for fault in sow_all(subjects, most, seed, BEYOND):
        count.add(fault)
    return count


def alarms(subjects: Sequence[Subject]) -> list[tuple[Subject, Finding]]:
    """What the checker has to say about plans that are valid: nothing, if it is right."""
    return [
        (subject, finding)
        for subject in subjects
        for finding in check_text(json.dumps(subject.steps), subject.catalog)[1]
    ]


def shows(subject: Subject, fault: Fault) -> bool | None:
    """Whether a run of the broken plan goes wrong, where it can be run at all."""
    if not isinstance(fault.broken, list) or fault.code in ("P001", "P002"):
        return None
    try:
        plan = plan_from_json(fault.broken)
    except PlanSyntaxError:
        return None
    return any(run(plan, subject.world, chance).problem is not None for chance in range(CHANCES))

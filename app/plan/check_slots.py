"""The templates and expressions of a plan: those that don't parse (P012), and what the others read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from app.plan.dataflow import Slot, slots
from app.plan.expressions import ExpressionSyntaxError
from app.plan.findings import Finding, error
from app.plan.model import Json, Plan
from app.plan.paths import Path, format_path
from app.plan.references import TemplateSyntaxError


class Read(NamedTuple):
    """A slot and the variables that are read in it."""

    slot: Slot
    names: frozenset[str]

    def place(self, name: str) -> str:
        """Where in the step the variable is read first."""
        leaf = next((leaf for leaf in _leaves(self.slot) if name in leaf.reads()), self.slot)
        return format_path(leaf.path)


def check_slots(plan: Plan) -> tuple[list[Finding], list[list[Read]]]:
    """The findings, and by index of the step what it reads, as far as it parses."""
    findings: list[Finding] = []
    reads: list[list[Read]] = []
    for step in plan.steps:
        of_step: list[Read] = []
        for slot in slots(step.instruction):
            try:
                names = slot.reads()
                if names:
                    of_step.append(Read(slot, names))
            except (TemplateSyntaxError, ExpressionSyntaxError):
                for leaf in _leaves(slot):
                    _check_leaf(step.seq_no, leaf, findings, of_step)
        reads.append(of_step)
    return findings, reads


def _check_leaf(seq_no: int, leaf: Slot, findings: list[Finding], reads: list[Read]) -> None:
    try:
        reads.append(Read(leaf, leaf.reads()))
    except (TemplateSyntaxError, ExpressionSyntaxError) as problem:
        place = format_path(leaf.path)
        findings.append(error("P012", seq_no, place, problem.message, problem.hint or ""))


def _leaves(slot: Slot) -> Iterator[Slot]:
    """The texts of a slot, each as a slot of its own."""
    if isinstance(slot.value, str):
        yield slot
        return
    for path, text in _texts(slot.value, slot.path):
        yield slot._replace(path=path, value=text, kind="template")


def _texts(value: Json, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, part in value.items():
            yield from _texts(part, (*path, key))
    elif isinstance(value, list):
        for index, part in enumerate(value):
            yield from _texts(part, (*path, index))

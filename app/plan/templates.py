"""Compiled values of a plan: what stays as it is, and what is filled in from the variables at run time.

Built by :mod:`app.plan.references`. Resolving changes nothing in place: what is constant is given out as the
plan's own object, and what is filled in goes into new lists and objects.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from app.errors import ExpressionFailed
from app.plan.budget import Budget
from app.plan.expressions import Expression
from app.plan.model import Json
from app.plan.paths import Path, follow, missing_variable
from app.plan.values import is_number, shorten


@dataclass(frozen=True, slots=True)
class Reference:
    """One mention of a variable: its name, the path within it, and the ``${…}`` it stands in."""

    name: str
    path: Path
    text: str

    def resolve(self, variables: Mapping[str, Json], budget: Budget | None = None) -> Json:
        """What it refers to; that takes nothing from the budget. Raises ``ReferenceFailed``."""
        try:
            value = variables[self.name]
        except KeyError:
            raise missing_variable(self.name, variables, self.text) from None
        return follow(value, self.path, self.text) if self.path else value


@dataclass(frozen=True, slots=True)
class Evaluated:
    """A ``${{ … }}`` in a template."""

    expression: Expression
    text: str

    @property
    def references(self) -> list[Reference]:
        """The variables it reads, by name."""
        return [Reference(name, (), self.text) for name in sorted(self.expression.reads)]

    def resolve(self, variables: Mapping[str, Json], budget: Budget | None = None) -> Json:
        """The value of the expression. Raises ``ReferenceFailed`` or ``ExpressionFailed``."""
        return self.expression.evaluate(variables, budget)


_NONE: Final[frozenset[str]] = frozenset()

Piece: TypeAlias = str | Reference | Evaluated
"""A stretch of a text: as it stands, or filled in."""


class Template:
    """A constant value, and the base of those that aren't.

    ``reads`` are the names of the variables in it. ``whole`` is true where only the run can tell the value's type: a
    text that is one reference, expression or calculation.
    """

    __slots__ = ("reads", "value")

    is_constant = True
    whole = False

    def __init__(self, value: Json, reads: frozenset[str] = _NONE) -> None:
        self.value = value
        self.reads = reads

    @property
    def references(self) -> tuple[Reference, ...]:
        """All mentions of variables, in order."""
        return ()

    def resolve(self, variables: Mapping[str, Json], budget: Budget | None = None) -> Json:
        """The value with everything filled in.

        ``budget`` is given where several values share the limit of one. Raises ``ReferenceFailed`` for what
        is not there, ``ExpressionFailed`` for what can't be evaluated or would be too large.
        """
        return self.value


class ReferenceTemplate(Template):
    """A text that is exactly one reference: what it refers to, of whatever type, the very object."""

    __slots__ = ("reference",)

    is_constant = False
    whole = True

    def __init__(self, value: str, reference: Reference) -> None:
        super().__init__(value, frozenset((reference.name,)))
        self.reference = reference

    @property
    def references(self) -> tuple[Reference, ...]:
        return (self.reference,)

    def resolve(self, variables: Mapping[str, Json], budget: Budget | None = None) -> Json:
        return self.reference.resolve(variables)


class ExpressionTemplate(Template):
    """A text that is exactly one expression: its value, of whatever type."""

    __slots__ = ("expression",)

    is_constant = False
    whole = True

    def __init__(self, value: str, expression: Expression) -> None:
        super().__init__(value, expression.reads)
        self.expression = expression

    @property
    def references(self) -> tuple[Reference, ...]:
        return tuple(Evaluated(self.expression, self.value).references)

    def resolve(self, variables: Mapping[str, Json], budget: Budget | None = None) -> Json:
        return self.expression.evaluate(variables, budget)


class TextTemplate(Template):
    """A text with references in it; what they give is written as text."""

    __slots__ = ("pieces",)

    is_constant = False

    def __init__(self, value: str, pieces: Sequence[Piece]) -> None:
        super().__init__(value, frozenset().union(*map(_names, pieces)))
        self.pieces = tuple(pieces)

    @property
    def references(self) -> tuple[Reference, ...]:
        return tuple(references_of(self.pieces))

    def resolve(self, variables: Mapping[str, Json], budget: Budget | None = None) -> Json:
        budget = budget or Budget()
        return "".join([_written(piece, variables, budget) for piece in self.pieces])


class CalculationTemplate(TextTemplate):
    """The older arithmetic, ``${a} / 3 + ${b}``: calculated where all references are numbers, else a text.

    ``calculation`` is the same with the names ``r0``, ``r1``, … for the references.
    """

    __slots__ = ("calculation", "operands")

    whole = True

    def __init__(self, value: str, pieces: Sequence[Piece], calculation: Expression) -> None:
        super().__init__(value, pieces)
        self.calculation = calculation
        self.operands = references_of(pieces)

    def resolve(self, variables: Mapping[str, Json], budget: Budget | None = None) -> Json:
        operands = [reference.resolve(variables) for reference in self.operands]
        if not all(map(is_number, operands)):
            return super().resolve(variables, budget)
        return self.calculation.evaluate({f"r{index}": value for index, value in enumerate(operands)}, budget)


class ListTemplate(Template):
    """A list of which some items are filled in: ``items`` by their index."""

    __slots__ = ("items",)

    is_constant = False

    def __init__(self, value: list[Json], items: Mapping[int, Template]) -> None:
        super().__init__(value, _all_reads(items.values()))
        self.items = tuple(items.items())

    @property
    def references(self) -> tuple[Reference, ...]:
        return tuple(reference for _, item in self.items for reference in item.references)

    def resolve(self, variables: Mapping[str, Json], budget: Budget | None = None) -> Json:
        budget = budget or Budget()
        result = list(self.value)
        for index, item in self.items:
            result[index] = item.resolve(variables, budget)
        return result


class ObjectTemplate(Template):
    """An object of which some values are filled in: ``members`` by their key. Keys stay as they are."""

    __slots__ = ("members",)

    is_constant = False

    def __init__(self, value: dict[str, Json], members: Mapping[str, Template]) -> None:
        super().__init__(value, _all_reads(members.values()))
        self.members = tuple(members.items())

    @property
    def references(self) -> tuple[Reference, ...]:
        return tuple(reference for _, member in self.members for reference in member.references)

    def resolve(self, variables: Mapping[str, Json], budget: Budget | None = None) -> Json:
        budget = budget or Budget()
        result = dict(self.value)
        for key, member in self.members:
            result[key] = member.resolve(variables, budget)
        return result


def references_of(pieces: Iterable[Piece]) -> list[Reference]:
    """All references in the pieces of a text, in order."""
    found: list[Reference] = []
    for piece in pieces:
        if isinstance(piece, Reference):
            found.append(piece)
        elif isinstance(piece, Evaluated):
            found.extend(piece.references)
    return found


def _names(piece: Piece) -> Iterable[str]:
    if isinstance(piece, Reference):
        return (piece.name,)
    return () if isinstance(piece, str) else piece.expression.reads


def _all_reads(templates: Iterable[Template]) -> frozenset[str]:
    return frozenset().union(*(template.reads for template in templates))


def _written(piece: Piece, variables: Mapping[str, Json], budget: Budget) -> str:
    if isinstance(piece, str):
        return piece
    value = piece.resolve(variables, budget)
    try:
        return budget.text_of(value)
    except ExpressionFailed as error:
        raise ExpressionFailed(f"{shorten(piece.text)}: {error.message}", hint=error.hint) from None

"""References in a plan's values: ``${name.key[0]}``, ``${{ expression }}``, and ``$${`` for a literal ``${``.

Any string of a value may hold them, at any depth of lists and objects; keys of objects are never templates.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache
from typing import Final, NoReturn

from app.errors import InputError
from app.plan.expression_tokens import MAX_TEXT
from app.plan.expressions import Expression, ExpressionSyntaxError, compile_expression
from app.plan.model import Json
from app.plan.paths import NAME, scan_parts
from app.plan.templates import (
    CalculationTemplate,
    Evaluated,
    ExpressionTemplate,
    ListTemplate,
    ObjectTemplate,
    Piece,
    Reference,
    ReferenceTemplate,
    Template,
    TextTemplate,
)
from app.plan.values import shorten

__all__ = [
    "MAX_DEPTH",
    "ExpressionSyntaxError",
    "Reference",
    "Template",
    "TemplateSyntaxError",
    "compile_assign_value",
    "compile_template",
    "reads_of",
]

MAX_DEPTH: Final = 100
"""Levels of lists and objects in a value of a plan."""

_CACHED: Final = 16_384
_CACHED_LENGTH: Final = 2000

_MARK: Final = re.compile(r"\$\$\{|\$\{\{|\$\{")
_PLAIN_REFERENCE: Final = re.compile(rf"\$\{{({NAME.pattern})\}}")
_PLAIN_EXPRESSION: Final = re.compile(rf"\$\{{\{{([^{{}}]{{1,{MAX_TEXT - 10}}})\}}\}}")
"""The usual kinds, found at once: a variable as a whole, and an expression without braces within."""
_SPACE: Final = re.compile(r"\s*")
_IN_EXPRESSION: Final = re.compile(r""""(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[{}]""", re.DOTALL)

_NUMBER: Final = r"(?:[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?|\.[0-9]+)"
_OPERAND: Final = rf"(?:\(*-)?\(*(?:r[0-9]+|{_NUMBER})\)*"
_CALCULATION: Final = re.compile(rf"{_OPERAND}(?: +(?:\*\*|//|[-+*/%]) +{_OPERAND})+")
_CALCULATION_TEXT: Final = re.compile(r"[0-9.eE+\-*/%() ]*")


class TemplateSyntaxError(InputError):
    """A malformed reference: the whole ``text`` it stands in, and the ``position`` of its ``$``."""

    def __init__(self, text: str, position: int, message: str, hint: str) -> None:
        super().__init__(f"{message} in {shorten(text[position:], 60)!r}", hint=hint)
        self.text = text
        self.position = position


def compile_template(value: Json) -> Template:
    """``value`` with its references found.

    Raises :class:`TemplateSyntaxError` for a malformed reference, :class:`ExpressionSyntaxError` for an
    expression that doesn't parse.
    """
    return _compile(value, 0) or Template(value)


def compile_assign_value(value: Json) -> Template:
    """As :func:`compile_template`, and a text such as ``${a} / 3 + ${b}`` is a calculation.

    It has at least one reference and one operator, spaces around each operator, and beside references and
    numbers only parentheses. It is calculated where all its references are numbers, otherwise it is a text.
    """
    template = compile_template(value)
    if isinstance(template, TextTemplate):
        calculation = _calculation(template.pieces, value)
        if calculation is not None:
            return CalculationTemplate(value, template.pieces, calculation)
    return template


def reads_of(value: Json) -> frozenset[str]:
    """The variables in ``value``, as those of its template, which is made only where they are not seen at once.

    Raises as :func:`compile_template`.
    """
    if type(value) is str:
        expression = _PLAIN_EXPRESSION.fullmatch(value)
        if expression is not None:
            return compile_expression(expression[1].strip()).reads
        plain = _plain_names(value)
        return compile_template(value).reads if plain is None else frozenset(plain)
    names: set[str] = set()
    return frozenset(names) if _find_plain(value, names, 0) else compile_template(value).reads


def _find_plain(value: Json, names: set[str], depth: int) -> bool:
    """Adds the variables of plain references; false where there is anything else."""
    if type(value) is str:
        plain = _plain_names(value) if "${" in value else ()
        names.update(plain or ())
        return plain is not None
    if isinstance(value, list | dict):
        parts = value if isinstance(value, list) else value.values()
        return depth < MAX_DEPTH and all(_find_plain(part, names, depth + 1) for part in parts)
    return True


def _plain_names(text: str) -> list[str] | None:
    """The variables of a text in which no ``${`` is anything but a variable as a whole; else ``None``."""
    names = _PLAIN_REFERENCE.findall(text)
    return names if len(names) == text.count("${") and "$${" not in text else None


def _compile(value: Json, depth: int) -> Template | None:
    """The template of a value, or ``None`` where the value is constant and stands as it is."""
    if type(value) is str:
        return _compile_text(value) if "${" in value else None
    if not isinstance(value, list | dict):
        return None
    if depth == MAX_DEPTH:
        raise TemplateSyntaxError("", 0, f"more than {MAX_DEPTH} levels", "flatten the value")
    return _compile_list(value, depth) if isinstance(value, list) else _compile_object(value, depth)


def _compile_list(value: list[Json], depth: int) -> Template | None:
    items = {
        index: template
        for index, item in enumerate(value)
        if (template := _compile(item, depth + 1)) is not None
    }
    return _unescaped(ListTemplate(value, items), items.values()) if items else None


def _compile_object(value: dict[str, Json], depth: int) -> Template | None:
    members = {
        key: template
        for key, member in value.items()
        if (template := _compile(member, depth + 1)) is not None
    }
    return _unescaped(ObjectTemplate(value, members), members.values()) if members else None


def _unescaped(template: Template, parts: Iterable[Template]) -> Template:
    """A constant where all there was to do is ``$${``."""
    return Template(template.resolve({})) if all(part.is_constant for part in parts) else template


def _compile_text(text: str) -> Template:
    return _compile_short_text(text) if len(text) <= _CACHED_LENGTH else _build_text(text)


def _build_text(text: str) -> Template:
    plain = _PLAIN_REFERENCE.fullmatch(text)
    if plain is not None:
        return ReferenceTemplate(text, Reference(plain[1], (), text))
    plain = _PLAIN_EXPRESSION.fullmatch(text)
    if plain is not None:
        return ExpressionTemplate(text, compile_expression(plain[1].strip()))
    pieces = _pieces(text)
    if all(isinstance(piece, str) for piece in pieces):
        return Template("".join(map(str, pieces)))
    if len(pieces) == 1:
        piece = pieces[0]
        if isinstance(piece, Reference):
            return ReferenceTemplate(text, piece)
        if isinstance(piece, Evaluated):
            return ExpressionTemplate(text, piece.expression)
    return TextTemplate(text, pieces)


_compile_short_text = lru_cache(maxsize=_CACHED)(_build_text)


def _pieces(text: str) -> list[Piece]:
    pieces: list[Piece] = []
    position = 0
    while mark := _MARK.search(text, position):
        start = mark.start()
        if start > position:
            pieces.append(text[position:start])
        if mark.group() == "$${":
            pieces.append("${")
            position = mark.end()
            continue
        read = _read_expression if mark.group() == "${{" else _read_reference
        piece, position = read(text, start)
        pieces.append(piece)
    if position < len(text):
        pieces.append(text[position:])
    return pieces


def _read_reference(text: str, start: int) -> tuple[Reference, int]:
    """The reference whose ``$`` is at ``start``, and where it ends."""
    plain = _PLAIN_REFERENCE.match(text, start)
    if plain is not None:
        return Reference(plain[1], (), plain[0]), plain.end()
    position = _after_space(text, start + 2)
    name = NAME.match(text, position)
    if name is None:
        _refuse_reference(text, start, position)
    path, position = scan_parts(text, name.end())
    position = _after_space(text, position)
    if not text.startswith("}", position):
        _refuse_reference(text, start, position)
    end = position + 1
    return Reference(name.group(), path, text[start:end]), end


def _read_expression(text: str, start: int) -> tuple[Evaluated, int]:
    """The ``${{ … }}`` whose ``$`` is at ``start``, and where it ends. Braces inside must be balanced."""
    depth = 0
    for token in _IN_EXPRESSION.finditer(text, start + 3, start + MAX_TEXT):
        if token.group() == "{":
            depth += 1
        elif token.group() == "}" and depth:
            depth -= 1
        elif token.group() == "}" and text.startswith("}}", token.start()):
            end = token.start() + 2
            return Evaluated(
                compile_expression(text[start + 3 : token.start()].strip()), text[start:end]
            ), end
    raise TemplateSyntaxError(
        text, start, f"expression is not closed within {MAX_TEXT:,} characters", "it ends with }}"
    )


def _refuse_reference(text: str, start: int, position: int) -> NoReturn:
    hint = "a reference looks like ${name.key[0]}; a literal ${ is written $${"
    if text.find("}", position) < 0:
        raise TemplateSyntaxError(text, start, "reference is not closed", hint)
    if text.startswith("}", position):
        raise TemplateSyntaxError(text, start, "empty reference", hint)
    if text.startswith("[", position):
        hint = "an index from a variable needs an expression: ${{ items[i] }}"
    raise TemplateSyntaxError(text, start, f"malformed reference: unexpected {text[position]!r}", hint)


def _after_space(text: str, position: int) -> int:
    match = _SPACE.match(text, position)
    return match.end() if match else position


def _calculation(pieces: tuple[Piece, ...], spelling: str) -> Expression | None:
    """The pieces as an expression over ``r0``, ``r1``, …, where they are a calculation."""
    names: list[str] = []
    text = ""
    for piece in pieces:
        if isinstance(piece, Evaluated) or (
            isinstance(piece, str) and not _CALCULATION_TEXT.fullmatch(piece)
        ):
            return None
        if isinstance(piece, Reference):
            names.append(f"r{len(names)}")
        text += piece if isinstance(piece, str) else names[-1]
    if not _CALCULATION.fullmatch(text.strip(" ")):
        return None
    try:
        compiled = compile_expression(text.strip(" "))
    except ExpressionSyntaxError:
        return None
    return replace(compiled, spelling=f"calculation {shorten(spelling)!r}")

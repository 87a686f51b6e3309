"""From the text of an expression to a checked syntax tree: what can be refused before it runs is refused."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from operator import attrgetter
from typing import Any, Final, NoReturn

from app.plan.expression_functions import Function
from app.plan.expression_tokens import ExpressionSyntaxError, plain_source_of, source_of
from app.plan.values import MAX_INT_BITS, is_encodable

MAX_DEPTH: Final = 100
"""Levels of the syntax tree; ``a + b + c`` has one more than ``a + b``."""

_CONSTANTS: Final = {"true": True, "false": False, "null": None}
_ALLOWED: Final = frozenset(
    {
        ast.Constant, ast.Name, ast.Load, ast.List, ast.Dict, ast.Subscript, ast.Slice, ast.Call, ast.IfExp,
        ast.UnaryOp, ast.UAdd, ast.USub, ast.Not, ast.BoolOp, ast.And, ast.Or,
        ast.BinOp, ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow,
        ast.Compare, ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.In, ast.NotIn,
    }
)  # fmt: skip
_REFUSED: Final[dict[type, tuple[str, str]]] = {
    ast.Tuple: ("a tuple", "write a list: [a, b]"),
    ast.Set: ("a set", "write a list: [a, b]"),
    ast.Is: ("'is'", "write '=='"),
    ast.IsNot: ("'is not'", "write '!='"),
}
_SMALL: Final = 1 << 53
"""Numbers below it are within all limits; one that is not finite is never below."""
_HINT: Final = "see the plan language for what an expression is"


def parse_expression(text: str, functions: Mapping[str, Function]) -> tuple[ast.expr, frozenset[str]]:
    """The checked tree of ``text``, which may call ``functions``, and the variables it reads.

    Raises :class:`ExpressionSyntaxError`.
    """
    source = plain_source_of(text)
    try:
        tree = ast.parse(source or source_of(text), mode="eval").body
        reads = _plain_reads(tree, functions)
        if reads is not None:
            return tree, reads
        checker = _Checker(text, functions)
        return checker.visit(tree), frozenset(checker.reads)
    except SyntaxError as error:
        if source is not None:
            source_of(text)  # what it has to say about brackets says more
        raise ExpressionSyntaxError(text, error.msg, _HINT) from None
    except (ValueError, MemoryError, RecursionError):
        raise ExpressionSyntaxError(text, "a number too long or nesting too deep", _HINT) from None


class _Checker(ast.NodeTransformer):
    """Refuses what is not on the list, collects the variables, puts values for ``true false null``."""

    def __init__(self, text: str, functions: Mapping[str, Function]) -> None:
        self.text = text
        self.functions = functions
        self.reads: set[str] = set()
        self.depth = 0

    def visit(self, node: ast.AST) -> Any:
        if type(node) not in _ALLOWED:
            name, hint = _REFUSED.get(type(node), (type(node).__name__, _HINT))
            self._refuse(f"{name} is not available", hint)
        self.depth += 1
        if self.depth > MAX_DEPTH:
            self._refuse("nested too deeply", f"at most {MAX_DEPTH} operations may be nested or chained")
        # Without fields it is an operator, half of all nodes: there is nothing in it to visit.
        result: Any = super().visit(node) if node._fields else node
        self.depth -= 1
        return result

    def generic_visit(self, node: ast.AST) -> ast.AST:
        """As the base class does it, without a thought for nodes that go or multiply: here none does."""
        for name in node._fields:
            part = getattr(node, name)
            if isinstance(part, ast.AST):
                setattr(node, name, self.visit(part))
            elif type(part) is list:
                part[:] = [self.visit(each) for each in part]
        return node

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if node.id in _CONSTANTS:
            return ast.copy_location(ast.Constant(_CONSTANTS[node.id]), node)
        self.reads.add(node.id)
        return node

    def visit_Call(self, node: ast.Call) -> ast.expr:
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name not in self.functions:
            near = get_close_matches(name, self.functions, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(self.functions)}"
            self._refuse(f"there is no function {name!r}" if name else "only functions can be called", hint)
        if not self.functions[name].accepts(len(node.args)):
            count = len(node.args)
            self._refuse(f"{name} doesn't take {count} arguments", f"write {self.functions[name].signature}")
        if node.keywords:
            self._refuse(f"{name} takes no named arguments", f"write {name}(value, …)")
        node.args = [self.visit(argument) for argument in node.args]
        return node

    def visit_Dict(self, node: ast.Dict) -> ast.expr:
        if None in node.keys:
            self._refuse("** is not available in an object", 'write {"key": value}')
        self.generic_visit(node)
        return node

    def visit_Constant(self, node: ast.Constant) -> ast.expr:
        value = node.value
        if isinstance(value, float) and not math.isfinite(value):
            self._refuse("a number beyond the range of JSON", "numbers are at most about 1.8e308")
        if isinstance(value, int) and value.bit_length() > MAX_INT_BITS:
            self._refuse("a number too long", f"integers have at most {MAX_INT_BITS} bits")
        if isinstance(value, str) and not is_encodable(value):
            self._refuse("a lone surrogate in a text", "write the character itself or \\U0001F600")
        return node

    def _refuse(self, message: str, hint: str) -> NoReturn:
        raise ExpressionSyntaxError(self.text, message, hint)


_PLAIN_DEPTH: Final = MAX_DEPTH // 2
_OPERATORS: Final = frozenset(kind for kind in _ALLOWED if not kind._fields)  # type: ignore[attr-defined]
_PARTS: Final[Mapping[type, Callable[[Any], Iterable[Any]]]] = {
    ast.BinOp: attrgetter("left", "right", "op"),
    ast.UnaryOp: attrgetter("operand", "op"),
    ast.Compare: attrgetter("left", "comparators", "ops"),
    ast.BoolOp: attrgetter("values"),
    ast.Subscript: attrgetter("value", "slice"),
    ast.IfExp: attrgetter("test", "body", "orelse"),
    ast.List: attrgetter("elts"),
    ast.Dict: attrgetter("keys", "values"),
}
"""What is to be looked at in a node; several of a kind come as a list."""


def _plain_reads(tree: ast.expr, functions: Mapping[str, Function]) -> frozenset[str] | None:
    """The variables that a tree reads in which nothing is to be refused or replaced; else ``None``.

    Most expressions are so, and this is quick. What is wrong with the others is for :class:`_Checker` to say.
    """
    reads: set[str] = set()
    level: list[Any] = [tree]
    for _ in range(_PLAIN_DEPTH):
        below: list[Any] = []
        for node in level:
            kind = type(node)
            if kind is ast.Name:
                reads.add(node.id)
            elif kind in _PARTS:
                below += _PARTS[kind](node)
            elif kind is list:
                below += node
            elif kind is ast.Call and _is_plain_call(node, functions):
                below += node.args
            elif kind not in _OPERATORS and not (kind is ast.Constant and _is_plain(node.value)):
                return None
        if not below:
            return None if reads & _CONSTANTS.keys() else frozenset(reads)
        level = below
    return None


def _is_plain_call(node: ast.Call, functions: Mapping[str, Function]) -> bool:
    known = functions.get(node.func.id) if isinstance(node.func, ast.Name) else None
    return known is not None and known.accepts(len(node.args)) and not node.keywords


def _is_plain(value: Any) -> bool:
    if type(value) is str:
        return value.isascii()
    return value is None or (-_SMALL < value < _SMALL if isinstance(value, int | float) else False)

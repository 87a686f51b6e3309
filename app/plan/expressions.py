"""Expressions: ``price * 1.19``, ``items + [x]``, ``rows[0]["name"] in names``. Total and bounded.

simpleeval walks the tree; what it may meet is decided before (:mod:`app.plan.expression_syntax`), what its
operators and functions may do is held to JSON's types and a budget.
"""

from __future__ import annotations

import ast
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Final

from simpleeval import EvalWithCompoundTypes, InvalidExpression

from app.errors import ExpressionFailed
from app.plan.budget import ITEM, WORK_LIMIT, Budget
from app.plan.expression_functions import FUNCTIONS
from app.plan.expression_operators import operators
from app.plan.expression_syntax import parse_expression
from app.plan.expression_tokens import ExpressionSyntaxError
from app.plan.model import Json
from app.plan.paths import missing_variable, no_part
from app.plan.values import shorten, type_name

__all__ = ["FUNCTIONS", "Expression", "ExpressionSyntaxError", "compile_expression"]

_CACHED: Final = 16_384
_RESULTS: Final = frozenset({type(None), bool, int, float, str, list, dict, slice})


_KEYS: Final[dict[type, type]] = {list: int, str: int, dict: str}


@dataclass(frozen=True, slots=True)
class Expression:
    """A compiled expression. ``reads`` are the variables it names; ``spelling`` is how errors call it."""

    text: str
    reads: frozenset[str]
    spelling: str
    _tree: ast.expr = field(repr=False, compare=False)

    def evaluate(self, variables: Mapping[str, Json], budget: Budget | None = None) -> Json:
        """Its value. Elements of lists are shared with the variables, never copied.

        ``budget`` is given where several evaluations share the limit of one.

        Raises ``ReferenceFailed`` for a variable, key or index that is not there, ``ExpressionFailed`` for
        anything else that has no value.
        """
        return _THREAD.evaluator.run(self._tree, variables, self.spelling, budget)


@lru_cache(maxsize=_CACHED)
def compile_expression(text: str) -> Expression:
    """Parse and check ``text`` once. Raises :class:`ExpressionSyntaxError`."""
    tree, reads = parse_expression(text, FUNCTIONS)
    return Expression(text, reads, f"expression {shorten(text)!r}", tree)


class _Evaluator(EvalWithCompoundTypes):  # type: ignore[misc]
    """simpleeval with its tables narrowed. One a thread; nothing is kept from one run to the next."""

    def __init__(self) -> None:
        self._budget = Budget()
        """The operators and functions are bound to it; a run takes over what is left of the caller's."""
        super().__init__(operators=operators(self._budget), functions={}, names={})
        self.functions = {name: partial(known.call, self._budget) for name, known in FUNCTIONS.items()}
        self.nodes = {
            ast.Constant: self._eval_constant,
            ast.Name: self._eval_name,
            ast.List: self._eval_list,
            ast.Dict: self._eval_dict,
            ast.Subscript: self._eval_subscript,
            ast.Slice: self._eval_slice,
            ast.Call: self._eval_call,
            ast.IfExp: self._eval_ifexp,
            ast.UnaryOp: self._eval_unaryop,
            ast.BinOp: self._eval_binop,
            ast.BoolOp: self._eval_boolop,
            ast.Compare: self._eval_compare,
        }

    def run(
        self, tree: ast.expr, variables: Mapping[str, Json], spelling: str, budget: Budget | None
    ) -> Json:
        """The value of ``tree``, with every failure as one of our errors."""
        self.names = variables
        self.expr = spelling
        self._budget.left = WORK_LIMIT if budget is None else budget.left
        try:
            return self._eval(tree)
        except ExpressionFailed as error:
            raise ExpressionFailed(f"{spelling}: {error.message}", hint=error.hint) from None
        except ZeroDivisionError:
            raise ExpressionFailed(f"{spelling}: division by zero") from None
        except (RecursionError, MemoryError, OverflowError):
            raise ExpressionFailed(f"{spelling}: a value too large or nested too deeply") from None
        except (InvalidExpression, TypeError, ValueError) as error:
            raise ExpressionFailed(f"{spelling}: {shorten(str(error))}") from None
        finally:
            self.names = {}
            if budget is not None:
                budget.left = self._budget.left

    def _check_disallowed_items(self, item: Json) -> None:
        """simpleeval looks through all that a value holds, at every node; the type of JSON data is enough."""
        if type(item) not in _RESULTS:
            raise ExpressionFailed(f"{type_name(item)} is no value of an expression")

    def _eval_name(self, node: ast.Name) -> Json:
        try:
            return self.names[node.id]
        except KeyError:
            raise missing_variable(node.id, self.names, self.expr) from None

    def _eval_subscript(self, node: ast.Subscript) -> Json:
        container, key = self._eval(node.value), self._eval(node.slice)
        if type(key) is slice:
            return self._slice(container, key)
        try:
            if type(key) is _KEYS[type(container)]:
                return container[key]
        except LookupError:
            pass
        raise no_part(container, key, f"{self.expr}: {shorten(ast.unparse(node))}")

    def _slice(self, container: Json, part: slice) -> Json:
        if type(container) not in (str, list):
            raise ExpressionFailed(f"{type_name(container)} can't be sliced", hint="lists and texts can")
        self._budget.spend(
            len(range(*part.indices(len(container)))) * (ITEM if type(container) is list else 1)
        )
        return container[part]

    def _eval_dict(self, node: ast.Dict) -> Json:
        result = {}
        for key, value in zip(node.keys, node.values, strict=True):
            name = self._eval(key)
            if type(name) is not str:
                raise ExpressionFailed(
                    f"{type_name(name)} can't be the key of an object", hint="keys are texts"
                )
            result[name] = self._eval(value)
        return result


class _Thread(threading.local):
    """The evaluator of this thread: it holds the variables of the expression it is at."""

    def __init__(self) -> None:
        self.evaluator = _Evaluator()


_THREAD: Final = _Thread()

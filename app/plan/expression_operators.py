"""The operators of expressions: Python's, narrowed to JSON's types and held to a budget.

Numbers calculate with numbers, ``+`` joins texts or lists, ``*`` repeats a text or a list. A boolean is no
number. Results share the elements of their operands: nothing is copied deeply.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable
from functools import partial
from typing import Final

from app.errors import ExpressionFailed
from app.plan.budget import ITEM, Budget
from app.plan.model import Json
from app.plan.values import MAX_INT_BITS, is_number, shorten, type_name

_SMALL: Final = 1 << 63
_Operator = Callable[..., Json]


def checked_number(value: Json) -> Json:
    """``value``, where JSON can hold it as a number. Raises ``ExpressionFailed``."""
    if type(value) is int:
        if -_SMALL < value < _SMALL or value.bit_length() <= MAX_INT_BITS:
            return value
        raise ExpressionFailed("the number is too long", hint=f"integers have at most {MAX_INT_BITS} bits")
    if type(value) is float and math.isfinite(value):
        return value
    raise ExpressionFailed("the result is not a finite real number")


def operators(budget: Budget) -> dict[type[ast.AST], _Operator]:
    """Syntax node → what it does, as simpleeval wants it."""
    return {
        ast.Add: partial(_add, budget),
        ast.Sub: partial(_arithmetic, operator.sub, "-"),
        ast.Mult: partial(_multiply, budget),
        ast.Div: partial(_arithmetic, operator.truediv, "/"),
        ast.FloorDiv: partial(_arithmetic, operator.floordiv, "//"),
        ast.Mod: partial(_arithmetic, operator.mod, "%"),
        ast.Pow: _power,
        ast.UAdd: partial(_sign, operator.pos, "+"),
        ast.USub: partial(_sign, operator.neg, "-"),
        ast.Not: operator.not_,
        ast.Eq: partial(_compare, operator.eq, budget),
        ast.NotEq: partial(_compare, operator.ne, budget),
        ast.Lt: partial(_order, operator.lt, "<", budget),
        ast.LtE: partial(_order, operator.le, "<=", budget),
        ast.Gt: partial(_order, operator.gt, ">", budget),
        ast.GtE: partial(_order, operator.ge, ">=", budget),
        ast.In: partial(contains, budget),
        ast.NotIn: lambda item, container: not contains(budget, item, container),
    }


def _arithmetic(calculate: _Operator, symbol: str, left: Json, right: Json) -> Json:
    if is_number(left) and is_number(right):
        return checked_number(calculate(left, right))
    raise _mismatch(symbol, left, right)


def _sign(calculate: _Operator, symbol: str, value: Json) -> Json:
    if is_number(value):
        return calculate(value)
    raise ExpressionFailed(f"{symbol} needs a number, not {type_name(value)}")


def _add(budget: Budget, left: Json, right: Json) -> Json:
    if is_number(left) and is_number(right):
        return checked_number(left + right)
    if type(left) is type(right) and type(left) in (str, list):
        budget.spend((len(left) + len(right)) * (ITEM if type(left) is list else 1))
        return left + right
    raise _mismatch("+", left, right)


def _multiply(budget: Budget, left: Json, right: Json) -> Json:
    if is_number(left) and is_number(right):
        return checked_number(left * right)
    if type(left) is int:
        left, right = right, left
    if type(left) in (str, list) and type(right) is int:
        return _repeat(budget, left, right)
    raise _mismatch("*", left, right)


def _repeat(budget: Budget, value: Json, times: int) -> Json:
    """A list counts with all that is in it: ``[[0] * 1000] * 1000`` holds a million values."""
    before = budget.left
    budget.spend_tree(value)
    budget.spend(max(times, 0) * (before - budget.left))
    return value * times


def _power(base: Json, exponent: Json) -> Json:
    if not (is_number(base) and is_number(exponent)):
        raise _mismatch("**", base, exponent)
    if type(base) is int and type(exponent) is int and base.bit_length() * exponent > 2 * MAX_INT_BITS:
        if abs(base) > 1:
            raise ExpressionFailed(
                "the number is too long", hint=f"integers have at most {MAX_INT_BITS} bits"
            )
        exponent = 2 + exponent % 2  # powers of 1, 0 and -1 depend on no more than that
    return checked_number(base**exponent)


def _compare(calculate: _Operator, budget: Budget, left: Json, right: Json) -> bool:
    _spend_comparison(budget, left, right)
    return bool(calculate(left, right))


def _order(calculate: _Operator, symbol: str, budget: Budget, left: Json, right: Json) -> bool:
    _spend_comparison(budget, left, right)
    try:
        return bool(calculate(left, right))
    except TypeError:
        raise _mismatch(symbol, left, right) from None


def _spend_comparison(budget: Budget, left: Json, right: Json) -> None:
    """Both ends at the first difference; the shorter text or the left tree is the most that is looked at."""
    if type(left) is type(right):
        if type(left) is str:
            budget.spend(min(len(left), len(right)))
        elif type(left) in (list, dict):
            budget.spend_tree(left)


def contains(budget: Budget, item: Json, container: Json) -> bool:
    """Whether a text holds a text, a list an item, an object a key."""
    if type(container) is list:
        if type(item) in (list, dict):
            budget.spend_tree(container)
        else:
            budget.spend(ITEM * len(container))
        return item in container
    if type(item) is str and type(container) in (str, dict):
        budget.spend(len(container) if type(container) is str else 1)
        return item in container
    raise ExpressionFailed(
        f"{type_name(container)} can't contain {type_name(item)}",
        hint="a text contains texts, a list any values, an object its keys",
    )


def _mismatch(symbol: str, left: Json, right: Json) -> ExpressionFailed:
    hint = "use str(…) to join it to a text" if symbol == "+" and str in (type(left), type(right)) else None
    return ExpressionFailed(f"{symbol} doesn't go with {_show(left)} and {_show(right)}", hint=hint)


def _show(value: Json) -> str:
    return f"{type_name(value)} {shorten(value, 20)!r}" if type(value) is str else type_name(value)

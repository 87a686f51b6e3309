"""What is refused before an expression runs, quickly and with a hint."""

from __future__ import annotations

import ast
import time
import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.plan.expression_functions import FUNCTIONS
from app.plan.expression_syntax import _Checker, _plain_reads, parse_expression
from app.plan.expression_tokens import plain_source_of, source_of
from app.plan.expressions import ExpressionSyntaxError, compile_expression

SECONDS = 2.0


def refused(text: str) -> str:
    begun = time.process_time()
    with pytest.raises(ExpressionSyntaxError) as caught:
        compile_expression(text)
    assert time.process_time() - begun < SECONDS
    assert caught.value.hint
    return str(caught.value)


class TestRefused:
    @pytest.mark.parametrize(
        "text",
        [
            "", " ", "a +", "a b", "(a", "a)", "(a]", "a..b", "1.2.3", "0777", "1_000", "0x10", "1j",
            "12abc", "a = 1", "a := 1", "a == = b", "a; b", "import os", "lambda: 1", "lambda x: x",
            "[i for i in items]", "len(i for i in items)", "{i: 1 for i in items}", "f'{a}'", "f\"{a}\"",
            "b'x'", "r'x'", "u'x'", "'a' 'b'", "'''a'''", '"""a"""', "'open", "'\\d'", "'\\N{DIGIT ONE}'",
            "'\\ud800'", "`a`", "a!", "!a", "a && b", "a || b", "a ? b : 1", "a << 1", "a >> 1", "a & b",
            "a | b", "a ^ b", "~a", "a @ b", "a is b", "a is not b", "(1, 2)", "1, 2", "()", "{1, 2}",
            "{**row}", "[*items]", "len(*items)", "len(**row)", "items[0, 1]", "...", "a.b",
            "text.upper()", "a.__class__", "().__class__", "text.format(a)", "'{}'.format(a)",
            "__import__('os')", "print(1)", "eval('1')", "getattr(a, 'b')", "open('x')", "type(a)",
            "abs(a)", "row['k']()", "(len)(a)(b)", "len()", "len(a, b)", "len(value=a)", "await a",
            "yield", "1e999", "9" * 4301, "9" * 4250, "ａ + 1", "ä", "a # b", "a\\\n+ 1", "$a", "${a}",
            "\x00", "if", "True = 1", "not", "a if b", "[" * 51 + "]" * 51, "-" * 200 + "1",
            "a+" * 200 + "a",
        ],
    )  # fmt: skip
    def test_before_anything_runs(self, text: str) -> None:
        refused(text)

    @pytest.mark.parametrize(
        "piece",
        ["(", "[", "{", "-", "not ", "a**", "a if a else ", "a+", "a<", "[a,", "len(", "a[", "'", "\\"],
    )
    def test_endless_repetition(self, piece: str) -> None:
        refused(piece * (9_999 // len(piece)))
        refused(piece * 100_000)

    @pytest.mark.parametrize(
        ("text", "hint"),
        [
            ("a && b", "'and'"),
            ("row.id", 'row["key"]'),
            ("a = 1", "'=='"),
            ("${a}", "bare names"),
            ("lenn(a)", "did you mean len?"),
            ("split()", "split(text, separator?)"),
            ("(1, 2)", "[a, b]"),
            ("a is None", "'=='"),
        ],
    )
    def test_with_a_hint_what_would_be_right(self, text: str, hint: str) -> None:
        assert hint in refused(text)

    def test_without_a_word_from_pythons_parser(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            for text in ("'\\d'", "1if a else b", "1 is 1", "0or 1", "'a' is 'a'", "[1](2)", "1in items"):
                refused(text)

    @pytest.mark.parametrize("text", ["a" * 10_001, "'" + "x" * 10_000 + "'"])
    def test_a_text_that_is_too_long(self, text: str) -> None:
        assert "10000" in refused(text)


_ATOMS = [
    "a",
    "row",
    "true",
    "None",
    "1",
    "2.5",
    "1e400",
    "'x'",
    '"y z"',
    "'ü'",
    "'\\n'",
    "[a, 1]",
    "{'k': a}",
    "()",
]
_SHAPES = [
    "{0} + {1}", "{0}*{1}", "-{0}", "not {0}", "{0} < {1} <= {0}", "{0} in {1}", "{0} and {1} or {0}", "({0})",
    "{0}[{1}]", "{0}[1:]", "len({0})", "max({0}, {1})", "lenn({0})", "len()", "{0} if {1} else 2", "{0} is {1}",
    "{0}.b", "[{0}, {1}]", "({0}, {1})", "{0} {1}", "{0}({1})", "*{0}", "{0} = {1}", "{{{0}: {1}}}", "({0}",
    "{0}]", " {0}\t+ {1} ", "len(value={0})", "{0} if {1}", "lambda: {0}", "{0}\u00a0",
]  # fmt: skip


@st.composite
def texts(draw: st.DrawFn, depth: int = 3) -> str:
    """Expressions and what is almost one."""
    if depth == 0 or draw(st.integers(0, 3)) == 0:
        return draw(st.sampled_from(_ATOMS))
    shape = draw(st.sampled_from(_SHAPES))
    return shape.format(draw(texts(depth=depth - 1)), draw(texts(depth=depth - 1)))


def closely(text: str) -> tuple[str, frozenset[str]] | str:
    """What the close look alone has to say: tree and variables, or why the text is refused."""
    try:
        tree = ast.parse(source_of(text), mode="eval").body
        checker = _Checker(text, FUNCTIONS)
        return ast.dump(checker.visit(tree)), frozenset(checker.reads)
    except ExpressionSyntaxError as error:
        return str(error)
    except SyntaxError as error:
        return error.msg


@settings(max_examples=400)
@given(texts())
def test_the_quick_look_sees_what_the_close_one_sees(text: str) -> None:
    seen = closely(text)
    try:
        tree, reads = parse_expression(text, FUNCTIONS)
    except ExpressionSyntaxError as error:
        assert isinstance(seen, str)
        assert seen in str(error)
    else:
        assert (ast.dump(tree), reads) == seen


@pytest.mark.parametrize(
    "text", ["a + 1", "len(a) * 2 + row['n'] - 1", "a > 3 and b in [1, 'x']", "x if ok == 2 else -y[0]"]
)
def test_usual_expressions_need_no_close_look(text: str) -> None:
    source = plain_source_of(text)
    assert source == text
    assert _plain_reads(ast.parse(source, mode="eval").body, FUNCTIONS) is not None

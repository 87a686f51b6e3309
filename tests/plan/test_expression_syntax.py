"""What is refused before an expression runs, quickly and with a hint."""

from __future__ import annotations

import time
import warnings

import pytest

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

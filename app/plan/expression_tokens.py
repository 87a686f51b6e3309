"""The first look at an expression: its characters and brackets, before a parser sees it.

CPython's parser must only get what was measured here: it warns about odd escapes, rewrites names to their
compatibility form, and answers deep nesting with ``MemoryError``.
"""

from __future__ import annotations

import re
from typing import Final, NoReturn

from app.errors import InputError
from app.plan.values import shorten

MAX_TEXT: Final = 10_000
"""Characters of one expression."""

MAX_BRACKETS: Final = 50
"""Brackets open at the same time."""

_TOKEN: Final = re.compile(
    r"""(?P<space>\s+)
    | (?P<string>"(?:[^"\\]|\\.)*" | '(?:[^'\\]|\\.)*')
    | (?P<number>(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?(?![A-Za-z0-9_.]))
    | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<open>[(\[{])
    | (?P<close>[)\]}])
    | (?P<operator>\*\*|//|==|!=|<=|>=|[-+*/%<>,:])
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPE: Final = re.compile(
    r"\\(?:[\\'\"nrtbf]|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|(?P<unknown>.))", re.DOTALL
)
_PLAIN: Final = re.compile(
    r"""(?:
      [ ]++
    | "[^"\\\x00-\x1f]*+"(?![ ]*["'])
    | '[^'\\\x00-\x1f]*+'(?![ ]*["'])
    | (?:[0-9]++(?:\.[0-9]*+)?|\.[0-9]++)(?:[eE][+-]?[0-9]++)?(?![A-Za-z0-9_.])
    | [A-Za-z_][A-Za-z0-9_]*+(?!["'])
    | [(\[{)\]}]
    | \*\* | // | == | != | <= | >= | [-+*/%<>,:]
    )++""",
    re.VERBOSE,
)
"""Tokens of the usual kinds, one after the other. Whether brackets are closed is seen by the parser."""
_RAW: Final = str.maketrans({"\n": r"\n", "\r": r"\r", "\t": r"\t", "\f": r"\f", "\0": r"\x00"})
_OPENING: Final = {")": "(", "]": "[", "}": "{"}
_NOT_PYTHON: Final = {
    "&": "write 'and'",
    "|": "write 'or'",
    "!": "write 'not'",
    "=": "compare with '=='; an expression can't assign",
    "$": "inside an expression variables stand by their bare names, without ${ }",
    ".": 'write row["key"] for a key of an object',
    "?": "write 'a if condition else b'",
    '"': "the text is not closed",
    "'": "the text is not closed",
}


class ExpressionSyntaxError(InputError):
    """``text`` is no expression, or uses what expressions don't have."""

    def __init__(self, text: str, message: str, hint: str) -> None:
        super().__init__(f"expression {shorten(text)!r}: {message}", hint=hint)
        self.text = text


def plain_source_of(text: str) -> str | None:
    """As :func:`source_of`, quickly, where nothing is unusual but perhaps the brackets; else ``None``."""
    if len(text) > MAX_TEXT or not _PLAIN.fullmatch(text):
        return None
    return text.strip() if sum(map(text.count, "([{")) <= MAX_BRACKETS else None


def source_of(text: str) -> str:
    """``text`` as Python source on one line: space folded, line breaks inside strings escaped.

    Raises :class:`ExpressionSyntaxError` for characters, escapes or brackets that don't belong.
    """
    if len(text) > MAX_TEXT:
        raise ExpressionSyntaxError(text, f"{len(text)} characters", f"at most {MAX_TEXT} are allowed")
    return _Scan(text).run()


class _Scan:
    """One pass over the text. ``before`` is the kind of the last token, ``adjoins`` where no space follows.

    Two strings side by side would be one to Python, and ``f"…"`` would be code.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.brackets: list[str] = []
        self.before = ""
        self.adjoins = ""

    def run(self) -> str:
        pieces = []
        position = 0
        if not self.text.strip():
            self._refuse("nothing is there", "write a value, such as a + 1")
        for match in _TOKEN.finditer(self.text):
            if match.start() != position:
                self._refuse_character(position)
            pieces.append(self._piece(match))
            position = match.end()
        if position != len(self.text):
            self._refuse_character(position)
        if self.brackets:
            self._refuse(f"{self.brackets[-1]!r} is not closed", "each bracket needs its partner")
        return "".join(pieces).strip()

    def _piece(self, match: re.Match[str]) -> str:
        kind, token = match.lastgroup or "", match.group()
        if kind == "space":
            self.adjoins = ""
            return " "
        if kind == "string":
            self._check_string(token)
            token = token.translate(_RAW)
        elif kind == "open":
            self._open(token)
        elif kind == "close":
            self._close(token, match.start())
        self.before = self.adjoins = kind
        return token

    def _check_string(self, token: str) -> None:
        if self.before == "string" or self.adjoins == "name":
            self._refuse(f"text {shorten(token, 20)} right after another value", "join texts with '+'")
        for escape in _ESCAPE.finditer(token):
            if escape["unknown"] is not None:
                self._refuse(f"unknown escape {escape.group()!r}", "a backslash is written \\\\")

    def _open(self, token: str) -> None:
        self.brackets.append(token)
        if len(self.brackets) > MAX_BRACKETS:
            self._refuse("nested too deeply", f"at most {MAX_BRACKETS} brackets may be open at once")

    def _close(self, token: str, position: int) -> None:
        if not self.brackets or self.brackets.pop() != _OPENING[token]:
            self._refuse(f"{token!r} at {position} closes nothing", "each bracket needs its partner")

    def _refuse_character(self, position: int) -> NoReturn:
        character = self.text[position]
        hint = _NOT_PYTHON.get(character, "see the plan language for what an expression is")
        self._refuse(f"unexpected {character!r} at {position}", hint)

    def _refuse(self, message: str, hint: str) -> NoReturn:
        raise ExpressionSyntaxError(self.text, message, hint)

"""Reading JSON as models write it: what has one reading only is read, and every departure is named.

Whatever could be read in two ways (a cut text, a key twice, a quote inside quotes) is an error.
"""

from __future__ import annotations

import json
import re
from typing import Final

from app.plan.json_text import MAX_DEPTH, JsonTextError
from app.plan.model import Json

TRAILING_COMMA: Final = "trailing comma"
MISSING_COMMA: Final = "missing comma"
SINGLE_QUOTES: Final = "single quotes"
TYPOGRAPHIC_QUOTES: Final = "typographic quotes"
UNQUOTED_KEY: Final = "unquoted key"
PYTHON_CONSTANT: Final = "Python constant"
COMMENT: Final = "comment"
LINE_BREAK: Final = "line break in a text"
ESCAPED_APOSTROPHE: Final = "escaped apostrophe"
ODD_SPACE: Final = "odd space"

_SPACE: Final = re.compile(r"[ \t\r\n]*")
_COMMENT: Final = re.compile(r"//[^\n]*|#[^\n]*|/\*.*?\*/", re.DOTALL)
_NUMBER: Final = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.+-])", re.ASCII)
_WORD: Final = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_NEXT_KEY: Final = re.compile(r"""["'“]?\w+["'”]?\s*:""")
_ODD_SPACES: Final = "\ufeff\u200b\u2060"
_CONSTANTS: Final[dict[str, Json]] = {"true": True, "false": False, "null": None}
_PYTHON: Final[dict[str, Json]] = {"True": True, "False": False, "None": None}
_CLOSING: Final = {'"': '"', "'": "'", "“": "”"}
_CHUNK: Final = {quote: re.compile(rf"[^{end}\\\x00-\x1f]*") for quote, end in _CLOSING.items()}
_LINE_BREAKS: Final = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}
_HINT: Final = "check commas, quotes and brackets"


class LenientReader:
    """One reading of a text. ``repairs`` are the departures met so far, in their order.

    ``members`` counts the keys of objects that were read: where it is not 0, a text that failed was meant as JSON.
    """

    def __init__(self, text: str, start: int) -> None:
        self._text = text
        self._at = start
        self._depth = 0
        self._repairs: dict[str, None] = {}
        self.members = 0

    @property
    def end(self) -> int:
        """The offset behind what was read."""
        return self._at

    @property
    def repairs(self) -> tuple[str, ...]:
        """The names of what was repaired, each once."""
        return tuple(self._repairs)

    def read(self) -> Json:
        """The list or object at the start. Raises :class:`JsonTextError`."""
        return self._container()

    def _container(self) -> Json:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise self._error("nested too deeply", f"at most {MAX_DEPTH} levels of lists and objects")
        value = self._object() if self._text[self._at] == "{" else self._list()
        self._depth -= 1
        return value

    def _object(self) -> dict[str, Json]:
        result: dict[str, Json] = {}
        while self._has_entry("}", first=not result):
            key = self._key()
            if key in result:
                raise self._error(f"key {key[:40]!r} is there twice", "give each key of an object once")
            self._expect(":")
            self.members += 1
            result[key] = self._value()
        return result

    def _list(self) -> list[Json]:
        result: list[Json] = []
        while self._has_entry("]", first=not result):
            result.append(self._value())
        return result

    def _has_entry(self, closing: str, *, first: bool) -> bool:
        """Go to the next entry, or behind the closing bracket."""
        if first:
            self._at += 1
        before = self._at
        character = self._peek()
        if character == closing:
            self._at += 1
            return False
        if first:
            return True
        if character != ",":
            self._allow_missing_comma(before, closing)
            return True
        self._at += 1
        if self._peek() == closing:
            self._note(TRAILING_COMMA)
            self._at += 1
            return False
        return True

    def _allow_missing_comma(self, before: int, closing: str) -> None:
        """Only between things that can't belong together.

        That is behind a bracket, or before a key on a new line. A text behind a text may as well be one text
        with a quote in it.
        """
        if closing == "}":
            parted = self._text[before - 1] in "]}" or "\n" in self._text[before : self._at]
            fits = parted and _NEXT_KEY.match(self._text, self._at) is not None
        else:
            fits = self._text[before - 1] in "]}" and self._text[self._at] in "[{"
        if not fits:
            raise self._error(f"expected a comma or {closing}")
        self._note(MISSING_COMMA)

    def _key(self) -> str:
        if self._peek() in _CLOSING:
            return self._string()
        word = _WORD.match(self._text, self._at)
        if word is None or word[0] in _PYTHON:
            raise self._error("expected a key in double quotes")
        self._at = word.end()
        self._note(UNQUOTED_KEY)
        return word[0]

    def _value(self) -> Json:
        character = self._peek()
        if character in _CLOSING:
            return self._string()
        if character in "[{":
            return self._container()
        number = _NUMBER.match(self._text, self._at)
        if number is not None:
            self._at = number.end()
            return self._decode(number[0])
        return self._constant()

    def _constant(self) -> Json:
        if self._text.startswith(("...", "…"), self._at):
            raise self._error("something was left out (…)", "write everything out")
        word = _WORD.match(self._text, self._at)
        name = word[0] if word else ""
        if name in _PYTHON:
            self._note(PYTHON_CONSTANT)
        elif name not in _CONSTANTS:
            raise self._error("expected a value")
        self._at += len(name)
        return _PYTHON[name] if name in _PYTHON else _CONSTANTS[name]

    def _string(self) -> str:
        quote = self._text[self._at]
        if quote != '"':
            self._note(SINGLE_QUOTES if quote == "'" else TYPOGRAPHIC_QUOTES)
        self._at += 1
        parts: list[str] = []
        while not self._text.startswith(_CLOSING[quote], self._at):
            chunk = _CHUNK[quote].match(self._text, self._at)
            assert chunk is not None, "the expression matches nothing too"
            parts.append(chunk[0].replace('"', r"\""))
            self._at = chunk.end()
            parts.append(self._escape(quote))
        self._at += 1
        text = self._decode('"' + "".join(parts) + '"')
        assert isinstance(text, str)
        return text

    def _escape(self, quote: str) -> str:
        """What stands where a plain stretch of a string ended, as JSON writes it; nothing at its end."""
        character = self._text[self._at : self._at + 1]
        if character == _CLOSING[quote]:
            return ""
        if not character:
            raise self._error("the text is cut off inside quotes", "give the whole JSON")
        if character in _LINE_BREAKS:
            self._note(LINE_BREAK)
            self._at += 1
            return _LINE_BREAKS[character]
        if character != "\\":
            raise self._error("a control character inside quotes", r"write it as \u….")
        escape = self._text[self._at : self._at + 2]
        self._at += 2
        if escape == r"\'":
            if quote == '"':
                self._note(ESCAPED_APOSTROPHE)
            return "'"
        return escape

    def _decode(self, token: str) -> Json:
        try:
            return json.loads(token)
        except json.JSONDecodeError as error:
            raise self._error(f"not JSON: {error.msg[0].lower()}{error.msg[1:]}") from None
        except ValueError:
            raise self._error("a number of more than 4,300 digits", "make it a text") from None

    def _expect(self, character: str) -> None:
        if self._peek() != character:
            raise self._error(f"expected {character}")
        self._at += 1

    def _peek(self) -> str:
        """The next character that means something. Raises :class:`JsonTextError` at the end of the text."""
        while True:
            self._at = _SPACE.match(self._text, self._at).end()  # type: ignore[union-attr]
            character = self._text[self._at : self._at + 1]
            if character and (character.isspace() or character in _ODD_SPACES):
                self._note(ODD_SPACE)
                self._at += 1
            elif character in ("/", "#") and (comment := _COMMENT.match(self._text, self._at)):
                self._note(COMMENT)
                self._at = comment.end()
            elif character:
                return character
            else:
                raise self._error("the text is cut off", "give the whole JSON")

    def _note(self, repair: str) -> None:
        self._repairs[repair] = None

    def _error(self, message: str, hint: str = _HINT) -> JsonTextError:
        line = self._text.count("\n", 0, self._at) + 1
        column = self._at - self._text.rfind("\n", 0, self._at)
        return JsonTextError(message, hint, place=f"line {line} column {column}", end=self._at)

"""The YAML file that scripted replies stand in, read and checked entry by entry. ``docs/models.md`` describes it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, get_args

import yaml

from app.errors import ConfigurationError
from app.llm.base import Purpose
from app.plan.values import to_json_text

ERROR_KINDS: Final = (
    "auth no_model too_long rate_limit network timeout server refused mode garbage budget".split()  # noqa: SIM905
)
_KEYS: Final = ("purpose", "match", "where", "reply", "reply_file", "error", "usage", "delay", "repeat")
_ANSWERS: Final = ("reply", "reply_file", "error")
_WHERE: Final = ("last", "all")
_HINT: Final = "docs/models.md has the format"


@dataclass(frozen=True, slots=True)
class Failure:
    """A simulated ``ModelError``. ``retry_after`` is in seconds."""

    kind: str
    message: str
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One reply or failure, and what it answers. ``None`` for ``purpose`` or ``pattern``: anything.

    ``whole``: the pattern is looked for in all messages instead of the user's last. ``delay`` is in seconds.
    """

    purpose: str | None
    pattern: re.Pattern[str] | None
    whole: bool
    text: str
    failure: Failure | None
    input_tokens: int | None
    output_tokens: int | None
    delay: float
    repeat: bool


def load_script(path: Path) -> tuple[Entry, ...]:
    """The entries in the file's order. Raises ``ConfigurationError`` that names file, entry and key."""
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"SCRIPTED_REPLIES can't be read: {error}", hint=_HINT) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise ConfigurationError(f"SCRIPTED_REPLIES: {path} is not YAML: {reason}", hint=_HINT) from None
    replies = document.get("replies") if isinstance(document, dict) else document
    if not isinstance(replies, list) or not replies:
        raise ConfigurationError(f"SCRIPTED_REPLIES: {path} has no list of replies", hint=_HINT)
    return tuple(_entry(_Fields(path, number, reply)) for number, reply in enumerate(replies, 1))


class _Fields:
    """The keys of one entry; each getter raises ``ConfigurationError`` for what does not fit."""

    def __init__(self, path: Path, number: int, document: Any) -> None:
        self.folder = path.parent
        self._place = f"SCRIPTED_REPLIES: {path}: reply {number}"
        if not isinstance(document, dict):
            raise ConfigurationError(f"{self._place} is no mapping", hint=_HINT)
        self.document: Mapping[str, Any] = document
        for key in document:
            if key not in _KEYS:
                raise self.wrong(f"unknown key {key!r}", f"there are {', '.join(_KEYS)}")

    def wrong(self, what: str, hint: str = _HINT) -> ConfigurationError:
        return ConfigurationError(f"{self._place}: {what}", hint=hint)

    def one_of(self, key: str, choices: tuple[str, ...]) -> str | None:
        value = self.document.get(key)
        if value is not None and value not in choices:
            raise self.wrong(f"{key} is {value!r}", f"one of {', '.join(choices)}")
        return value

    def number(self, key: str, place: str = "", source: Mapping[str, Any] | None = None) -> float | None:
        value = (self.document if source is None else source).get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
            raise self.wrong(f"{place or key} is {value!r}", "a number of 0 or more")
        return value

    def mapping(self, key: str, keys: tuple[str, ...]) -> Mapping[str, Any]:
        value = self.document.get(key)
        if value is None:
            return {}
        if not isinstance(value, dict) or not value.keys() <= set(keys):
            raise self.wrong(f"{key} is {value!r}", f"a mapping with {', '.join(keys)}")
        return value


def _entry(fields: _Fields) -> Entry:
    document = fields.document
    if sum(key in document for key in _ANSWERS) != 1:
        raise fields.wrong("give one of reply, reply_file and error")
    repeat = document.get("repeat", False)
    if not isinstance(repeat, bool):
        raise fields.wrong(f"repeat is {repeat!r}", "true or false")
    usage = fields.mapping("usage", ("input", "output"))
    return Entry(
        purpose=fields.one_of("purpose", get_args(Purpose)),
        pattern=_pattern(fields),
        whole=fields.one_of("where", _WHERE) == "all",
        text=_text(fields),
        failure=_failure(fields),
        input_tokens=_tokens(fields, usage, "input"),
        output_tokens=_tokens(fields, usage, "output"),
        delay=fields.number("delay") or 0.0,
        repeat=repeat,
    )


def _pattern(fields: _Fields) -> re.Pattern[str] | None:
    value = fields.document.get("match")
    if value is None:
        return None
    try:
        return re.compile(value, re.IGNORECASE)
    except (re.error, TypeError) as error:
        raise fields.wrong(f"match is no regular expression: {error}") from None


def _text(fields: _Fields) -> str:
    """The reply's text, or that of the file it names; anything but text is written as JSON."""
    if "reply_file" in fields.document:
        return _file_text(fields)
    value = fields.document.get("reply")
    if isinstance(value, str):
        return value
    try:
        return to_json_text(value)
    except (ValueError, TypeError, RecursionError) as error:
        raise fields.wrong(f"reply is neither text nor JSON: {error}") from None


def _file_text(fields: _Fields) -> str:
    name = fields.document["reply_file"]
    if not isinstance(name, str):
        raise fields.wrong(f"reply_file is {name!r}", "the name of a file, seen from this one")
    try:
        return (fields.folder / name).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise fields.wrong(f"reply_file can't be read: {error}") from None


def _failure(fields: _Fields) -> Failure | None:
    if "error" not in fields.document:
        return None
    error = fields.mapping("error", ("kind", "message", "retry_after"))
    kind = error.get("kind")
    if kind not in ERROR_KINDS:
        raise fields.wrong(f"error has the kind {kind!r}", f"one of {', '.join(ERROR_KINDS)}")
    message = str(error.get("message", f"scripted {kind}"))
    return Failure(kind, message, fields.number("retry_after", "error.retry_after", error))


def _tokens(fields: _Fields, usage: Mapping[str, Any], key: str) -> int | None:
    number = fields.number(key, f"usage.{key}", usage)
    if isinstance(number, float):
        raise fields.wrong(f"usage.{key} is {number!r}", "a whole number")
    return number

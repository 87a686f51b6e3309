"""Data within a prompt: fenced so that it can't pose as anything else, and cut where it is long."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from hashlib import sha256
from json import JSONEncoder
from typing import Final

from app.plan.json_text import JsonTextError
from app.plan.model import Json
from app.plan.repair import without_thinking
from app.plan.values import is_encodable, to_json_text

PREVIEW_CHARACTERS: Final = 400
"""Of one variable's value."""
VARIABLES_CHARACTERS: Final = 24_000
"""Of all variables together; the names of those beyond it are still listed."""

_ID_DIGITS: Final = 16
_encoder: Final = JSONEncoder(ensure_ascii=False, sort_keys=True, check_circular=False)


def fence(name: str, text: str) -> str:
    """``text`` between two lines that carry its own hash, which no text can hold."""
    content = clean(text)
    mark = f"{name} {sha256(f'{name}:{content}'.encode()).hexdigest()[:_ID_DIGITS]}"
    return f"<<<<< {mark}\n{content}\n>>>>> {mark}"


def fence_value(name: str, value: Json) -> str:
    """A JSON value, fenced: texts as they are, everything else as JSON."""
    return fence(name, value if isinstance(value, str) else to_json_text(value))


def clean(text: str) -> str:
    """The text without lone surrogates, which neither a request nor the history can hold."""
    return text if is_encodable(text) else text.encode("utf-8", "replace").decode()


def cut(text: str, limit: int) -> str:
    """At most about ``limit`` characters: the beginning and the end, with a note of what is left out."""
    if len(text) <= limit:
        return text
    half = limit // 2
    return f"{text[:half]}\n[… {len(text) - 2 * half:,} characters left out …]\n{text[-half:]}"


def echo(text: str, limit: int) -> str:
    """A model's reply as it goes back to it: never empty, without what it thought before, cut."""
    with suppress(JsonTextError):  # where it thought until the end, that is all there is
        text = without_thinking(text)
    return cut(clean(text).strip(), limit) or "(nothing)"


def preview(value: Json, limit: int = PREVIEW_CHARACTERS) -> str:
    """The beginning of a value as JSON on one line, with the size of a list or text that is cut off."""
    if isinstance(value, str):
        text = _encoder.encode(value[:limit])
        return text if len(value) <= limit else f"{text}… ({len(value):,} characters)"
    text = ""
    for part in _encoder.iterencode(value):
        text += part[: limit + 1]
        if len(text) > limit:
            return text[:limit] + _size_note(value)
    return text


def _size_note(value: Json) -> str:
    if isinstance(value, list):
        return f"… ({len(value):,} items)"
    if isinstance(value, dict):
        return f"… ({len(value):,} keys)"
    return "…"


def preview_variables(variables: Mapping[str, Json]) -> str:
    """A line a variable, by name; once the room is used up, only the names of the rest."""
    lines: list[str] = []
    left = VARIABLES_CHARACTERS
    names = sorted(variables)
    for index, name in enumerate(names):
        line = f"{name} = {preview(variables[name])}"
        if len(line) > left:
            lines.append(cut(f"and, not shown: {', '.join(names[index:])}", VARIABLES_CHARACTERS))
            break
        left -= len(line)
        lines.append(line)
    return "\n".join(lines) or "(none)"

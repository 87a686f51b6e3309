"""Reading the fields of a plan's objects: each with its type checked, unknown ones refused."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from difflib import get_close_matches
from typing import Final

from app.plan.model import Json
from app.plan.paths import NAME, format_path
from app.plan.problems import Problem
from app.plan.values import shorten, type_name

MAX_SEQ_NO: Final = 2**31 - 1
NAME_HINT: Final = "a variable's name has letters, digits and _, no digit first, at most 128"


class Report:
    """The problems of one step, or where ``step`` is ``None`` of the plan; ``place`` goes before paths."""

    def __init__(self, problems: list[Problem], place: str, step: int | None = None) -> None:
        self.problems = problems
        self.place = place
        self.step = step

    def add(self, path: str, message: str, hint: str) -> None:
        """Note a problem at ``path`` within the place."""
        self.problems.append(Problem(f"{self.place}{path}".removeprefix("."), self.step, message, hint))

    def wrong_type(self, path: str, wanted: str, value: Json) -> None:
        """Note that a value is not what is wanted there."""
        shown = f" {shorten(value, 30)!r}" if type(value) is str else ""
        self.add(path, f"{type_name(value)}{shown} where {wanted} is needed", f"give {wanted}")


class Fields:
    """The fields of one object. ``null`` counts as left out: models fill optional fields with it."""

    def __init__(self, values: Mapping[str, Json], report: Report, path: str, known: Collection[str]) -> None:
        self.values = values
        self.report = report
        self.path = path
        for key in values:
            if key not in known:
                self._refuse_unknown(key, known)

    def _refuse_unknown(self, key: str, known: Collection[str]) -> None:
        near = get_close_matches(key, known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
        self.report.add(self.path + format_key(key), f"unknown field {shorten(key)!r}", hint)

    def has(self, key: str) -> bool:
        """Whether the field is given."""
        return self.values.get(key) is not None

    def get(self, key: str) -> Json:
        """The field as it stands, ``None`` where it is left out."""
        return self.values.get(key)

    def text(self, key: str, *, required: bool = False) -> str | None:
        """A text that is not empty."""
        value = self.values.get(key)
        if type(value) is str and value.strip():
            return value
        if value is not None or required:
            self.refuse(key, "a text that is not empty", value)
        return None

    def seq_no(self, key: str, *, required: bool = False) -> int | None:
        """The number of a step."""
        value = self.values.get(key)
        if type(value) is int and 0 <= value <= MAX_SEQ_NO:
            return value
        if value is not None or required:
            self.refuse(key, "the seq_no of a step (a whole number from 0)", value)
        return None

    def number(
        self, key: str, wanted: str, *, least: float, most: float, whole: bool = False
    ) -> float | None:
        """A number within bounds, which ``wanted`` describes."""
        value = self.values.get(key)
        if type(value) is int or (type(value) is float and not whole):
            if least <= value <= most:
                return value
            self.report.add(
                self.path + format_key(key), f"{value} where {wanted} is needed", f"give {wanted}"
            )
        elif value is not None:
            self.refuse(key, wanted, value)
        return None

    def object(self, key: str) -> Mapping[str, Json] | None:
        """An object."""
        value = self.values.get(key)
        if value is None or type(value) is dict:
            return value
        self.refuse(key, "an object", value)
        return None

    def refuse(self, key: str, wanted: str, value: Json) -> None:
        """Note that the field is missing, or is not what is wanted."""
        if value is None:
            self.report.add(self.path, f"{key} is missing", f"give {wanted}")
        else:
            self.report.wrong_type(self.path + format_key(key), wanted, value)


def format_key(key: str) -> str:
    """A key as the continuation of a path: ``.name`` or ``["odd name"]``."""
    text = format_path((key,))
    return text if text.startswith("[") else f".{text}"


def check_name(name: Json, report: Report, path: str) -> bool:
    """Whether ``name`` can be that of a variable; a problem is noted where it can't."""
    if type(name) is str and NAME.fullmatch(name):
        return True
    if type(name) is str:
        report.add(path, f"{shorten(name, 40)!r} is no name of a variable", NAME_HINT)
    else:
        report.wrong_type(path, "the name of a variable", name)
    return False

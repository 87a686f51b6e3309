"""``output_vars``: which variables a call sets, and from where in its result.

| written | means |
|---|---|
| ``"name"`` or ``["name"]`` | the whole result |
| ``["a", "b"]`` | the keys ``a`` and ``b`` of the result |
| ``{"a": "path.in[0].result"}`` | what lies at the path; ``""`` is the whole result |
"""

from __future__ import annotations

from collections.abc import Mapping

from app.plan.fields import Report, check_name, format_key
from app.plan.model import Json
from app.plan.paths import Path, PathSyntaxError, parse_path


def read_outputs(value: Json, report: Report, path: str) -> Mapping[str, Path]:
    """Variable → path in the result. Problems go to the report."""
    if value is None or value == []:
        return {}
    if type(value) is str:
        return {value: ()} if check_name(value, report, path) else {}
    if type(value) is list:
        return _from_names(value, report, path)
    if type(value) is dict:
        return _from_paths(value, report, path)
    report.wrong_type(path, "a name, a list of names, or an object of names and paths", value)
    return {}


def _from_names(names: list[Json], report: Report, path: str) -> dict[str, Path]:
    outputs: dict[str, Path] = {}
    for index, name in enumerate(names):
        place = f"{path}[{index}]"
        if not check_name(name, report, place):
            continue
        if name in outputs:
            report.add(place, f"{name!r} is there twice", "name each variable once")
        outputs[name] = () if len(names) == 1 else (name,)
    return outputs


def _from_paths(paths: dict[str, Json], report: Report, path: str) -> dict[str, Path]:
    outputs: dict[str, Path] = {}
    for name, text in paths.items():
        place = path + format_key(name)
        if not check_name(name, report, place):
            continue
        if type(text) is not str:
            report.wrong_type(place, "a path such as rows[0].name", text)
            continue
        try:
            outputs[name] = parse_path(text)
        except PathSyntaxError as error:
            report.add(place, error.message, error.hint or "")
    return outputs

"""Faults of calls: tools (P007), arguments (P008), outputs (P009)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from jsonschema import Draft202012Validator

from benchmarks.faults.broken_form import of_type
from benchmarks.faults.edits import changed, sets, without
from benchmarks.faults.subjects import Subject
from benchmarks.faults.ways import arrivals
from benchmarks.faults.world import FORBIDDEN
from benchmarks.faults.written import Step, Steps

TOOL: Final = ("parameters", "tool_name")
ARGUMENTS: Final = ("parameters", "tool_params")

# P007.


def a_tool_is_misspelt(subject: Subject) -> Iterator[Steps]:
    for index, step in of_type(subject, "calling"):
        name = step["parameters"]["tool_name"]
        for wrong in (name[:-1], name.replace("_", "-", 1), name.title(), f"{name}s", f"tools.{name}"):
            if subject.catalog.signature(wrong) is None:
                yield changed(subject.steps, index, TOOL, wrong)


def a_tool_that_was_made_up(subject: Subject) -> Iterator[Steps]:
    for index, _ in of_type(subject, "calling"):
        yield changed(subject.steps, index, TOOL, "python")
        yield changed(subject.steps, index, TOOL, "summarize_document")


def a_tool_that_is_not_allowed(subject: Subject) -> Iterator[Steps]:
    for index, _ in of_type(subject, "calling"):
        broken = changed(subject.steps, index, TOOL, FORBIDDEN)
        yield changed(broken, index, ARGUMENTS, {"really": True})


def a_tool_by_reference(subject: Subject) -> Iterator[Steps]:
    for index, step in of_type(subject, "calling"):
        yield changed(subject.steps, index, TOOL, "${tool}")
        yield changed(subject.steps, index, TOOL, f"{step['parameters']['tool_name']}()")


# P008.


def _arguments(subject: Subject) -> Iterator[tuple[int, Step, str, Any, dict[str, Any]]]:
    """Every argument that is given: its step, name, value and schema."""
    for index, step in of_type(subject, "calling"):
        properties = subject.parameters(step["parameters"]["tool_name"])["properties"]
        for name, value in step["parameters"]["tool_params"].items():
            yield index, step, name, value, properties[name]


def an_argument_is_left_out(subject: Subject) -> Iterator[Steps]:
    for index, step, name, _, _ in _arguments(subject):
        if name in subject.parameters(step["parameters"]["tool_name"])["required"]:
            yield without(subject.steps, index, (*ARGUMENTS, name))


def all_arguments_are_left_out(subject: Subject) -> Iterator[Steps]:
    for index, step in of_type(subject, "calling"):
        if subject.parameters(step["parameters"]["tool_name"])["required"]:
            yield without(subject.steps, index, ARGUMENTS)


def an_argument_under_another_name(subject: Subject) -> Iterator[Steps]:
    for index, step, name, _, _ in _arguments(subject):
        given = step["parameters"]["tool_params"]
        for other in (f"{name}s", name.upper(), f"{name}_name"):
            if other not in subject.parameters(step["parameters"]["tool_name"])["properties"]:
                renamed = {other if key == name else key: value for key, value in given.items()}
                yield changed(subject.steps, index, ARGUMENTS, renamed)


def an_argument_too_many(subject: Subject) -> Iterator[Steps]:
    for index, _ in of_type(subject, "calling"):
        yield changed(subject.steps, index, (*ARGUMENTS, "encoding"), "utf-8")


def arguments_one_level_too_deep(subject: Subject) -> Iterator[Steps]:
    for index, step in of_type(subject, "calling"):
        if step["parameters"]["tool_params"]:
            yield changed(subject.steps, index, ARGUMENTS, {"arguments": step["parameters"]["tool_params"]})


_LITERALS: Final[tuple[Any, ...]] = (7, 2.5, True, None, "seven", "7", ["seven"], [7], {"value": 7}, {}, -1)


def a_literal_of_a_wrong_type(subject: Subject) -> Iterator[Steps]:
    for index, _, name, _, schema in _arguments(subject):
        for value in _LITERALS:
            if not _fits(subject, index, name, value, schema):
                yield changed(subject.steps, index, (*ARGUMENTS, name), value)


def _fits(subject: Subject, index: int, name: str, value: Any, schema: dict[str, Any]) -> bool:
    whole = subject.parameters(subject.steps[index]["parameters"]["tool_name"])
    return bool(Draft202012Validator({**schema, "$defs": whole.get("$defs", {})}).is_valid(value))


def a_reference_without_its_mark(subject: Subject) -> Iterator[Steps]:
    """``files`` or ``{files}`` for ``${files}``, where a text can't be meant."""
    for index, _, name, value, schema in _arguments(subject):
        if (
            isinstance(value, str)
            and value.startswith("${")
            and not _fits(subject, index, name, "text", schema)
        ):
            yield changed(subject.steps, index, (*ARGUMENTS, name), value.strip("${} "))
            yield changed(subject.steps, index, (*ARGUMENTS, name), value.replace("$", ""))


def a_reference_within_a_text(subject: Subject) -> Iterator[Steps]:
    for index, _, name, value, schema in _arguments(subject):
        if (
            isinstance(value, str)
            and value.startswith("${")
            and not _fits(subject, index, name, "text", schema)
        ):
            yield changed(subject.steps, index, (*ARGUMENTS, name), f"{value} ")
            yield changed(subject.steps, index, (*ARGUMENTS, name), f"about {value}")


def a_list_around_a_reference(subject: Subject) -> Iterator[Steps]:
    for index, _, name, value, schema in _arguments(subject):
        if isinstance(value, str) and "${" in value and not _fits(subject, index, name, ["text"], schema):
            yield changed(subject.steps, index, (*ARGUMENTS, name), [value])


def an_object_around_a_reference(subject: Subject) -> Iterator[Steps]:
    for index, _, name, value, schema in _arguments(subject):
        if (
            isinstance(value, str)
            and "${" in value
            and not _fits(subject, index, name, {"value": "text"}, schema)
        ):
            yield changed(subject.steps, index, (*ARGUMENTS, name), {"value": value})


def a_wrong_type_further_in(subject: Subject) -> Iterator[Steps]:
    for index, _, name, value, schema in _arguments(subject):
        parts = (
            value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        )
        for key, _ in parts:
            for wrong in _LITERALS:
                broken = changed(subject.steps, index, (*ARGUMENTS, name, key), wrong)
                given = broken[index]["parameters"]["tool_params"][name]
                if "${" not in str(given) and not _fits(subject, index, name, given, schema):
                    yield broken


def a_variable_of_a_wrong_type(subject: Subject) -> Iterator[Steps]:
    """Another variable, set on all ways to here, whose only type the argument does not admit."""
    kinds = _certain_kinds(subject)
    for index, step, name, value, schema in _arguments(subject):
        if not isinstance(value, str) or not value.startswith("${") or "for_each" in step["parameters"]:
            continue
        for variable, kind in kinds.items():
            if kind not in _admitted(schema) and arrivals(subject.steps, index, variable) == {True}:
                yield changed(subject.steps, index, (*ARGUMENTS, name), f"${{{variable}}}")


def _certain_kinds(subject: Subject) -> dict[str, str]:
    """Variables that are of one JSON type, whoever sets them: literals, and whole results that are described."""
    found: dict[str, set[str | None]] = {}
    for step in subject.steps:
        for name in sets(step):
            found.setdefault(name, set()).add(_kind_of(subject, step, name))
    return {name: kind for name, (kind, *others) in found.items() if kind is not None and not others}


def _kind_of(subject: Subject, step: Step, name: str) -> str | None:
    parameters = step["parameters"]
    if step["type"] == "assign":
        value = parameters[name]
        if isinstance(value, str) and value.startswith("${"):
            return None
        return {str: "string", list: "array", dict: "object", bool: "boolean", int: "integer"}.get(
            type(value)
        )
    if parameters["output_vars"] not in (name, [name]) or parameters.get("on_error") == "continue":
        return None
    if "for_each" in parameters:
        return "array"
    result = subject.result(parameters["tool_name"]) or {}
    return result["type"] if isinstance(result.get("type"), str) else None


def _admitted(schema: dict[str, Any]) -> set[str]:
    """The types that a schema of the world's tools admits."""
    ways = schema.get("anyOf", [schema])
    if not all("type" in way for way in ways):
        return {"string", "array", "object", "boolean", "integer", "number", "null"}
    kinds = {way["type"] for way in ways}
    return kinds | {"integer"} if "number" in kinds else kinds


# P009.


def _described(subject: Subject) -> Iterator[tuple[int, Step, dict[str, Any]]]:
    """The calls whose result is described: an object of known keys, a list, or a value without parts."""
    for index, step in of_type(subject, "calling"):
        result = subject.result(step["parameters"]["tool_name"])
        if result and result.get("type") and step["parameters"].get("output_vars"):
            yield index, step, result


OUTPUTS: Final = ("parameters", "output_vars")


def _first_output(step: Step) -> str:
    named = step["parameters"]["output_vars"]
    return named if isinstance(named, str) else next(iter(named))


def an_output_that_is_not_in_the_result(subject: Subject) -> Iterator[Steps]:
    for index, step, result in _described(subject):
        if result["type"] == "object":
            name = _first_output(step)
            known = next(iter(result["properties"]))
            for path in ("content", f"{known}s", f"result.{known}", f"data[0].{known}", known.upper()):
                yield changed(subject.steps, index, OUTPUTS, {name: path})


def several_outputs_of_which_one_is_not_there(subject: Subject) -> Iterator[Steps]:
    for index, step, result in _described(subject):
        if result["type"] == "object":
            known = list(result["properties"])
            yield changed(subject.steps, index, OUTPUTS, [known[0], "summary"])
            yield changed(subject.steps, index, OUTPUTS, {_first_output(step): known[0], "size": "bytes"})


def a_list_taken_for_an_object(subject: Subject) -> Iterator[Steps]:
    for index, step, result in _described(subject):
        if result["type"] == "array":
            yield changed(subject.steps, index, OUTPUTS, ["title", "url"])
            yield changed(subject.steps, index, OUTPUTS, {_first_output(step): "items"})
            yield changed(subject.steps, index, OUTPUTS, {_first_output(step): "[0].nothing"})


def an_object_taken_for_a_list(subject: Subject) -> Iterator[Steps]:
    for index, step, result in _described(subject):
        if result["type"] == "object":
            yield changed(subject.steps, index, OUTPUTS, {_first_output(step): "[0]"})


def a_part_of_what_has_no_parts(subject: Subject) -> Iterator[Steps]:
    for index, step, result in _described(subject):
        name = _first_output(step)
        if result["type"] in ("integer", "boolean", "number"):
            yield changed(subject.steps, index, OUTPUTS, {name: "value"})
            yield changed(subject.steps, index, OUTPUTS, ["value", "unit"])
        if result["type"] == "object":
            for key, part in result["properties"].items():
                if part.get("type") in ("integer", "boolean", "number"):
                    yield changed(subject.steps, index, OUTPUTS, {name: f"{key}.value"})

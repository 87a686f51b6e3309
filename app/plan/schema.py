"""The JSON schema of a plan document, for editors and for model servers that write to a schema.

:data:`FORMS` is the one place that lists the parameters of every instruction with what they mean; the schema
is made from it, and the documentation is held against it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from app.plan.fields import MAX_SEQ_NO
from app.plan.instructions import MAX_ATTEMPTS, MAX_SECONDS
from app.plan.model import PLAN_VERSION

DRAFT: Final = "https://json-schema.org/draft/2020-12/schema"

_NAME: Final = "^[A-Za-z_][A-Za-z0-9_]{0,127}$"
_TEXT: Final = {"type": "string", "pattern": r"\S"}
_SEQ_NO: Final = {"type": "integer", "minimum": 0, "maximum": MAX_SEQ_NO}


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a step: what it means in one line, and the schema of its value."""

    doc: str
    schema: Mapping[str, Any]
    required: bool = False

    def to_schema(self) -> dict[str, Any]:
        """The schema with its description. ``null`` is as good as leaving an optional parameter out."""
        if self.required or not self.schema:
            return {"description": self.doc, **self.schema}
        return {"description": self.doc, "anyOf": [dict(self.schema), {"type": "null"}]}


@dataclass(frozen=True, slots=True)
class Form:
    """One way to write a step of ``type``: its ``parameters``, or ``free``, the schema of them all."""

    type: str
    doc: str
    parameters: Mapping[str, Parameter]
    free: Mapping[str, Any] | None = None


def _names(values: Mapping[str, Any], least: int = 0) -> dict[str, Any]:
    """An object whose keys are names of variables."""
    schema = {"type": "object", "patternProperties": {_NAME: dict(values)}, "additionalProperties": False}
    return {**schema, "minProperties": least} if least else schema


def _closed(properties: Mapping[str, Any], required: list[str]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": dict(properties),
        "required": required,
        "additionalProperties": False,
    }


_IF_TRUE: Final = Parameter("the step to go on with where the condition is true", _SEQ_NO, required=True)
_IF_FALSE_DOC: Final = "the step to go on with where the condition is false"

FORMS: Final[Mapping[str, Form]] = {
    "assign": Form(
        "assign",
        "Set variables; all values are computed from the state before the step.",
        {},
        free=_names({}),
    ),
    "calling": Form(
        "calling",
        "Call a tool, once or for each item of a list.",
        {
            "tool_name": Parameter("the tool to call, by name or alias", _TEXT, required=True),
            "tool_params": Parameter("the tool's arguments by name", {"type": "object"}),
            "output_vars": Parameter(
                "one name: the whole result; several: keys of the result; an object: variable to path",
                {
                    "anyOf": [
                        {"type": "string", "pattern": _NAME},
                        {"type": "array", "items": {"type": "string", "pattern": _NAME}, "uniqueItems": True},
                        _names({"type": "string"}),
                    ]
                },
            ),
            "for_each": Parameter(
                "a list, or a reference to one: call the tool once an item, with ${item} and ${index}",
                {"anyOf": [{"type": "array"}, {"type": "string", "pattern": r"^\$\{[\s\S]*\}$"}]},
            ),
            "timeout": Parameter(
                "seconds for one attempt; otherwise the tool's own",
                {"type": "number", "minimum": 0.001, "maximum": MAX_SECONDS},
            ),
            "retry": Parameter(
                "how often to try (max_attempts) and the seconds before the second attempt (backoff)",
                _closed(
                    {
                        "max_attempts": {"type": ["integer", "null"], "minimum": 1, "maximum": MAX_ATTEMPTS},
                        "backoff": {"type": ["number", "null"], "minimum": 0, "maximum": MAX_SECONDS},
                    },
                    [],
                ),
            ),
            "on_error": Parameter(
                "what a failed call leads to: the run fails, goes on with null, or jumps; ${error} says why",
                {"anyOf": [{"enum": ["fail", "continue"]}, _closed({"goto": _SEQ_NO}, ["goto"])]},
            ),
        },
    ),
    "jmp": Form(
        "jmp",
        "Go on with another step, always.",
        {"target_seq": Parameter("the step to go on with", _SEQ_NO, required=True)},
    ),
    "jmp_condition": Form(
        "jmp",
        "Go on with one step or another, as an expression decides.",
        {
            "condition": Parameter("an expression that gives true or false", _TEXT, required=True),
            "jump_if_true": _IF_TRUE,
            "jump_if_false": Parameter(f"{_IF_FALSE_DOC}; otherwise the next one", _SEQ_NO),
        },
    ),
    "jmp_condition_prompt": Form(
        "jmp",
        "Go on with one step or another, as the model decides.",
        {
            "condition_prompt": Parameter(
                "a question to the model with the answer yes or no", _TEXT, required=True
            ),
            "context": Parameter("what the model should know to answer", {}),
            "jump_if_true": _IF_TRUE,
            "jump_if_false": Parameter(_IF_FALSE_DOC, _SEQ_NO, required=True),
        },
    ),
    "reasoning": Form(
        "reasoning",
        "Free text, recorded and shown, such as chain_of_thoughts and dependency_analysis; without effect.",
        {},
        free={"type": "object"},
    ),
}
"""Every way to write a step, by a name of its own."""


def plan_schema() -> dict[str, Any]:
    """The schema (draft 2020-12) of the object form of a plan; a new document each time.

    It says all that can be said without looking at several steps together; the rest is the checker's.
    """
    return {
        "$schema": DRAFT,
        "title": "StackVM plan",
        "description": "A program for an agent: steps that run in order of seq_no.",
        **_closed(
            {
                "version": {
                    "description": "the version of the plan language",
                    "type": "integer",
                    "enum": [PLAN_VERSION],
                },
                "reasoning": {"description": "why these steps; for people"},
                "steps": {
                    "description": "the steps, in ascending order of seq_no",
                    "type": "array",
                    "minItems": 1,
                    "items": {"anyOf": [{"$ref": f"#/$defs/{name}"} for name in FORMS]},
                },
            },
            ["steps"],
        ),
        "$defs": {name: _step_schema(form) for name, form in FORMS.items()},
    }


def _step_schema(form: Form) -> dict[str, Any]:
    parameters = form.free or _closed(
        {name: parameter.to_schema() for name, parameter in form.parameters.items()},
        [name for name, parameter in form.parameters.items() if parameter.required],
    )
    fields = {
        "seq_no": {"description": "the step's number, unique and ascending", **_SEQ_NO},
        "type": {"description": form.doc, "type": "string", "enum": [form.type]},
        "description": {"description": "what the step is for; for people", "type": ["string", "null"]},
        "parameters": dict(parameters),
    }
    return _closed(fields, ["seq_no", "type", "parameters"])

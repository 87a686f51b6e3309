"""From a text or a decoded document to a :class:`Plan`; every fault of form is found and named at once.

What can only be judged by looking at the plan as a whole (order of steps, jumps, variables, tools,
expressions) is the checker's: :mod:`app.plan.check`.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Final

from app.plan.fields import Fields, Report
from app.plan.instructions import READERS
from app.plan.json_text import JsonTextError, find_problems
from app.plan.model import PLAN_VERSION, Json, Plan, Step
from app.plan.problems import PlanSyntaxError, Problem, refuse
from app.plan.reply import find_document, find_json_object
from app.plan.values import shorten, type_name

__all__ = [
    "JsonTextError",
    "PlanSyntaxError",
    "Problem",
    "find_json_object",
    "parse_plan",
    "plan_from_json",
]

MAX_BYTES: Final = 4 * 1024 * 1024
MAX_STEPS: Final = 20_000
MAX_PROBLEMS: Final = 100
"""Problems that are reported at once."""

_PLAN_FIELDS: Final = ("version", "reasoning", "steps")
_STEP_FIELDS: Final = ("seq_no", "type", "description", "parameters")


def parse_plan(text: str | bytes) -> Plan:
    """The one plan in ``text``: the document itself, or a model's reply that holds it.

    A reply may have prose around the plan, a fenced block, or ``<answer>…</answer>``. Raises
    :class:`PlanSyntaxError`: no plan or different ones, JSON that is broken, anything of the wrong form.
    """
    return plan_from_json(find_document(_decoded(text)))


def plan_from_json(document: Json) -> Plan:
    """The plan of a decoded document: the object form or the bare list of steps.

    Raises :class:`PlanSyntaxError` with up to 100 problems.
    """
    problems = find_problems(document, MAX_PROBLEMS)
    if problems:
        raise PlanSyntaxError(problems)
    if type(document) is list:
        plan = Plan(_read_steps(document, "", problems))
    elif type(document) is dict:
        plan = _read_object(document, problems)
    else:
        raise refuse(
            f"{type_name(document)} is no plan", 'give a list of steps or {"version": 1, "steps": [ … ]}'
        )
    if problems:
        raise PlanSyntaxError(problems[:MAX_PROBLEMS])
    return plan


def _decoded(text: str | bytes) -> str:
    if len(text) > MAX_BYTES:
        raise _too_large()
    if isinstance(text, bytes):
        try:
            return text.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise refuse(f"not UTF-8: byte {error.start}", "save the plan as UTF-8") from None
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise _too_large()
    return text.removeprefix("\ufeff")


def _too_large() -> PlanSyntaxError:
    return refuse("the text is too large for a plan", f"at most {MAX_BYTES // 1024 // 1024} MiB")


def _read_object(document: dict[str, Json], problems: list[Problem]) -> Plan:
    report = Report(problems, "")
    fields = Fields(document, report, "", _PLAN_FIELDS)
    version = document.get("version", PLAN_VERSION)
    if type(version) is not int or version != PLAN_VERSION:
        report.add(
            "version", f"unknown version {shorten(repr(version), 30)}", f"version {PLAN_VERSION} is known"
        )
    steps = fields.get("steps")
    if type(steps) is not list:
        fields.refuse("steps", "a list of steps", steps)
        steps = None
    return Plan(() if steps is None else _read_steps(steps, "steps", problems), fields.get("reasoning"))


def _read_steps(documents: list[Json], place: str, problems: list[Problem]) -> tuple[Step, ...]:
    report = Report(problems, place)
    if not documents:
        report.add("", "a plan without steps", "give at least one step")
    if len(documents) > MAX_STEPS:
        report.add("", f"{len(documents)} steps", f"at most {MAX_STEPS} are allowed")
        return ()
    steps: list[Step] = []
    for index, document in enumerate(documents):
        step = _read_step(document, f"{place}[{index}]", problems)
        if step is not None:
            steps.append(step)
        elif len(problems) >= MAX_PROBLEMS:
            break
    return tuple(steps)


def _read_step(document: Json, place: str, problems: list[Problem]) -> Step | None:
    """The step, or ``None`` where problems were noted."""
    before = len(problems)
    report = Report(problems, place)
    if type(document) is not dict:
        report.wrong_type("", "a step (an object)", document)
        return None
    seq_no = document.get("seq_no")
    report.step = seq_no if type(seq_no) is int else None
    fields = Fields(document, report, "", _STEP_FIELDS)
    number = fields.seq_no("seq_no", required=True)
    kind = _kind(fields)
    description = _description(fields)
    parameters = _parameters(fields, kind)
    if kind is None or parameters is None:
        return None
    instruction = READERS[kind](parameters, report)
    if number is None or len(problems) > before:
        return None
    return Step(number, kind, parameters, instruction, description)


def _kind(fields: Fields) -> str | None:
    kind = fields.text("type", required=True)
    if kind is None or kind in READERS:
        return kind
    near = get_close_matches(kind, READERS, n=1)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(READERS)}"
    fields.report.add(".type", f"unknown type of step {shorten(kind, 40)!r}", hint)
    return None


def _description(fields: Fields) -> str | None:
    value = fields.get("description")
    if value is None or type(value) is str:
        return value
    fields.refuse("description", "a text", value)
    return None


def _parameters(fields: Fields, kind: str | None) -> Mapping[str, Json] | None:
    if kind == "reasoning" and not fields.has("parameters"):
        return {}
    parameters = fields.object("parameters")
    if parameters is None and not fields.has("parameters"):
        fields.refuse("parameters", "an object", None)
    return parameters

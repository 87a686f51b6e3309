"""A condition that a model decides: :func:`judge`."""

from __future__ import annotations

from typing import Any, Final

from app.llm.base import Asker, OnRetry
from app.plan.model import Json
from app.plan.repair import Repaired
from app.plan.values import type_name
from app.planner.answers import Answer, Unusable, ask_for, read_object
from app.planner.conversation import Said
from app.planner.prompts import judge_prompt

SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {"result": {"type": "boolean"}, "explanation": {"type": "string"}},
    "required": ["result", "explanation"],
    "additionalProperties": False,
}


def judge(asker: Asker, prompt: str, context: Json = None, on_retry: OnRetry | None = None) -> Answer:
    """Ask whether ``prompt`` holds. The value is ``{"result": bool, "explanation": str}``.

    An answer of another form is asked for once more; nothing is taken for true or false that isn't. Raises
    ``ModelError`` with the ``calls`` that were made, ``garbage`` where the second answer is no better.
    """
    return ask_for(
        asker,
        judge_prompt(prompt, context),
        "judge",
        _read,
        schema=SCHEMA,
        schema_name="judgement",
        on_retry=on_retry,
    )


def _read(said: Said) -> Repaired:
    value, repairs = read_object(said.reply)
    for key, kind, wanted in (("result", bool, "true or false"), ("explanation", str, "a text")):
        if key not in value:
            raise Unusable(f'the key "{key}" is missing')
        if type(value[key]) is not kind:
            raise Unusable(f'"{key}" must be {wanted}, not {type_name(value[key])}')
    return Repaired({"result": value["result"], "explanation": value["explanation"]}, repairs)

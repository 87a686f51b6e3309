"""A text, or several values by name, that a model writes: :func:`generate_text`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from app.llm.base import Asker, OnRetry, OnToken
from app.plan.json_text import JsonTextError
from app.plan.model import Json
from app.plan.repair import THINKING, Repaired, without_thinking
from app.planner.answers import Answer, Reader, Unusable, ask_for, read_object
from app.planner.conversation import CUT_OFF, Said
from app.planner.data import clean
from app.planner.prompts import generate_prompt

LONE_SURROGATE: Final = "lone surrogate"


def generate_text(
    asker: Asker,
    prompt: str,
    context: Json = None,
    response_format: Json = None,
    output_names: Sequence[str] = (),
    on_token: OnToken | None = None,
    on_retry: OnRetry | None = None,
) -> Answer:
    """What ``prompt`` asks for: a text; where several outputs are wanted, an object with exactly those keys.

    An answer of another form, or that was cut off, is asked for once more. Raises ``ModelError`` with the
    ``calls`` that were made, ``garbage`` where the second answer is no better.
    """
    names = list(dict.fromkeys(output_names)) if len(output_names) > 1 else []
    return ask_for(
        asker,
        generate_prompt(prompt, context, response_format, names),
        "generate",
        _object_reader(names) if names else _read_text,
        schema=_schema(names) if names else None,
        schema_name="outputs",
        on_token=on_token,
        on_retry=on_retry,
    )


def _schema(names: Sequence[str]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {name: {} for name in names},
        "required": list(names),
        "additionalProperties": False,
    }


def _read_text(said: Said) -> Repaired:
    if said.cut_off:
        raise Unusable(CUT_OFF)
    try:
        text = without_thinking(said.reply.text)
    except JsonTextError as error:
        raise Unusable(str(error)) from None
    repairs = (THINKING,) if text != said.reply.text else ()
    encodable = clean(text)
    if encodable != text:
        repairs = (*repairs, LONE_SURROGATE)
    if not encodable.strip():
        raise Unusable("it is empty")
    return Repaired(encodable.strip(), repairs)


def _object_reader(names: Sequence[str]) -> Reader:
    def read(said: Said) -> Repaired:
        value, repairs = read_object(said.reply)
        missing = [name for name in names if name not in value]
        unknown = [key for key in value if key not in names]
        if missing:
            raise Unusable(f"keys are missing: {', '.join(missing)}")
        if unknown:
            raise Unusable(f"there are keys that were not asked for: {', '.join(map(repr, unknown))[:300]}")
        return Repaired({name: value[name] for name in names}, repairs)

    return read

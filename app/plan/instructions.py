"""The parameters of the four kinds of steps: from a document's object to an :data:`Instruction`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from app.plan.fields import Fields, Report, check_name, format_key
from app.plan.model import Assign, Calling, Instruction, Json, Jump, OnError, Reasoning, Retry
from app.plan.outputs import read_outputs

PATH: Final = ".parameters"
MAX_SECONDS: Final = 7 * 24 * 3600
MAX_ATTEMPTS: Final = 100

_CALLING: Final = (
    "tool_name", "tool_params", "output_vars", "for_each", "timeout", "retry", "on_error",
)  # fmt: skip
_JUMP: Final = ("target_seq", "condition_prompt", "context", "condition", "jump_if_true", "jump_if_false")
_JUMP_FORMS: Final = (
    "give target_seq alone; condition_prompt, jump_if_true and jump_if_false; or condition and jump_if_true"
)

Reader: TypeAlias = Callable[[Mapping[str, Json], Report], Instruction]


def read_assign(parameters: Mapping[str, Json], report: Report) -> Assign:
    """``{"name": value, …}``."""
    for name in parameters:
        check_name(name, report, PATH + format_key(name))
    return Assign(parameters)


def read_calling(parameters: Mapping[str, Json], report: Report) -> Calling:
    """A call of ``tool_name`` with ``tool_params``, and what to do with the result or an error."""
    fields = Fields(parameters, report, PATH, _CALLING)
    return Calling(
        tool_name=fields.text("tool_name", required=True) or "",
        tool_params=fields.object("tool_params") or {},
        outputs=read_outputs(fields.get("output_vars"), report, f"{PATH}.output_vars"),
        for_each=_for_each(fields),
        timeout=fields.number("timeout", "seconds above 0, at most a week", least=1e-3, most=MAX_SECONDS),
        retry=_retry(fields),
        on_error=_on_error(fields),
    )


def read_jump(parameters: Mapping[str, Json], report: Report) -> Jump:
    """A jump of exactly one of its three forms."""
    fields = Fields(parameters, report, PATH, _JUMP)
    forms = [key for key in ("target_seq", "condition_prompt", "condition") if fields.has(key)]
    if len(forms) != 1:
        found = " and ".join(forms) or "neither target_seq nor a condition"
        report.add(PATH, f"a jump with {found}", _JUMP_FORMS)
        return Jump()
    form = forms[0]
    _refuse_strays(fields, form)
    if form == "target_seq":
        return Jump(target=fields.seq_no("target_seq"))
    prompt = form == "condition_prompt"
    return Jump(
        condition=_bare(fields.text("condition")),
        condition_prompt=fields.text("condition_prompt"),
        context=fields.get("context"),
        if_true=fields.seq_no("jump_if_true", required=True),
        if_false=fields.seq_no("jump_if_false", required=prompt),
    )


def read_reasoning(parameters: Mapping[str, Json], report: Report) -> Reasoning:
    """Anything."""
    return Reasoning(parameters)


READERS: Final[Mapping[str, Reader]] = {
    "assign": read_assign,
    "calling": read_calling,
    "jmp": read_jump,
    "reasoning": read_reasoning,
}
"""Type of a step → how its parameters are read."""


def _for_each(fields: Fields) -> Json | None:
    value = fields.get("for_each")
    if value is None or type(value) is list:
        return value
    if type(value) is str and value.startswith("${") and value.endswith("}"):
        return value
    fields.refuse("for_each", "a list, or one reference to a list such as ${files}", value)
    return None


def _retry(fields: Fields) -> Retry | None:
    value = fields.object("retry")
    if value is None:
        return None
    retry = Fields(value, fields.report, f"{PATH}.retry", ("max_attempts", "backoff"))
    attempts = retry.number(
        "max_attempts", f"a whole number from 1 to {MAX_ATTEMPTS}", least=1, most=MAX_ATTEMPTS, whole=True
    )
    backoff = retry.number("backoff", "seconds from 0, at most a week", least=0, most=MAX_SECONDS)
    defaults = Retry()
    return Retry(
        max_attempts=defaults.max_attempts if attempts is None else int(attempts),
        backoff=defaults.backoff if backoff is None else float(backoff),
    )


def _on_error(fields: Fields) -> OnError:
    value = fields.get("on_error")
    if value is None:
        return OnError()
    if value in ("fail", "continue"):
        return OnError(value)
    if type(value) is dict:
        goto = Fields(value, fields.report, f"{PATH}.on_error", ("goto",))
        return OnError("goto", goto.seq_no("goto", required=True))
    fields.refuse("on_error", '"fail", "continue" or {"goto": seq_no}', value)
    return OnError()


def _refuse_strays(fields: Fields, form: str) -> None:
    """Fields of another form would be ignored without a word."""
    strays = {
        "target_seq": ("context", "jump_if_true", "jump_if_false"),
        "condition": ("context",),
        "condition_prompt": (),
    }[form]
    for key in strays:
        if fields.has(key):
            fields.report.add(f"{PATH}.{key}", f"{key} doesn't go with {form}", _JUMP_FORMS)


def _bare(condition: str | None) -> str | None:
    """The expression, also where it was written as ``${{ … }}``."""
    if condition is None:
        return None
    text = condition.strip()
    return text[3:-2].strip() if text.startswith("${{") and text.endswith("}}") else text

"""Whether the configured models can be asked: a look at the lists of their servers, which costs nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from difflib import get_close_matches
from typing import Final

from app.errors import ModelError, StackVMError
from app.llm.base import Model
from app.llm.detached import within
from app.llm.factory import Models
from app.services.doctor import Check

SECONDS: Final = 5.0
"""For one server, the look-up of its name included."""
HOW_TO_CONFIGURE: Final = "set LLM_PROVIDER and LLM_MODEL in .env to have plans written: docs/models.md"


def check_models(open_models: Callable[[], Models | None], seconds: float = SECONDS) -> list[Check]:
    """A check for each model. None being configured is no failure: plans may be given by hand."""
    try:
        models = open_models()
    except StackVMError as error:
        return [Check("models", False, error.message, error.hint)]
    if models is None:
        return [Check("models", True, "none is configured", HOW_TO_CONFIGURE)]
    return [_check(name, model, seconds) for name, model in _named(models)]


def _named(models: Models) -> Iterator[tuple[str, Model]]:
    yield "model", models.standard
    if models.reasoning is not models.standard:
        yield "planning model", models.reasoning


def _check(name: str, model: Model, seconds: float) -> Check:
    if model.provider == "scripted":
        return Check(name, True, f"scripted: replies are read from {model.server}, no model is asked")
    who = f"{model.provider} {model.name} at {model.server}"
    try:
        offered = within(seconds, lambda: model.offered(seconds))
    except ModelError as error:
        return Check(name, False, f"{who}: {error.message}", error.hint)
    if offered is None:
        return Check(name, True, f"{who}: not checked, the server lists no models")
    if model.name in offered:
        return Check(name, True, who)
    return Check(name, False, f"{who}: the server has no such model", _advice(model.name, offered))


def _advice(name: str, offered: frozenset[str]) -> str:
    near = get_close_matches(name, sorted(offered), n=3, cutoff=0.5) or sorted(offered)[:3]
    return (
        f"it has {', '.join(near)}" + (", …" if len(offered) > len(near) else "") if near else "it has none"
    )

"""What the machine needs of models: texts for tools, judgements for conditions, and an account of both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from app.errors import ModelError
from app.llm.base import UNWATCHED, ModelCall, Watch
from app.plan.model import Json
from app.tools.context import Cancellation, Generate


def model_error_text(error: ModelError) -> str:
    """A model's error as that of a step. A limit that is reached speaks for itself."""
    return str(error) if error.kind == "budget" else f"the model: {error}"


class Thought(Protocol):
    """A value that a model gave, and the calls it took."""

    @property
    def value(self) -> Json:
        """The answer."""

    @property
    def calls(self) -> Sequence[ModelCall]:
        """Every call, those in vain included."""


class Thinker(Protocol):
    """The models of a run, behind their prompts.

    Both raise ``ModelError``, and what the watch's cancellation raises where it ends them.
    """

    def generate(
        self,
        prompt: str,
        context: Json,
        response_format: Json,
        output_names: Sequence[str],
        watch: Watch,
    ) -> Thought:
        """A text, or where several outputs are named an object that has just them."""

    def judge(self, prompt: str, context: Json, watch: Watch) -> Thought:
        """``{"result": bool, "explanation": str}``."""


class ModelUse:
    """The model calls that one call of a tool makes, kept also where they or the tool fail."""

    def __init__(self, thinker: Thinker, output_names: Sequence[str], watch: Watch = UNWATCHED) -> None:
        self._thinker = thinker
        self._output_names = output_names
        self._watch = watch
        self._calls: list[ModelCall] = []

    def until(self, cancellation: Cancellation) -> Generate:
        """The way to the model for one attempt, which its cancellation ends."""
        watch = replace(self._watch, cancellation=cancellation)

        def generate(prompt: str, context: Json = None, response_format: Json = None) -> Json:
            """Ask; the tool sees the value alone. Raises ``ModelError``."""
            try:
                thought = self._thinker.generate(prompt, context, response_format, self._output_names, watch)
            except ModelError as error:
                self._calls += error.calls
                raise
            self._calls += thought.calls
            return thought.value

        return generate

    def to_json(self) -> tuple[dict[str, Json], ...]:
        """The calls as they stand in a record."""
        return tuple(call.to_json() for call in self._calls)

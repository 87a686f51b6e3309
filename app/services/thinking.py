"""The models of a run, behind their prompts and one budget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.llm.base import UNWATCHED, Watch, WatchedAsker
from app.plan.model import Json
from app.planner.answers import Answer
from app.planner.generate_text import generate_text
from app.planner.judge import judge
from app.planner.prompts.templates import prompt_hash
from app.vm.origins import Mind


def has_prompt(mind: Mind) -> bool:
    """Whether the prompt that ``mind`` was asked by is as it was."""
    return mind.prompt is not None and mind.prompt_hash == prompt_hash(mind.prompt)


@dataclass(frozen=True, slots=True)
class Askers:
    """``standard`` writes texts and judges, ``reasoning`` plans; ``model`` names the latter.

    ``is_scripted``: nobody thinks, replies are read from a file. ``answers_as``: provider and model of
    ``standard``, as records name them.
    """

    standard: WatchedAsker
    reasoning: WatchedAsker
    model: str = ""
    is_scripted: bool = False
    answers_as: tuple[str, str] | None = None

    def knows(self, mind: Mind) -> bool:
        """Whether ``mind`` is the standard model with a prompt as it is now: it would be asked the same again."""
        same_model = self.answers_as is None or (mind.provider, mind.model) == self.answers_as
        return same_model and has_prompt(mind)

    def generate(
        self,
        prompt: str,
        context: Json,
        response_format: Json,
        output_names: Sequence[str],
        watch: Watch = UNWATCHED,
    ) -> Answer:
        """See :class:`app.vm.thinking.Thinker`."""
        return generate_text(
            self.standard.followed_by(watch),
            prompt,
            context,
            response_format,
            output_names,
            watch.on_token,
            watch.on_retry,
        )

    def judge(self, prompt: str, context: Json, watch: Watch = UNWATCHED) -> Answer:
        """See :class:`app.vm.thinking.Thinker`."""
        return judge(self.standard.followed_by(watch), prompt, context, watch.on_retry)

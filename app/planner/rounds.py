"""The rounds of writing a plan: ask, check, send the findings back, until it is clean or there were enough."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from app.errors import PlanNotClean
from app.llm.base import Asker, ModelCall, ModelReply, OnToken, Purpose
from app.plan.findings import Finding, error, has_errors
from app.plan.model import Json, Plan
from app.plan.parse import plan_from_json
from app.plan.problems import PlanSyntaxError
from app.plan.repair import Repaired, repair_plan
from app.plan.schema import plan_schema
from app.planner.conversation import CUT_OFF, Conversation, Said
from app.planner.data import clean, cut
from app.planner.prompts import Prompt, repair_prompt

MAX_ROUNDS: Final = 3
MAX_REPLY_CHARACTERS: Final = 100_000
"""Of one reply that is kept, and sent back; of a longer one, its beginning and its end."""

Check: TypeAlias = Callable[[Plan], list[Finding]]


@dataclass(frozen=True, slots=True)
class Round:
    """One reply. ``text`` is what came, cut where it is very long; ``plan`` is ``None`` where it held none.

    ``findings`` are all there were, warnings included; ``repairs`` names what was not plain JSON in the reply.
    """

    number: int
    text: str
    plan: Plan | None
    findings: tuple[Finding, ...]
    repairs: tuple[str, ...]
    call: ModelCall

    @property
    def clean(self) -> bool:
        """Whether the plan may run."""
        return self.plan is not None and not has_errors(self.findings)


OnRound: TypeAlias = Callable[[Round], None]
"""Told of every round once it is over, also of those before an error of the model."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A clean plan and how it came about. The last of ``rounds`` gave it."""

    plan: Plan
    rounds: tuple[Round, ...]
    prompt_name: str
    prompt_hash: str

    @property
    def reasoning(self) -> Json:
        """Why these steps, in the model's words; ``None`` where it gave none."""
        return self.plan.reasoning

    @property
    def calls(self) -> tuple[ModelCall, ...]:
        """The calls of the model, one a round."""
        return tuple(round_.call for round_ in self.rounds)


def write_plan(
    asker: Asker,
    prompt: Prompt,
    purpose: Purpose,
    check: Check,
    *,
    max_rounds: int = MAX_ROUNDS,
    on_round: OnRound | None = None,
    on_token: OnToken | None = None,
) -> Planned:
    """Ask with ``prompt`` until ``check`` finds no error.

    Raises ``PlanNotClean`` with all rounds after ``max_rounds`` of them, ``ModelError`` with the ``calls`` that
    were made where the model can't be asked.
    """
    conversation = Conversation(
        asker, purpose, prompt, schema=plan_schema(), schema_name="plan", on_token=on_token
    )
    rounds: list[Round] = []
    for number in range(1, max(max_rounds, 1) + 1):
        said = conversation.ask()
        this = _read_round(number, said, check)
        rounds.append(this)
        if on_round is not None:
            on_round(this)
        if this.clean and this.plan is not None:
            return Planned(this.plan, tuple(rounds), prompt.name, prompt.hash)
        conversation.send_back(said, repair_prompt(this.findings), MAX_REPLY_CHARACTERS)
    raise PlanNotClean(rounds[-1].findings, rounds)


def _read_round(number: int, said: Said, check: Check) -> Round:
    text = cut(clean(said.reply.text), MAX_REPLY_CHARACTERS)
    repairs: tuple[str, ...] = ()
    plan = None
    try:
        repaired = _document(said.reply)
        repairs = repaired.repairs
        plan = plan_from_json(repaired.value)
        findings = check(plan)
    except PlanSyntaxError as problem:
        findings = _not_a_plan(problem, said)
    if said.unusable is not None and (plan is not None or not text.strip()):
        plan = None
        findings = [error("P001", None, "", said.unusable.message, said.unusable.hint or "")]
    return Round(number, text, plan, tuple(findings), repairs, said.call)


def _document(reply: ModelReply) -> Repaired:
    """The plan document of a reply, as whoever asked the model has read it, else read here."""
    if reply.value is not None:
        return Repaired(reply.value, reply.repairs)
    return repair_plan(reply.text)


def _not_a_plan(problem: PlanSyntaxError, said: Said) -> list[Finding]:
    findings = [
        error("P001", fault.step, fault.path, fault.message, fault.hint) for fault in problem.problems
    ]
    if said.cut_off:
        findings.insert(0, error("P001", None, "", CUT_OFF, "write a shorter plan"))
    return findings

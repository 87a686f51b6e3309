"""Records: all that came from outside and made a commit. Written by the machine, fed back by replay.

Times are integers, milliseconds since the epoch. A ``pure`` call records none, so that it takes its parent's time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from app.plan.model import Json, Step
from app.tools.base import Tool
from app.vm.calls import Outcome as Performed
from app.vm.effects import CallNeeded, Effect, FanNeeded, FanOutcome, JudgementNeeded, Outcome
from app.vm.origins import Origin, answered_by, origin_spans

Record = dict[str, Any]


def plain_record(step: Step) -> Record:
    """A step without an effect."""
    return {"seq_no": step.seq_no, "type": step.type}


def call_record(
    effect: CallNeeded,
    tool: Tool | None,
    performed: Performed,
    *,
    key: str | None = None,
    decision: Mapping[str, Json] | None = None,
) -> Record:
    """One call. ``tool`` is ``None`` where there was none to call."""
    record = _of_tool(effect, tool)
    record["inputs"] = dict(effect.inputs)
    if performed.error is None:
        record["value"] = performed.value
    else:
        record["error"] = performed.error.message
    if performed.origin is not None:
        record |= performed.origin.fields() | answered_by([performed.origin])
    elif tool is not None and tool.effect != "pure":
        record["started_ms"], record["ended_ms"] = performed.started_ms, performed.ended_ms
        if performed.attempts != 1:
            record["attempts"] = performed.attempts
    if performed.model_calls:
        record["model_calls"] = list(performed.model_calls)
    if key is not None:
        record["key"] = key
    if decision is not None:
        record["decision"] = dict(decision)
    return record


def fan_record(effect: FanNeeded, tool: Tool | None, items: Sequence[Performed]) -> Record:
    """The items of a ``for_each``, in columns: equal columns are equal to the variables they came from."""
    record = _of_tool(effect, tool)
    record["count"] = effect.count
    record["inputs"] = dict(effect.shared)
    record["item_inputs"] = {name: list(column[: len(items)]) for name, column in effect.columns.items()}
    record["values"] = [item.value for item in items]
    errors = {str(index): item.error.message for index, item in enumerate(items) if item.error is not None}
    if errors:
        record["errors"] = errors
    model_calls = [call for item in items for call in item.model_calls]
    if model_calls:
        record["model_calls"] = model_calls
    origins = [item.origin for item in items]
    spans = origin_spans(origins)
    if spans:
        record |= {"origins": spans, **answered_by(origins)}
    made = [item for item in items if item.origin is None]
    if tool is not None and tool.effect != "pure" and made:
        record["calls"] = [_times(item) for item in items]
        record["started_ms"] = min(item.started_ms for item in made)
        record["ended_ms"] = max(item.ended_ms for item in made)
    return record


def _times(item: Performed) -> list[int]:
    return [0, 0, 0] if item.origin is not None else [item.attempts, item.started_ms, item.ended_ms]


def _of_tool(effect: CallNeeded | FanNeeded, tool: Tool | None) -> Record:
    record: Record = {"seq_no": effect.seq_no, "type": "calling", "visit": effect.visit}
    record["tool"] = effect.tool_name if tool is None else tool.name
    if tool is not None:
        record["version"], record["effect"] = tool.version, tool.effect
    return record


def judgement_record(
    effect: JudgementNeeded,
    outcome: Outcome,
    model_calls: Sequence[dict[str, Json]] = (),
    origin: Origin | None = None,
) -> Record:
    """A condition that a model judges. Its time is that of the calls."""
    inputs = {"condition_prompt": effect.prompt, "context": effect.context}
    record: Record = {"seq_no": effect.seq_no, "type": "jmp", "visit": effect.visit, "inputs": inputs}
    if outcome.error is None:
        record["value"] = outcome.value
    else:
        record["error"] = outcome.error
    if origin is not None:
        record |= origin.fields() | answered_by([origin])
    if model_calls:
        record["model_calls"] = list(model_calls)
        record["started_ms"] = min(call["started_ms"] for call in model_calls)
        record["ended_ms"] = max(call["ended_ms"] for call in model_calls)
    return record


def recorded_outcome(record: Record) -> Outcome | FanOutcome:
    """What the effect gave, from its record."""
    if "count" in record:
        errors = {int(index): message for index, message in record.get("errors", {}).items()}
        return FanOutcome(record["values"], errors)
    return Outcome(record.get("value"), record.get("error"))


def same_request(effect: Effect, record: Record) -> bool:
    """Whether the record is that of ``effect``: the same place, tool and inputs."""
    if record.get("seq_no") != effect.seq_no or record.get("visit") != effect.visit:
        return False
    if isinstance(effect, JudgementNeeded):
        return bool(record.get("inputs") == {"condition_prompt": effect.prompt, "context": effect.context})
    if isinstance(effect, CallNeeded):
        return bool(record.get("inputs") == dict(effect.inputs))
    recorded = len(record.get("values", ()))
    columns = {name: list(column[:recorded]) for name, column in effect.columns.items()}
    return (
        record.get("count") == effect.count
        and record.get("inputs") == dict(effect.shared)
        and record.get("item_inputs") == columns
    )


def recorded_answers(record: Record) -> Iterator[tuple[dict[str, Json], Json]]:
    """Inputs and value of every call in a record that gave a value."""
    inputs = record.get("inputs", {})
    if "count" not in record:
        if "value" in record:
            yield inputs, record["value"]
        return
    columns, errors = record.get("item_inputs", {}), record.get("errors", {})
    for item, value in enumerate(record["values"]):
        if str(item) not in errors:
            yield {**inputs, **{name: column[item] for name, column in columns.items()}}, value


def reused_calls(record: Record) -> int:
    """How many of a step's calls took an earlier answer."""
    if "count" in record:
        return sum(span["count"] for span in record.get("origins", ()))
    return int("from_commit" in record)

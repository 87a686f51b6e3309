"""The spans of a run: the run, its plan, its steps, calls of tools and of models.

Names and attributes are those of OpenTelemetry's conventions for generative AI, ``gen_ai.…``; what they have no word
for is ``stackvm.…``. No span holds what was said or given: no prompt, argument, result or error text.
"""

from __future__ import annotations

from typing import Final

from opentelemetry.context import Context, attach
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer, set_span_in_context
from opentelemetry.util.types import AttributeValue

from app.log_fields import bind
from app.observability.base import Subject
from app.plan.model import Step
from app.vm.events import (
    AttemptBegan,
    AttemptEnded,
    Event,
    ModelCalled,
    NotRevised,
    PlanChecked,
    PlanningStarted,
    RevisionMade,
    RevisionStarted,
    StepCommitted,
    StepStarted,
)

_NANOSECONDS: Final = 1_000_000
_BAD_ENDS: Final = frozenset({"failed", "broken_off"})
_OUTPUT: Final = {"text": "text", None: "text"}


class RunSpans:
    """An :class:`app.observability.base.RunWatch`. ``parent`` is the context of what caused the run."""

    def __init__(self, tracer: Tracer, subject: Subject, parent: Context) -> None:
        self._tracer = tracer
        self._task_id = subject.task_id
        attributes: dict[str, AttributeValue] = {
            "gen_ai.operation.name": "invoke_workflow",
            "gen_ai.conversation.id": subject.task_id,
            "stackvm.task.id": subject.task_id,
            "stackvm.branch": subject.branch,
        }
        if subject.namespace is not None:
            attributes["gen_ai.workflow.name"] = subject.namespace
        name = "invoke_workflow" if subject.namespace is None else f"invoke_workflow {subject.namespace}"
        self._run = tracer.start_span(name, parent, kind=SpanKind.INTERNAL, attributes=attributes)
        self._inside = set_span_in_context(self._run, parent)
        self._is_recorded = self._run.is_recording()
        self._plan: Span | None = None
        self._steps: dict[int, Span] = {}
        self._attempts: dict[tuple[int, int | None], Span] = {}
        bind(trace_id=format(self._run.get_span_context().trace_id, "032x"))

    def hear(self, event: Event) -> None:
        """See :class:`app.observability.base.RunWatch`."""
        if not self._is_recorded:
            return  # the sampler left this trace out
        if isinstance(event, StepStarted):
            self._begin_step(event)
        elif isinstance(event, StepCommitted):
            self._end_step(event)
        elif isinstance(event, AttemptBegan):
            self._begin_attempt(event)
        elif isinstance(event, AttemptEnded):
            self._end_attempt(event)
        elif isinstance(event, ModelCalled):
            self._model_called(event)
        elif isinstance(event, PlanningStarted | RevisionStarted):
            self._end_plan()
            self._plan = self._start("plan", {"gen_ai.operation.name": "plan"})
        elif isinstance(event, PlanChecked):
            if event.clean_plan is not None:
                self._end_plan()
        elif isinstance(event, RevisionMade | NotRevised):
            self._end_plan()
            if isinstance(event, RevisionMade):
                self._run.set_attribute("stackvm.branch", event.branch)

    def end(self, status: str) -> None:
        """See :class:`app.observability.base.RunWatch`."""
        # What is left was under way when the run was left, or begun early and not wanted.
        for span in (*self._attempts.values(), *self._steps.values()):
            span.end()
        self._end_plan()
        self._run.set_attribute("stackvm.run.status", status)
        if status in _BAD_ENDS:
            _mark(self._run, status)
        self._run.end()

    def _start(self, name: str, attributes: dict[str, AttributeValue], within: Span | None = None) -> Span:
        context = self._inside if within is None else set_span_in_context(within, self._inside)
        return self._tracer.start_span(name, context, attributes=attributes)

    def _begin_step(self, event: StepStarted) -> None:
        earlier = self._steps.get(event.step.seq_no)
        if earlier is not None:
            earlier.end()
        attributes = _step_attributes(event.step)
        attributes["stackvm.step.visit"] = event.visit
        if event.count is not None:
            attributes["stackvm.step.items"] = event.count
        self._steps[event.step.seq_no] = self._start(f"step {event.step.type}", attributes)

    def _end_step(self, event: StepCommitted) -> None:
        span = self._steps.pop(event.step.seq_no, None)
        if span is None:
            span = self._start(f"step {event.step.type}", _step_attributes(event.step))
        span.set_attribute("stackvm.commit", event.commit)
        if event.reused:
            span.set_attribute("stackvm.step.reused", event.reused)
        if event.error is not None:
            _mark(span, "step_failed")
        span.end()

    def _begin_attempt(self, event: AttemptBegan) -> None:
        attributes: dict[str, AttributeValue] = {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": event.tool,
            "gen_ai.tool.type": "function",
            "gen_ai.tool.call.id": _call_id(event),
            "stackvm.attempt": event.number,
        }
        span = self._start(f"execute_tool {event.tool}", attributes, self._steps.get(event.seq_no))
        self._attempts[event.seq_no, event.item] = span
        # The tool's thread begins with a copy of this context: what it traces itself hangs on its call.
        attach(set_span_in_context(span, self._inside))

    def _end_attempt(self, event: AttemptEnded) -> None:
        span = self._attempts.pop((event.seq_no, event.item), None)
        attach(self._inside)
        if span is not None:
            if event.error is not None:
                _mark(span, event.error)
            span.end()

    def _model_called(self, event: ModelCalled) -> None:
        within = self._asks(event)
        context = self._inside if within is None else set_span_in_context(within, self._inside)
        trace_model_call(self._tracer, event, context, {"gen_ai.conversation.id": self._task_id})

    def _asks(self, event: ModelCalled) -> Span | None:
        """Whose call it was: a tool's, a condition's, the planner's."""
        if event.seq_no is None:
            return self._plan
        return self._attempts.get((event.seq_no, event.item)) or self._steps.get(event.seq_no)

    def _end_plan(self) -> None:
        if self._plan is not None:
            self._plan.end()
            self._plan = None


def trace_model_call(
    tracer: Tracer, event: ModelCalled, within: Context, more: dict[str, AttributeValue]
) -> None:
    """The span of a model call, now that it is over."""
    call = event.call
    attributes: dict[str, AttributeValue] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": call.provider,
        "gen_ai.request.model": call.model,
        "gen_ai.output.type": _OUTPUT.get(call.structured, "json"),
        "stackvm.model.purpose": call.purpose,
        "stackvm.model.attempts": call.attempts,
        **more,
    }
    if call.input_tokens is not None:
        attributes["gen_ai.usage.input_tokens"] = call.input_tokens
    if call.output_tokens is not None:
        attributes["gen_ai.usage.output_tokens"] = call.output_tokens
    if call.cost is not None:
        attributes["stackvm.model.cost"] = call.cost
    span = tracer.start_span(
        f"chat {call.model}",
        within,
        kind=SpanKind.CLIENT,
        attributes=attributes,
        start_time=call.started_ms * _NANOSECONDS,
    )
    if event.error is not None:
        _mark(span, event.error)
    span.end(end_time=call.ended_ms * _NANOSECONDS)


def _step_attributes(step: Step) -> dict[str, AttributeValue]:
    return {"stackvm.step": step.seq_no, "stackvm.instruction": step.type}


def _call_id(event: AttemptBegan) -> str:
    where = [event.seq_no, event.visit] if event.item is None else [event.seq_no, event.visit, event.item]
    return ".".join(map(str, where))


def _mark(span: Span, error: str) -> None:
    span.set_attribute("error.type", error)
    span.set_status(Status(StatusCode.ERROR))

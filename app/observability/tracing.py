"""Traces: where spans go, by the standard ``OTEL_*`` variables. Loaded only where somebody asked for traces.

What the SDK reads from the environment by itself (``OTEL_EXPORTER_OTLP_HEADERS``, ``OTEL_TRACES_SAMPLER``,
``OTEL_BSP_…``, ``OTEL_RESOURCE_ATTRIBUTES``) holds as it says.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Sequence
from importlib.metadata import version
from typing import Final

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import (
    BatchSpanProcessor,
    ConsoleSpanExporter,
    SpanExporter,
    SpanExportResult,
)
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from app.config import Settings
from app.errors import ConfigurationError
from app.log_fields import current_trace, tell
from app.observability.base import Handed, Subject
from app.observability.spans import RunSpans, trace_model_call
from app.vm.events import Event, ModelCalled

_CLOSE_SECONDS: Final = 3.0
"""How long the end of a process waits for spans to go out: a collector that is away must not hold it up."""
_PROPAGATOR: Final = TraceContextTextMapPropagator()

logger = logging.getLogger(__name__)


class QuietExporter(SpanExporter):
    """Spans that can't go out are dropped, with one line until it works again. Nothing is raised."""

    def __init__(self, inner: SpanExporter) -> None:
        self._inner = inner
        self._is_down = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """See :class:`SpanExporter`."""
        try:
            result = self._inner.export(spans)
        except Exception:  # noqa: BLE001 - whatever it is: traces are not worth more than a line
            result = SpanExportResult.FAILURE
        if result is SpanExportResult.SUCCESS:
            self._is_down = False
        elif not self._is_down:
            self._is_down = True
            tell(logger, logging.WARNING, "traces.dropped", "spans can't be exported, and are dropped")
        return result

    def shutdown(self) -> None:
        """See :class:`SpanExporter`."""
        self._inner.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """See :class:`SpanExporter`."""
        return self._inner.force_flush(timeout_millis)


class Tracing:
    """An :class:`app.observability.base.Observer`, and the spans of requests."""

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("stackvm", version("stackvm"))

    def open(self, subject: Subject) -> RunSpans:
        """See :class:`app.observability.base.Observer`."""
        return RunSpans(self._tracer, subject, _context_of(current_trace()))

    def note(self, handed: Handed) -> None:
        """See :class:`app.observability.base.Observer`."""

    def hear(self, event: Event) -> None:
        """See :class:`app.observability.base.Observer`."""
        if isinstance(event, ModelCalled):
            trace_model_call(self._tracer, event, _context_of(current_trace()), {})

    def begin_request(self, method: str, path: str, scheme: str, caused_by: str | None) -> RequestSpan:
        """The span of a request; ``caused_by``: its ``traceparent``."""
        attributes = {"http.request.method": method, "url.path": path, "url.scheme": scheme}
        context = _context_of(caused_by)
        span = self._tracer.start_span(method, context, kind=SpanKind.SERVER, attributes=attributes)
        return RequestSpan(span, method)

    def close(self) -> None:
        """Send what is left, if that is soon done."""
        ending = threading.Thread(target=self._provider.shutdown, daemon=True, name="traces-end")
        ending.start()
        ending.join(_CLOSE_SECONDS)


class RequestSpan:
    """A request on its way; ``traceparent`` is what it causes is told."""

    def __init__(self, span: Span, method: str) -> None:
        self._span = span
        self._method = method
        carrier: dict[str, str] = {}
        _PROPAGATOR.inject(carrier, set_span_in_context(span, Context()))
        self.traceparent = carrier["traceparent"]

    def end(self, route: str | None, status: int) -> None:
        """It was answered."""
        if route is not None:
            self._span.update_name(f"{self._method} {route}")
            self._span.set_attribute("http.route", route)
        self._span.set_attribute("http.response.status_code", status)
        if status >= 500:
            self._span.set_attribute("error.type", str(status))
            self._span.set_status(Status(StatusCode.ERROR))
        self._span.end()


def _context_of(traceparent: str | None) -> Context:
    """Nothing of this thread's own: what causes a span is always said."""
    return _PROPAGATOR.extract({"traceparent": traceparent} if traceparent else {}, Context())


def open_tracing(settings: Settings, exporter: SpanExporter | None = None) -> Tracing:
    """Spans go where the settings say, or to ``exporter``. Raises ``ConfigurationError`` where that is no place."""
    # Its own complaints come with every batch that can't go out; ours is one line.
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL + 1)
    resource = Resource.create(
        {SERVICE_NAME: settings.otel_service_name, SERVICE_VERSION: version("stackvm")}
    )
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(QuietExporter(exporter or _exporter(settings))))
    return Tracing(provider)


def _exporter(settings: Settings) -> SpanExporter:
    # Looked at only here: what is set for others' programs must not keep a command from working.
    if settings.otel_traces_exporter not in ("", "otlp", "console"):
        raise _unknown("OTEL_TRACES_EXPORTER", settings.otel_traces_exporter, "otlp, console or none")
    if settings.otel_traces_exporter == "console":
        return ConsoleSpanExporter(out=sys.stderr)
    if settings.otel_exporter_otlp_protocol != "http/protobuf":
        raise _unknown("OTEL_EXPORTER_OTLP_PROTOCOL", settings.otel_exporter_otlp_protocol, "http/protobuf")
    base = settings.otel_exporter_otlp_endpoint
    endpoint = settings.otel_exporter_otlp_traces_endpoint or (base and f"{base.rstrip('/')}/v1/traces")
    return OTLPSpanExporter(endpoint=endpoint or None)


def _unknown(name: str, value: str, known: str) -> ConfigurationError:
    return ConfigurationError(
        f"setting {name}: {value!r} is not spoken here", hint=f"set {known}, or OTEL_SDK_DISABLED=true"
    )

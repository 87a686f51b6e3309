"""A collector of traces over loopback HTTP: keeps the spans it is sent, and can be down."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True)
class SentSpan:
    """A span as it arrived; ids are hexadecimal, ``parent`` is empty for a root."""

    trace: str
    id: str
    parent: str
    name: str
    kind: int
    service: str
    process: str
    attributes: dict[str, Any]
    is_error: bool
    seconds: float


@dataclass
class Collector:
    """``spans`` in the order they came."""

    url: str = ""
    spans: list[SentSpan] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)

    def named(self, beginning: str) -> list[SentSpan]:
        return [span for span in self.spans if span.name.startswith(beginning)]

    def wait(self, enough: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 30
        while not enough():
            assert time.monotonic() < deadline, [span.name for span in self.spans]
            time.sleep(0.05)


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector until the end of the block."""
    kept = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request = ExportTraceServiceRequest()
            request.ParseFromString(self.rfile.read(int(self.headers["Content-Length"])))
            kept.paths.append(self.path)
            for group in request.resource_spans:
                kept.spans += _spans(group)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    kept.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield kept
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


def _spans(group: Any) -> Iterator[SentSpan]:
    resource = _attributes(group.resource.attributes)
    for scope in group.scope_spans:
        for span in scope.spans:
            yield SentSpan(
                trace=span.trace_id.hex(),
                id=span.span_id.hex(),
                parent=span.parent_span_id.hex(),
                name=span.name,
                kind=span.kind,
                service=str(resource["service.name"]),
                process=str(resource.get("service.instance.id", "")),
                attributes=_attributes(span.attributes),
                is_error=span.status.code == 2,
                seconds=(span.end_time_unix_nano - span.start_time_unix_nano) / 1e9,
            )


def _attributes(given: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in given}

"""The figures that a process counts, by Prometheus' conventions: base units, ``_total``, few and bounded labels.

Under gunicorn each process counts into files of one folder (``PROMETHEUS_MULTIPROC_DIR``, which ``gunicorn.conf.py``
makes): whichever answers adds them up, those of processes that died too. ``docs/observing.md`` says what each means.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from threading import Lock
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, start_http_server
from prometheus_client.core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.values import ValueClass

REGISTRY: Final = CollectorRegistry()

OTHER: Final = "(other)"
"""The label of whatever comes when there are as many as there may be. No name of ours has parentheses."""

_MOST_NAMES: Final = 200
_FAST: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_SLOW: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)


def _counter(name: str, words: str, *labels: str) -> Counter:
    return Counter(f"stackvm_{name}", words, labels, registry=REGISTRY)


def _histogram(name: str, words: str, *labels: str, buckets: tuple[float, ...] = _FAST) -> Histogram:
    return Histogram(f"stackvm_{name}", words, labels, buckets=buckets, registry=REGISTRY)


HTTP_REQUESTS: Final = _counter("http_requests", "Requests answered", "method", "route", "status")
HTTP_SECONDS: Final = _histogram(
    "http_request_duration_seconds", "Time until the answer began", "method", "route"
)
STREAMS: Final = Gauge(
    "stackvm_event_streams", "Open event streams", registry=REGISTRY, multiprocess_mode="livesum"
)

RUNS: Final = _counter("runs", "Runs that ended in this server, by how they ended", "status")
RUN_SECONDS: Final = _histogram(
    "run_duration_seconds", "Time that a run was under way in one go", "status", buckets=(*_SLOW, 1800.0)
)
RUNS_UNDER_WAY: Final = Gauge(
    "stackvm_runs_under_way", "Runs that this server has now", registry=REGISTRY, multiprocess_mode="livesum"
)
STEPS: Final = _counter("steps", "Steps committed", "instruction", "outcome")
STEP_SECONDS: Final = _histogram(
    "step_duration_seconds", "Time that a step with a call took", "instruction", buckets=_SLOW
)
TOOL_SECONDS: Final = _histogram(
    "tool_call_duration_seconds",
    "Time that an attempt at a tool's call took",
    "tool",
    "outcome",
    buckets=_SLOW,
)
CALLS_MADE: Final = _counter("calls_made", "Calls of tools that were made")
CALLS_REUSED: Final = _counter("calls_reused", "Calls that took an earlier answer instead")
MODEL_SECONDS: Final = _histogram(
    "model_call_duration_seconds",
    "Time that a model call took, retries included",
    "model",
    "purpose",
    "outcome",
    buckets=_SLOW,
)
MODEL_TOKENS: Final = _counter("model_tokens", "Tokens sent to models and got from them", "model", "kind")
MODEL_COST: Final = _counter("model_cost", "What model calls cost, in the currency of MODEL_PRICES", "model")
MODEL_RETRIES: Final = _counter("model_retries", "Attempts at models that were in vain", "error")
FLUSH_SECONDS: Final = _histogram("flush_duration_seconds", "Time until gathered commits were durable")
TAKEOVERS: Final = _counter("lease_takeovers", "Runs taken over from a worker that was lost")
HANDED_BACK: Final = _counter("runs_handed_back", "Runs given back to the queue before their end", "reason")


class Bounded:
    """A label whose values others choose: the first ``most`` keep their names, all later ones are :data:`OTHER`."""

    def __init__(self, most: int = _MOST_NAMES) -> None:
        self._most = most
        self._known: set[str] = set()
        self._lock = Lock()

    def label(self, name: str) -> str:
        """The name, or :data:`OTHER`."""
        if name in self._known:
            return name
        with self._lock:
            if len(self._known) >= self._most:
                return OTHER
            self._known.add(name)
        return name


TOOLS: Final = Bounded()
MODELS: Final = Bounded()


def counted() -> CollectorRegistry:
    """What was counted: by all processes of this server where they share a folder, else by this one."""
    if not getattr(ValueClass, "_multiprocess", False):
        return REGISTRY
    together = CollectorRegistry()
    MultiProcessCollector(together)  # type: ignore[no-untyped-call]
    return together


def text_of(registries: Iterable[CollectorRegistry]) -> bytes:
    """Prometheus' text format."""
    return b"".join(generate_latest(each) for each in registries)


class _Together(CollectorRegistry):
    """Several registries, each read when somebody asks."""

    def __init__(self, registries: Iterable[CollectorRegistry]) -> None:
        super().__init__()
        self._registries = tuple(registries)

    def collect(self) -> Iterator[Metric]:
        for registry in self._registries:
            yield from registry.collect()


def serve_metrics(
    port: int, address: str = "127.0.0.1", *more: CollectorRegistry
) -> tuple[int, Callable[[], None]]:
    """For a process without HTTP: answer ``GET /metrics``, from a thread of its own; gives the port and what ends it.

    ``more`` are read at each scrape. Port 0: any free one. Raises ``OSError``.
    """
    server, thread = start_http_server(port, address, _Together([counted(), *more]))

    def stop() -> None:
        server.shutdown()
        server.server_close()
        thread.join(5.0)

    return server.server_port, stop

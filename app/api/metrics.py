"""``/metrics``: for Prometheus. Requests are counted by process and added up; the rest comes from the database.

Several processes serve one port, and a scrape meets any of them. Under gunicorn each counts into files of one folder
(``PROMETHEUS_MULTIPROC_DIR``, which ``gunicorn.conf.py`` makes), so that whichever answers knows the sum.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from time import perf_counter
from typing import Any, Final

from apiflask import APIBlueprint
from flask import Flask, Response, g, request
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.values import ValueClass

from app.api.descriptions import problems
from app.api.state import hub, server
from app.errors import Forbidden, StorageError
from app.vm.state import STATUSES

metrics = APIBlueprint("metrics", __name__, tag="health")

_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_PREFIX: Final = "stackvm"

_registry = CollectorRegistry()
_requests = Counter(
    f"{_PREFIX}_http_requests", "Requests answered", ["method", "route", "status"], registry=_registry
)
_durations = Histogram(
    f"{_PREFIX}_http_request_seconds",
    "Seconds until the answer began",
    ["method", "route"],
    buckets=_SECONDS,
    registry=_registry,
)
_streams = Gauge(
    f"{_PREFIX}_event_streams", "Open event streams", registry=_registry, multiprocess_mode="livesum"
)
_ANSWERS: Final[dict[int, Any]] = {
    200: {
        "description": "Prometheus' text format",
        "content": {"text/plain": {"schema": {"type": "string"}}},
    },
    **problems(),
}
_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def register(app: Flask) -> None:
    """Count the requests of ``app``."""

    @app.before_request
    def begin() -> None:
        g.request_began = perf_counter()

    @app.after_request
    def count(response: Response) -> Response:
        # The rule, not the path: ids would make a series each.
        route = request.url_rule.rule if request.url_rule is not None else "none"
        method = request.method if request.method in _METHODS else "other"
        _requests.labels(method, route, str(response.status_code)).inc()
        began = g.get("request_began")
        if began is not None:
            _durations.labels(method, route).observe(perf_counter() - began)
        return response


def note_streams(count: int) -> None:
    """How many event streams this process has now."""
    _streams.set(count)


@metrics.get("/metrics")
@metrics.doc(
    operation_id="read_metrics",
    summary="Figures for Prometheus",
    responses=_ANSWERS,
)
def read_metrics() -> Any:
    """Requests and streams of all processes of this server; the queue and the tasks of the whole installation."""
    if g.actor.namespace is not None:
        raise Forbidden("figures are of all namespaces; the key is for one")
    text = generate_latest(_counted()) + generate_latest(_Stored(list(_stored_figures())))
    return Response(text, content_type=CONTENT_TYPE_LATEST)


def _counted() -> CollectorRegistry:
    """What the processes counted: the files of all of them where there are any, else what this one has."""
    if not getattr(ValueClass, "_multiprocess", False):
        return _registry
    together = CollectorRegistry()
    MultiProcessCollector(together)  # type: ignore[no-untyped-call]
    return together


class _Stored(CollectorRegistry):
    """Figures that were just read."""

    def __init__(self, figures: Iterable[Metric]) -> None:
        super().__init__()
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        yield from self._figures


def _stored_figures() -> Iterator[Metric]:
    up = GaugeMetricFamily(f"{_PREFIX}_database_up", "Whether the database answers")
    try:
        backlog = server().jobs.backlog()
        statuses = hub().feeds.table.statuses()
    except StorageError:
        up.add_metric([], 0)
        yield up
        return
    up.add_metric([], 1)
    yield up
    yield _gauge("queue_waiting", "Runs that wait for a worker", backlog.waiting)
    yield _gauge("queue_oldest_seconds", "How long the one that waits longest has", backlog.oldest_ms / 1000)
    yield _gauge("queue_running", "Runs that a worker has", sum(backlog.running.values()))
    tasks = GaugeMetricFamily(
        f"{_PREFIX}_tasks", "Tasks by the status of their latest run", labels=["status"]
    )
    for status in STATUSES:
        tasks.add_metric([status], statuses.get(status, 0))
    yield tasks


def _gauge(name: str, words: str, value: float) -> Metric:
    return GaugeMetricFamily(f"{_PREFIX}_{name}", words, value=value)

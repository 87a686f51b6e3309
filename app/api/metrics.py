"""``/metrics``: for Prometheus. What processes count is in ``app/observability/metrics.py``; the rest is read here.

Several processes serve one port, and a scrape meets any of them: each knows the sum.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import version
from typing import Any, Final

from apiflask import APIBlueprint
from flask import Response, g
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from app.api.descriptions import problems
from app.api.state import hub, server
from app.db.serving import Backlog, Depth, JobTable
from app.errors import Forbidden, StorageError
from app.observability.metrics import OTHER, counted, text_of
from app.vm.state import STATUSES

metrics = APIBlueprint("metrics", __name__, tag="health")

NONE: Final = "(none)"
"""The label of runs without a namespace."""

_MOST_NAMESPACES: Final = 50
_PREFIX: Final = "stackvm"
_ANSWERS: Final[dict[int, Any]] = {
    200: {
        "description": "Prometheus' text format",
        "content": {"text/plain": {"schema": {"type": "string"}}},
    },
    **problems(),
}


@metrics.get("/metrics")
@metrics.doc(
    operation_id="read_metrics",
    summary="Figures for Prometheus",
    responses=_ANSWERS,
)
def read_metrics() -> Any:
    """What all processes of this server counted; the queue and the tasks of the whole installation."""
    if g.actor.namespace is not None:
        raise Forbidden("figures are of all namespaces; the key is for one")
    text = text_of([counted(), _Stored(list(_stored_figures()))])
    return Response(text, content_type=CONTENT_TYPE_LATEST)


class _Stored(CollectorRegistry):
    """Figures that were just read."""

    def __init__(self, figures: list[Metric]) -> None:
        super().__init__()
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        yield from self._figures


def _stored_figures() -> Iterator[Metric]:
    build = GaugeMetricFamily(f"{_PREFIX}_build_info", "The version that answers", labels=["version"])
    build.add_metric([version("stackvm")], 1)
    yield build
    up = GaugeMetricFamily(f"{_PREFIX}_database_up", "Whether the database answers")
    try:
        queue = list(queue_figures(server().jobs))
        statuses = hub().feeds.table.statuses()
    except StorageError:
        up.add_metric([], 0)
        yield up
        return
    up.add_metric([], 1)
    yield up
    yield from queue
    tasks = GaugeMetricFamily(
        f"{_PREFIX}_tasks", "Tasks by the status of their latest run", labels=["status"]
    )
    for status in STATUSES:
        tasks.add_metric([status], statuses.get(status, 0))
    yield tasks


def queue_figures(jobs: JobTable) -> Iterator[Metric]:
    """What waits and what runs, by namespace: those with most, at most 50, and the others together."""
    waiting, backlog = dict(jobs.waiting()), jobs.backlog()
    depth = _by_namespace("queue_depth", "Runs that wait for a worker")
    age = _by_namespace("queue_oldest_seconds", "How long the run that waits longest has")
    running = _by_namespace("queue_running", "Runs that a worker has")
    for name, (runs, waits) in _capped(waiting, backlog).items():
        depth.add_metric([name], waits.depth)
        age.add_metric([name], waits.oldest_ms / 1000)
        running.add_metric([name], runs)
    yield from (depth, age, running)


def _capped(waiting: dict[str | None, Depth], backlog: Backlog) -> dict[str, tuple[int, Depth]]:
    """Runs and what waits, by label. Those without a namespace are there always: a series that comes and goes
    can't be told from a scrape that failed."""
    nobody = Depth(0, 0)
    names = {None, *waiting, *backlog.running}
    load = {name: waiting.get(name, nobody).depth + backlog.running.get(name, 0) for name in names}
    ordered = sorted(names - {None}, key=lambda name: (-load[name], str(name)))
    kept: dict[str, tuple[int, Depth]] = {}
    for name in [None, *ordered]:
        label = NONE if name is None else name if len(kept) <= _MOST_NAMESPACES else OTHER
        runs, waits = backlog.running.get(name, 0), waiting.get(name, nobody)
        before = kept.get(label, (0, nobody))
        together = Depth(before[1].depth + waits.depth, max(before[1].oldest_ms, waits.oldest_ms))
        kept[label] = before[0] + runs, together
    return kept


def _by_namespace(name: str, words: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"{_PREFIX}_{name}", words, labels=["namespace"])

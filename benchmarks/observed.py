"""What it costs to be observed: the same run with lines, figures in shared files, and traces, against one without."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from statistics import median
from typing import Final

from app.config import Settings
from app.observability.base import Observer
from benchmarks.figures import Bench, Figure
from benchmarks.place import Place
from benchmarks.runs import RunMeasure, measure_run
from benchmarks.samples import scratch_place
from benchmarks.tools import echo_tool, pause_tool
from benchmarks.workloads import Steps, new_variables, tool_calls

MOST: Final = 1.05
_READ_SECONDS: Final = 0.02


def observed(bench: Bench) -> Iterator[Figure]:
    """Goals are those of runs as they are: steps that wait for something. The rest says what a step costs."""
    echo = echo_tool()
    with _observers() as (plain, traced):
        reads = _reads(bench.size(200))
        for name, observers in (("lines and figures", plain), ("and traces", traced)):
            ratios = _ratios(bench, reads, observers)
            yield Figure(
                "observed reads", f"{name}: run of 20 ms reads", [each[0] for each in ratios], "×", MOST
            )
        for workload, steps in (
            ("observed calls", tool_calls(bench.size(1_000), echo.name)),
            ("observed A", new_variables(bench.size(1_000))),
        ):
            for name, observers in (("lines and figures", plain), ("and traces", traced)):
                ratios = _ratios(bench, steps, observers)
                yield Figure(workload, f"{name}: processor time", [each[1] for each in ratios], "×")
                yield Figure(workload, f"{name}: processor time a step", [each[2] for each in ratios], "µs")


def _reads(count: int) -> Steps:
    pause = {"tool_name": "pause", "tool_params": {"seconds": _READ_SECONDS}}
    steps: Steps = [
        {"seq_no": number, "type": "calling", "parameters": {**pause, "output_vars": f"v{number}"}}
        for number in range(count)
    ]
    return [*steps, {"seq_no": count, "type": "assign", "parameters": {"final_answer": 1}}]


def _ratios(bench: Bench, steps: Steps, observers: Sequence[Observer]) -> list[tuple[float, float, float]]:
    """Of each pair of runs: wall time and processor time against the one that is not observed, and µs a step more."""
    pairs = []
    for _ in range(bench.runs):
        with scratch_place(bench, tools=[echo_tool(), pause_tool()]) as place:
            # Twice each, in turn, and the lesser: the machine has other things to do.
            measured = [(_run(place, steps, ()), _run(place, steps, observers)) for _ in range(2)]
            off = [
                min(each[0].seconds for each in measured),
                min(each[0].processor_seconds for each in measured),
            ]
            on = [
                min(each[1].seconds for each in measured),
                min(each[1].processor_seconds for each in measured),
            ]
            more = (on[1] - off[1]) / len(steps) * 1e6
            pairs.append((on[0] / off[0], on[1] / off[1], max(0.0, more)))
    pairs.sort(key=lambda pair: pair[0])
    assert median(pair[0] for pair in pairs) > 0
    return pairs


def _run(place: Place, steps: Steps, observers: Sequence[Observer]) -> RunMeasure:
    watched = replace(place, workplace=replace(place.workplace, observers=tuple(observers)))
    return measure_run(watched, steps)


@contextmanager
def _observers() -> Iterator[tuple[list[Observer], list[Observer]]]:
    """As in a server whose log goes to a pipe and whose spans to a collector. Figures go to shared files where
    ``PROMETHEUS_MULTIPROC_DIR`` names a folder when this is called first, as ``python -m benchmarks`` has it."""
    from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

    from app.observability.figures import Figures
    from app.observability.logs import make_formatter
    from app.observability.run_lines import RunLines
    from app.observability.tracing import open_tracing

    class Encoding(SpanExporter):
        def export(self, spans: Sequence[object]) -> SpanExportResult:
            encode_spans(spans).SerializePartialToString()  # type: ignore[arg-type]
            return SpanExportResult.SUCCESS

    handler = logging.StreamHandler(io.StringIO())
    handler.setFormatter(make_formatter(pretty=False))
    root, level = logging.getLogger(), logging.getLogger().level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    tracing = open_tracing(Settings(_env_file=None), Encoding())  # type: ignore[call-arg]
    try:
        yield [RunLines(), Figures()], [RunLines(), Figures(), tracing]
    finally:
        tracing.close()
        root.removeHandler(handler)
        root.setLevel(level)

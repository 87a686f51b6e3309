"""Who observes the runs of a process, by its settings. What is not asked for is not even loaded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.config import Settings
from app.errors import ConfigurationError
from app.observability.base import Observer

if TYPE_CHECKING:
    from app.observability.tracing import Tracing


@dataclass(frozen=True, slots=True)
class Observing:
    """``observers`` of runs; ``tracing`` is also for requests, ``None``: nobody wants traces."""

    observers: tuple[Observer, ...] = ()
    tracing: Tracing | None = None

    def close(self) -> None:
        """Send what is left. To be called when all runs are over."""
        if self.tracing is not None:
            self.tracing.close()


def observe_commands(settings: Settings) -> Observing:
    """For a command: traces, where they are asked for. Its lines are those it always had."""
    tracing = _tracing(settings)
    return Observing((tracing,) if tracing is not None else (), tracing)


def observe_server(settings: Settings) -> Observing:
    """For a process that serves others: lines and figures, and traces where they are asked for."""
    from app.observability.figures import Figures
    from app.observability.run_lines import RunLines

    tracing = _tracing(settings)
    observers: list[Observer] = [RunLines(), Figures()]
    if tracing is not None:
        observers.append(tracing)
    return Observing(tuple(observers), tracing)


def serve_figures(settings: Settings) -> Callable[[], None]:
    """For a process without HTTP: answer ``/metrics`` where ``METRICS_PORT`` says; gives what ends that.

    Raises ``ConfigurationError`` where that port can't be had.
    """
    if settings.metrics_port == 0:
        return lambda: None
    from app.observability.metrics import serve_metrics

    try:
        return serve_metrics(settings.metrics_port, settings.metrics_address)[1]
    except OSError as error:
        where = f"{settings.metrics_address}:{settings.metrics_port}"
        raise ConfigurationError(
            f"figures can't be served at {where}: {error.strerror or error}",
            hint="METRICS_PORT and METRICS_ADDRESS, or --metrics-port",
        ) from None


def _tracing(settings: Settings) -> Tracing | None:
    if not settings.wants_traces:
        return None
    from app.observability.tracing import open_tracing

    return open_tracing(settings)

"""``worker``: a process that runs what others submit."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import click

from app.bootstrap import WorkerParts, open_worker
from app.cli.exit_codes import INTERRUPTED
from app.cli.groups import Command
from app.cli.options import emit_json, json_option, quiet_option
from app.cli.streams import note
from app.cli.texts import count
from app.config import Settings, load_settings
from app.observability.logs import hide, set_up_logs
from app.observability.opening import observe_server, serve_figures


class NamesType(click.ParamType[tuple[str, ...]]):
    """Names joined by commas."""

    name = "names"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        """Read them."""
        if isinstance(value, tuple):
            return value
        names = tuple(dict.fromkeys(name.strip() for name in str(value).split(",") if name.strip()))
        if not names:
            self.fail("no namespace is named; for example billing,support", param, ctx)
        return names


@click.command(
    cls=Command, examples=["", "--concurrency 16", "--namespaces billing,support", "--quiet --json"]
)
@click.option(
    "--concurrency",
    "-c",
    type=click.IntRange(min=1, max=512),
    metavar="N",
    help="How many runs at once, each in a thread. Default: RUN_THREADS.",
)
@click.option(
    "--namespaces",
    type=NamesType(),
    default=(),
    metavar="NAMES",
    help="Run the tasks of these namespaces only, joined by commas. Default: all tasks.",
)
@click.option(
    "--metrics-port",
    type=click.IntRange(min=0, max=65535),
    metavar="PORT",
    help="Answer /metrics there, for Prometheus; 0: not at all. Default: METRICS_PORT.",
)
@quiet_option
@json_option
def worker(
    concurrency: int | None,
    namespaces: tuple[str, ...],
    metrics_port: int | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Run what servers take in, until told to stop.

    With QUEUE=celery, RabbitMQ or Redis (CELERY_BROKER_URL) tells workers on any number of machines of runs; with
    QUEUE=embedded, a worker looks into the database beside the servers. Either way the database says who has which
    run: one that is lost with its worker goes on elsewhere when its lease has run out, and one whose worker is lost
    three times in a row at the same commit is given up as failed.

    Ctrl-C or SIGTERM once has every run pause at its next step and hands it to others, for at most
    SHUTDOWN_SECONDS; twice stops at once and without loss. With --json, what became of the runs is said at the end.
    """
    settings = load_settings()
    if concurrency is None and settings.run_threads == 0:
        raise click.UsageError("RUN_THREADS is 0: say how many runs at once by --concurrency")
    if metrics_port is not None:
        settings = settings.model_copy(update={"metrics_port": metrics_port})
    set_up_logs(settings.log_format, settings.log_level)
    with (
        _figures(settings),
        open_worker(settings, concurrency, namespaces, observe_server(settings)) as parts,
        _signals(parts) as stopping,
    ):
        hide(parts.workplace.secrets.masks)
        if not quiet:
            whose = f" of {', '.join(namespaces)}" if namespaces else ""
            note(f"up to {count(parts.threads, 'run')}{whose} at once, from {parts.where}; Ctrl-C ends")
        if parts.trouble is not None:
            note(f"warning: {parts.trouble}; the database is looked at meanwhile")
        stopping.first.wait()
        if not quiet and parts.workers.under_way:
            runs = count(parts.workers.under_way, "run")
            note(f"{runs} to pause at the next step; Ctrl-C again stops at once")
        left = parts.workers.stop(settings.shutdown_seconds)
    done = parts.workers
    if as_json:
        emit_json({"ended": done.ended, "given_back": done.given_back, "left": left})
    elif not quiet:
        note(f"{count(done.ended, 'run')} ended here, {done.given_back:,} given back")
    if stopping.twice:
        raise click.exceptions.Exit(INTERRUPTED)


@contextmanager
def _figures(settings: Settings) -> Iterator[None]:
    end = serve_figures(settings)
    try:
        yield
    finally:
        end()


class _Stopping:
    """What signals have asked for."""

    def __init__(self) -> None:
        self.first = threading.Event()
        self.twice = False


@contextmanager
def _signals(parts: WorkerParts) -> Iterator[_Stopping]:
    stopping = _Stopping()

    def on_signal(number: int, frame: FrameType | None) -> None:
        if stopping.first.is_set():
            stopping.twice = True
            # Not here: the signal may have come while this thread holds the lock that it takes.
            threading.Thread(target=parts.workers.stop_now, daemon=True).start()
        stopping.first.set()

    numbers = (signal.SIGINT, signal.SIGTERM)
    previous = [signal.signal(number, on_signal) for number in numbers]
    try:
        yield stopping
    finally:
        for number, handler in zip(numbers, previous, strict=True):
            signal.signal(number, handler)

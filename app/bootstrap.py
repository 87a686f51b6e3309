"""Wiring: settings → services. The only place that names concrete adapters."""

from __future__ import annotations

import dataclasses
import gc
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Final

from app.config import Settings, load_settings
from app.db.base import Presence
from app.db.feed import SqlFeed
from app.db.jobs import SqlJobs
from app.db.keys import SqlKeys
from app.db.leases import SqlLeases
from app.db.ledger import SqlLedger
from app.db.namespaces import SqlNamespaces
from app.db.presence import FilePresence
from app.db.proposals import SqlProposals
from app.db.requests_table import SqlAudit, SqlRequests
from app.db.serving import AuditLog, JobTable, RequestTable
from app.db.session import Database, open_database
from app.db.task_lists import SqlTaskLists
from app.db.tasks import SqlTasks
from app.db.upkeep import SqlUpkeep
from app.history.git_store import GitStoreFactory
from app.history.sql_store import SqlStoreFactory
from app.llm.budget import Budget
from app.llm.factory import Models, limits_of, open_models
from app.llm.gateway import Gateway
from app.llm.prices import load_prices
from app.observability.base import Observer
from app.observability.opening import Observing, observe_commands
from app.queue.base import RunQueue
from app.queue.embedded import EmbeddedQueue
from app.services.doctor import Check, check, check_folder
from app.services.feeds import Feeds
from app.services.masked_asker import masked
from app.services.model_checks import check_models
from app.services.thinking import Askers
from app.services.workplace import Workplace
from app.tools.autoflow import AutoFlow
from app.tools.loader import load_registry
from app.tools.masks import Masks
from app.tools.registry import Registry
from app.tools.secrets import SHORTEST, Secrets, checked_secrets
from app.worker.live import LiveWatcher
from app.worker.threads import WorkerThreads

_LEAST_KEY: Final = 16
"""Servers of one's own take any key, and people write "none" or the server's name: that hides nothing."""

COLLECT_AFTER: Final = 50_000
"""How many objects may be made before garbage is looked for; Python's default is 700."""


@contextmanager
def workplace(settings: Settings | None = None, *, check_schema: bool = True) -> Iterator[Workplace]:
    """Everything wired, the database closed at the end of the block.

    Raises ``ConfigurationError`` for wrong settings and for a database that is not migrated.
    """
    settings = settings or load_settings()
    database = open_database(settings.database_url, settings.database_patience)
    presence = open_presence(settings)
    observing = observe_commands(settings)
    try:
        if check_schema:
            database.check_schema()
        with _rare_collections():
            yield build_workplace(settings, database, presence, observing.observers)
    finally:
        observing.close()
        presence.close()
        database.close()


@contextmanager
def _rare_collections() -> Iterator[None]:
    """Look for garbage less often: a long plan is many objects without a cycle among them, and to look
    through them again and again took a third of a run's time."""
    before = gc.get_threshold()
    gc.set_threshold(COLLECT_AFTER, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


def open_presence(settings: Settings) -> FilePresence:
    """How this process is seen to live. To be closed at its end."""
    return FilePresence(settings.var_dir / "workers", settings.worker_name)


def build_workplace(
    settings: Settings, database: Database, presence: Presence, observers: tuple[Observer, ...] = ()
) -> Workplace:
    """The adapters that the settings choose. Opens nothing yet. Raises ``ConfigurationError`` for a secret."""
    secrets = _open_secrets(settings)

    @cache
    def registry() -> Registry:
        return _load_tools(settings)

    @cache
    def models() -> Models | None:
        return open_models(settings)

    return Workplace(
        transactions=database,
        tasks=SqlTasks(database),
        namespaces=SqlNamespaces(database),
        leases=SqlLeases(database),
        keys=SqlKeys(database),
        lists=SqlTaskLists(database),
        proposals=SqlProposals(database),
        ledger=lambda task_id: SqlLedger(database, task_id),
        upkeep=SqlUpkeep(database),
        stores={
            "sql": SqlStoreFactory(database),
            "git": GitStoreFactory(settings.var_dir / "repositories"),
        },
        default_store=settings.history_backend,
        load_registry=registry,
        open_askers=lambda usage: _open_askers(settings, models(), usage, secrets.masks),
        limits={
            "steps": settings.max_steps,
            "seconds": settings.max_seconds,
            "value_bytes": settings.max_value_bytes,
            "revisions": settings.max_revisions,
        },
        lease_seconds=settings.lease_seconds,
        flush_every_commit=settings.durability == "step",
        presence=presence,
        person=settings.person,
        golden_folder=settings.golden_dir,
        lock_folder=settings.var_dir / "locks",
        clock_ms=lambda: time.time_ns() // 1_000_000,
        new_task_id=lambda: str(uuid.uuid4()),
        secrets=secrets,
        retention_days=settings.retention_days,
        observers=observers,
    )


@dataclasses.dataclass(frozen=True)
class ServerParts:
    """What a server process is made of. ``close`` gives its runs back, and lets go of everything."""

    settings: Settings
    workplace: Workplace
    jobs: JobTable
    requests: RequestTable
    audit: AuditLog
    queue: RunQueue
    workers: WorkerThreads
    feeds: Feeds
    close: Callable[[], None]


def open_server(settings: Settings | None = None, observing: Observing | None = None) -> ServerParts:
    """Everything a server process needs, its workers not started; ``observing`` is closed with it.

    Raises as :func:`workplace`.
    """
    settings = settings or load_settings()
    observing = observing or Observing()
    database = open_database(settings.database_url)
    presence = open_presence(settings)
    try:
        database.check_schema()
        place = build_workplace(settings, database, presence, observing.observers)
        place.load_registry()  # a tool that can't be loaded is known before anybody asks
    except BaseException:
        database.close()
        raise
    jobs = SqlJobs(database)
    queue = EmbeddedQueue(jobs, most=settings.max_backlog)
    feed = SqlFeed(database)
    live = LiveWatcher(feed, place.secrets.masks.text)
    workers = WorkerThreads(place, jobs, queue, threads=settings.run_threads, watcher=live)

    def close() -> None:
        workers.stop(settings.shutdown_seconds)
        live.stop()
        presence.close()
        database.close()
        observing.close()

    gc.set_threshold(COLLECT_AFTER, *gc.get_threshold()[1:])
    requests, audit = SqlRequests(database), SqlAudit(database)
    return ServerParts(settings, place, jobs, requests, audit, queue, workers, Feeds(place, feed), close)


def _load_tools(settings: Settings) -> Registry:
    """Every tool there is."""
    key = settings.autoflow_api_key.get_secret_value().strip()
    return load_registry(
        settings.tools_path,
        tools_root=settings.tools_root,
        autoflow=AutoFlow(settings.autoflow_base_url, key, settings.kb_id),
    )


def _open_secrets(settings: Settings) -> Secrets:
    """What calls may name, and the keys that are hidden beside. Raises ``ConfigurationError``."""
    keys = {
        "[AUTOFLOW_API_KEY]": (settings.autoflow_api_key, SHORTEST),
        "[OPENAI_API_KEY]": (settings.openai_api_key, _LEAST_KEY),
    }
    hidden = {shown: key.get_secret_value().strip() for shown, (key, _) in keys.items()}
    return checked_secrets(
        {name: value.get_secret_value() for name, value in settings.secrets.items()},
        {shown: key for shown, key in hidden.items() if len(key) >= keys[shown][1]},
    )


def _open_askers(
    settings: Settings, models: Models | None, usage: Mapping[str, Any], masks: Masks
) -> Askers | None:
    """The models behind masks, retries, prices, and one budget that goes on from what the run has used."""
    if models is None:
        return None
    budget = Budget(limits_of(settings))
    budget.resume(
        usage.get("model_calls", 0), usage.get("input_tokens"), usage.get("output_tokens"), usage.get("cost")
    )
    standard = Gateway(models.standard, prices=load_prices(settings.model_prices), budget=budget)
    reasoning = dataclasses.replace(standard, model=models.reasoning)
    return Askers(
        masked(standard, masks),
        masked(reasoning, masks),
        models.reasoning.name,
        is_scripted=models.reasoning.provider == "scripted",
        answers_as=(models.standard.provider, models.standard.name),
    )


def doctor() -> list[Check]:
    """Look at settings, database, migrations, tools and models; each check stands for itself."""
    settings: Settings | None = None

    def read_settings() -> str:
        nonlocal settings
        settings = load_settings()
        _open_secrets(settings)
        return ".env and environment" if Path(".env").exists() else "environment"

    checks = [check("settings", read_settings)]
    if settings is None:
        return checks
    chosen: Settings = settings
    checks.append(check_folder("VAR_DIR", chosen.var_dir, writable=True))
    checks.append(check_folder("TOOLS_ROOT", chosen.tools_root, writable=False))
    checks += _check_database(chosen)

    def load_tools() -> str:
        tools = _load_tools(chosen).list()
        return f"{len(tools)}: " + ", ".join(tool.name for tool in tools)

    checks.append(check("tools", load_tools))
    checks += check_models(lambda: open_models(chosen))
    if chosen.model_prices is not None:
        checks.append(check("MODEL_PRICES", lambda: _prices_found(chosen)))
    return checks


def _prices_found(settings: Settings) -> str:
    load_prices(settings.model_prices)
    return str(settings.model_prices)


def _check_database(settings: Settings) -> list[Check]:
    opened: list[Database] = []

    def connect() -> str:
        database = open_database(settings.database_url)
        opened.append(database)
        with database.read() as connection:
            connection.exec_driver_sql("SELECT 1")
        return f"{database.kind} at {database.where}"

    def migrated() -> str:
        if not opened:
            connect()
        opened[0].check_schema()
        return "up to date"

    try:
        return [check("database", connect), check("migrations", migrated)]
    finally:
        for database in opened:
            database.close()

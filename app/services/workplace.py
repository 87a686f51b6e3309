"""What every service needs, wired by :mod:`app.bootstrap`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from app.db.base import Leases, Ledger, NamespaceTable, Presence, TaskTable, Transactions, Upkeep
from app.db.reviews import ProposalTable
from app.db.serving import KeyTable, TaskLists
from app.history.base import StoreFactory
from app.observability.base import Observer
from app.plan.model import Json
from app.services.access import LOCAL, Actor
from app.services.thinking import Askers
from app.tools.registry import Catalog, Registry
from app.tools.secrets import NO_SECRETS, Secrets


@dataclass(frozen=True, slots=True)
class Workplace:
    """Adapters and settings, as plain as a service can use them.

    ``stores`` is by backend (``sql``, ``git``); ``default_store`` is for new tasks. ``limits`` are those of new
    tasks (``steps``, ``seconds``, ``value_bytes``, ``revisions``). ``presence`` signs leases, ``person`` what
    people do. ``golden_folder`` is where golden runs lie, ``lock_folder`` what the processes of this machine
    lock. ``clock_ms`` gives milliseconds since the epoch. ``load_registry`` and ``open_askers`` may raise
    ``ConfigurationError``; the latter takes the usage of a run so far and gives ``None`` where no model is
    configured. ``secrets`` are what calls may name, and what is hidden wherever it turns up. ``actor`` is on whose
    behalf all this happens. After ``retention_days`` without a change, ``gc`` deletes tasks that ended.
    ``observers`` are told of every run.
    """

    transactions: Transactions
    tasks: TaskTable
    namespaces: NamespaceTable
    leases: Leases
    keys: KeyTable
    lists: TaskLists
    proposals: ProposalTable
    ledger: Callable[[str], Ledger]
    upkeep: Upkeep
    stores: Mapping[str, StoreFactory]
    default_store: str
    load_registry: Callable[[], Registry]
    open_askers: Callable[[Mapping[str, Json]], Askers | None]
    limits: Mapping[str, int]
    lease_seconds: float
    flush_every_commit: bool
    presence: Presence
    person: str
    golden_folder: Path
    lock_folder: Path
    clock_ms: Callable[[], int]
    new_task_id: Callable[[], str]
    secrets: Secrets = NO_SECRETS
    actor: Actor = LOCAL
    retention_days: int | None = None
    observers: tuple[Observer, ...] = ()

    def catalog(self, namespace: str | None) -> Catalog:
        """The tools that a namespace allows; all without one. Raises ``NotFound``."""
        allowed = None if namespace is None else self.namespaces.get(namespace).allowed_tools
        return self.load_registry().catalog(allowed)

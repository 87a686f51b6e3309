"""What every request needs: the server's parts, and the workplace on behalf of whoever asks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from flask import current_app, g

from app.api.hub import Hub
from app.config import Settings
from app.db.serving import AuditLog, JobTable, RequestTable
from app.errors import ConfigurationError
from app.queue.base import RunQueue
from app.services.access import Actor
from app.services.workplace import Workplace

if TYPE_CHECKING:
    from app.observability.tracing import Tracing

_NAME: Final = "stackvm"


@dataclass(frozen=True, slots=True)
class Server:
    """What a server process has; ``tracing`` is ``None`` where nobody wants traces."""

    settings: Settings
    workplace: Workplace
    jobs: JobTable
    requests: RequestTable
    audit: AuditLog
    queue: RunQueue
    hub: Hub | None = None
    tracing: Tracing | None = None


def attach(app: object, server: Server) -> None:
    """Give the application its parts."""
    app.extensions[_NAME] = server  # type: ignore[attr-defined]


def server() -> Server:
    """The parts of the application that answers."""
    found: Server = current_app.extensions[_NAME]
    return found


def hub() -> Hub:
    """What streams events. Raises ``ConfigurationError`` where the application was made without."""
    found = server().hub
    if found is None:
        raise ConfigurationError("this process streams no events", hint="ask a server")
    return found


def place() -> Workplace:
    """The workplace on behalf of the request's actor."""
    actor: Actor = g.actor
    return replace(server().workplace, actor=actor, person=actor.name)

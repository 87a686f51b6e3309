"""``/healthz``, ``/readyz``."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint

from app.api.state import server

health = APIBlueprint("health", __name__, tag="health")


@health.get("/healthz")
@health.doc(summary="Whether the process answers", security=None)
def healthz() -> Any:
    """Asks nobody."""
    return {"status": "ok"}


@health.get("/readyz")
@health.doc(summary="Whether the database can be reached, is migrated, and runs are taken", responses=[503])
def readyz() -> Any:
    """What is not ready is an error that says what."""
    backlog = server().jobs.backlog()
    return {"status": "ready", "waiting": backlog.waiting, "oldest_ms": backlog.oldest_ms}

"""``/healthz``, ``/readyz``."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint
from pydantic import BaseModel

from app.api.descriptions import problems
from app.api.state import server

health = APIBlueprint("health", __name__, tag="health")


class HealthOut(BaseModel):
    """It answers."""

    status: str


class ReadyOut(HealthOut):
    """How many runs wait, and for how long the oldest has. ``degraded``: submissions are taken, and ``trouble`` says
    what does not work meanwhile."""

    waiting: int
    oldest_ms: int
    trouble: str | None = None


@health.get("/healthz")
@health.output(HealthOut)
@health.doc(summary="Whether the process answers", operation_id="get_health", responses=problems())
def healthz() -> Any:
    """Asks nobody."""
    return {"status": "ok"}


@health.get("/readyz")
@health.output(ReadyOut)
@health.doc(
    summary="Whether the database can be reached, is migrated, and runs are taken",
    operation_id="get_readiness",
    responses=problems(),
)
def readyz() -> Any:
    """What is not ready is an error that says what."""
    backlog = server().jobs.backlog()
    trouble = server().queue.trouble()
    status = "ready" if trouble is None else "degraded"
    return {
        "status": status,
        "waiting": backlog.waiting,
        "oldest_ms": backlog.oldest_ms,
        "trouble": trouble,
    }

"""What a holder may be asked when it was asked something before."""

from __future__ import annotations

from app.db.base import Request
from app.errors import Conflict


def refuse_repeated(standing: str | None, by: str | None, request: Request) -> None:
    """Raise ``Conflict`` where ``request`` adds nothing to what is asked already."""
    if standing == request or standing == "cancel":
        raise Conflict(f"{by} asked it to {standing} already", hint="it will at its next step")

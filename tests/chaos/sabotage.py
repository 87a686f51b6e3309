"""Ways to break the product on purpose: a runner that finds nothing then is worth nothing.

Each is done in the processes that are about to be killed, and in no other.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from app.db.leases import SqlLeases
from app.db.ledger import SqlLedger
from app.history.git_store import GitStore
from app.history.sql_store import SqlStore
from app.vm.caller import Caller


class Sabotage(NamedTuple):
    """What is broken, in a line; and what breaks it."""

    what: str
    do: Callable[[], None]


def _forget_attempts() -> None:
    def begin(self: Any, attempt: Any) -> None:
        """Nobody will know."""

    SqlLedger.begin = begin  # type: ignore[method-assign]


def _forget_answers() -> None:
    def save_effects(self: Any, branch: str, finished: Any) -> None:
        """Nobody will know."""

    SqlLedger.save_effects = save_effects  # type: ignore[method-assign]


def _new_keys() -> None:
    key = Caller.key

    def another(self: Caller, place: Any) -> str:
        return key(self, place)[:-8] + f"{os.getpid():08x}"

    Caller.key = another  # type: ignore[method-assign]


def _ignore_fences() -> None:
    """Whoever writes last is right, and nobody notices that a lease is lost."""
    for store in (SqlStore, GitStore):
        _write_anyway(store)
    SqlLeases.renew = lambda *_: None  # type: ignore[method-assign]


def _write_anyway(store: Any) -> None:
    write = store.write

    def anyway(self: Any, objects: Any, moves: Any = ()) -> None:
        write(self, objects, [move._replace(old=self.ref(move.ref), fence=None) for move in moves])

    store.write = anyway


def _wrong_values() -> None:
    """A decision or a resumed run goes on with another value than what was recorded."""
    effects = SqlLedger.effects

    def other(self: Any, branch: str, seq_no: int, visit: int) -> dict[int, tuple[str, bytes]]:
        found = effects(self, branch, seq_no, visit)
        return {item: (key, data.replace(b'"value":', b'"value":1')) for item, (key, data) in found.items()}

    SqlLedger.effects = other  # type: ignore[method-assign]


SABOTAGES: Final = MappingProxyType(
    {
        "forget-attempts": Sabotage("attempts are not kept", _forget_attempts),
        "forget-answers": Sabotage("answers that can't be committed yet are not kept", _forget_answers),
        "new-keys": Sabotage("every process has idempotency keys of its own", _new_keys),
        "ignore-fences": Sabotage(
            "branches move whatever they stand at, leases are not looked at", _ignore_fences
        ),
        "wrong-values": Sabotage("kept answers come back as others", _wrong_values),
    }
)

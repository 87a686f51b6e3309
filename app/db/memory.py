"""Ledger and leases in dictionaries: for tests, and for runs that need not survive their process."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from threading import Lock

from app.db.base import Attempt, AttemptState, FinishedEffect, Request
from app.db.requests import refuse_repeated
from app.errors import BranchMoved, Conflict, LeaseHeld


class MemoryLedger:
    """A :class:`app.db.base.Ledger`."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._attempts: dict[tuple[str, int], Attempt] = {}
        self._effects: dict[tuple[str, int, int], dict[int, tuple[str, bytes]]] = {}

    def fenced(self, branch: str, fence: int) -> MemoryLedger:
        """The same: whatever is in memory has one worker."""
        return self

    def begin(self, attempt: Attempt) -> None:
        with self._lock:
            if (attempt.key, attempt.number) in self._attempts:
                raise Conflict(
                    f"attempt {attempt.number} of {attempt.tool} in step {attempt.seq_no} was begun already",
                    hint="another worker runs the branch",
                )
            self._attempts[attempt.key, attempt.number] = attempt

    def close(self, key: str, number: int, state: AttemptState, error: str | None) -> None:
        with self._lock:
            attempt = self._attempts.get((key, number))
            if attempt is not None:
                self._attempts[key, number] = attempt._replace(state=state, error=error)

    def attempts(self, key: str) -> list[Attempt]:
        return sorted(
            (attempt for attempt in self._all() if attempt.key == key), key=lambda attempt: attempt.number
        )

    def branch_attempts(self, branch: str) -> list[Attempt]:
        return sorted(
            (attempt for attempt in self._all() if attempt.branch == branch),
            key=lambda attempt: (attempt.started_ms, attempt.key, attempt.number),
        )

    def save_effects(self, branch: str, finished: Sequence[FinishedEffect]) -> None:
        with self._lock:
            for effect in finished:
                items = self._effects.setdefault((branch, effect.seq_no, effect.visit), {})
                items[effect.item] = (effect.inputs_hash, effect.outcome)

    def effects(self, branch: str, seq_no: int, visit: int) -> dict[int, tuple[str, bytes]]:
        with self._lock:
            return dict(self._effects.get((branch, seq_no, visit), {}))

    def branch_effects(self, branch: str) -> list[FinishedEffect]:
        with self._lock:
            return [
                FinishedEffect(seq_no, visit, item, *kept)
                for (name, seq_no, visit), items in self._effects.items()
                if name == branch
                for item, kept in items.items()
            ]

    def effect_places(self, branch: str) -> set[tuple[int, int]]:
        with self._lock:
            return {(seq_no, visit) for other, seq_no, visit in self._effects if other == branch}

    def drop_effects(self, branch: str, places: Iterable[tuple[int, int]]) -> None:
        with self._lock:
            for seq_no, visit in places:
                self._effects.pop((branch, seq_no, visit), None)

    def drop_branch(self, branch: str) -> None:
        with self._lock:
            self._attempts = {at: row for at, row in self._attempts.items() if row.branch != branch}
            self._effects = {at: items for at, items in self._effects.items() if at[0] != branch}

    def drop(self) -> None:
        with self._lock:
            self._attempts.clear()
            self._effects.clear()

    def _all(self) -> list[Attempt]:
        with self._lock:
            return list(self._attempts.values())


@dataclass(slots=True)
class _Lease:
    owner: str | None = None
    expires: float = 0.0
    fence: int = 0
    request: Request | None = None
    requester: str | None = None


class MemoryLeases:
    """:class:`app.db.base.Leases` for the threads of one process. ``clock`` gives seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = Lock()
        self._leases: dict[tuple[str, str], _Lease] = {}

    def acquire(
        self, task_id: str, branch: str, owner: str, seconds: float, *, dead: str | None = None
    ) -> int:
        with self._lock:
            now = self._clock()
            lease = self._leases.setdefault((task_id, branch), _Lease())
            if lease.owner not in (None, owner, dead) and lease.expires > now:
                raise LeaseHeld(branch, str(lease.owner), lease.expires - now)
            lease.owner, lease.expires, lease.fence = owner, now + seconds, lease.fence + 1
            lease.request = lease.requester = None
            return lease.fence

    def renew(self, task_id: str, branch: str, fence: int, seconds: float) -> None:
        with self._lock:
            self._ours(task_id, branch, fence).expires = self._clock() + seconds

    def release(self, task_id: str, branch: str, fence: int) -> None:
        with self._lock:
            lease = self._ours(task_id, branch, fence)
            lease.owner, lease.expires = None, 0.0
            lease.request = lease.requester = None

    def holder(self, task_id: str, branch: str) -> tuple[str, float] | None:
        with self._lock:
            lease = self._leases.get((task_id, branch), _Lease())
            left = lease.expires - self._clock()
            return None if lease.owner is None or left <= 0 else (lease.owner, left)

    def ask(self, task_id: str, branch: str, request: Request, requester: str) -> bool:
        with self._lock:
            lease = self._leases.get((task_id, branch))
            if lease is None or lease.owner is None or lease.expires <= self._clock():
                return False
            refuse_repeated(lease.request, lease.requester, request)
            lease.request, lease.requester = request, requester
            return True

    def asked(self, task_id: str, branch: str, fence: int) -> tuple[Request, str] | None:
        with self._lock:
            lease = self._ours(task_id, branch, fence)
            return None if lease.request is None else (lease.request, str(lease.requester))

    def _ours(self, task_id: str, branch: str, fence: int) -> _Lease:
        lease = self._leases.get((task_id, branch))
        if lease is None or lease.owner is None or lease.fence != fence:
            raise BranchMoved(branch, "its lease is no longer ours")
        return lease

"""History in dictionaries: for tests, and for runs that need not be kept."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from threading import Lock

from app.errors import Conflict, DamagedHistory, NotFound
from app.history.base import Collected, Damage, Kind, RawObject, RefMove, object_id
from app.history.reachable import reachable_ids, require_reachable
from app.history.ref_moves import check_fence, moved_refs


class MemoryRepository:
    """What the store objects of one task share."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.objects: dict[bytes, RawObject] = {}
        self.refs: dict[str, bytes] = {}
        self.fences: dict[str, int] = {}
        self.collected = 0


class MemoryStore:
    """A :class:`app.history.base.Store` over a :class:`MemoryRepository`."""

    def __init__(self, repository: MemoryRepository | None = None) -> None:
        self._repository = repository or MemoryRepository()
        self._collected = self._repository.collected

    def write(self, objects: Sequence[RawObject], moves: Sequence[RefMove] = ()) -> None:
        here = self._repository
        with here.lock:
            for item in objects:
                here.objects.setdefault(item.oid, item)
            if moves and self._collected != here.collected:
                require_reachable(self, moves)
                self._collected = here.collected
            for ref, target in moved_refs(here.refs, here.fences, moves).items():
                if target is None:
                    here.refs.pop(ref, None)
                else:
                    here.refs[ref] = target

    def read(self, oid: bytes) -> RawObject:
        found = self._repository.objects.get(oid)
        if found is None:
            raise DamagedHistory(oid.hex(), "is missing")
        if object_id(found.kind, found.data) != oid:
            raise DamagedHistory(oid.hex(), "has other bytes than its id says")
        return found

    def read_many(self, oids: Iterable[bytes]) -> Iterator[RawObject]:
        return map(self.read, dict.fromkeys(oids))

    def has(self, oid: bytes) -> bool:
        return oid in self._repository.objects

    def object_ids(self, kind: Kind | None = None) -> Iterator[bytes]:
        return (oid for oid, item in self._snapshot().items() if kind is None or item.kind == kind)

    def find_commits(self, prefix: str, limit: int = 5) -> list[bytes]:
        found = (
            item.oid
            for item in self._snapshot().values()
            if item.kind == Kind.COMMIT and item.oid.hex().startswith(prefix.lower())
        )
        return sorted(found)[:limit]

    def refs(self) -> dict[str, bytes]:
        with self._repository.lock:
            return dict(self._repository.refs)

    def ref(self, name: str) -> bytes | None:
        return self._repository.refs.get(name)

    def raise_fence(self, ref: str, fence: int) -> None:
        with self._repository.lock:
            check_fence(ref, self._repository.fences.get(ref, 0), fence)
            self._repository.fences[ref] = fence

    def stored_bytes(self) -> int:
        return sum(len(item.data) + len(item.oid) for item in self._snapshot().values())

    def damage(self) -> Iterator[Damage]:
        for oid, item in self._snapshot().items():
            if item.oid != oid or object_id(item.kind, item.data) != oid:
                yield Damage(f"object {oid.hex()}", "has other bytes than its id says")

    def collect(self, also: Collection[bytes] = (), *, dry_run: bool = False) -> Collected:
        here = self._repository
        with here.lock:
            kept = reachable_ids(self, [*here.refs.values(), *also])
            gone = [item for oid, item in here.objects.items() if oid not in kept]
            if not dry_run:
                for item in gone:
                    del here.objects[item.oid]
                here.collected += bool(gone)
        return Collected(len(gone), sum(len(item.data) + len(item.oid) for item in gone))

    def finish(self) -> None:
        """There is nothing to consolidate."""

    def close(self) -> None:
        """There is nothing to let go of."""

    def _snapshot(self) -> dict[bytes, RawObject]:
        """A copy to iterate over, as another thread may be writing."""
        with self._repository.lock:
            return dict(self._repository.objects)


class MemoryStoreFactory:
    """Keeps the repositories of one process by task id."""

    is_in_database = False

    def __init__(self) -> None:
        self._lock = Lock()
        self._repositories: dict[str, MemoryRepository] = {}

    def create(self, task_id: str) -> MemoryStore:
        with self._lock:
            if task_id in self._repositories:
                raise Conflict(f"the history of task {task_id} exists already")
            self._repositories[task_id] = MemoryRepository()
        return self.open(task_id)

    def open(self, task_id: str) -> MemoryStore:
        repository = self._repositories.get(task_id)
        if repository is None:
            raise NotFound("history of task", task_id)
        return MemoryStore(repository)

    def delete(self, task_id: str) -> None:
        with self._lock:
            self._repositories.pop(task_id, None)

    def stored_bytes(self, task_id: str) -> int:
        repository = self._repositories.get(task_id)
        return 0 if repository is None else MemoryStore(repository).stored_bytes()

    def task_ids(self, older_than_seconds: float = 0.0) -> Iterator[str]:
        return iter(list(self._repositories))

    def clean(self, *, dry_run: bool = False) -> int:
        return 0

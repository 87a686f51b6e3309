"""Everything that refs reach, looked at once: that it is there, can be read, and is laid out as the format says."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final, NamedTuple

from app.errors import DamagedHistory, StorageError
from app.history.base import Damage, Kind, RawObject, Store
from app.history.commits import KINDS, Commit, parse_commit
from app.history.layout import ROLES, Part, check_commit, pushed_parts, top_parts
from app.history.refnames import HEADS

_TAG: Final = 4
_WORDS: Final = {Kind.COMMIT: "a commit", Kind.TREE: "a tree", Kind.BLOB: "a blob"}


class _Due(NamedTuple):
    """An object that is to be looked at in a role, and which object named it."""

    role: str
    oid: bytes
    named_by: str


class Inspection:
    """Looks through one store. Every method gives what it finds and goes on."""

    def __init__(self, store: Store, task_id: str, on_object: Callable[[], None] = lambda: None) -> None:
        self._store = store
        self._task_id = task_id
        self._on_object = on_object
        self._done: set[tuple[str, bytes]] = set()
        self._reached: set[bytes] = set()
        self._unreadable: set[bytes] = set()
        self._times: dict[bytes, int] = {}
        self._parents: list[tuple[bytes, bytes]] = []

    def reached(self, refs: Mapping[str, bytes]) -> Iterator[Damage]:
        """What is wrong with the refs and all they reach."""
        waiting = []
        for name, oid in refs.items():
            role = "commit" if name.startswith(HEADS) else "target"
            waiting.append(_Due(role, oid, f"ref {name}"))
        while waiting:
            due = waiting.pop()
            if (due.role, due.oid) in self._done:
                continue
            self._done.add((due.role, due.oid))
            found: list[Damage] = []
            waiting += reversed(self._look_at(due, found))
            yield from found
        yield from self._misplaced()

    def unreached(self) -> Iterator[Damage]:
        """What is wrong with the other objects: they can be read, and are what they seem."""
        for oid in self._store.object_ids():
            if oid in self._reached:
                continue
            try:
                item = self._store.read(oid)
                if item.kind == Kind.COMMIT:
                    parse_commit(oid, item.data)
                elif item.kind == Kind.TREE:
                    ROLES["any tree"](item.data)
            except DamagedHistory as error:
                yield Damage(f"object {oid.hex()}", _problem(error, oid))
            except ValueError as error:
                yield Damage(f"object {oid.hex()}", f"can't be read: {error}")
            self._on_object()

    def _look_at(self, due: _Due, found: list[Damage]) -> list[_Due]:
        """Notes what is wrong with an object; gives the objects it names."""
        item = self._read(due, found)
        if item is None:
            return []
        what = f"object {due.oid.hex()}"
        try:
            if due.role == "target":
                return self._of_target(due, item)
            if due.role in ("commit", "pushed"):
                return self._of_commit(due, item, found)
            kind = Kind.TREE if due.role.endswith("tree") else Kind.BLOB
            if item.kind != kind:
                found.append(Damage(what, f"is not {_WORDS[kind]}, as {due.named_by} says"))
                return []
            parts: list[Part] = ROLES[due.role](item.data)
        except DamagedHistory as error:
            found.append(Damage(what, _problem(error, due.oid)))
            return []
        except (ValueError, RecursionError, StorageError) as error:
            found.append(Damage(what, f"{error} (named by {due.named_by})"))
            return []
        return [_Due(part.role, part.oid, f"{what[:15]}… {part.name}") for part in parts]

    def _read(self, due: _Due, found: list[Damage]) -> RawObject | None:
        self._reached.add(due.oid)
        self._on_object()
        if due.oid in self._unreadable:
            return None
        try:
            return self._store.read(due.oid)
        except DamagedHistory as error:
            self._unreadable.add(due.oid)
            problem = _problem(error, due.oid)
            found.append(Damage(f"object {due.oid.hex()}", f"{problem} (named by {due.named_by})"))
            return None

    def _of_target(self, due: _Due, item: RawObject) -> list[_Due]:
        """A tag, or what else may have been given a name."""
        if item.kind == _TAG:
            target = item.data.split(b"\n", 1)[0].removeprefix(b"object ")
            return [_Due("target", bytes.fromhex(target.decode()), due.named_by)]
        return [_Due("commit", due.oid, due.named_by)] if item.kind == Kind.COMMIT else []

    def _of_commit(self, due: _Due, item: RawObject, found: list[Damage]) -> list[_Due]:
        what = f"commit {due.oid.hex()}"
        if item.kind != Kind.COMMIT:
            found.append(Damage(f"object {due.oid.hex()}", f"is not a commit, as {due.named_by} says"))
            return []
        commit = parse_commit(due.oid, item.data)
        if due.role == "pushed" and commit.kind in KINDS:
            return [_Due("commit", due.oid, due.named_by)]
        is_own = due.role == "commit"
        if is_own:
            self._times[commit.oid] = commit.time
            if commit.before is not None:
                self._parents.append((commit.oid, commit.before))
        # What a client pushed has times and a form of its own.
        above = [
            _Due("commit" if is_own and parent == commit.before else "pushed", parent, what)
            for parent in commit.parents
        ]
        tree = self._read(_Due("top tree", commit.tree, what), found)
        if tree is None:
            return above
        if tree.kind != Kind.TREE:
            found.append(Damage(f"object {commit.tree.hex()}", f"is not a tree, as {what} says"))
            return above
        return above + self._of_top(commit, tree, found, is_own=is_own)

    def _of_top(self, commit: Commit, tree: RawObject, found: list[Damage], *, is_own: bool) -> list[_Due]:
        what = f"commit {commit.id}"
        try:
            parts = top_parts(tree.data) if is_own else pushed_parts(tree.data)
        except ValueError as error:
            found.append(Damage(what, f"has a tree that can't be read: {error}"))
            return []
        due = [_Due(part.role, part.oid, f"{what[:15]}… {part.name}") for part in parts]
        if not is_own:
            return due
        blobs: dict[str, bytes] = {}
        for part in parts:
            if part.name in ("record.json", "state.json") and part.oid not in self._unreadable:
                try:
                    blobs[part.name] = self._store.read(part.oid).data
                except DamagedHistory:
                    continue  # told when its own turn comes
        found += [
            Damage(what, problem)
            for problem in check_commit(commit, {part.name for part in parts}, blobs, self._task_id)
        ]
        return due

    def _misplaced(self) -> Iterator[Damage]:
        """Commits that are older than their parents."""
        for oid, parent in self._parents:
            if parent in self._times and self._times[oid] < self._times[parent]:
                yield Damage(f"commit {oid.hex()}", f"is older than its parent {parent.hex()}")


def _problem(error: DamagedHistory, oid: bytes) -> str:
    """What an error says about an object, behind the object's name."""
    return error.message.removeprefix(f"history is damaged: object {oid.hex()} ")

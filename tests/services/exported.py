"""Exports taken apart, changed, and put together again, as somebody who crafts one would."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from app.errors import DamagedHistory
from app.history.base import RawObject, object_id
from app.history.bundles import make_bundle, read_bundle
from app.history.commits import commit_bytes, parse_commit
from app.history.trees import Entry, parse_tree, tree_bytes
from app.services.carried import TASK_REF

COMMIT, TREE, BLOB = 1, 2, 3


class Craft:
    """The refs and objects of an export, to be changed and saved."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.refs, objects = read_bundle(path)
        self.objects = {item.oid: item for item in objects}

    def put(self, kind: int, data: bytes) -> bytes:
        """Add an object; gives its id."""
        oid = object_id(kind, data)
        self.objects[oid] = RawObject(oid, kind, data)
        return oid

    def entries(self, commit: bytes) -> dict[str, Entry]:
        tree = parse_commit(commit, self.objects[commit].data).tree
        return {entry.name: entry for entry in parse_tree(self.objects[tree].data)}

    def tree(self, entries: dict[str, Entry]) -> bytes:
        return self.put(TREE, tree_bytes(list(entries.values())))

    def write(self, name: str, data: bytes | None) -> None:
        """Put a file among the rows, or take it away."""
        entries = self._changed(self.refs[TASK_REF], {name: data})
        self.refs[TASK_REF] = self.put(COMMIT, commit_bytes(self.tree(entries), (), 0, "rows\n"))

    @contextmanager
    def rows(self, name: str = "task.json") -> Iterator[Any]:
        """A file of the rows, to be changed in the block."""
        document = json.loads(self.objects[self.entries(self.refs[TASK_REF])[name].oid].data.decode())
        yield document
        self.write(name, json.dumps(document).encode())

    def commit(
        self, branch: str, changes: dict[str, bytes | None], message: str = "x\n", *, first: bool = False
    ) -> None:
        """Move a branch to a commit with other files than its head; ``first``: one without parents."""
        ref = f"refs/heads/{branch}"
        tree = self.tree(self._changed(self.refs[ref], changes))
        parents = () if first else (self.refs[ref],)
        self.refs[ref] = self.put(COMMIT, commit_bytes(tree, parents, 0, message))
        if branch == "main":
            self.refs["HEAD"] = self.refs[ref]

    def _changed(self, commit: bytes, changes: dict[str, bytes | None]) -> dict[str, Entry]:
        entries = self.entries(commit)
        for name, data in changes.items():
            entries.pop(name, None)
            if data is not None:
                entries[name] = Entry(name, False, self.put(BLOB, data))
        return entries

    def save(self, *, told: bool = True) -> Path:
        """``told``: the rows name the refs as they are now."""
        if told:
            with suppress(KeyError, ValueError, RecursionError, DamagedHistory), self.rows() as document:
                named = {name: oid.hex() for name, oid in self.refs.items() if name not in ("HEAD", TASK_REF)}
                document["refs"] = named
        self.path.write_bytes(make_bundle(self.refs, self.objects.values()))
        return self.path

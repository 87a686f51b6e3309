"""Trees → state: reading what :mod:`app.history.codec` wrote, whole or in part."""

from __future__ import annotations

from typing import Any

from app.errors import DamagedHistory, NotFound
from app.history.base import Kind, Store
from app.history.codec import FORMAT, MEMBER_FIELDS, Snapshot
from app.history.names import unescape_name
from app.history.trees import Entry, parse_tree
from app.history.values import load_folder, load_value


class SnapshotReader:
    """Reads the trees of one store. Raises ``DamagedHistory`` for what can't be a snapshot."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def read_tree(self, oid: bytes) -> list[Entry]:
        """The entries of a tree."""
        raw = self._store.read(oid)
        if raw.kind != Kind.TREE:
            raise DamagedHistory(oid.hex(), "is not a tree")
        try:
            return parse_tree(raw.data)
        except ValueError as error:
            raise DamagedHistory(oid.hex(), f"is a tree that can't be read: {error}") from None

    def read_blob(self, oid: bytes) -> bytes:
        """The bytes of a blob."""
        raw = self._store.read(oid)
        if raw.kind != Kind.BLOB:
            raise DamagedHistory(oid.hex(), "is not a blob")
        return raw.data

    def top(self, tree: bytes) -> dict[str, Entry]:
        """The entries of a commit's tree by name. Raises ``DamagedHistory`` for a layout we don't know."""
        entries = {entry.name: entry for entry in self.read_tree(tree)}
        version = self.read_blob(entries["format"].oid).strip() if "format" in entries else b"none"
        if version != b"%d" % FORMAT:
            raise DamagedHistory(tree.hex(), f"has layout {version.decode(errors='replace')}, not {FORMAT}")
        return entries

    def _json(self, entries: dict[str, Entry], name: str) -> Any:
        if name not in entries:
            return None
        return self._value(entries[name])

    def _value(self, entry: Entry) -> Any:
        try:
            return load_value(entry, self.read_tree, self.read_blob)
        except ValueError as error:
            raise DamagedHistory(entry.oid.hex(), f"is not canonical JSON: {error}") from None

    def snapshot(self, tree: bytes) -> Snapshot:
        """Everything."""
        entries = self.top(tree)
        return Snapshot(
            goal=self._json(entries, "goal.json") or {},
            record=self._record(entries),
            control=self._json(entries, "state.json") or {},
            plan=self._json(entries, "plan.json"),
            variables={name: self._value(entry) for name, entry in self._variables(entries)},
            errors=self._json(entries, "errors.d") or [],
            messages=self._json(entries, "messages.d") or [],
        )

    def _variables(self, entries: dict[str, Entry]) -> list[tuple[str, Entry]]:
        if "vars" not in entries:
            return []
        return load_folder(self.read_tree(entries["vars"].oid), self.read_tree)

    def variable_entries(self, tree: bytes) -> dict[str, Entry]:
        """Variable → entry: equal entries are equal values, so two states compare without reading values."""
        return dict(self._variables(self.top(tree)))

    def variable(self, tree: bytes, name: str) -> Any:
        """One variable. Raises ``NotFound``."""
        for found, entry in self._variables(self.top(tree)):
            if found == name:
                return self._value(entry)
        raise NotFound("variable", name)

    def value(self, entry: Entry) -> Any:
        """The value behind an entry of :meth:`variable_entries`."""
        return self._value(entry)

    def goal(self, tree: bytes) -> dict[str, Any]:
        """``goal.json``."""
        return self._json(self.top(tree), "goal.json") or {}

    def control(self, tree: bytes) -> dict[str, Any]:
        """``state.json``."""
        return self._json(self.top(tree), "state.json") or {}

    def plan(self, tree: bytes) -> dict[str, Any] | None:
        """``plan.json``, or ``None`` before there is a plan."""
        plan: dict[str, Any] | None = self._json(self.top(tree), "plan.json")
        return plan

    def record(self, tree: bytes) -> dict[str, Any]:
        """``record.json`` with what lies in ``record/`` put back in its place."""
        return self._record(self.top(tree))

    def _record(self, entries: dict[str, Entry]) -> dict[str, Any]:
        record: dict[str, Any] = self._json(entries, "record.json") or {}
        if "record" not in entries:
            return record
        for entry in self.read_tree(entries["record"].oid):
            if entry.name in MEMBER_FIELDS:
                members = {_key(part.name): self._value(part) for part in self.read_tree(entry.oid)}
                record[entry.name] = {**record[entry.name], **members}
            else:
                record[_key(entry.name)] = self._value(entry)
        return record


def _key(file_name: str) -> str:
    return unescape_name(file_name.rsplit(".", 1)[0])

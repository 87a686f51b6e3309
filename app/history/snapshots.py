"""Trees → state: reading what :mod:`app.history.codec` wrote, whole or in part."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, TypeVar

from app.errors import DamagedHistory, NotFound
from app.history.base import Kind, Store
from app.history.canonical import parse_canonical
from app.history.codec import FORMAT, MEMBER_FIELDS, Snapshot
from app.history.trees import Entry, parse_tree
from app.history.values import ReadJson, ReadTree, load_folder, load_value

_Json = TypeVar("_Json", dict[str, Any], list[Any])


class SnapshotReader:
    """Reads the trees of one store. Raises ``DamagedHistory`` for what can't be a snapshot."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known_formats: set[bytes] = set()

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

    def read_json(self, oid: bytes) -> Any:
        """What a blob of canonical JSON holds. Raises ``ValueError`` where it is none."""
        return parse_canonical(self.read_blob(oid))

    def top(self, tree: bytes) -> dict[str, Entry]:
        """The entries of a commit's tree by name. Raises ``DamagedHistory`` for a layout we don't know."""
        entries = {entry.name: entry for entry in self.read_tree(tree)}
        self._check_format(tree, entries.get("format"))
        return entries

    def _check_format(self, tree: bytes, named: Entry | None) -> None:
        # It is the same blob in every commit: who walks a long history reads it once.
        if named is not None and named.oid in self._known_formats:
            return
        version = self.read_blob(named.oid).strip() if named is not None else b"none"
        if named is None or version != b"%d" % FORMAT:
            raise DamagedHistory(tree.hex(), f"has layout {version.decode(errors='replace')}, not {FORMAT}")
        self._known_formats.add(named.oid)

    def _read(self, entries: dict[str, Entry], name: str, kind: type[_Json]) -> _Json:
        """What an entry holds; an empty one where there is no such entry."""
        if name not in entries:
            return kind()
        value = self.value(entries[name])
        if not isinstance(value, kind):
            raise DamagedHistory(entries[name].oid.hex(), f"is not what {name} has to hold")
        return value

    def _read_plan(self, entries: dict[str, Entry]) -> dict[str, Any] | None:
        if "plan.json" not in entries:
            return None
        value = self.value(entries["plan.json"])
        if isinstance(value, list):  # the short form: as a client may have pushed it, and no run has it
            return {"steps": value}
        return self._read(entries, "plan.json", dict)

    def value(self, entry: Entry) -> Any:
        """The value behind an entry of :meth:`variable_entries`."""
        return self.load(entry, self.read_tree, self.read_json)

    def load(self, entry: Entry, read_tree: ReadTree, read_json: ReadJson) -> Any:
        """As :meth:`value`, its parts read in a way of the caller's."""
        try:
            return load_value(entry, read_tree, read_json)
        except (ValueError, RecursionError) as error:
            raise DamagedHistory(entry.oid.hex(), f"is not a value: {error}") from None

    def folder(self, oid: bytes) -> list[tuple[str, Entry]]:
        """The keys of a folder with their entries, its fan-out undone."""
        try:
            return load_folder(self.read_tree(oid), self.read_tree)
        except (ValueError, RecursionError) as error:
            raise DamagedHistory(oid.hex(), f"is not a folder of values: {error}") from None

    def snapshot(self, tree: bytes) -> Snapshot:
        """Everything."""
        entries = self.top(tree)
        return Snapshot(
            goal=self._read(entries, "goal.json", dict),
            record=self._record(entries),
            control=self._read(entries, "state.json", dict),
            plan=self._read_plan(entries),
            variables={name: self.value(entry) for name, entry in self._variables(entries)},
            errors=self._read(entries, "errors.d", list),
            messages=self._read(entries, "messages.d", list),
        )

    def _variables(self, entries: dict[str, Entry]) -> list[tuple[str, Entry]]:
        return self.folder(entries["vars"].oid) if "vars" in entries else []

    def variable_entries(self, tree: bytes) -> dict[str, Entry]:
        """Variable → entry: equal entries are equal values, so two states compare without reading values."""
        return dict(self._variables(self.top(tree)))

    def variable(self, tree: bytes, name: str) -> Any:
        """One variable. Raises ``NotFound``."""
        for found, entry in self._variables(self.top(tree)):
            if found == name:
                return self.value(entry)
        raise NotFound("variable", name)

    def goal(self, tree: bytes) -> dict[str, Any]:
        """``goal.json``."""
        return self._read(self.top(tree), "goal.json", dict)

    def control(self, tree: bytes) -> dict[str, Any]:
        """``state.json``."""
        return self._read(self.top(tree), "state.json", dict)

    def plan(self, tree: bytes) -> dict[str, Any] | None:
        """``plan.json``, or ``None`` before there is a plan."""
        return self._read_plan(self.top(tree))

    def record(self, tree: bytes) -> dict[str, Any]:
        """``record.json`` with what lies in ``record/`` put back in its place."""
        return self._record(self.top(tree))

    def _record(self, entries: dict[str, Entry]) -> dict[str, Any]:
        record = self._read(entries, "record.json", dict)
        if "record" not in entries:
            return record
        parts = {part.name: part for part in self.read_tree(entries["record"].oid)}
        for field in MEMBER_FIELDS:
            if field in parts:
                record[field] = self._members(record.get(field), parts.pop(field))
        for part in parts.values():
            record[part.name.rsplit(".", 1)[0]] = self.value(part)
        return record

    def record_with(self, tree: bytes, fields: Collection[str]) -> dict[str, Any]:
        """As :meth:`record`, but of what lies in ``record/`` only ``fields``: large values are not read."""
        entries = self.top(tree)
        record = self._read(entries, "record.json", dict)
        if "record" in entries:
            for part in self.read_tree(entries["record"].oid):
                field = part.name.rsplit(".", 1)[0]
                if field in fields:
                    record[field] = self.value(part)
        return record

    def _members(self, inline: Any, folder: Entry) -> dict[str, Any]:
        """The members of a field, those that stayed in ``record.json`` and those that lie in a folder."""
        if not isinstance(inline, dict):
            raise DamagedHistory(folder.oid.hex(), "holds members of a field that record.json doesn't have")
        return {**inline, **{name: self.value(part) for name, part in self.folder(folder.oid)}}

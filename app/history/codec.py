"""State → trees: the layout of one commit. Specified in ``docs/history-format.md``, version 1.

The layout is a pure function of a snapshot. :class:`SnapshotWriter` reaches it step by step, writing what changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from app.errors import InvalidValue
from app.history.base import Kind
from app.history.canonical import RECORD_DEPTH, canonical
from app.history.lists import ListTree
from app.history.names import escape_name, fits_folder, mask_capitals
from app.history.trees import Entry, FanTree, ObjectSink, entry_line, sort_key, tree_bytes
from app.history.values import Stored, store_long_item, store_value

FORMAT: Final = 1

INLINE_BYTES: Final = 1024
"""A part of a record whose canonical text is above this becomes an entry of ``record/``."""

WHOLE_FIELDS: Final = ("calls", "errors", "value", "values")
"""Fields of a record that move to ``record/`` as a whole."""

MEMBER_FIELDS: Final = ("inputs", "item_inputs")
"""Objects of a record whose members move to ``record/<field>/`` one by one."""


@dataclass(slots=True)
class Snapshot:
    """All that one commit holds, as plain JSON.

    ``control`` is the content of ``state.json``; ``plan`` is ``None`` before there is one.
    """

    goal: dict[str, Any]
    record: dict[str, Any]
    control: dict[str, Any]
    plan: dict[str, Any] | None = None
    variables: dict[str, Any] = field(default_factory=dict)
    errors: list[Any] = field(default_factory=list)
    messages: list[Any] = field(default_factory=list)


class SnapshotWriter:
    """The tree of a state that changes step by step.

    A setter encodes its part at once and raises ``InvalidValue`` without having changed anything; :meth:`tree`
    then writes the trees above what was set.
    """

    def __init__(self, sink: ObjectSink, *, max_value_bytes: int | None = None) -> None:
        self._sink = sink
        self._limit = max_value_bytes
        self._variables = VariableFolder()
        self._lists: dict[str, ListTree] = {}
        self._known: dict[int, tuple[Any, Stored]] = {}  # id(value) → a large value of this commit's record
        self._top: dict[bytes, bytes] = {}
        self._set_blob("format", b"%d\n" % FORMAT)

    @classmethod
    def of(
        cls, snapshot: Snapshot, sink: ObjectSink, *, max_value_bytes: int | None = None
    ) -> SnapshotWriter:
        """A writer that stands at ``snapshot``."""
        writer = cls(sink, max_value_bytes=max_value_bytes)
        writer.set_goal(snapshot.goal)
        if snapshot.plan is not None:
            writer.set_plan(snapshot.plan)
        writer.set_variables(snapshot.variables)
        writer.set_list("errors", snapshot.errors)
        writer.set_list("messages", snapshot.messages)
        return writer

    def set_goal(self, goal: Mapping[str, Any]) -> None:
        """What steers the run and is not an effect."""
        self._set_blob("goal.json", canonical(goal))

    def set_plan(self, plan: Mapping[str, Any]) -> None:
        """The plan document in its object form."""
        self._set_blob("plan.json", canonical(plan))

    def set_variables(self, values: Mapping[str, Any]) -> None:
        """Set variables, all or none. Raises ``InvalidValue`` that names the variable."""
        stored = {}
        for name, value in values.items():
            try:
                stored[name] = self._store(value, self._variables.get(name))
            except InvalidValue as error:
                raise InvalidValue(f"variable {name!r}: {error.message}") from None
        for name, entry in stored.items():
            self._variables.put(name, entry)

    def _store(self, value: Any, previous: Stored | None) -> Stored:
        known = self._known.get(id(value))
        if known is not None:
            return known[1]
        return store_value(value, self._sink, previous, self._limit)

    def set_list(self, name: str, items: list[Any]) -> None:
        """``errors`` or ``messages``: a list that is always a tree, absent while empty."""
        key = sort_key(f"{name}.d", True)
        if not items:
            self._lists.pop(name, None)
            self._top.pop(key, None)
            return
        tree = ListTree.build(items, self._sink, store_long_item, self._lists.get(name))
        self._lists[name] = tree
        self._top[key] = entry_line(f"{name}.d", True, tree.write(self._sink))

    def set_record(self, record: Mapping[str, Any]) -> None:
        """What made this commit. Large inputs and values move to ``record/``.

        To be called before :meth:`set_variables` of the same commit, which then needn't encode a result again.
        """
        self._known.clear()
        inline = dict(record)
        entries: list[Entry] = []
        for name in WHOLE_FIELDS:
            if name in inline and len(canonical(inline[name], RECORD_DEPTH)) > INLINE_BYTES:
                entries.append(self._store_part(name, inline.pop(name)))
        for name in MEMBER_FIELDS:
            if inline.get(name):
                inline[name], moved = self._split_members(inline[name])
                if moved:
                    entries.append(Entry(name, True, self._sink.add(Kind.TREE, tree_bytes(moved))))
        self._set_blob("record.json", canonical(inline, RECORD_DEPTH))
        key = sort_key("record", True)
        if entries:
            self._top[key] = entry_line("record", True, self._sink.add(Kind.TREE, tree_bytes(entries)))
        else:
            self._top.pop(key, None)

    def _split_members(self, members: dict[str, Any]) -> tuple[dict[str, Any], list[Entry]]:
        """What stays in ``record.json``, and the entries for the rest."""
        if len(canonical(members, RECORD_DEPTH)) <= INLINE_BYTES or not fits_folder(members):
            return members, []
        inline: dict[str, Any] = {}
        moved: list[Entry] = []
        for name, value in members.items():
            if len(canonical(value, RECORD_DEPTH)) > INLINE_BYTES:
                moved.append(self._store_part(escape_name(name), value))
            else:
                inline[name] = value
        return inline, moved

    def _store_part(self, name: str, value: Any) -> Entry:
        stored = store_value(value, self._sink, max_depth=RECORD_DEPTH)
        self._known[id(value)] = (value, stored)
        return Entry(name + stored.suffix, stored.is_tree, stored.oid)

    def tree(self, control: Mapping[str, Any]) -> bytes:
        """Write ``state.json`` and what leads to everything set so far; gives the root tree's id."""
        self._set_blob("state.json", canonical(control))
        if len(self._variables):
            self._top[b"vars/"] = entry_line("vars", True, self._variables.write(self._sink))
        top = self._top
        return self._sink.add(Kind.TREE, b"".join([top[key] for key in sorted(top)]))

    def _set_blob(self, name: str, data: bytes) -> None:
        self._top[name.encode()] = entry_line(name, False, self._sink.add(Kind.BLOB, data))


class VariableFolder:
    """The folder ``vars/``. Names that differ in case alone have their capitals masked."""

    def __init__(self) -> None:
        self._stored: dict[str, Stored] = {}
        self._folder = FanTree()
        self._twins: dict[
            str, list[str]
        ] = {}  # lower-case name → the names that are equal to it but for case

    def __len__(self) -> int:
        return len(self._stored)

    def get(self, name: str) -> Stored | None:
        """How the variable is stored now."""
        return self._stored.get(name)

    def put(self, name: str, stored: Stored) -> None:
        """Set or replace a variable."""
        twins = self._twins.setdefault(name.lower(), [])
        if name not in self._stored:
            twins.append(name)
            if len(twins) == 2:
                self._put(twins[0], self._stored[twins[0]], has_twin=True)
        self._put(name, stored, has_twin=len(twins) > 1)

    def _put(self, name: str, stored: Stored, *, has_twin: bool) -> None:
        self._stored[name] = stored
        file_name = mask_capitals(name) if has_twin else escape_name(name)
        self._folder.put(name, file_name + stored.suffix, stored.is_tree, stored.oid)

    def write(self, sink: ObjectSink) -> bytes:
        """The id of the folder's tree."""
        return self._folder.write(sink)

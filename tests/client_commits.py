"""Commits as a client of git makes them, without one: objects that a push would bring."""

from __future__ import annotations

import json
from typing import Any

from app.history.base import Kind, RawObject, object_id
from app.history.repository import Repository
from app.history.trees import Entry, parse_tree, tree_bytes

PERSON = "Ann <ann@example.org>"
LATE = 4_102_000_000
"""In the year 2099."""

Objects = dict[bytes, RawObject]


def raw(kind: Kind, data: bytes) -> RawObject:
    return RawObject(object_id(kind, data), kind, data)


def commit_bytes(
    tree: bytes, *parents: bytes, message: str = "mine\n", time: int = LATE, person: str = PERSON
) -> bytes:
    lines = [f"tree {tree.hex()}", *(f"parent {parent.hex()}" for parent in parents)]
    lines += [f"author {person} {time} +0200", f"committer {person} {time} +0200"]
    return ("\n".join(lines) + "\n\n" + message).encode()


def client_commit(
    repository: Repository,
    objects: Objects,
    parent: bytes,
    plan: Any,
    *,
    message: str = "mine\n",
    files: dict[str, bytes] | None = None,
) -> bytes:
    """A commit on ``parent`` whose ``plan.json`` is ``plan``, and whose ``files`` are others; gives its id."""
    under = objects.get(parent) or repository.store.read(parent)
    tree = bytes.fromhex(under.data[5:45].decode())
    below = objects.get(tree) or repository.store.read(tree)
    entries = {entry.name: entry for entry in parse_tree(below.data)}
    text = plan if isinstance(plan, bytes) else json.dumps(plan, indent=3).encode()
    for name, content in {"plan.json": text, **(files or {})}.items():
        made = raw(Kind.BLOB, content)
        objects[made.oid] = made
        entries[name] = Entry(name, False, made.oid)
    root = raw(Kind.TREE, tree_bytes(list(entries.values())))
    commit = raw(Kind.COMMIT, commit_bytes(root.oid, parent, message=message))
    objects |= {root.oid: root, commit.oid: commit}
    return commit.oid

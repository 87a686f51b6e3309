"""A run that is resumed writes what is new, not what it found."""

from __future__ import annotations

import json

from rig import Rig, assign

from app.history.base import Kind, RawObject, RefMove, object_id
from app.history.commits import commit_bytes
from app.history.repository import HEADS
from app.history.trees import tree_bytes

STEPS = [
    assign(0, rows=list(range(20_000)), text="x" * 2_000),
    assign(1, second=2),
    assign(2, final_answer=3),
]


def test_nothing_of_the_state_is_written_again() -> None:
    rig = Rig(STEPS, limits={"steps": 1})
    rig.run()
    assert rig.open_scribe().journal.sink.pending == []


def test_a_state_laid_out_by_somebody_else_is_written_as_we_would() -> None:
    rig = Rig(STEPS, limits={"steps": 5})
    commit_with_another_spelling_of_the_plan(rig)
    assert rig.open_scribe().journal.sink.pending != []
    rig.run()
    assert rig.state().status == "completed"
    for commit in rig.repository.log(rig.head()):
        assert rig.repository.reader.plan(commit.tree) is not None or commit.kind == "goal"


def commit_with_another_spelling_of_the_plan(rig: Rig) -> None:
    """The plan's text in one line: the same plan, in another blob than ours."""
    head = rig.repository.commit(rig.head())
    text = json.dumps(rig.repository.reader.plan(head.tree)).encode()
    plan = RawObject(object_id(Kind.BLOB, text), Kind.BLOB, text)
    entries = [
        entry._replace(oid=plan.oid) if entry.name == "plan.json" else entry
        for entry in rig.repository.reader.read_tree(head.tree)
    ]
    folder = tree_bytes(entries)
    tree = RawObject(object_id(Kind.TREE, folder), Kind.TREE, folder)
    data = commit_bytes(tree.oid, (head.oid,), head.time, head.message, "tester")
    commit = RawObject(object_id(Kind.COMMIT, data), Kind.COMMIT, data)
    rig.store.write([plan, tree, commit], [RefMove(HEADS + "main", head.oid, commit.oid)])

"""Scribes of stored branches, and of branches that are about to be."""

from __future__ import annotations

from app.history.journal import Journal
from app.history.repository import HEADS, Repository
from app.vm.scribe import Scribe


def open_scribe(repository: Repository, task_id: str, journal: Journal) -> Scribe:
    """A scribe that stands at the journal's head."""
    assert journal.head is not None
    commit = repository.commit(journal.head)
    snapshot = repository.reader.snapshot(commit.tree)
    scribe = Scribe(journal, snapshot, task_id, time=commit.time)
    if scribe.tree_at(snapshot) == commit.tree:
        journal.sink.drain()  # it is all in the store: a run that is resumed writes what is new
    scribe.anchor = repository.anchor(commit).oid
    return scribe


def open_fork(repository: Repository, task_id: str, at: bytes, branch: str) -> Scribe:
    """A scribe at ``at`` whose first flush makes ``branch``: nobody sees the branch without what it was made for."""
    return open_scribe(repository, task_id, Journal(repository.store, HEADS + branch, at, makes_branch=True))


def open_held(repository: Repository, task_id: str, branch: str, fence: int) -> Scribe:
    """A scribe of a branch whose lease is held by that fence. Raises ``BranchMoved`` where there is a higher one."""
    ref = HEADS + branch
    repository.store.raise_fence(ref, fence)
    journal = Journal(repository.store, ref, repository.head(branch), fence=fence)
    return open_scribe(repository, task_id, journal)

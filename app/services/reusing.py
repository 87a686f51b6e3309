"""Where a branch was forked from, and so whose answers its run may take again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, Final

from app.db.base import TaskRow
from app.history.commits import Commit
from app.history.repository import Repository
from app.services.tasks import MAIN
from app.services.thinking import Askers
from app.services.workplace import Workplace
from app.vm.answers import CallReader
from app.vm.attempted import attempted_at, attempted_calls
from app.vm.reuse import Earlier, Policy, Reuse, Source
from app.vm.state import State

_FORKING_KINDS: Final = ("revision", "edit", "push")


@dataclass(frozen=True, slots=True)
class Fork:
    """``source`` is the run that was forked, as it stood then; ``point`` the last commit that both have.

    ``record`` is that of the commit that began the new line, empty for a mere fork.
    """

    source: Source
    point: bytes
    record: Mapping[str, Any]


def fork_of(
    workplace: Workplace, task: TaskRow, repository: Repository, branch: str, head: bytes | None = None
) -> Fork | None:
    """Where ``branch``, as it stands or as it stood at ``head``, was last forked from another run; ``None`` for one
    that never was."""
    own = list(repository.log(repository.head(branch) if head is None else head))
    at = {commit.oid: age for age, commit in enumerate(own)}
    forks = [*_recorded(repository, own), *_noted(workplace, task, repository, branch, at)]
    return min(forks, key=lambda fork: at[fork.point], default=None)


def _recorded(repository: Repository, own: Sequence[Commit]) -> list[Fork]:
    """The newest fork that a commit tells of."""
    for commit in own:
        if commit.kind in _FORKING_KINDS:
            record = repository.reader.record(commit.tree)
            revised = record.get("revises")
            if revised is None:
                return []
            source = Source(revised["branch"], bytes.fromhex(revised["commit"]))
            if not repository.store.has(source.head):  # a history that came without it
                return []
            assert commit.before is not None
            return [Fork(source, commit.before, record)]
    return []


def _noted(
    workplace: Workplace, task: TaskRow, repository: Repository, branch: str, at: Mapping[bytes, int]
) -> list[Fork]:
    """The fork that was noted when the branch was made."""
    for row in workplace.tasks.branches(task.id):
        if row.name == branch and row.source is not None and row.source_head is not None:
            head = bytes.fromhex(row.source_head)
            if not repository.store.has(head):
                return []
            point = next((commit.oid for commit in repository.log(head) if commit.oid in at), None)
            return [] if point is None else [Fork(Source(row.source, head), point, {})]
    return []


def runs_forked_from(workplace: Workplace, task: TaskRow, repository: Repository) -> set[bytes]:
    """The heads of all runs that the branches were forked from, and those from others: what was called there decides
    whether a fork may call it again, also after the branch itself was deleted."""
    store = repository.store
    noted = {bytes.fromhex(row.source_head) for row in workplace.tasks.branches(task.id) if row.source_head}
    found = {head for head in noted if store.has(head)}
    seen: set[bytes] = set()
    waiting = [*repository.branches().values(), *found]
    while waiting:
        for commit in repository.log(waiting.pop()):
            if commit.oid in seen:
                break
            seen.add(commit.oid)
            for fork in _recorded(repository, [commit]):
                if fork.source.head not in found:
                    found.add(fork.source.head)
                    waiting.append(fork.source.head)
    return found


def open_reuse(
    workplace: Workplace,
    task: TaskRow,
    repository: Repository,
    branch: str,
    askers: Askers | None,
) -> Reuse | None:
    """What the run of ``branch`` may take again; ``None`` where the task can have no other run. Reads little yet."""
    if branch == MAIN and len(repository.branches()) == 1:
        return None
    head = repository.head(branch)

    def look() -> Earlier:
        fork = fork_of(workplace, task, repository, branch)
        record = fork.record if fork is not None else {}
        return earlier_of(
            workplace,
            task,
            repository,
            head,
            fork.source if fork is not None else None,
            besides=branch,
            enabled=record.get("reuse", True),
            policy=record.get("irreversible"),
            again=called_beyond(workplace, task, repository, fork),
        )

    knows = (lambda mind: True) if askers is None else askers.knows
    return Reuse(look, workplace.ledger(task.id), knows)


def earlier_of(
    workplace: Workplace,
    task: TaskRow,
    repository: Repository,
    head: bytes,
    source: Source | None,
    *,
    besides: str | None = None,
    enabled: bool = True,
    policy: Policy | None = None,
    again: frozenset[str] = frozenset(),
) -> Earlier:
    """What a run that goes on at ``head`` may know of others: of ``source``, which it was forked from, first."""
    reader = CallReader(repository)
    return Earlier(
        reader,
        reader.line(head),
        _sources(repository, besides, source),
        enabled=enabled,
        policy=policy or _policy(workplace, task.namespace),
        again=again,
    )


def _sources(repository: Repository, besides: str | None, first: Source | None) -> list[Source]:
    """The run that was forked, then all others, the newest first."""
    others = [Source(name, head) for name, head in repository.branches().items() if name != besides]
    others.sort(key=lambda source: (-repository.commit(source.head).time, source.branch))
    if first is None:
        return others
    return [first, *(source for source in others if source.head != first.head)]


def _policy(workplace: Workplace, namespace: str | None) -> Policy:
    if namespace is None:
        return "ask"
    policy: Policy = workplace.namespaces.get(namespace).policies.get("irreversible", "ask")
    return policy


def called_beyond(
    workplace: Workplace, task: TaskRow, repository: Repository, fork: Fork | None
) -> frozenset[str]:
    """The ``irreversible`` tools that were attempted beyond the fork point: in the run that was forked, and in those
    it was forked from itself. What it would have waited for, a fork of it waits for as well.
    """
    names: set[str] = set()
    if fork is None:
        return frozenset()
    ledger, own = workplace.ledger(task.id), {commit.oid for commit in repository.log(fork.point)}
    seen: set[bytes] = set()
    while fork is not None and fork.source.head not in seen:
        source = fork.source
        seen.add(source.head)
        beyond = list(takewhile(lambda commit: commit.oid not in own, repository.log(source.head)))
        calls = attempted_calls(repository.reader, ledger, beyond)
        names |= {call.tool for call in calls if call.effect == "irreversible"}
        state = State.of(repository.reader.snapshot(repository.commit(source.head).tree))
        names |= attempted_at(ledger, source.branch, state)
        fork = fork_of(workplace, task, repository, source.branch, source.head)
    return frozenset(names)

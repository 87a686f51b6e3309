"""Where a branch was forked from, and so whose answers its run may take again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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


def fork_of(workplace: Workplace, task: TaskRow, repository: Repository, branch: str) -> Fork | None:
    """Where ``branch`` was last forked from another run; ``None`` for one that never was."""
    own = list(repository.log(repository.head(branch)))
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
            return [Fork(source, commit.parents[0], record)]
    return []


def _noted(
    workplace: Workplace, task: TaskRow, repository: Repository, branch: str, at: Mapping[bytes, int]
) -> list[Fork]:
    """The fork that was noted when the branch was made."""
    for row in workplace.tasks.branches(task.id):
        if row.name == branch and row.source is not None and row.source_head is not None:
            head = bytes.fromhex(row.source_head)
            point = next((commit.oid for commit in repository.log(head) if commit.oid in at), None)
            return [] if point is None else [Fork(Source(row.source, head), point, {})]
    return []


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
            again=_called_beyond(workplace, task, repository, fork),
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


def _called_beyond(
    workplace: Workplace, task: TaskRow, repository: Repository, fork: Fork | None
) -> frozenset[str]:
    """The ``irreversible`` tools that the forked run has attempted beyond the fork point."""
    if fork is None:
        return frozenset()
    ledger = workplace.ledger(task.id)
    beyond = []
    for commit in repository.log(fork.source.head):
        if commit.oid == fork.point:
            break
        beyond.append(commit)
    names = {
        call.tool
        for call in attempted_calls(repository.reader, ledger, beyond)
        if call.effect == "irreversible"
    }
    state = State.of(repository.reader.snapshot(repository.commit(fork.source.head).tree))
    return frozenset(names | attempted_at(ledger, fork.source.branch, state))

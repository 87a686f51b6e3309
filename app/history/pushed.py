"""What a client of git may commit on top of a history: another ``plan.json``, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, NamedTuple

from dulwich.objects import parse_tree as parse_any_tree

from app.errors import DamagedHistory, InputError
from app.history.base import Kind, RawObject
from app.history.commits import KINDS, Commit, parse_commit
from app.history.repository import Repository
from app.history.trees import Entry, parse_tree, tree_bytes

PLAN: Final = "plan.json"
MOST_COMMITS: Final = 1_000
"""How many commits of a client may lie between the run and what is pushed."""

_PERSON: Final = rb"[^\0\n<>]* <[^\0\n<>]*> (?:0|[1-9][0-9]{0,11}) [+-][0-9]{4}\n"
# Stricter than git's client is lax: what is taken stays, and has to pass `git fsck --strict` for good.
_SOUND: Final = re.compile(
    rb"tree [0-9a-f]{40}\n(?:parent [0-9a-f]{40}\n)*author "
    + _PERSON
    + rb"committer "
    + _PERSON
    # Other headers, as of a signature, whose later lines begin with a space.
    + rb"(?:(?!tree |parent |author |committer )[^\0\n]+\n)*\n[^\0]*\Z"
)
_MARKS: Final = ("Kind", "Task")
_SHOWN: Final = 5

Read = Callable[[bytes], RawObject]


class PushedCommit(NamedTuple):
    """A commit that a client made, with its tree and its plan."""

    commit: Commit
    raw: RawObject
    tree: RawObject
    plan: RawObject


class PushedLine(NamedTuple):
    """Commits of a client, the oldest first, and the commit of the run that they stand on."""

    base: Commit
    commits: list[PushedCommit]


def read_pushed(read: Read, tip: bytes, is_own: Callable[[bytes], bool]) -> PushedLine:
    """The line that ends at ``tip``, every commit of it checked. ``is_own`` knows the commits of the task's runs.

    ``read`` raises ``DamagedHistory`` for what is nowhere. Raises ``InputError`` that says what may not be pushed.
    """
    line: list[tuple[RawObject, Commit]] = []
    oid = tip
    while not is_own(oid):
        if len(line) == MOST_COMMITS:
            raise InputError(f"more than {MOST_COMMITS:,} commits that are no run's")
        raw = _found(read, oid, Kind.COMMIT)
        commit = _checked_commit(raw)
        line.append((raw, commit))
        oid = commit.parents[0]
    base = parse_commit(oid, _found(read, oid, Kind.COMMIT).data)
    below = _found(read, base.tree, Kind.TREE)
    made: list[PushedCommit] = []
    for raw, commit in reversed(line):
        tree = _found(read, commit.tree, Kind.TREE)
        plan = _checked_plan(read, commit, tree, below)
        made.append(PushedCommit(commit, raw, tree, plan))
        below = tree
    return PushedLine(base, made)


def verify_pushed(repository: Repository, push: Commit) -> bytes:
    """The ``plan.json`` that a ``push`` took, after every object of its client's commits was read.

    Raises ``DamagedHistory``, also where they are not what could have been pushed.
    """
    if len(push.parents) != 2:
        raise DamagedHistory(push.id, "is a push without what was pushed")

    def is_own(oid: bytes) -> bool:
        return repository.commit(oid).kind in KINDS

    try:
        line = read_pushed(repository.store.read, push.parents[0], is_own)
    except InputError as error:
        raise DamagedHistory(push.id, f"is a push of what can't be pushed: {error.message}") from None
    if not line.commits:
        raise DamagedHistory(push.id, "is a push without what was pushed")
    return line.commits[-1].plan.data


def _found(read: Read, oid: bytes, kind: Kind) -> RawObject:
    try:
        item = read(oid)
    except DamagedHistory:
        raise InputError(f"{kind.label} {oid.hex()[:12]} is neither here nor in what was pushed") from None
    if item.kind != kind:
        raise InputError(f"object {oid.hex()[:12]} is no {kind.label}")
    return item


def _checked_commit(raw: RawObject) -> Commit:
    short = raw.oid.hex()[:12]
    if not _SOUND.match(raw.data):
        raise InputError(f"commit {short} is not as git writes one")
    commit = parse_commit(raw.oid, raw.data)
    if not commit.parents:
        raise InputError(
            f"commit {short} begins a history of its own, which is none of this task's",
            hint="clone the task, and commit on top of one of its branches",
        )
    if len(commit.parents) > 1:
        raise InputError(f"commit {short} is a merge", hint="a plan is pushed on one line of commits")
    marks = [name for name in _MARKS if name in commit.trailers]
    if marks:
        raise InputError(
            f"the message of commit {short} ends with {marks[0]}:, as only those of runs do",
            hint="write one of your own: git commit --amend",
        )
    return commit


def _checked_plan(read: Read, commit: Commit, tree: RawObject, below: RawObject) -> RawObject:
    """The plan of a commit, whose tree may differ from the one below only in that."""
    old = {entry.name: entry for entry in parse_tree(below.data)}
    new = _entries(tree, commit)
    mode_and_oid = new.get(PLAN.encode())
    if mode_and_oid is None:
        raise InputError(f"commit {commit.id[:12]} has no {PLAN}")
    expected = old | {PLAN: Entry(PLAN, False, mode_and_oid[1])}
    if tree_bytes(list(expected.values())) != tree.data:
        raise _more_changed(commit, old, new)
    return _found(read, mode_and_oid[1], Kind.BLOB)


def _entries(tree: RawObject, commit: Commit) -> dict[bytes, tuple[int, bytes]]:
    try:
        found = parse_any_tree(tree.data, 20)
        return {name: (mode, bytes.fromhex(digits.decode())) for name, mode, digits in found}
    except Exception:  # noqa: BLE001 - whatever stands there
        raise InputError(f"the tree of commit {commit.id[:12]} can't be read") from None


def _more_changed(commit: Commit, old: dict[str, Entry], new: dict[bytes, tuple[int, bytes]]) -> InputError:
    was = {name.encode(): (0o40000 if entry.is_tree else 0o100644, entry.oid) for name, entry in old.items()}
    changed = sorted(name for name in was.keys() | new.keys() if was.get(name) != new.get(name))
    others = [name.decode(errors="replace") for name in changed if name != PLAN.encode()]
    if not others:
        return InputError(f"commit {commit.id[:12]} makes {PLAN} something else than a plain file")
    more = f" and {len(others) - _SHOWN} more" if len(others) > _SHOWN else ""
    return InputError(
        f"commit {commit.id[:12]} changes {', '.join(map(repr, others[:_SHOWN]))}{more}",
        hint=f"only {PLAN} may differ from the parent's; a commit of a run can't be amended, only followed",
    )

"""A task's repository: branches, revisions, logs, states. Every store behind the same verbs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import zip_longest
from typing import Final

from app.errors import Ambiguous, Conflict, DamagedHistory, InputError, NotFound
from app.history.base import Kind, RefMove, Store
from app.history.commits import KINDS, TRANSPARENT_KINDS, Commit, parse_commit
from app.history.refnames import check_new_branch_name
from app.history.snapshots import SnapshotReader

HEADS: Final = "refs/heads/"
_REVISION: Final = re.compile(r"(?P<base>.*?)(?:~(?P<back>\d*)|(?P<caret>\^))?\Z", re.DOTALL)
_HEX: Final = re.compile(r"[0-9a-f]{4,40}\Z")
_CACHED_COMMITS: Final = 4096


class Repository:
    """Reads and forks; commits are appended by a :class:`app.history.journal.Journal`."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.reader = SnapshotReader(store)
        self.commit = lru_cache(_CACHED_COMMITS)(self._read_commit)

    def _read_commit(self, oid: bytes) -> Commit:
        """The commit with that id. Raises ``DamagedHistory`` where it is none."""
        raw = self.store.read(oid)
        if raw.kind != Kind.COMMIT:
            raise DamagedHistory(oid.hex(), "is not a commit")
        return parse_commit(oid, raw.data)

    def branches(self) -> dict[str, bytes]:
        """Branch → head, sorted by name."""
        refs = self.store.refs()
        return {name.removeprefix(HEADS): refs[name] for name in sorted(refs) if name.startswith(HEADS)}

    def head(self, branch: str) -> bytes:
        """Where the branch stands. Raises ``NotFound`` that names the branches there are."""
        oid = self.store.ref(HEADS + branch)
        if oid is None:
            raise NotFound("branch", branch, hint="branches: " + ", ".join(self.branches()))
        return oid

    def resolve(self, revision: str) -> Commit:
        """A branch, a commit id or unique prefix of one, or either with ``~n`` behind it.

        Raises ``NotFound``, ``Ambiguous`` or ``InputError``.
        """
        match = _REVISION.match(revision)
        base = match["base"] if match else revision
        back = 0
        if match and match["back"] is not None:
            back = int(match["back"] or "1")
        elif match and match["caret"]:
            back = 1
        return self.ancestor(self._resolve_base(base), back, revision)

    def _resolve_base(self, base: str) -> Commit:
        oid = self.store.ref(HEADS + base) if base else None
        if oid is not None:
            return self.commit(oid)
        if not _HEX.match(base.lower()):
            hint = "a branch, a commit id (at least 4 digits), or one of them with ~n; branches: "
            raise NotFound("revision", base, hint=hint + ", ".join(self.branches()))
        found = self.store.find_commits(base.lower())
        if not found:
            raise NotFound("revision", base, hint="branches: " + ", ".join(self.branches()))
        if len(found) > 1:
            raise Ambiguous("revision", base, [oid.hex()[:12] for oid in found])
        return self.commit(found[0])

    def ancestor(self, commit: Commit, generations: int, revision: str = "") -> Commit:
        """The commit ``generations`` before this one, as :meth:`log` counts."""
        for walked in range(generations):
            if commit.before is None:
                raise InputError(
                    f"revision {revision!r} goes back beyond the first commit",
                    hint=f"there are {walked} commits before its start",
                )
            commit = self.commit(commit.before)
        return commit

    def log(self, start: bytes) -> Iterator[Commit]:
        """The commit and those it goes on from, newest first: the line of a run.

        What a client pushed lies beside it: from a ``push`` it goes to the fork point.
        """
        oid: bytes | None = start
        while oid is not None:
            commit = self.commit(oid)
            yield commit
            oid = commit.before

    def common_ancestor(self, one: bytes, other: bytes) -> Commit | None:
        """The newest commit that both lines have, themselves included; ``None`` where they have none.

        Walks both at the same pace: it costs what lies between, not what lies before.
        """
        seen: tuple[set[bytes], set[bytes]] = (set(), set())
        for pair in zip_longest(self.log(one), self.log(other)):
            for commit, own, others in zip(pair, seen, seen[::-1], strict=True):
                if commit is None:
                    continue
                own.add(commit.oid)
                if commit.oid in others:
                    return commit
        return None

    def anchor(self, commit: Commit) -> Commit:
        """The commit, or its newest ancestor that is no mere failure, decision, approval or stop."""
        while commit.kind in TRANSPARENT_KINDS and commit.before is not None:
            commit = self.commit(commit.before)
        return commit

    def fork(self, at: bytes, branch: str) -> None:
        """A new branch at a commit: one new ref, however long the history. Raises ``InvalidName``, ``Conflict``."""
        check_new_branch_name(branch)
        require_own(self.commit(at))
        if self.store.ref(HEADS + branch) is not None:
            raise Conflict(f"there is a branch {branch!r} already")
        self.store.write([], [RefMove(HEADS + branch, None, at)])

    def delete_branch(self, branch: str) -> None:
        """Remove the ref; its commits stay until they are collected."""
        self.store.write([], [RefMove(HEADS + branch, self.head(branch), None)])


def require_own(commit: Commit) -> None:
    """Raise ``Conflict`` for a commit that a client made: its plan has not run, its state is another commit's."""
    if commit.kind not in KINDS:
        raise Conflict(
            f"commit {commit.id[:12]} was pushed and has no state of its own",
            hint="take the push commit above it, or another of `log`",
        )

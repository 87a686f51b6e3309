"""What a server asks the database for beside tasks: the queue, keys. Rows as plain data, Protocols as in ``base``."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol


class Job(NamedTuple):
    """A run that is to go on. The highest ``priority`` first; ``parallel`` ``None``: as many calls as by default."""

    task_id: str
    branch: str
    namespace: str | None = None
    priority: int = 0
    parallel: int | None = None


class Claim(NamedTuple):
    """A job that is ours for a while. ``takeovers``: how often its worker was lost before."""

    job: Job
    number: int
    takeovers: int


class Backlog(NamedTuple):
    """How many jobs wait, for how long (milliseconds) the oldest has, and how many run by namespace."""

    waiting: int
    oldest_ms: int
    running: Mapping[str | None, int]


class JobTable(Protocol):
    """What is to run. The truth of every queue: messages only say where to look. All by the database's clock.

    A job is claimed for some seconds and kept by renewing; what is not renewed may be claimed by others.
    """

    def put(self, job: Job, *, most: int | None = None) -> None:
        """Add a job; nothing happens where there is one of that task and branch. Raises ``Busy`` where there are
        ``most`` already."""

    def claim(
        self, owner: str, seconds: float, *, full: Collection[str] = (), namespaces: Collection[str] = ()
    ) -> Claim | None:
        """Take the next job that nobody has; none of a ``full`` namespace, only of ``namespaces`` if given."""

    def renew(self, owner: str, seconds: float) -> int:
        """Keep all jobs of ``owner``; gives how many."""

    def move(self, number: int, owner: str, branch: str) -> bool:
        """The run goes on on another branch. ``False`` where the job is not ours any more."""

    def give_back(self, number: int, owner: str, seconds: float = 0.0) -> None:
        """Let another have it, after so many seconds."""

    def remove(self, number: int, owner: str) -> None:
        """The run has ended or waits. Nothing happens where the job is not ours any more."""

    def withdraw(self, task_id: str, branch: str | None = None) -> None:
        """Nobody is to run the branch (or any of the task), whoever has the job."""

    def owners(self) -> set[str]:
        """Who has jobs."""

    def disown(self, owner: str) -> int:
        """``owner`` has died: its jobs may be claimed at once. Gives how many."""

    def backlog(self) -> Backlog:
        """What waits and what runs."""


@dataclass(frozen=True, slots=True)
class KeyRow:
    """An API key: ``secret_hash`` is the SHA-256 of its secret part, hex; ``namespace`` the only one it is for."""

    id: str
    name: str
    secret_hash: str
    role: str
    namespace: str | None
    created_ms: int
    expires_ms: int | None
    revoked_ms: int | None


class KeyTable(Protocol):
    """API keys by id."""

    def add(self, row: KeyRow) -> None:
        """Add one."""

    def get(self, key_id: str) -> KeyRow:
        """One. Raises ``NotFound``."""

    def list(self) -> Sequence[KeyRow]:
        """All, oldest first."""

    def revoke(self, key_id: str, now_ms: int) -> None:
        """It is valid no more. Raises ``NotFound``."""

    def any_valid(self, now_ms: int) -> bool:
        """Whether there is a key that is neither revoked nor expired."""

"""What a server asks the database for beside tasks: the queue, keys. Rows as plain data, Protocols as in ``base``."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from app.db.base import TaskRow


class Job(NamedTuple):
    """A run that is to go on. The highest ``priority`` first; ``parallel`` ``None``: as many calls as by default.
    ``trace`` is the W3C ``traceparent`` of what asked for it."""

    task_id: str
    branch: str
    namespace: str | None = None
    priority: int = 0
    parallel: int | None = None
    trace: str | None = None


class Claim(NamedTuple):
    """A job that is ours for a while. ``takeovers``: how often its worker was lost; those before the run last got any
    further may be among them, :meth:`JobTable.note_takeover` tells."""

    job: Job
    number: int
    takeovers: int


class Backlog(NamedTuple):
    """How many jobs wait, for how long (milliseconds) the oldest has, and how many run by namespace."""

    waiting: int
    oldest_ms: int
    running: Mapping[str | None, int]


class Depth(NamedTuple):
    """The jobs of a namespace that wait: how many, and for how long (milliseconds) the oldest has."""

    depth: int
    oldest_ms: int


class JobTable(Protocol):
    """What is to run. The truth of every queue: messages only say where to look. All by the database's clock.

    A job is claimed for some seconds and kept by renewing; what is not renewed may be claimed by others.
    """

    def put(self, job: Job, *, most: int | None = None) -> None:
        """Add a job; nothing happens where there is one of that task and branch. Raises ``Busy`` where there are
        ``most`` already."""

    def claim(
        self,
        owner: str,
        seconds: float,
        *,
        limits: Mapping[str, int] = ...,
        namespaces: Collection[str] = (),
        task_id: str | None = None,
    ) -> Claim | None:
        """Take the next job that nobody has: only of ``namespaces`` or of that task if given, and of no namespace
        that has as many runs as ``limits`` allow it."""

    def renew(self, owner: str, seconds: float) -> int:
        """Keep all jobs of ``owner``; gives how many."""

    def move(self, number: int, owner: str, branch: str) -> bool:
        """The run goes on on another branch. ``False`` where the job is not ours any more."""

    def give_back(self, number: int, owner: str, seconds: float = 0.0) -> None:
        """Let another have it, after so many seconds."""

    def give_back_all(self, owner: str) -> int:
        """Let others have all that ``owner`` has: it ends. Gives how many."""

    def note_takeover(self, number: int, owner: str, head: str) -> int:
        """A run that was taken over stands at that commit; gives how often it was taken over there, this included."""

    def remove(self, number: int, owner: str) -> None:
        """The run has ended or waits. Nothing happens where the job is not ours any more."""

    def withdraw(self, task_id: str, branch: str | None = None) -> None:
        """Nobody is to run the branch (or any of the task), whoever has the job."""

    def has(self, task_id: str, branch: str) -> bool:
        """Whether the branch is to run, or runs, by a job."""

    def owners(self) -> set[str]:
        """Who has jobs."""

    def disown(self, owner: str) -> int:
        """``owner`` has died: its jobs may be claimed at once. Gives how many."""

    def backlog(self) -> Backlog:
        """What waits and what runs."""

    def waiting(self) -> Mapping[str | None, Depth]:
        """What waits, by namespace; none where nothing does."""


class Waiting(NamedTuple):
    """A job that somebody is to be told of."""

    number: int
    task_id: str
    namespace: str | None
    priority: int


class MessageTable(Protocol):
    """Which jobs wait, and of which of them a message was sent when. All by the database's clock."""

    def waiting(self) -> Mapping[str | None, int]:
        """How many jobs of each namespace may be taken now."""

    def due(self, most: int) -> Sequence[Waiting]:
        """Those of which nobody was told since they may be taken: given back for later, or left by their worker."""

    def oldest(self, namespace: str | None, most: int, *, silent_seconds: float = 0.0) -> Sequence[Waiting]:
        """Those of a namespace of which nobody was told for longest, and for so long at least."""

    def most_urgent(self, namespace: str | None, most: int) -> Sequence[Waiting]:
        """Those of a namespace that are to be taken first."""

    def mark(self, waiting: Sequence[Waiting]) -> None:
        """They are being told of."""

    def elect(self, duty: str, owner: str, seconds: float) -> bool:
        """Whether ``owner`` has a duty of which there is one; it keeps it for so long."""


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


@dataclass(frozen=True, slots=True)
class TaskFilter:
    """Which tasks; what is not given does not matter. ``text`` is looked for in goals, in any case of letters.
    ``any_branch``: those of which some branch has one of ``statuses``, not only the current one."""

    statuses: tuple[str, ...] = ()
    any_branch: bool = False
    namespace: str | None = None
    tag: str | None = None
    text: str | None = None
    since_ms: int | None = None
    until_ms: int | None = None


class ListedTask(NamedTuple):
    """A task in a list; ``number`` orders those made in one millisecond."""

    row: TaskRow
    number: int
    tags: tuple[str, ...]


class TaskLists(Protocol):
    """Tasks a page at a time, and their tags."""

    def page(
        self, chosen: TaskFilter, limit: int, after: tuple[int, int] | None = None
    ) -> Sequence[ListedTask]:
        """The newest first, behind the one made at ``after``: (created_ms, number)."""

    def tags(self, task_id: str) -> tuple[str, ...]:
        """By name."""

    def set_tags(self, task_id: str, wanted: Sequence[str]) -> None:
        """These and no others. Nothing happens where there is no such task."""


class Earlier(NamedTuple):
    """A request under the same key. ``status`` ``None``: it is under way."""

    fingerprint: str
    status: int | None
    body: str
    headers: Mapping[str, str]


class RequestTable(Protocol):
    """Requests with an ``Idempotency-Key``, for a day."""

    def begin(self, actor: str, key: str, fingerprint: str, now_ms: int) -> Earlier | None:
        """Note a request; the earlier one where there is one under that key."""

    def end(self, actor: str, key: str, status: int, body: str, headers: dict[str, str]) -> None:
        """Keep the answer."""

    def forget(self, actor: str, key: str) -> None:
        """It came to nothing: the key may be used again."""


class AuditRow(NamedTuple):
    """Who did what, when, and to which task."""

    at_ms: int
    actor: str
    action: str
    task_id: str | None
    detail: Mapping[str, Any]


class AuditLog(Protocol):
    """Every change, in order."""

    def note(self, row: AuditRow) -> None:
        """Add one."""

    def page(self, limit: int, before: int | None, task_id: str | None) -> Sequence[tuple[int, AuditRow]]:
        """The newest first, with their numbers."""

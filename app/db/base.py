"""What the database is asked for: rows as plain data, and the Protocols behind which they lie.

Every adapter, the in-memory one too, passes the same contract tests. Times are integer milliseconds since the epoch.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple, Protocol, TypeAlias, TypeVar

Result = TypeVar("Result")

AttemptState: TypeAlias = Literal["begun", "raised", "timeout", "not_performed"]
"""``begun``: under way, or done, or the process died; a commit that follows tells which."""


class Attempt(NamedTuple):
    """A call of a ``write`` or ``irreversible`` tool that was begun.

    ``key`` is the idempotency key (64 hex digits), ``number`` counts its attempts from 1, ``item`` is the index
    within a ``for_each``. ``error`` is one line of text.
    """

    key: str
    branch: str
    seq_no: int
    visit: int
    item: int | None
    tool: str
    inputs_hash: str
    number: int
    started_ms: int
    state: AttemptState
    error: str | None


class FinishedEffect(NamedTuple):
    """The outcome of a call that is not committed yet, and the hash of what was asked.

    ``item`` is the index within a ``for_each``, :data:`NO_ITEM` where the step is none.
    """

    seq_no: int
    visit: int
    item: int
    inputs_hash: str
    outcome: bytes


NO_ITEM: Final = -1


class Ledger(Protocol):
    """The attempts and the finished, uncommitted effects of one task. What a method did is durable on return."""

    def fenced(self, branch: str, fence: int) -> Ledger:
        """The same for who holds the branch's lease by that fence: with it gone, no attempt can be begun."""

    def begin(self, attempt: Attempt) -> None:
        """Note an attempt before its call starts. Raises ``Conflict`` where that very attempt was begun before,
        and ``BranchMoved`` where :meth:`fenced` says so."""

    def close(self, key: str, number: int, state: AttemptState, error: str | None) -> None:
        """Note what is known of an attempt that did not succeed."""

    def attempts(self, key: str) -> list[Attempt]:
        """All attempts of one call, by number."""

    def branch_attempts(self, branch: str) -> list[Attempt]:
        """All attempts of a branch, oldest first."""

    def save_effects(self, branch: str, finished: Sequence[FinishedEffect]) -> None:
        """Keep outcomes, all of them or none, replacing earlier ones of the same places."""

    def effects(self, branch: str, seq_no: int, visit: int) -> dict[int, tuple[str, bytes]]:
        """Item → (inputs hash, outcome)."""

    def branch_effects(self, branch: str) -> list[FinishedEffect]:
        """All outcomes of a branch, in any order."""

    def effect_places(self, branch: str) -> set[tuple[int, int]]:
        """``(seq_no, visit)`` of every step that has outcomes here."""

    def drop_effects(self, branch: str, places: Iterable[tuple[int, int]]) -> None:
        """Forget the outcomes of steps that have been committed, given as ``(seq_no, visit)``."""

    def drop_branch(self, branch: str) -> None:
        """Forget everything about a branch."""

    def drop(self) -> None:
        """Forget everything about the task."""


Request: TypeAlias = Literal["pause", "cancel"]


class Leases(Protocol):
    """The right to run a branch. All by the database's clock; every method is one atomic transaction."""

    def acquire(
        self, task_id: str, branch: str, owner: str, seconds: float, *, dead: str | None = None
    ) -> int:
        """Take the lease; gives its fence, higher than any before. Raises ``LeaseHeld`` while another's lives.

        ``dead`` is an owner whose process is known to have ended: its lease counts as run out.
        """

    def renew(self, task_id: str, branch: str, fence: int, seconds: float) -> None:
        """Keep it for ``seconds`` from now. Raises ``BranchMoved`` where it is no longer ours."""

    def release(self, task_id: str, branch: str, fence: int) -> None:
        """Give it back. Raises ``BranchMoved`` where it is no longer ours."""

    def holder(self, task_id: str, branch: str) -> tuple[str, float] | None:
        """Owner and seconds left of a lease that lives."""

    def ask(self, task_id: str, branch: str, request: Request, requester: str) -> bool:
        """Ask whoever holds the lease to pause or cancel; it stands until the lease ends. ``False``: nobody has it.

        Raises ``Conflict`` where the same was asked already, and for a pause where a cancellation was.
        """

    def asked(self, task_id: str, branch: str, fence: int) -> tuple[Request, str] | None:
        """What the holder of that fence is asked to do, and by whom. Raises ``BranchMoved`` as :meth:`renew`."""


class Presence(Protocol):
    """Which processes that hold leases live. ``owner`` is how this one signs, with ``/`` and a number added."""

    @property
    def owner(self) -> str: ...

    def show(self) -> None:
        """From here on until it ends, this process is seen to live. Never raises."""

    def is_dead(self, owner: str) -> bool:
        """Whether the process that signed so has surely ended; ``False`` where nobody knows."""

    def leave_trace(self) -> None:
        """A lease could not be given back: that we have ended is to be seen."""


@dataclass(frozen=True, slots=True)
class TaskRow:
    """A task as lists show it. ``store`` is its history's backend; ``steps`` to ``usage`` are of its latest run.

    ``planned_steps`` to ``usage`` are ``None`` where nobody has run the task since they are noted; ``branches`` is
    how many there are.
    """

    id: str
    goal: str
    namespace: str | None
    status: str
    store: str
    current_branch: str
    created_ms: int
    updated_ms: int
    steps: int = 0
    error: str | None = None
    planned_steps: int | None = None
    worked_ms: int | None = None
    usage: str | None = None
    branches: int = 1


class Progress(NamedTuple):
    """How far a run is. ``usage`` is a JSON object, as in ``state.json``."""

    steps: int
    planned_steps: int | None
    worked_ms: int
    usage: str


@dataclass(frozen=True, slots=True)
class BranchRow:
    """What is known of a branch beside its history.

    ``source`` is the branch it was forked from, ``source_head`` the commit (hex) that one stood at then.
    """

    name: str
    status: str
    created_ms: int
    source: str | None = None
    source_head: str | None = None


@dataclass(frozen=True, slots=True)
class TaskRows:
    """All that the database knows of a task beside its history. ``effects`` are by branch; leases are nobody's."""

    task: TaskRow
    branches: Sequence[BranchRow]
    attempts: Sequence[Attempt]
    effects: Mapping[str, Sequence[FinishedEffect]]


class Transactions(Protocol):
    """Several operations as one."""

    def together(self, work: Callable[[bool], Result]) -> Result:
        """Do ``work`` with all that it writes in the database: all of it or nothing, durable at the end. It may be
        done again from its beginning; it is told whether an earlier try may have happened, in full.

        Nothing is in it that was written before, or on the disk. Raises ``StorageError``, or what ``work`` raises:
        nothing is kept then.
        """


class TaskTable(Protocol):
    """Tasks and their branches."""

    def create(self, row: TaskRow) -> None:
        """Add a task and its current branch. Raises ``Conflict`` where the id is taken."""

    def restore(self, rows: TaskRows) -> None:
        """Add a task with all that is known of it, in one transaction. Raises ``Conflict`` where the id is taken."""

    def has(self, task_id: str) -> bool:
        """Whether there is a task with exactly that id."""

    def get(self, task_id: str) -> TaskRow:
        """The task with exactly that id. Raises ``NotFound``."""

    def find(self, prefix: str) -> TaskRow:
        """The task with that id, or the only one whose id begins so. Raises ``NotFound``, ``Ambiguous``."""

    def list(self, status: str | None = None, limit: int = 50) -> Sequence[TaskRow]:
        """The newest first."""

    def note_run(
        self,
        task_id: str,
        branch: str,
        status: str,
        now_ms: int,
        *,
        progress: Progress | None = None,
        error: str | None = None,
    ) -> None:
        """A run began or ended: its branch is the current one now. ``progress`` ``None`` keeps what is known."""

    def note_progress(self, task_id: str, branch: str, progress: Progress, now_ms: int) -> None:
        """How far a run is that goes on; nothing happens where another branch is the current one by now."""

    def set_current_branch(
        self, task_id: str, branch: str, now_ms: int, progress: Progress | None = None
    ) -> None:
        """Make another branch the current one; the task takes over its status."""

    def branches(self, task_id: str) -> Sequence[BranchRow]:
        """The branches that are known, by name."""

    def note_branch(self, task_id: str, branch: str, status: str, now_ms: int) -> None:
        """Add a branch, or set the status of one."""

    def note_source(self, task_id: str, branch: str, source: str, source_head: str) -> None:
        """Note which branch another was forked from, and the commit (hex) that one stood at. Raises ``NotFound``."""

    def delete_branch(self, task_id: str, branch: str, now_ms: int) -> None:
        """Forget a branch and its lease's owner."""

    def delete(self, task_id: str, deleted_ms: int | None = None) -> None:
        """Forget the task: all its rows, in one transaction. Watchers are told that it was at ``deleted_ms``, by
        default by the database's clock."""


@dataclass(frozen=True, slots=True)
class NamespaceRow:
    """Which tools a task gets; ``allowed_tools`` are names or globs. ``policies`` is room for what follows."""

    name: str
    allowed_tools: tuple[str, ...]
    description: str = ""
    policies: Mapping[str, Any] = field(default_factory=dict)
    created_ms: int = 0
    updated_ms: int = 0


class NamespaceTable(Protocol):
    """Namespaces by name."""

    def create(self, row: NamespaceRow) -> None:
        """Add one. Raises ``Conflict`` where the name is taken."""

    def update(self, row: NamespaceRow) -> None:
        """Replace one. Raises ``NotFound``."""

    def delete(self, name: str) -> None:
        """Remove one. Raises ``NotFound``."""

    def get(self, name: str) -> NamespaceRow:
        """One. Raises ``NotFound`` with the nearest names."""

    def list(self) -> Sequence[NamespaceRow]:
        """All, by name."""


class RowDamage(NamedTuple):
    """What is wrong with a row. ``task_id`` is ``None`` where it is no task's, ``what`` names it for a person.

    ``is_leftover``: nothing is lost; a process that was killed left it, or one that is at work, and it can go.
    """

    task_id: str | None
    what: str
    problem: str
    is_leftover: bool = False


class Freed(NamedTuple):
    """Rows that were removed, or could be, and their bytes."""

    rows: int
    bytes: int


class Upkeep(Protocol):
    """The rows themselves, for who looks for damage and for what nobody needs."""

    def task_ids(self) -> Sequence[str]:
        """The ids of all tasks, also of those whose rows are damaged."""

    def damage(self, task_id: str | None) -> Iterator[RowDamage]:
        """What is wrong with the rows of a task, or with those that are no task's (``None``). Never raises for it."""

    def stray_ids(self) -> Collection[str]:
        """Ids that rows of leases, attempts or effects name, and no task has."""

    def drop_strays(self, task_id: str, *, dry_run: bool = False) -> Freed:
        """Remove what is left of leases, attempts and effects of a task, unless there is one with that id."""

    def gone_branches(self, task_id: str, keep: Collection[str]) -> Collection[str]:
        """The branches that attempts or effects of a task name, but for those to ``keep``."""

    def drop_branches(self, task_id: str, keep: Collection[str], *, dry_run: bool = False) -> Freed:
        """Remove the attempts and effects of a task's branches that are not to ``keep``."""

    def drop_loose_rows(self, *, dry_run: bool = False) -> Freed:
        """Remove rows of histories that are gone."""

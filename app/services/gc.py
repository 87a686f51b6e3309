"""Clearing away what nobody needs: unreached objects, leftovers of killed processes, tasks that ended long ago."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any, Final

from app.db.base import Freed, TaskRow
from app.errors import Conflict, DamagedHistory, NotFound, StackVMError, StorageError
from app.history.base import Store
from app.history.repository import HEADS, Repository
from app.services.branches import status_of
from app.services.deletion import delete_task, history_bytes, history_or_none
from app.services.fsck import chosen_tasks
from app.services.holding import hold_task
from app.services.leases import refuse_running
from app.services.reusing import runs_forked_from
from app.services.workplace import Workplace
from app.vm.state import CANCELLED, COMPLETED, FAILED

ENDED: Final = frozenset({COMPLETED, FAILED, CANCELLED})
"""A task that is none of these waits for somebody, and is never cleared away."""

YOUNG_SECONDS: Final = 3600.0
"""A history without a task that is younger may be one whose task is being made."""

_FSCK: Final = "`stackvm fsck` says what is wrong"


@dataclass(frozen=True, slots=True)
class Skipped:
    """A task that was left alone, and why."""

    task_id: str
    reason: str
    is_running: bool = False


@dataclass(slots=True)
class Cleared:
    """What was cleared away, or would be. ``tasks`` are ids; ``histories`` are those without a task."""

    tasks: list[str] = field(default_factory=list)
    branches: int = 0
    histories: int = 0
    objects: int = 0
    rows: int = 0
    bytes: int = 0
    mended: int = 0
    skipped: list[Skipped] = field(default_factory=list)

    def add(self, freed: Freed) -> None:
        """Rows that went."""
        self.rows += freed.rows
        self.bytes += freed.bytes

    def to_json(self) -> dict[str, Any]:
        return {
            "tasks": self.tasks,
            "branches": self.branches,
            "histories": self.histories,
            "objects": self.objects,
            "rows": self.rows,
            "bytes": self.bytes,
            "mended": self.mended,
            "skipped": [{"task_id": each.task_id, "reason": each.reason} for each in self.skipped],
        }


@dataclass(frozen=True, slots=True)
class GcOptions:
    """``older_than_ms``: tasks that ended and were not touched for so long go. ``dry_run``: only say what would."""

    older_than_ms: int | None = None
    dry_run: bool = False
    on_progress: Callable[[int], None] = lambda tasks: None


def clear_away(workplace: Workplace, prefixes: Sequence[str], options: GcOptions) -> Cleared:
    """Clear away what nobody needs of the tasks that are named; or of all, and what belongs to none.

    Raises ``NotFound``, ``Ambiguous``. A task that is being run, or damaged, is left alone.
    """
    cleared = Cleared()
    for number, task_id in enumerate(chosen_tasks(workplace, prefixes)):
        options.on_progress(number)
        try:
            _clear_task(workplace, workplace.tasks.get(task_id), options, cleared)
        except NotFound:
            continue  # somebody deleted it
        except Conflict as error:
            cleared.skipped.append(Skipped(task_id, error.message, is_running=True))
        except DamagedHistory as error:
            cleared.skipped.append(Skipped(task_id, f"{error.message}; {_FSCK}"))
        except (StackVMError, UnicodeError) as error:
            cleared.skipped.append(Skipped(task_id, str(error)))
    if not prefixes:
        _clear_strays(workplace, options, cleared)
    return cleared


def _clear_task(workplace: Workplace, task: TaskRow, options: GcOptions, cleared: Cleared) -> None:
    if _is_expired(workplace, task, options):
        _expire(workplace, task, options, cleared)
        return
    with history_or_none(workplace, task) as store:
        if store is None:
            raise StorageError("it has no history", hint=_FSCK)
        if options.dry_run:
            _refuse_running(workplace, task)
        with nullcontext() if options.dry_run else hold_task(workplace, task, store):
            _clear_held(workplace, task, store, options, cleared)


def _is_expired(workplace: Workplace, task: TaskRow, options: GcOptions) -> bool:
    """Whether retention says that the task goes. One with a branch that waits or is paused stays."""
    if options.older_than_ms is None or task.status not in ENDED:
        return False
    if workplace.clock_ms() - task.updated_ms < options.older_than_ms:
        return False
    return all(row.status in ENDED for row in workplace.tasks.branches(task.id))


def _expire(workplace: Workplace, task: TaskRow, options: GcOptions, cleared: Cleared) -> None:
    branches = len(workplace.tasks.branches(task.id))
    if options.dry_run:
        _refuse_running(workplace, task)
        freed = history_bytes(workplace, task.id)
    else:
        freed = delete_task(workplace, task)
    cleared.tasks.append(task.id)
    cleared.branches += branches
    cleared.bytes += freed


def _refuse_running(workplace: Workplace, task: TaskRow) -> None:
    for row in workplace.tasks.branches(task.id):
        refuse_running(workplace, task, row.name)


def _branches(workplace: Workplace, task: TaskRow, store: Store) -> tuple[set[str], set[str]]:
    """By the rows, the current one too, and by the refs; in this order: a new one has its ref first, its row then."""
    known = {row.name for row in workplace.tasks.branches(task.id)}
    known.add(workplace.tasks.get(task.id).current_branch)
    return known, {ref.removeprefix(HEADS) for ref in store.refs() if ref.startswith(HEADS)}


def _clear_held(
    workplace: Workplace, task: TaskRow, store: Store, options: GcOptions, cleared: Cleared
) -> None:
    known, branches = _branches(workplace, task, store)
    if known - branches:  # one that was deleted between the two looks
        known, branches = _branches(workplace, task, store)
    if known - branches:
        # What its objects were reached by is lost. They are all that is left of it.
        raise StorageError("a branch is missing in its history", hint=_FSCK)
    also = runs_forked_from(workplace, task, Repository(store))
    collected = store.collect(also, dry_run=options.dry_run)
    cleared.objects += collected.objects
    cleared.bytes += collected.bytes
    gone = workplace.upkeep.gone_branches(task.id, branches)
    cleared.branches += len(gone)
    cleared.add(workplace.upkeep.drop_branches(task.id, branches, dry_run=options.dry_run))
    cleared.mended += len(branches - known)
    if not options.dry_run:
        _make_known(workplace, task, store, branches - known)
        store.finish()


def _make_known(workplace: Workplace, task: TaskRow, store: Store, names: set[str]) -> None:
    """Give rows to branches that have none: whoever made them was killed before."""
    repository = Repository(store)
    for name in sorted(names):
        control = repository.reader.control(repository.commit(repository.head(name)).tree)
        workplace.tasks.note_branch(task.id, name, status_of(control), workplace.clock_ms())


def _clear_strays(workplace: Workplace, options: GcOptions, cleared: Cleared) -> None:
    """Histories, rows and files that are no task's."""
    upkeep, dry_run = workplace.upkeep, options.dry_run
    young: set[str] = set()
    old: set[tuple[str, str]] = set()
    for name, factory in workplace.stores.items():
        aged = set(factory.task_ids(YOUNG_SECONDS))
        young |= set(factory.task_ids()) - aged
        old |= {(name, task_id) for task_id in aged}
    strays = set(upkeep.stray_ids())
    # Asked last: a task whose history we saw being made is there by now.
    there = set(upkeep.task_ids())
    for name, task_id in sorted(old):
        if task_id not in there:
            cleared.histories += 1
            cleared.bytes += workplace.stores[name].stored_bytes(task_id)
            if not dry_run:
                workplace.stores[name].delete(task_id)
    for task_id in sorted(strays - there - young):
        cleared.add(upkeep.drop_strays(task_id, dry_run=dry_run))
    if all(
        skipped.is_running for skipped in cleared.skipped
    ):  # else what seems to be no history's may be a damaged one's
        cleared.add(upkeep.drop_loose_rows(dry_run=dry_run))
    cleared.bytes += sum(factory.clean(dry_run=dry_run) for factory in workplace.stores.values())

"""Looking through tasks for damage: rows, refs, objects, and whether they say the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from app.db.base import RowDamage, TaskRow
from app.db.texts import storable, storable_or_none
from app.errors import Ambiguous, DamagedHistory, NotFound, StackVMError, StorageError
from app.history.base import Damage, Store
from app.history.inspection import Inspection
from app.history.repository import HEADS, Repository
from app.services.workplace import Workplace
from app.vm.state import COMPLETED, STATUSES

MOST_FINDINGS: Final = 200
"""Of one task; who has more needs a backup, not a list."""

_LOST: Final = "restore it from a backup, an export or a clone"
_LEFT: Final = "`stackvm gc` clears it away"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it should be. ``task_id`` is ``None`` where it is no task's.

    ``is_leftover``: nothing is lost; a process that was killed left it there.
    """

    task_id: str | None
    what: str
    problem: str
    hint: str
    is_leftover: bool = False

    def to_json(self) -> dict[str, Any]:
        return {
            "task_id": self.task_id,
            "kind": "leftover" if self.is_leftover else "damage",
            "what": self.what,
            "problem": self.problem,
            "hint": self.hint,
        }


@dataclass(slots=True)
class Checked:
    """How much was looked at so far."""

    tasks: int = 0
    objects: int = 0


def chosen_tasks(workplace: Workplace, prefixes: Sequence[str]) -> list[str]:
    """The ids of the tasks that are named, or of all. Raises ``NotFound``, ``Ambiguous``; not for damaged rows."""
    there = list(workplace.upkeep.task_ids())
    if not prefixes:
        return there
    found = []
    for prefix in prefixes:
        fitting = [task_id for task_id in there if prefix and task_id.startswith(prefix)]
        if not fitting:
            raise NotFound("task", prefix)
        if len(fitting) > 1 and prefix not in fitting:
            raise Ambiguous("task", prefix, fitting)
        found.append(prefix if prefix in fitting else fitting[0])
    return list(dict.fromkeys(found))


def find_damage(
    workplace: Workplace,
    prefixes: Sequence[str] = (),
    checked: Checked | None = None,
    on_progress: Callable[[Checked], None] = lambda checked: None,
) -> Iterator[Finding]:
    """What is damaged in the tasks that are named, or in all and beside them. Goes on behind what it finds."""
    done = checked if checked is not None else Checked()

    def on_object() -> None:
        done.objects += 1
        on_progress(done)

    for task_id in chosen_tasks(workplace, prefixes):
        on_progress(done)
        yield from _steady(workplace, task_id, on_object)
        done.tasks += 1
    if not prefixes:
        yield from (_of_row(damage) for damage in workplace.upkeep.damage(None))


def _steady(workplace: Workplace, task_id: str, on_object: Callable[[], None]) -> list[Finding]:
    """The findings of a task. What changed while we looked is looked at again: a branch that somebody deleted
    is not damaged, nor is a task."""
    found: list[Finding] = []
    for _ in range(3):
        found = list(islice(_task_findings(workplace, task_id, on_object), MOST_FINDINGS))
        if all(finding.is_leftover for finding in found):
            return found
        again = list(islice(_task_findings(workplace, task_id, on_object), MOST_FINDINGS))
        if task_id not in workplace.upkeep.task_ids():
            return []
        if again == found:
            break
    return found


def _task_findings(workplace: Workplace, task_id: str, on_object: Callable[[], None]) -> Iterator[Finding]:
    yield from (_of_row(damage) for damage in workplace.upkeep.damage(task_id))
    row = None
    with suppress(StackVMError):  # its row is damaged, which was said
        row = workplace.tasks.get(task_id)
    store = _open(workplace, task_id, row)
    if store is None:
        where = f"in {row.store!r}" if row is not None else "anywhere"
        yield Finding(task_id, "history", f"is not there: there is none {where}", _LOST)
        return
    try:
        yield from _history_findings(workplace, task_id, row, store, on_object)
    except (StorageError, UnicodeError) as error:
        yield Finding(task_id, "history", f"can't be read: {_message(error)}", _LOST)
    finally:
        store.close()


def _open(workplace: Workplace, task_id: str, row: TaskRow | None) -> Store | None:
    """The task's history: where its row says, else wherever there is one."""
    names = [row.store] if row is not None and row.store in workplace.stores else list(workplace.stores)
    for name in names:
        with suppress(StackVMError):
            return workplace.stores[name].open(task_id)
    return None


def _history_findings(
    workplace: Workplace, task_id: str, row: TaskRow | None, store: Store, on_object: Callable[[], None]
) -> Iterator[Finding]:
    named: set[str] = set()

    def finding(damage: Damage) -> Finding:
        named.add(damage.what)
        return Finding(
            task_id, damage.what, damage.problem, _LEFT if damage.is_leftover else _LOST, damage.is_leftover
        )

    for damage in store.damage():
        on_object()
        yield finding(damage)
    refs = None
    try:
        refs = store.refs()
    except (StorageError, UnicodeError) as error:
        if not any(what.startswith(("ref ", "file ", "folder ")) for what in named):
            yield Finding(task_id, "refs", f"can't be read: {_message(error)}", _LOST)
    inspection = Inspection(store, task_id, on_object)
    if refs is not None:
        yield from (finding(each) for each in inspection.reached(refs) if each.what not in named)
        yield from (finding(each) for each in inspection.unreached() if each.what not in named)
        if row is not None:
            yield from _against_row(workplace, row, store, refs)


def _against_row(
    workplace: Workplace, row: TaskRow, store: Store, refs: dict[str, bytes]
) -> Iterator[Finding]:
    """Where the rows say something else than the history."""
    what = "the task's row"
    branches = {name.removeprefix(HEADS) for name in refs if name.startswith(HEADS)}
    if row.status not in STATUSES:
        yield Finding(row.id, what, f"has the status {row.status!r}, which there is not", _LOST)
    if row.store not in workplace.stores:
        yield Finding(row.id, what, f"names a store {row.store!r}, which this version doesn't know", _LOST)
    if row.current_branch not in branches:
        yield Finding(row.id, what, f"names branch {row.current_branch!r}, which is not there", _LOST)
    known = {}
    with suppress(StorageError):
        known = {each.name: each for each in workplace.tasks.branches(row.id)}
    for name in sorted(known.keys() | branches):
        if name not in branches:
            yield Finding(row.id, f"branch row {name}", "has no branch in the history", _LOST)
        elif name not in known:
            yield Finding(row.id, f"ref {HEADS}{name}", "is a branch that no row knows", _LEFT, True)
        elif known[name].status not in STATUSES:
            yield Finding(row.id, f"branch row {name}", f"has the status {known[name].status!r}", _LOST)
    with suppress(StorageError, UnicodeError):
        yield from _stray_calls(workplace, row.id, branches)
    if row.current_branch in branches:
        with suppress(StackVMError, ValueError):  # what can't be read was said
            yield from _against_goal(row, Repository(store), refs[HEADS + row.current_branch])


def _against_goal(row: TaskRow, repository: Repository, head: bytes) -> Iterator[Finding]:
    tree = repository.commit(head).tree
    goal, control = repository.reader.goal(tree), repository.reader.control(tree)
    if row.goal != storable(str(goal.get("goal"))):
        yield Finding(row.id, "the task's row", "has another goal than the history", _LOST)
    if row.namespace != storable_or_none(goal.get("namespace")):
        yield Finding(row.id, "the task's row", "has another namespace than the history", _LOST)
    if row.status == COMPLETED and control.get("status") != COMPLETED:
        yield Finding(
            row.id,
            "the task's row",
            f"says the run has completed, its history {control.get('status')}",
            _LOST,
        )


def _stray_calls(workplace: Workplace, task_id: str, branches: set[str]) -> Iterator[Finding]:
    """Attempts and outcomes of branches that are gone: of a branch whose deletion was cut short."""
    freed = workplace.upkeep.drop_branches(task_id, branches, dry_run=True)
    if freed.rows:
        what = f"{freed.rows} attempts and effects"
        yield Finding(task_id, what, "are of branches that are not there", _LEFT, True)


def _of_row(damage: RowDamage) -> Finding:
    hint = _LEFT if damage.is_leftover else "restore the database from a backup"
    return Finding(damage.task_id, damage.what, damage.problem, hint, damage.is_leftover)


def _message(error: Exception) -> str:
    if isinstance(error, DamagedHistory):
        return error.message.removeprefix("history is damaged: ")
    return error.message if isinstance(error, StorageError) else str(error)

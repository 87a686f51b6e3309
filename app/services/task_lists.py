"""Lists of tasks for whoever browses many: filters, pages, tags; and what waits for a person."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from app.db.base import TaskRow
from app.db.serving import ListedTask, TaskFilter
from app.errors import InputError, InvalidName, StackVMError
from app.history.visible import trouble_with_characters
from app.services.leases import standing
from app.services.tasks import open_repository, task_document
from app.services.waiting import find_all_waiting
from app.services.workplace import Workplace
from app.vm.decisions import Waiting
from app.vm.state import STATUSES, WAITING

MOST_TAGS: Final = 32
MOST_ITEMS: Final = 100
"""Of a ``for_each`` that waits, so many items are listed."""
_TAG: Final = re.compile(r"[^\s,\x00-\x1f\x7f][^,\x00-\x1f\x7f]{0,98}")


@dataclass(frozen=True, slots=True)
class TaskPage:
    """Tasks as JSON, and behind which the next page begins: (created_ms, number)."""

    documents: list[dict[str, Any]]
    after: tuple[int, int] | None


def page_tasks(
    workplace: Workplace, chosen: TaskFilter, limit: int, after: tuple[int, int] | None
) -> TaskPage:
    """A page of the tasks that the actor sees. Raises ``InputError`` for a status that does not exist."""
    for status in chosen.statuses:
        if status not in STATUSES:
            raise InputError(f"there is no status {status!r}", hint="one of " + ", ".join(STATUSES))
    mine = workplace.actor.namespace
    if mine is not None:
        if chosen.namespace not in (None, mine):
            return TaskPage([], None)
        chosen = replace(chosen, namespace=mine)
    listed = workplace.lists.page(chosen, limit + 1, after)
    shown = listed[:limit]
    last = shown[-1] if len(listed) > limit else None
    documents = [_document(workplace, each) for each in shown]
    return TaskPage(documents, None if last is None else (last.row.created_ms, last.number))


def task_with_tags(workplace: Workplace, row: TaskRow) -> dict[str, Any]:
    """One task as JSON."""
    return {**task_document(row), "tags": list(workplace.lists.tags(row.id))}


def checked_tags(tags: Sequence[str]) -> list[str]:
    """The tags, each once. Raises ``InputError`` for one that can't be."""
    if len(tags) > MOST_TAGS:
        raise InputError(f"a task may have {MOST_TAGS} tags, not {len(tags)}")
    for tag in tags:
        if not _TAG.fullmatch(tag):
            raise InvalidName(
                f"{tag!r} can't be a tag", hint="1 to 99 characters, no comma, no control characters"
            )
        if trouble := trouble_with_characters(tag):
            raise InvalidName(f"{tag!r} can't be a tag: it {trouble}")
    return list(dict.fromkeys(tags))


def waiting_tasks(
    workplace: Workplace, limit: int, after: tuple[int, int] | None
) -> tuple[list[dict[str, Any]], tuple[int, int] | None]:
    """What waits for a person's decision, in the tasks that the actor sees: each branch with what it waits for."""
    found = page_tasks(workplace, TaskFilter(statuses=(WAITING,), any_branch=True), limit, after)
    return list(_waiting(workplace, found.documents)), found.after


def _waiting(workplace: Workplace, documents: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for document in documents:
        row = workplace.tasks.get(document["task_id"])
        known = [each.name for each in workplace.tasks.branches(row.id) if each.status == WAITING]
        for branch in sorted(known, key=lambda name: (name != row.current_branch, name)):
            entry: dict[str, Any] = {
                "task": document,
                "branch": branch,
                "waiting": None,
                "items": [],
                "count": 0,
                "error": None,
            }
            try:
                with open_repository(workplace, row) as repository:
                    calls = find_all_waiting(workplace, row, repository, branch)
            except StackVMError as error:  # one that can't be read must not hide the others
                yield {**entry, "error": error.message}
                continue
            if calls:
                yield {**entry, "waiting": calls[0].to_json(), **_items(calls)}


def _items(calls: Sequence[Waiting]) -> dict[str, Any]:
    """Of a ``for_each``: all items that wait, the first of them with what is asked."""
    items = [
        {"item": each.place.item, "inputs": dict(each.inputs), "attempt": each.attempt, "reason": each.reason}
        for each in calls
        if each.place.item is not None
    ]
    return {"items": items[:MOST_ITEMS], "count": len(items)}


def _document(workplace: Workplace, listed: ListedTask) -> dict[str, Any]:
    row = listed.row
    status = standing(workplace, row.id, row.current_branch, row.status)
    return {**task_document(replace(row, status=status)), "tags": list(listed.tags)}

"""Proposals and comments, on every database."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pytest

from app.db.base import TaskRow
from app.db.proposals import SqlProposals
from app.db.reviews import CommentRow, ProposalRow
from app.db.session import Database
from app.db.tasks import SqlTasks
from app.errors import NotFound

TASK = "00000000-0000-4000-8000-000000000001"
ROW = ProposalRow(
    TASK,
    "main",
    "a" * 40,
    {"steps": [{"seq_no": 1, "text": "nul \0 half \ud800 größe \U0001f40d"}]},
    {"kind": "plan", "preview": {"kept": 3}},
    {"name": None, "reuse": True},
    "open",
    "tester",
    5,
    5,
)


@pytest.fixture
def proposals(database: Database) -> SqlProposals:
    return SqlProposals(database)


def test_a_proposal_is_kept_as_it_was_made(proposals: SqlProposals) -> None:
    for row in (ROW, replace(ROW, plan=None, status="writing", branch="größe")):
        added = proposals.add(row)
        assert added == replace(row, number=added.number) and added.number > 0
        assert proposals.get(TASK, added.number) == added


def test_a_proposal_is_there_for_its_task_alone(proposals: SqlProposals) -> None:
    added = proposals.add(ROW)
    for task, number in (("other", added.number), (TASK, added.number + 1), (TASK, 0)):
        with pytest.raises(NotFound, match="proposal"):
            proposals.get(task, number)


def test_lists_the_newest_first_in_pages(proposals: SqlProposals) -> None:
    rows = [proposals.add(replace(ROW, created_ms=n, status=("open", "failed")[n % 2])) for n in range(5)]
    proposals.add(replace(ROW, task_id="other"))
    assert proposals.list(TASK, 10) == rows[::-1]
    assert proposals.list(TASK, 2, before=rows[3].number) == [rows[2], rows[1]]
    assert proposals.list(TASK, 10, status="failed") == [rows[3], rows[1]]
    assert proposals.list("nobody's", 10) == []


def test_what_has_changed_meanwhile_is_not_replaced(proposals: SqlProposals) -> None:
    added = proposals.add(ROW)
    approved = replace(added, status="approved", result="revision-1", updated_ms=6, plan={"steps": []})
    assert proposals.replace(added, approved)
    assert proposals.get(TASK, added.number) == approved
    assert not proposals.replace(added, replace(added, status="discarded", updated_ms=7))
    assert not proposals.replace(replace(approved, updated_ms=5), replace(approved, updated_ms=8))
    assert proposals.get(TASK, added.number) == approved


def test_of_many_who_replace_one_does(proposals: SqlProposals) -> None:
    added = proposals.add(ROW)
    barrier, won = threading.Barrier(4), []

    def approve(number: int) -> None:
        barrier.wait()
        if proposals.replace(added, replace(added, status="approving", updated_ms=10 + number)):
            won.append(number)

    threads = [threading.Thread(target=approve, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert proposals.get(TASK, added.number).updated_ms == 10 + won[0]


def test_comments_come_in_their_order_and_in_pages(proposals: SqlProposals) -> None:
    added, other = proposals.add(ROW), proposals.add(ROW)
    texts = ["first", "größe \U0001f40d '\\", "half \ud800 nul \0"]
    rows = [proposals.add_comment(CommentRow(added.number, 3, "tester", text, 9)) for text in texts]
    whole = proposals.add_comment(CommentRow(other.number, None, "tester", "elsewhere", 9))
    assert proposals.comments(added.number, 10) == rows
    assert proposals.comments(added.number, 1, after=rows[0].number) == [rows[1]]
    assert proposals.comments(other.number, 10) == [whole]
    assert [row.body for row in rows] == ["first", "größe \U0001f40d '\\", "half ? nul \ufffd"]


def test_proposals_go_with_their_task(database: Database, proposals: SqlProposals) -> None:
    tasks = SqlTasks(database)
    for task_id in (TASK, "other"):
        tasks.create(TaskRow(task_id, "goal", None, "paused", "sql", "main", 1, 1))
    gone, stays = proposals.add(ROW), proposals.add(replace(ROW, task_id="other"))
    for row in (gone, stays):
        proposals.add_comment(CommentRow(row.number, None, "tester", "text", 9))
    tasks.delete(TASK)
    assert proposals.list(TASK, 10) == [] and proposals.comments(gone.number, 10) == []
    assert proposals.list("other", 10) == [stays] and len(proposals.comments(stays.number, 10)) == 1


def test_what_may_have_happened_is_not_done_twice(
    database: Database, proposals: SqlProposals, monkeypatch: pytest.MonkeyPatch
) -> None:
    def twice(work: Any, **_: Any) -> Any:
        for in_doubt in (False, True):  # the first was durable, and nobody heard of it
            with database.write() as connection:
                done = work(connection, in_doubt)
        return done

    monkeypatch.setattr(database, "transact_told", twice)
    added = proposals.add(ROW)
    assert proposals.list(TASK, 10) == [added]
    approved = replace(added, status="approved", result="revision-1", updated_ms=6)
    assert proposals.replace(added, approved)
    assert not proposals.replace(added, replace(added, status="discarded", updated_ms=7))
    said = proposals.add_comment(CommentRow(added.number, None, "tester", "once", 9))
    assert proposals.comments(added.number, 10) == [said]

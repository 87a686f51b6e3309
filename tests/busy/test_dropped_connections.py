"""Connections that drop at any moment, also when COMMIT was done and its answer had not come.

CI makes a few runs; ``CHAOS_DROPS=200`` is the full size.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from databases import SERVERS, shared_database
from dropping_proxy import DroppingProxy
from outside import Outside, check, open_place, run

from app.db.base import NO_ITEM, Attempt, BranchRow, FinishedEffect, NamespaceRow, Progress, TaskRow
from app.db.engine import parse_url
from app.db.leases import SqlLeases
from app.db.ledger import SqlLedger
from app.db.namespaces import SqlNamespaces
from app.db.session import Database, open_database
from app.db.tasks import SqlTasks
from app.errors import BranchMoved, Conflict, LeaseHeld, NotFound, StorageError
from app.history.base import Kind, RawObject, RefMove, object_id
from app.history.sql_store import SqlStore, SqlStoreFactory

RUNS = int(os.environ.get("CHAOS_DROPS", "1"))
MAIN = "refs/heads/main"

ATTEMPT = Attempt(
    key="a" * 64,
    branch="main",
    seq_no=3,
    visit=1,
    item=None,
    tool="send",
    inputs_hash="c" * 64,
    number=1,
    started_ms=1,
    state="begun",
    error=None,
)
TASK = TaskRow("t", "a goal", None, "queued", "sql", "main", 1, 1)
SPACE = NamespaceRow("space", ("look", "p*"), "for ä", {"x": [1]}, 1, 2)


@contextmanager
def proxied(
    kind: str, folder: Path, seed: int = 0, patience: float = 30
) -> Iterator[tuple[DroppingProxy, str]]:
    url = parse_url(shared_database(kind, folder))
    assert url.host is not None
    proxy = DroppingProxy(url.host, url.port or 0, seed)
    try:
        through = url.set(host="127.0.0.1", port=proxy.port)
        yield proxy, through.render_as_string(hide_password=False)
    finally:
        proxy.close()


class Doubt:
    """A database whose next answer to COMMIT is lost, and another way to the same one."""

    def __init__(self, proxy: DroppingProxy, url: str, direct_url: str) -> None:
        self.proxy = proxy
        self.database, self.direct = open_database(url), open_database(direct_url)
        self.database.check_schema()
        self.before: Callable[[], Any] | None = None

    @contextmanager
    def lost_answers(self, number: int = 1, meanwhile: Callable[[], Any] | None = None) -> Iterator[None]:
        """The block's next answers to COMMIT are lost; ``meanwhile`` happens before it is tried again."""
        dropped = self.proxy.drops["after"]
        self.proxy.answers = number
        self.proxy.meanwhile = meanwhile
        yield
        assert self.proxy.drops["after"] == dropped + number

    def close(self) -> None:
        self.database.close()
        self.direct.close()


@pytest.fixture(params=list(SERVERS))
def doubt(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Doubt]:
    with proxied(request.param, tmp_path) as (proxy, url):
        direct = parse_url(url).set(port=parse_url(SERVERS[request.param]).port)
        made = Doubt(proxy, url, direct.render_as_string(hide_password=False))
        yield made
        made.close()


def blob(text: str) -> RawObject:
    data = text.encode()
    return RawObject(object_id(Kind.BLOB, data), Kind.BLOB, data)


def histories(database: Database) -> SqlStore:
    return SqlStoreFactory(database).open("t")


@pytest.mark.parametrize("size", [1, 300])
@pytest.mark.parametrize("losses", [1, 3])
def test_a_ref_that_moved_is_not_moved_by_another(doubt: Doubt, size: int, losses: int) -> None:
    store = SqlStoreFactory(doubt.database).create("t")
    first, second, third = blob("1"), blob("2"), blob("3")
    with doubt.lost_answers():
        store.write([first], [RefMove(MAIN, None, first.oid)])
    with doubt.lost_answers():
        store.raise_fence(MAIN, 7)
    many = [blob(f"{number}") for number in range(100, 100 + size)]
    with doubt.lost_answers(losses):
        store.write([second, *many], [RefMove(MAIN, first.oid, second.oid, 7)])
    with doubt.lost_answers():
        store.write(
            [third], [RefMove(MAIN, second.oid, third.oid, 7), RefMove("refs/heads/x", None, third.oid)]
        )
    with doubt.lost_answers():
        store.write([], [RefMove("refs/heads/x", third.oid, None)])
    with doubt.lost_answers():
        store.finish()
    other = histories(doubt.direct)
    assert other.refs() == {MAIN: third.oid}
    assert sorted(other.object_ids()) == sorted(
        {first.oid, second.oid, third.oid, *(each.oid for each in many)}
    )
    for item in (first, second, third, *many):
        assert other.read(item.oid) == store.read(item.oid) == item


def test_a_ref_that_another_worker_took_in_the_meantime_is_lost(doubt: Doubt) -> None:
    store = SqlStoreFactory(doubt.database).create("t")
    first, second = blob("1"), blob("2")
    store.write([first], [RefMove(MAIN, None, first.oid)])
    store.raise_fence(MAIN, 1)
    taking = histories(doubt.direct)
    with doubt.lost_answers(meanwhile=lambda: taking.raise_fence(MAIN, 2)), pytest.raises(BranchMoved):
        store.write([second], [RefMove(MAIN, first.oid, second.oid, 1)])
    assert taking.ref(MAIN) == second.oid, "what was committed is committed"


def test_a_history_is_made_once(doubt: Doubt) -> None:
    factory = SqlStoreFactory(doubt.database)
    with doubt.lost_answers():
        store = factory.create("t")
    store.write([blob("1")], [RefMove(MAIN, None, blob("1").oid)])
    with pytest.raises(Conflict):
        factory.create("t")
    with doubt.lost_answers():
        factory.delete("t")
    with pytest.raises(NotFound):
        factory.open("t")


def test_a_history_that_another_made_and_began_is_not_ours(doubt: Doubt) -> None:
    ours, theirs = SqlStoreFactory(doubt.database), SqlStoreFactory(doubt.direct)

    def begin() -> None:
        theirs.open("t").write([blob("1")], [RefMove(MAIN, None, blob("1").oid)])

    with doubt.lost_answers(meanwhile=begin), pytest.raises(Conflict):
        ours.create("t")


def test_an_attempt_is_begun_once_and_only_by_who_began_it(doubt: Doubt) -> None:
    ledger, other = SqlLedger(doubt.database, "t"), SqlLedger(doubt.direct, "t")
    with doubt.lost_answers(2):
        ledger.begin(ATTEMPT)
    assert other.attempts(ATTEMPT.key) == [ATTEMPT]
    with pytest.raises(Conflict):
        ledger.begin(ATTEMPT)
    with doubt.lost_answers():
        ledger.close(ATTEMPT.key, 1, "raised", "it broke")
    assert other.attempts(ATTEMPT.key) == [ATTEMPT._replace(state="raised", error="it broke")]


def test_an_attempt_equal_in_all_that_is_known_is_still_anothers(doubt: Doubt) -> None:
    """The connection dropped before our row came to be, and another worker began the very same attempt."""
    ledger, other = SqlLedger(doubt.database, "t"), SqlLedger(doubt.direct, "t")

    def replace_row() -> None:
        other.drop()
        other.begin(ATTEMPT)

    with doubt.lost_answers(meanwhile=replace_row), pytest.raises(Conflict):
        ledger.begin(ATTEMPT)
    assert other.attempts(ATTEMPT.key) == [ATTEMPT]


def test_outcomes_are_kept_and_dropped(doubt: Doubt) -> None:
    ledger, other = SqlLedger(doubt.database, "t"), SqlLedger(doubt.direct, "t")
    kept = [FinishedEffect(3, 1, item, "h", b"x") for item in (NO_ITEM, 1, 2)]
    with doubt.lost_answers():
        ledger.save_effects("main", kept)
    assert sorted(other.branch_effects("main")) == sorted(kept)
    with doubt.lost_answers():
        ledger.drop_effects("main", [(3, 1)])
    assert other.branch_effects("main") == []


def test_a_lease_is_taken_kept_and_given_back(doubt: Doubt) -> None:
    leases, other = SqlLeases(doubt.database), SqlLeases(doubt.direct)
    with doubt.lost_answers():
        fence = leases.acquire("t", "main", "we", 30)
    with pytest.raises(LeaseHeld):
        other.acquire("t", "main", "they", 30)
    with doubt.lost_answers():
        leases.renew("t", "main", fence, 30)
    with doubt.lost_answers():
        leases.release("t", "main", fence)
    assert other.holder("t", "main") is None
    assert other.acquire("t", "main", "they", 30) > fence
    with pytest.raises(BranchMoved):
        leases.release("t", "main", fence)


def test_a_task_is_made_noted_and_deleted(doubt: Doubt) -> None:
    tasks, other = SqlTasks(doubt.database), SqlTasks(doubt.direct)
    with doubt.lost_answers():
        tasks.create(TASK)
    with pytest.raises(Conflict):
        tasks.create(TASK)
    with doubt.lost_answers():
        tasks.note_run("t", "main", "running", 5, progress=Progress(3, 4, 10, "{}"))
    with doubt.lost_answers():
        tasks.note_branch("t", "b", "paused", 6)
    with doubt.lost_answers():
        tasks.note_source("t", "b", "main", "0" * 40)
    with doubt.lost_answers():
        tasks.set_current_branch("t", "b", 7)
    assert (other.get("t").status, other.get("t").steps, other.get("t").current_branch) == ("paused", 3, "b")
    assert other.branches("t") == [
        BranchRow("b", "paused", 6, "main", "0" * 40),
        BranchRow("main", "running", 1),
    ]
    with doubt.lost_answers():
        tasks.delete_branch("t", "b", 7)
    with doubt.lost_answers():
        tasks.delete("t")
    assert other.list() == []


def test_a_namespace_is_made_changed_and_removed(doubt: Doubt) -> None:
    spaces, other = SqlNamespaces(doubt.database), SqlNamespaces(doubt.direct)
    with doubt.lost_answers():
        spaces.create(SPACE)
    with pytest.raises(Conflict):
        spaces.create(SPACE)
    with doubt.lost_answers():
        spaces.update(SPACE)
    assert other.list() == [SPACE]
    with doubt.lost_answers():
        spaces.delete("space")
    with pytest.raises(NotFound):
        spaces.delete("space")


@pytest.mark.parametrize("kind", SERVERS)
@pytest.mark.parametrize("width", [1, 8])
def test_runs_end_right_however_connections_drop(kind: str, width: int, tmp_path: Path) -> None:
    outside = Outside(tmp_path / "ledger")
    with proxied(kind, tmp_path, seed=width) as (proxy, url):
        place, database = open_place(url, tmp_path, outside)
        database.check_schema()
        proxy.before, proxy.after = 0.02, 0.05
        reports = [run(place, width) for _ in range(RUNS)]
        while proxy.drops["after"] < RUNS:  # by chance, and by the order in which threads come
            reports.append(run(place, width))
        proxy.before = proxy.after = 0.0
        assert proxy.drops["before"] >= RUNS
        for report in reports:
            check(place, outside, report)
        database.close()


@pytest.mark.parametrize("kind", SERVERS)
def test_what_dropped_every_connection_is_no_news(
    kind: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with proxied(kind, tmp_path) as (proxy, url):
        database = open_database(url)
        database.check_schema()
        proxy.drop_all()
        database.check_schema()
        assert caplog.messages == []
        database.close()


@pytest.mark.parametrize("kind", SERVERS)
def test_who_never_answered_is_not_waited_for(kind: str, tmp_path: Path) -> None:
    with proxied(kind, tmp_path) as (proxy, url):
        proxy.refuses = True
        database = open_database(url)
        with pytest.raises(StorageError, match=r"dropped the connection|can't be reached") as raised:
            database.check_schema()
        assert "tried for" not in str(raised.value)
        database.close()


@pytest.mark.parametrize("kind", SERVERS)
def test_who_stays_away_is_told_once_and_given_up_once(
    kind: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with proxied(kind, tmp_path) as (proxy, url):
        database = open_database(url, patience=1.5)
        database.check_schema()
        proxy.refuses = True
        proxy.drop_all()
        with pytest.raises(StorageError, match=r"tried for \d s"):
            database.check_schema()
        with pytest.raises(StorageError) as raised:  # given up: what cleans up doesn't wait again
            SqlLeases(database).release("t", "main", 1)
        assert "tried for" not in str(raised.value)
        (said,) = caplog.messages
        assert re.search(r"trying again for [01] s", said)
        assert "stackvm_test" in said
        proxy.refuses = False
        SqlTasks(database).create(TASK)
        proxy.drop_all()
        assert SqlTasks(database).get("t") == TASK
        database.close()

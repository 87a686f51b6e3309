"""Two transactions that deadlock on a server: one is given up, and done again."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from databases import SERVERS, shared_database
from sqlalchemy import insert, select, update

from app.db.models import leases
from app.db.session import Database, open_database


@pytest.mark.parametrize("kind", SERVERS)
@pytest.mark.parametrize("way", ["transact", "transact_cursor"])
def test_a_deadlock_is_done_again_by_whom_it_hit(kind: str, way: str, tmp_path: Any) -> None:
    database = open_database(shared_database(kind, tmp_path))
    with database.write() as connection:
        for name in "ab":
            values = {"task_id": "t", "branch": name, "owner": None, "expires_ms": 0, "fence": 0}
            connection.execute(insert(leases).values(values))
    meeting = threading.Barrier(2, timeout=20)
    tries: list[str] = []
    threads = [
        threading.Thread(target=_cross, args=(database, way, order, meeting, tries)) for order in ("ab", "ba")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(tries) >= 3, "nothing deadlocked"
    with database.read() as connection:
        assert list(connection.execute(select(leases.c.fence)).scalars()) == [2, 2]
    database.close()


def _cross(database: Database, way: str, order: str, meeting: threading.Barrier, tries: list[str]) -> None:
    met = False

    def lock_both(execute: Any) -> None:
        nonlocal met
        tries.append(order)
        for number, name in enumerate(order):
            if number and not met:
                met = True
                meeting.wait()
            execute(name)

    if way == "transact":
        one = update(leases).values(fence=leases.c.fence + 1)
        database.transact(lambda c: lock_both(lambda name: c.execute(one.where(leases.c.branch == name))))
    else:
        sql = "UPDATE leases SET fence = fence + 1 WHERE branch = %s"
        database.transact_cursor(lambda c, _: lock_both(lambda name: c.execute(sql, (name,))))

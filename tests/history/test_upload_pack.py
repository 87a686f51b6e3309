"""Fetches: what is sent, and what is held while it is sent."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pytest
from databases import shared_database
from git_objects import MAIN, write_line

from app.db.session import open_database
from app.errors import InputError
from app.history.base import Store
from app.history.memory_store import MemoryStore
from app.history.pkt_lines import DELIMITER, FLUSH, pkt_line
from app.history.received_pack import PackLimits, read_pack
from app.history.sql_store import SqlStoreFactory
from app.history.upload_pack import answer


def asked(*lines: str) -> BytesIO:
    body = b"".join(pkt_line(line.encode() + b"\n") for line in lines)
    return BytesIO(pkt_line(b"command=fetch\n") + DELIMITER + body + FLUSH)


def sent(store: Store, *lines: str) -> set[bytes]:
    """The ids of what a fetch of version 2 gives."""
    data = b"".join(answer(store, store.refs(), "main", 2, asked(*lines, "no-progress")))
    parts = []
    while data:
        length = int(data[:4], 16)
        if length > 4 and data[4] == 1 and parts is not None:
            parts.append(data[5:length])
        data = data[max(length, 4) :]
    return set(read_pack(b"".join(parts), PackLimits(10**9, 10**6), lambda oid: None))


def test_who_has_some_is_sent_the_rest_and_no_more() -> None:
    store = MemoryStore()
    made = write_line(store, MAIN, 60)
    everything = set(store.object_ids())
    assert sent(store, f"want {made[-1].hex()}", "done") == everything
    for had in (0, 30, 57, 58):
        some = sent(store, f"want {made[had].hex()}", "done")
        rest = sent(store, f"want {made[-1].hex()}", f"have {made[had].hex()}", "done")
        assert some | rest == everything and not some & rest
    whole = made[-1].hex()
    assert sent(store, f"want {whole}", f"have {whole}", "done") == set()
    assert sent(store, f"want {whole}", f"have {'12' * 20}", "done") == everything


def test_two_branches_that_share_a_beginning() -> None:
    store = MemoryStore()
    made = write_line(store, MAIN, 40)
    other = write_line(store, "refs/heads/other", 5, start=made[9])
    got = sent(store, f"want {other[-1].hex()}", f"have {made[-1].hex()}", "done")
    assert set(other) <= got and not got & set(made)


def test_what_no_branch_reaches_is_not_given() -> None:
    store = MemoryStore()
    made = write_line(store, MAIN, 5)
    lost = write_line(store, "refs/heads/lost", 3, start=made[1])
    refs = {MAIN: made[-1]}
    for want in (lost[-1], bytes(20)):
        with pytest.raises(InputError, match="not our ref"):
            list(answer(store, refs, "main", 2, asked(f"want {want.hex()}", "done")))
    assert list(answer(store, refs, "main", 2, asked(f"want {made[1].hex()}", "done")))


@pytest.mark.parametrize("kind", ["sqlite", "mariadb", "postgresql"])
def test_between_two_parts_no_connection_is_held(tmp_path: Path, kind: str) -> None:
    database = open_database(shared_database(kind, tmp_path))
    store = SqlStoreFactory(database).create("task")
    made = write_line(store, MAIN, 300)
    store.finish()
    parts = answer(store, store.refs(), "main", 2, asked(f"want {made[-1].hex()}", "done"))
    count = 0
    for _ in parts:
        count += 1
        assert database.engine.pool.checkedout() == 0  # type: ignore[attr-defined]
    assert count > 1
    database.close()

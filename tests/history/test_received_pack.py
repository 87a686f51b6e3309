"""Packs as clients send them, taken apart within limits."""

from __future__ import annotations

import random
import struct
import subprocess
import zlib
from hashlib import sha1
from pathlib import Path

import pytest
from git_objects import git, grow_text

from app.errors import InputError
from app.history.base import Kind, RawObject, object_id
from app.history.git_store import GitStore, GitStoreFactory
from app.history.packs import build_pack, pack_entry
from app.history.received_pack import PackLimits, read_pack

WIDE = PackLimits(10_000_000, 1_000)


def nothing(oid: bytes) -> RawObject | None:
    return None


def sealed(count: int, *entries: bytes) -> bytes:
    body = struct.pack(">4sII", b"PACK", 2, count) + b"".join(entries)
    return body + sha1(body).digest()


@pytest.fixture
def store(tmp_path: Path) -> GitStore:
    made = GitStoreFactory(tmp_path / "repositories").create("task")
    grow_text(made, 12)
    return made


@pytest.mark.parametrize("options", [[], ["--delta-base-offset"], ["--no-reuse-delta", "--window=50"]])
def test_whole_and_delta_objects_are_what_they_were(store: GitStore, options: list[str]) -> None:
    packed = _packed(store, "--all", *options)
    found = read_pack(packed, WIDE, nothing)
    assert set(found) == set(store.object_ids())
    assert all(store.read(oid) == item for oid, item in found.items())


def test_a_thin_pack_builds_on_what_is_there(store: GitStore) -> None:
    packed = _packed(store, "--stdin", "--thin", stdin=b"main\n^main~1\n")
    with pytest.raises(InputError, match="lacks"):
        read_pack(packed, WIDE, nothing)
    found = read_pack(packed, WIDE, lambda oid: store.read(oid) if store.has(oid) else None)
    assert len(found) == 3 and all(store.read(oid) == item for oid, item in found.items())


def test_an_annotated_tag_is_left_out(store: GitStore) -> None:
    git(store.folder, "tag", "-a", "-m", "x", "t", "main")
    assert set(read_pack(_packed(store, "--all"), WIDE, nothing)) == {
        oid for oid in store.object_ids() if git(store.folder, "cat-file", "-t", oid.hex()).strip() != "tag"
    }


def test_limits_of_bytes_hold_packed_and_unpacked_and_for_what_deltas_make(store: GitStore) -> None:
    packed = _packed(store, "--all", "--delta-base-offset")
    unpacked = sum(len(store.read(oid).data) for oid in store.object_ids())
    assert len(packed) < unpacked / 3
    for limit in (len(packed) - 1, len(packed) + 1, unpacked - 1):
        with pytest.raises(InputError, match="larger than"):
            read_pack(packed, PackLimits(limit, 1_000), nothing)
    with pytest.raises(InputError, match="at most 5"):
        read_pack(packed, PackLimits(10_000_000, 5), nothing)


@pytest.mark.parametrize("said", [10, 1 << 20, (100 << 20) - 1, (100 << 20) + 1])
def test_a_bomb_is_not_unpacked(said: int) -> None:
    entry = bytearray((0x80 | Kind.BLOB << 4 | said & 15,))
    rest = said >> 4
    while rest > 127:
        entry.append(0x80 | rest & 127)
        rest >>= 7
    entry.append(rest)
    bomb = bytes(entry) + zlib.compress(bytes(100 << 20))
    with pytest.raises(InputError, match=r"larger than|not as long"):
        read_pack(sealed(1, bomb), WIDE, nothing)


def test_an_entry_of_every_small_size() -> None:
    chance = random.Random(3)
    made = [chance.randbytes(size) for size in [*range(40), 4095, 4096, 65_535, 65_536, 65_537, 200_000]]
    objects = [RawObject(object_id(Kind.BLOB, data), Kind.BLOB, data) for data in made]
    found = read_pack(build_pack(objects).pack_bytes, WIDE, nothing)
    assert list(found.values()) == objects


def test_any_damage_is_an_error_of_the_sender() -> None:
    chance = random.Random(4)
    good = build_pack([RawObject(object_id(3, data), 3, data) for data in (b"a" * 300, b"b", b"")]).pack_bytes
    for _ in range(2_000):
        body = bytearray(good[:-20])
        for _ in range(chance.randrange(1, 4)):
            body[chance.randrange(12, len(body))] = chance.randrange(256)
        if chance.random() < 0.3:
            del body[chance.randrange(12, len(body)) :]
        data = bytes(body) + sha1(body).digest()
        try:
            read_pack(data, PackLimits(100_000, 10), nothing)
        except InputError as error:
            assert "\n" not in str(error)


@pytest.mark.parametrize(
    "data",
    [
        b"", b"PACK", sealed(1), sealed(0, b"x"), b"KCAP" + sealed(0)[4:], sealed(0)[:-1] + b"x",
        sealed(1, pack_entry(5, b"x")), sealed(1, pack_entry(0, b"x")), sealed(1, b"\xe1\x01" + zlib.compress(b"x")),
        sealed(1, b"\xff" * 400), sealed(1, b"\x31" + b"\xff" * 30), sealed(2, pack_entry(3, b"x")),
        sealed(1, b"\x61\xff\xff\xff\xff" + zlib.compress(b"x")),
    ],
)  # fmt: skip
def test_what_is_no_pack(data: bytes) -> None:
    with pytest.raises(InputError):
        read_pack(data, WIDE, nothing)


def _packed(store: GitStore, what: str, *options: str, stdin: bytes = b"") -> bytes:
    words = ["git", "pack-objects", "--stdout", "--revs", "--quiet", *options]
    words += [what] if what != "--stdin" else []
    done = subprocess.run(words, cwd=store.folder, input=stdin, capture_output=True, check=True)
    return done.stdout

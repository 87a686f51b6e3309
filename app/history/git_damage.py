"""What is wrong with a repository on disk: packs and their indexes, loose objects, ref files, and what is ours."""

from __future__ import annotations

import os
from collections.abc import Iterator
from hashlib import sha1
from pathlib import Path
from typing import Final

from dulwich.config import ConfigFile
from dulwich.errors import FileFormatException

from app.errors import InvalidName
from app.history.base import Damage
from app.history.disk import is_stale
from app.history.loose_objects import LooseObjects
from app.history.pack_file import PackFile
from app.history.pack_folder import PackFolder
from app.history.pack_index import DamagedPack
from app.history.packs import TRAILER_BYTES, object_bytes_id
from app.history.ref_files import PACKED_REFS, RefFiles
from app.history.refnames import check_ref_name

_GUARDS: Final = {
    (b"gc", b"auto"): b"0",
    (b"gc", b"pruneExpire"): b"never",
    (b"receive", b"autogc"): b"false",
}
"""What keeps git from tidying up while a run writes."""


def pack_damage(folder: Path) -> Iterator[Damage]:
    """Every pack: its checksum, its index, each object in it."""
    packs = PackFolder(folder)
    names = {path.name for path in folder.iterdir()}
    for name, problem in sorted(packs.damage.items()):
        yield Damage(f"pack {name}", f"can't be read: {problem}")
    opened = {pack.name for pack in packs.packs} | packs.damage.keys()
    for name in sorted(names):
        stem, _, suffix = name.rpartition(".")
        if suffix == "idx" and stem not in opened and not (folder / f"{stem}.pack").exists():
            yield Damage(f"pack {stem}", "is missing, its index is there")
        elif suffix == "pack" and f"{stem}.idx" not in names and is_stale(folder / name):
            yield Damage(
                f"pack {stem}", "has no index: a process that wrote it was killed, or it was lost", True
            )
    for pack in packs.packs:
        yield from _one_pack(folder, pack)


def _one_pack(folder: Path, pack: PackFile) -> Iterator[Damage]:
    what = f"pack {pack.name}"
    problem = _checksum_problem(folder, pack)
    if problem is not None:
        yield Damage(what, problem)
    for entry in pack.index.entries():
        try:
            kind, data = pack.read(entry.offset)
        except DamagedPack as error:
            yield Damage(f"object {entry.oid.hex()}", str(error))
            continue
        if not 1 <= kind <= 4 or object_bytes_id(kind, data) != entry.oid:
            yield Damage(f"object {entry.oid.hex()}", f"has other bytes than its id says ({what})")


def _checksum_problem(folder: Path, pack: PackFile) -> str | None:
    """A pack ends with its checksum, and its index names that."""
    data = pack.whole()
    if data[:4] != b"PACK":
        return "does not begin as a pack does"
    if sha1(data[:-TRAILER_BYTES], usedforsecurity=False).digest() != data[-TRAILER_BYTES:]:
        return "is not what was written: its checksum is another"
    if pack.index.pack_checksum != data[-TRAILER_BYTES:]:
        return "is not the one that its index was made for"
    if int.from_bytes(data[8:12], "big") != pack.index.count:
        return "holds another number of objects than its index"
    return None


def loose_damage(folder: Path) -> Iterator[Damage]:
    """Every loose object."""
    loose = LooseObjects(folder)
    for oid in loose.with_prefix(""):
        what = f"object {oid.hex()}"
        try:
            found = loose.read(oid)
        except DamagedPack as error:
            yield Damage(what, str(error))
            continue
        if found is not None and object_bytes_id(*found) != oid:
            yield Damage(what, "has other bytes than its id says (a loose file)")


def file_damage(folder: Path, own: Path) -> Iterator[Damage]:
    """The refs, ``HEAD``, the configuration, and our own files."""
    yield from _ref_damage(folder)
    yield from _packed_ref_damage(folder / PACKED_REFS)
    if not _names_branch(folder):
        yield Damage("file HEAD", "names no branch that is there")
    yield from _config_damage(folder / "config")
    if own.is_dir():
        for left in sorted(own.glob("tmp_*")):
            if is_stale(left):
                yield Damage(f"file {left.name}", "was left by a process that was killed", True)


def _names_branch(folder: Path) -> bool:
    """Whether ``HEAD`` does: the first branch, which need not be there any more, or one that is."""
    try:
        head = (folder / "HEAD").read_bytes()
    except FileNotFoundError:
        return False
    name = os.fsdecode(head.removeprefix(b"ref: ").rstrip(b"\n"))
    if head == b"ref: refs/heads/main\n":
        return True
    return head.startswith(b"ref: refs/heads/") and RefFiles(folder, folder).is_there(name)


def _ref_damage(folder: Path) -> Iterator[Damage]:
    for path, _, names in os.walk(folder / "refs"):
        for name in sorted(names):
            ref = Path(path, name).relative_to(folder).as_posix()
            if name.endswith(".lock"):
                continue
            try:
                content = Path(path, name).read_bytes().rstrip()
                check_ref_name(ref)
            except FileNotFoundError:
                continue
            except InvalidName as error:
                yield Damage(f"ref {ref}", f"has a name that git refuses: {error.message}")
                continue
            if not content.startswith(b"ref: ") and not is_id(content):
                yield Damage(f"ref {ref}", "holds no object id")


def _packed_ref_damage(path: Path) -> Iterator[Damage]:
    if not path.exists():
        return
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        target, space, name = line.partition(b" ")
        if line.startswith(b"#") or (line.startswith(b"^") and is_id(line[1:])):
            continue
        if not space or not is_id(target) or not name.startswith(b"refs/"):
            yield Damage(f"file {PACKED_REFS}", f"is damaged in line {number}")


def is_id(text: bytes) -> bool:
    """Whether a text is an object's id in hex."""
    return len(text) == 40 and not set(text) - set(b"0123456789abcdef")


def _config_damage(path: Path) -> Iterator[Damage]:
    try:
        config = ConfigFile.from_path(str(path))
        found = {guard: config.get((guard[0],), guard[1]) for guard in _GUARDS if _has(config, guard)}
        bare = config.get_boolean((b"core",), b"bare", False)
    except (OSError, ValueError, KeyError, FileFormatException) as error:
        yield Damage("file config", f"can't be read: {error}")
        return
    for (section, name), value in _GUARDS.items():
        if found.get((section, name)) != value:
            setting = f"{section.decode()}.{name.decode()}"
            yield Damage(
                "file config", f"lacks {setting} = {value.decode()}, which keeps git from dropping objects"
            )
    if not bare:
        yield Damage("file config", "does not say that the repository is bare")


def _has(config: ConfigFile, guard: tuple[bytes, bytes]) -> bool:
    try:
        config.get((guard[0],), guard[1])
    except KeyError:
        return False
    return True

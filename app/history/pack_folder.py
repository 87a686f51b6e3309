"""The packs of a repository: looked up together, added to, and merged while others read and write."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

from app.crash_points import reached
from app.history.base import RawObject
from app.history.disk import is_stale, sync_folder, write_aside
from app.history.pack_file import PackFile
from app.history.pack_index import DamagedPack
from app.history.packs import MAX_PACK_BYTES, PackBody, PackImage, build_pack, in_packs, object_bytes_id

# What the stock git client puts beside a pack that is more to it than a pack.
_SPECIAL = (".keep", ".promisor", ".bitmap", ".mtimes")
_BELONGINGS = (".idx", ".rev", ".pack")
_INDEX = re.compile(r"pack-[0-9a-f]+\.idx")
_PACK_MODE = 0o444


class PackFolder:
    """``objects/pack``. ``packs`` are those known of, the newest first: it is asked for most.

    Packs that can't be read are passed over; ``damage`` says of each what is wrong.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.packs: tuple[PackFile, ...] = ()
        self.damage: dict[str, str] = {}
        self.rescan()

    def find(self, oid: bytes) -> tuple[PackFile, int] | None:
        """The pack and the offset of the object, by the packs known of."""
        for pack in self.packs:
            offset = pack.index.find(oid)
            if offset is not None:
                return pack, offset
        return None

    def find_anew(self, oid: bytes) -> tuple[PackFile, int] | None:
        """As :meth:`find`, after looking at the folder again.

        Twice: a listing made while another process merges may show neither the old packs nor the new one.
        """
        for _ in range(2):
            self.rescan()
            found = self.find(oid)
            if found is not None:
                return found
        return None

    def rescan(self) -> None:
        """Take up packs that appeared, drop those that are gone."""
        names = {name.removesuffix(".idx") for name in self._listing() if _INDEX.fullmatch(name)}
        standing = [pack for pack in self.packs if pack.name in names]
        names.difference_update(pack.name for pack in standing)
        self.damage = {}
        opened = [pack for name in names if (pack := self._open(name)) is not None]
        self.packs = (*opened, *standing)

    def add(self, objects: Iterable[RawObject]) -> None:
        """Make new objects durable, in one pack where they fit."""
        for group in in_packs(objects):
            self._write(build_pack(group))

    def merge(self) -> None:
        """Merge small packs, so that their number stays the logarithm of their size.

        The caller holds the repository's lock. Packed bytes are copied as they are. A pack goes only when
        what it holds is durable elsewhere.
        """
        self.rescan()
        there = self._listing()
        chosen = _small_ones([pack for pack in self.packs if _is_plain(pack.name, there)])
        if len(chosen) < 2 or "multi-pack-index" in there:
            return
        merged, image = _merged(chosen)
        if len(merged) < 2:
            return
        self._write(image)
        reached("fold.written")
        for pack in merged:
            if pack.name != image.name:
                self._remove(pack.name)

    def garbage(self, kept: Collection[bytes]) -> dict[str, set[bytes]]:
        """Pack → its objects that are not to be kept, for those that have some and may be touched."""
        there = self._listing()
        found: dict[str, set[bytes]] = {}
        for pack in self.packs:
            dead = {oid for oid in pack.index.ids() if oid not in kept}
            if dead and _is_plain(pack.name, there) and "multi-pack-index" not in there:
                found[pack.name] = dead
        return found

    def share(self, garbage: Mapping[str, Collection[bytes]]) -> int:
        """About how many bytes the garbage takes in these packs."""
        return sum(
            pack.size_bytes * len(garbage[pack.name]) // pack.index.count
            for pack in self.packs
            if pack.name in garbage
        )

    def rewrite(self, garbage: Mapping[str, Collection[bytes]]) -> int:
        """Write these packs anew without the garbage; gives how many bytes less they are.

        The caller holds the repository's lock. Raises ``DamagedPack`` before anything is changed.
        """
        old = [pack for pack in self.packs if pack.name in garbage]
        elsewhere = {oid for pack in self.packs if pack.name not in garbage for oid in pack.index.ids()}
        items: dict[bytes, RawObject] = {}
        for pack in old:
            for oid in pack.index.ids():
                if oid not in garbage[pack.name] and oid not in items and oid not in elsewhere:
                    items[oid] = _whole_object(pack, oid)
        written = [build_pack(group) for group in in_packs(items.values())]
        for image in written:
            self._write(image)
        names = {image.name for image in written}
        for pack in old:
            if pack.name not in names:
                self._remove(pack.name)
        return sum(pack.size_bytes for pack in old) - sum(len(image.pack_bytes) for image in written)

    def clean(self) -> None:
        """Remove what killed processes left behind, once nobody can be writing it any more."""
        for path in self._folder.iterdir():
            orphan = path.suffix == ".pack" and not path.with_suffix(".idx").exists()
            if (orphan or path.name.startswith("tmp_")) and is_stale(path):
                path.unlink(missing_ok=True)

    def close(self) -> None:
        """Forget the packs; their files are closed when the last reader is done."""
        self.packs = ()

    def _open(self, name: str) -> PackFile | None:
        try:
            return PackFile(self._folder, name)
        except FileNotFoundError:
            return None
        except DamagedPack as error:
            self.damage[name] = str(error)
            return None

    def _write(self, image: PackImage) -> None:
        """The pack first, then the index: by its index a pack is found."""
        with ExitStack() as left:
            asides: list[tuple[Path, str]] = []
            for suffix, data in ((".pack", image.pack_bytes), (".idx", image.index_bytes)):
                asides.append((write_aside(self._folder, data, _PACK_MODE), suffix))
                left.callback(asides[-1][0].unlink, missing_ok=True)
            for aside, suffix in asides:
                aside.replace(self._folder / (image.name + suffix))
        sync_folder(self._folder)
        pack = self._open(image.name)
        if pack is not None:
            self.packs = (pack, *self._others(image.name))

    def _listing(self) -> set[str]:
        return {path.name for path in self._folder.iterdir()}

    def _remove(self, name: str) -> None:
        """The index first, so that nobody finds a pack that is half gone."""
        for suffix in _BELONGINGS:
            with suppress(FileNotFoundError):
                (self._folder / (name + suffix)).unlink()
        self.packs = self._others(name)

    def _others(self, name: str) -> tuple[PackFile, ...]:
        return tuple(pack for pack in self.packs if pack.name != name)


def _whole_object(pack: PackFile, oid: bytes) -> RawObject:
    """An object of a pack. Raises ``DamagedPack`` where it is not what its id says."""
    offset = pack.index.find(oid)
    kind, data = pack.read(offset) if offset is not None else (0, b"")
    if not 1 <= kind <= 4 or object_bytes_id(kind, data) != oid:
        raise DamagedPack(f"object {oid.hex()} in {pack.name} is not what its id says")
    return RawObject(oid, kind, data)


def _is_plain(name: str, there: set[str]) -> bool:
    return not any(name + suffix in there for suffix in _SPECIAL)


def _small_ones(packs: Sequence[PackFile]) -> list[PackFile]:
    """The packs to merge: from the smallest on, while the next is at most twice as large as those before it.

    What is left grows geometrically, so that an object is copied O(log n) times in its life.
    """
    chosen: list[PackFile] = []
    total = 0
    for pack in sorted(packs, key=lambda pack: pack.size_bytes):
        if total + pack.size_bytes > MAX_PACK_BYTES or (chosen and pack.size_bytes > 2 * total):
            break
        chosen.append(pack)
        total += pack.size_bytes
    return chosen


def _merged(packs: Sequence[PackFile]) -> tuple[list[PackFile], PackImage]:
    """The packs that could be merged, and the pack that holds all of their objects, each once."""
    body = PackBody()
    done: list[PackFile] = []
    seen: set[bytes] = set()
    for pack in packs:
        entries = pack.packed()
        if entries is None:
            continue
        done.append(pack)
        for oid, packed in _unseen(entries, seen):
            body.append(oid, packed)
    return done, body.finish()


def _unseen(entries: Iterator[tuple[bytes, bytes]], seen: set[bytes]) -> Iterator[tuple[bytes, bytes]]:
    for oid, packed in entries:
        if oid not in seen:
            seen.add(oid)
            yield oid, packed

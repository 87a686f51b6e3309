"""A history as one file: a git bundle, which ``git clone FILE`` reads as well."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import BinaryIO, Final

from dulwich.bundle import Bundle
from dulwich.bundle import read_bundle as read_dulwich_bundle
from dulwich.pack import PackInflater

from app.errors import InputError
from app.history.base import Kind, RawObject, RefMove, Store, object_id
from app.history.disk import disk_errors
from app.history.packs import build_pack
from app.history.reachable import reachable_objects

_HEADER: Final = b"# v2 git bundle\n"
_HINT: Final = "take the file from where it was written once more"
_KINDS: Final = frozenset(Kind)


def bundle_bytes(store: Store, refs: Mapping[str, bytes]) -> bytes:
    """Everything that ``refs`` (full name → id) reach, in git's bundle format, version 2.

    Objects are in a fixed order, so the same history gives the same bytes. Raises ``DamagedHistory``.
    """
    return make_bundle(refs, reachable_objects(store, refs.values()))


def make_bundle(refs: Mapping[str, bytes], objects: Iterable[RawObject]) -> bytes:
    """The same of objects that are at hand, in any order: all that the refs reach, each once."""
    names = [b"%s %s\n" % (oid.hex().encode(), name.encode()) for name, oid in sorted(refs.items())]
    ordered = sorted(objects, key=lambda item: (item.kind, item.oid))
    return b"".join([_HEADER, *names, b"\n", build_pack(ordered).pack_bytes])


def read_bundle(path: Path) -> tuple[dict[str, bytes], list[RawObject]]:
    """The refs and objects of a bundle, every object's id worked out anew.

    Raises ``InputError`` for what is no bundle, is cut off or was changed, ``NotFound``-like where it isn't there.
    """
    if not path.is_file():
        raise InputError(f"there is no file {str(path)!r}")
    try:
        with disk_errors(f"read {path}"), path.open("rb") as file, _open_bundle(file) as bundle:
            if bundle.prerequisites:
                raise InputError(f"{path} holds only a part of a history", hint=_HINT)
            pack = bundle.pack_data
            assert pack is not None
            pack.check()  # type: ignore[attr-defined]
            objects = [
                RawObject(object_id(item.type_num, data), item.type_num, data)
                for item in PackInflater.for_pack_data(pack)  # type: ignore[arg-type]
                for data in [item.as_raw_string()]
                if _is_of_ours(item.type_num, path)
            ]
            refs = {name.decode(): _object_id(oid) for name, oid in bundle.references.items()}
    except InputError:
        raise
    except Exception as error:  # noqa: BLE001 - damage shows in as many ways as there are bytes
        reason = str(error) or type(error).__name__
        raise InputError(f"{path} is no whole git bundle: {reason}", hint=_HINT) from None
    known = {item.oid for item in objects}
    for name, oid in refs.items():
        if oid not in known:
            raise InputError(f"{path} lacks what {name} points to", hint=_HINT)
    return refs, objects


def _open_bundle(file: BinaryIO) -> Bundle:
    if file.readline() != _HEADER:
        raise ValueError("it does not begin as one of version 2")
    file.seek(0)
    return read_dulwich_bundle(file)


def _object_id(digits: bytes) -> bytes:
    """An id as git writes it: one way only."""
    oid = bytes.fromhex(digits.decode())
    if oid.hex().encode() != digits:
        raise ValueError(f"{digits!r} is no id")
    return oid


def _is_of_ours(kind: int, path: Path) -> bool:
    if kind not in _KINDS:
        raise InputError(f"{path} holds objects that no history has, as annotated tags")
    return True


def load_bundle(store: Store, path: Path) -> dict[str, bytes]:
    """Put a bundle into an empty store; gives its refs. Raises ``InputError`` as :func:`read_bundle` does."""
    refs, objects = read_bundle(path)
    store.write(objects, [RefMove(name, None, oid) for name, oid in refs.items()])
    return refs

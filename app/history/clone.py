"""A real git clone of any store: a work tree, and a ``.git`` that needs nothing of ours."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from dulwich.index import build_index_from_tree
from dulwich.objects import Commit, ObjectID
from dulwich.refs import HEADREF, Ref
from dulwich.repo import Repo

from app.errors import Conflict, NotFound
from app.history.base import Store
from app.history.disk import disk_errors
from app.history.packs import PackImage, build_pack, in_packs
from app.history.reachable import reachable_objects
from app.history.refnames import HEADS

_REMOTE = "refs/remotes/origin/"
_TAGS = "refs/tags/"


class _Source(NamedTuple):
    """What is cloned: ``refs`` are the branches and tags of ``store``."""

    store: Store
    refs: Mapping[str, bytes]
    head_branch: str
    origin_url: str | None


def clone_store(store: Store, folder: Path, head_branch: str, *, origin_url: str | None = None) -> None:
    """Clone ``store`` into ``folder`` with ``head_branch`` checked out; its branches are those of ``origin``.

    ``origin_url`` makes ``git fetch`` work, where git can reach the store by itself. An interrupted clone
    leaves nothing. Raises ``Conflict`` where ``folder`` holds something, ``NotFound`` where there is no such
    branch, ``DamagedHistory`` and ``StorageError``.
    """
    refs = {name: oid for name, oid in store.refs().items() if name.startswith((HEADS, _TAGS))}
    if HEADS + head_branch not in refs:
        raise NotFound("branch", head_branch)
    source = _Source(store, refs, head_branch, origin_url)
    folder = folder.absolute()
    with disk_errors(f"clone into {folder}"):
        if not folder.exists():
            _clone_aside(source, folder)
        elif folder.is_dir() and not any(folder.iterdir()):
            _clone_in_place(source, folder)
        else:
            raise Conflict(f"{folder} is there already and not an empty folder")


def _clone_aside(source: _Source, folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    aside = folder.parent / f".{folder.name}.clone-{os.getpid()}"
    try:
        aside.mkdir()
        _fill(source, aside)
        aside.rename(folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _clone_in_place(source: _Source, folder: Path) -> None:
    """The folder itself stays: it may be somebody's working directory or a mount point."""
    try:
        _fill(source, folder)
    except BaseException:
        for left in folder.iterdir():
            shutil.rmtree(left) if left.is_dir() and not left.is_symlink() else left.unlink()
        raise


def _fill(source: _Source, folder: Path) -> None:
    with Repo.init(folder, default_branch=source.head_branch.encode()) as repo:
        for group in in_packs(reachable_objects(source.store, source.refs.values())):
            _put_pack(folder / ".git" / "objects" / "pack", build_pack(group))
        _set_refs(repo, source)
        _configure(repo, source)
        _check_out(repo, source.refs[HEADS + source.head_branch])


def _put_pack(folder: Path, image: PackImage) -> None:
    for suffix, data in ((".pack", image.pack_bytes), (".idx", image.index_bytes)):
        path = folder / (image.name + suffix)
        path.write_bytes(data)
        path.chmod(0o444)


def _set_refs(repo: Repo, source: _Source) -> None:
    """As git does: branches become those of ``origin``, tags stay, one branch is ours."""
    refs = {_as_remote(name): oid for name, oid in source.refs.items()}
    head = HEADS + source.head_branch
    refs[head] = source.refs[head]
    repo.refs.add_packed_refs({Ref(name.encode()): _hex_id(oid) for name, oid in refs.items()})
    (Path(repo.controldir()) / _REMOTE).mkdir(parents=True)
    repo.refs.set_symbolic_ref(Ref(f"{_REMOTE}HEAD".encode()), Ref(_as_remote(head).encode()))
    repo.refs.set_symbolic_ref(HEADREF, Ref(head.encode()))


def _as_remote(name: str) -> str:
    return _REMOTE + name.removeprefix(HEADS) if name.startswith(HEADS) else name


def _configure(repo: Repo, source: _Source) -> None:
    """``origin`` as git makes it, with or without a url: ``git checkout BRANCH`` finds its branches."""
    config = repo.get_config()
    if source.origin_url is not None:
        config.set(("remote", "origin"), "url", source.origin_url)
    config.set(("remote", "origin"), "fetch", f"+{HEADS}*:{_REMOTE}*")
    config.set(("branch", source.head_branch), "remote", "origin")
    config.set(("branch", source.head_branch), "merge", HEADS + source.head_branch)
    config.write_to_path()


def _check_out(repo: Repo, head: bytes) -> None:
    commit = repo.object_store[_hex_id(head)]
    assert isinstance(commit, Commit)
    build_index_from_tree(repo.path, repo.index_path(), repo.object_store, commit.tree)


def _hex_id(oid: bytes) -> ObjectID:
    return ObjectID(oid.hex().encode())

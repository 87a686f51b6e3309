"""Real git objects for tests: small trees and commits, as the engine would write them."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

from dulwich.objects import Commit, ShaFile, Tree

from app.history.base import Kind, RawObject, RefMove, Store, object_id
from app.history.git_store import GitStore

MAIN = "refs/heads/main"
_WHEN = 1_700_000_000


def blob(data: bytes | str) -> RawObject:
    raw = data.encode() if isinstance(data, str) else data
    return RawObject(object_id(Kind.BLOB, raw), Kind.BLOB, raw)


def tree(entries: dict[str, RawObject]) -> RawObject:
    made = Tree()
    for name, item in entries.items():
        mode = 0o40000 if item.kind == Kind.TREE else 0o100644
        made.add(name.encode(), mode, item.oid.hex().encode())
    return raw_object(made)


def commit(root: RawObject, *parents: bytes, message: str = "a step") -> RawObject:
    made = Commit()
    made.tree = root.oid.hex().encode()
    made.parents = [parent.hex().encode() for parent in parents]
    made.author = made.committer = b"StackVM <stackvm@localhost>"
    made.author_time = made.commit_time = _WHEN
    made.author_timezone = made.commit_timezone = 0
    made.message = message.encode() + b"\n"
    return raw_object(made)


def raw_object(item: ShaFile) -> RawObject:
    return RawObject(bytes.fromhex(item.id.decode()), item.type_num, item.as_raw_string())


def step(number: int, *parents: bytes) -> list[RawObject]:
    """The objects of one commit, the commit last. Steps share the blob ``goal.json``."""
    value = blob(f"value {number}\n")
    folder = tree({f"v{number}.json": value})
    goal = blob("goal\n")
    root = tree({"goal.json": goal, "state.json": blob(f"at {number}\n"), "vars": folder})
    return [
        goal,
        value,
        blob(f"at {number}\n"),
        folder,
        root,
        commit(root, *parents, message=f"step {number}"),
    ]


def write_line(store: Store, ref: str, count: int, start: bytes | None = None, first: int = 0) -> list[bytes]:
    """Write ``count`` commits in a line, each in a write of its own; their ids."""
    head, made = start, []
    for number in range(first, first + count):
        objects = step(number, *([head] if head else []))
        store.write(objects, [RefMove(ref, store.ref(ref), objects[-1].oid)])
        head = objects[-1].oid
        made.append(head)
    return made


def git(folder: Path, *words: str, stdin: bytes = b"") -> str:
    """Run the stock git client in ``folder``; what it says. Settings of the user play no part."""
    environment = {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": str(folder),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": "a",
        "GIT_AUTHOR_EMAIL": "a@localhost",
        "GIT_COMMITTER_NAME": "a",
        "GIT_COMMITTER_EMAIL": "a@localhost",
    }
    done = subprocess.run(
        ["git", *words], cwd=folder, env=environment, input=stdin, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode() + done.stderr.decode()


def packs(store: GitStore) -> list[Path]:
    """The pack files of a store on disk."""
    return sorted((store.folder / "objects" / "pack").glob("*.pack"))


def grow_text(store: GitStore, count: int) -> list[bytes]:
    """A line of commits whose one file grows: git will store it as deltas."""
    head: list[bytes] = []
    lines = [f"{number} {random.Random(number).random()}\n" for number in range(400)]
    for number in range(count):
        text = blob("".join(lines) + f"end {number}\n" * number)
        root = tree({"text": text})
        made = commit(root, *head[-1:], message=f"grow {number}")
        store.write([text, root, made], [RefMove(MAIN, store.ref(MAIN), made.oid)])
        head.append(made.oid)
    return head


def flip(path: Path, place: int) -> None:
    """Change one byte of a file."""
    data = bytearray(path.read_bytes())
    data[place] ^= 0x55
    path.chmod(0o644)
    path.write_bytes(data)

"""Where the benchmarks write: a folder of their own on a disk, gone afterwards."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

IN_MEMORY: Final = frozenset({"tmpfs", "ramfs"})

_MOUNTS: Final = Path("/proc/self/mounts")


@contextmanager
def scratch_folder(parent: Path) -> Iterator[Path]:
    """A new folder in ``parent``, removed at the end of the block."""
    parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=parent, prefix="bench-") as name:
        yield Path(name)


def file_system(path: Path) -> str:
    """The type of the file system that ``path`` is on, as the kernel calls it; ``unknown`` where it doesn't say."""
    if not _MOUNTS.exists():
        return "unknown"
    real = path.resolve()
    best, kind = -1, "unknown"
    for line in _MOUNTS.read_text().splitlines():
        mounted, found = line.split()[1:3]
        if real.is_relative_to(mounted) and len(mounted) >= best:
            best, kind = len(mounted), found
    return kind


def folder_bytes(folder: Path) -> int:
    """The lengths of all files below ``folder``."""
    return sum(Path(at, name).stat().st_size for at, _, names in os.walk(folder) for name in names)

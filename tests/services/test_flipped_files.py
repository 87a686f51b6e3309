"""One byte that changed, in every file of a repository on disk: ``fsck`` names it, replay isn't fooled."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from git_repositories import damage_found, filled_repository

WHERE = (0, 0.3, 0.6, 1.0)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return filled_repository(tmp_path_factory.mktemp("filled"))


@pytest.mark.parametrize("where", WHERE)
def test_a_flipped_byte_in_a_file(filled: Path, tmp_path: Path, where: float) -> None:
    folder = Path(shutil.copytree(filled, tmp_path / "copy"))
    files = [
        path
        for path in sorted((folder / "var" / "repositories").rglob("*"))
        if path.is_file() and path.name not in ("lock", "collecting") and path.stat().st_size
    ]
    kinds = {path.suffix or path.name for path in files}
    assert {".pack", ".idx", "HEAD", "config", "main", ".json"} <= kinds
    for path in files:
        original = path.read_bytes()
        changed = bytearray(original)
        changed[round((len(original) - 1) * where)] ^= 0x04
        path.chmod(0o644)
        path.write_bytes(changed)
        found = damage_found(folder)
        # git passes over spaces, empty lines and unknown settings there, and so do we.
        assert found or path.name == "config", (path, where)
        path.write_bytes(original)
    assert damage_found(folder) == []


def test_a_file_that_is_gone_is_named(filled: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(filled, tmp_path / "copy"))
    for path in sorted((folder / "var" / "repositories").rglob("*")):
        if path.suffix in (".pack", ".idx") or path.name in ("main", "HEAD", "config"):
            original = path.read_bytes()
            path.unlink()
            assert damage_found(folder), path
            path.write_bytes(original)
    assert damage_found(folder) == []

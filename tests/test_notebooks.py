"""Every notebook runs from start to end on a fresh database."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import pytest
from databases import create_schema

from app.db.session import open_database

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the notebook machinery, none of ours
        import nbformat
        from nbclient import NotebookClient

        monkeypatch.setenv("DATABASE_URI", f"sqlite:///{tmp_path}/notebook.db")
        monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
        monkeypatch.setenv("MPLCONFIGDIR", str(tmp_path / "matplotlib"))
        database = open_database(os.environ["DATABASE_URI"])
        create_schema(database)
        database.close()
        notebook = nbformat.read(path, as_version=4)
        NotebookClient(notebook, timeout=90, resources={"metadata": {"path": str(ROOT)}}).execute()
    outputs = "".join(str(cell.get("outputs", "")) for cell in notebook.cells)
    assert outputs.count("image/png") == 2


def test_there_are_notebooks() -> None:
    assert NOTEBOOKS


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_are_committed_without_output(path: Path) -> None:
    text = path.read_text()
    assert '"outputs": []' in text
    assert "image/png" not in text

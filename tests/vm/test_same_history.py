"""One plan, one history: random plans run to the same ids on every store, in any grouping, and replay to them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from databases import KINDS, history_opener
from random_plans import TOOLS, random_steps
from rig import TASK, Clock, Rig

from app.history.base import Store
from app.history.clone import clone_store
from app.history.git_store import GitStoreFactory

STORES = ["git", *KINDS]
PLANS = int(os.environ.get("TEST_RANDOM_PLANS", "25"))


def open_store(kind: str, folder: Path) -> Store:
    factory = GitStoreFactory(folder) if kind == "git" else history_opener(kind, folder)()
    return factory.create(TASK)


def history_of(seed: int, store: Store | None = None, *, every_commit: bool = False) -> tuple[list[str], Rig]:
    """The ids of a run, oldest first. A failed run is resumed once."""
    rig = Rig(random_steps(seed), TOOLS, store=store, clock=Clock(tick_ms=0), every_commit=every_commit)
    if rig.run().status == "failed":
        rig.run()
    return [commit.id for commit in rig.repository.log(rig.head())][::-1], rig


@pytest.mark.parametrize("seed", range(PLANS * 4))
def test_grouping_leaves_no_trace_and_replay_reaches_every_id(seed: int) -> None:
    ids, rig = history_of(seed)
    assert ids == history_of(seed, every_commit=True)[0]
    replayed = rig.replay()
    assert replayed.divergence is None
    assert replayed.commits == len(ids)


@pytest.mark.parametrize("kind", STORES)
@pytest.mark.parametrize("group", range(5))
def test_every_store_gives_the_same_ids(kind: str, group: int, tmp_path: Path) -> None:
    for seed in range(group, PLANS, 5):
        folder = tmp_path / str(seed)
        folder.mkdir()
        ids, rig = history_of(seed, open_store(kind, folder))
        assert ids == history_of(seed)[0]
        assert rig.replay().divergence is None
        rig.store.finish()
        assert rig.replay().divergence is None


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize("kind", STORES)
def test_the_stock_git_client_works_on_a_clone_from_every_store(kind: str, tmp_path: Path) -> None:
    ids, rig = history_of(12, open_store(kind, tmp_path))
    folder = tmp_path / "clone"
    clone_store(rig.store, folder, "main")
    assert git(folder, "fsck", "--strict", "--full").strip() == ""
    assert git(folder, "log", "--reverse", "--format=%H").split() == ids
    assert "+++ b/" in git(folder, "log", "-p")
    assert len(git(folder, "blame", "state.json").splitlines()) > 3
    assert git(folder, "status", "--porcelain") == ""
    git(tmp_path, "clone", "--quiet", str(folder), str(tmp_path / "again"))
    assert git(tmp_path / "again", "rev-parse", "HEAD").strip() == ids[-1]


def test_the_random_plans_are_worth_running() -> None:
    kinds = {kind for seed in range(PLANS * 4) for kind in history_of(seed)[1].kinds()}
    assert {"goal", "plan", "step", "failure"} <= kinds

"""The last try of a run is made alone."""

from __future__ import annotations

import pytest

from app.worker import trials as module
from app.worker.trials import Trials


def test_runs_begin_beside_each_other() -> None:
    trials = Trials()
    assert all(trials.begin(alone=False) is not None for _ in range(3))


def test_nothing_begins_beside_a_last_try_until_it_got_further() -> None:
    trials = Trials()
    last = trials.begin(alone=True)
    assert last is not None
    assert trials.begin(alone=False) is None
    assert trials.begin(alone=True) is None
    last.end()
    assert trials.begin(alone=False) is not None


def test_a_last_try_waits_for_those_that_have_not_got_further_and_keeps_others_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [100.0]
    monkeypatch.setattr(module, "monotonic", lambda: now[0])
    trials = Trials()
    first = trials.begin(alone=False)
    assert first is not None
    assert trials.begin(alone=True) is None
    assert trials.begin(alone=False) is None  # else there would always be another
    first.end()
    first.end()
    last = trials.begin(alone=True)
    assert last is not None
    last.end()
    assert trials.begin(alone=False) is not None  # nothing is reserved any more
    assert trials.begin(alone=True) is None
    now[0] += module.RESERVED_SECONDS  # the last try is made by another process
    assert trials.begin(alone=False) is not None

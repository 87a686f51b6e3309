"""Who waits for a database may be told to stop: a second Ctrl-C ends it."""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import Any

import pytest

from app.db.failures import DatabaseAway
from app.db.patience import Patience
from app.errors import StorageError
from app.vm.interrupts import Interrupts


def away(_: bool) -> None:
    raise DatabaseAway("the database is away")


def answered(seconds: float) -> Patience:
    patience = Patience(seconds)
    patience.insist(lambda _: None)
    return patience


def test_the_second_signal_ends_the_wait_and_the_first_does_not() -> None:
    times: list[float] = []

    def press() -> None:
        times.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)

    with Interrupts().from_signals():
        timers = [threading.Timer(seconds, press) for seconds in (0.1, 0.8)]
        for timer in timers:
            timer.start()
        with pytest.raises(KeyboardInterrupt):
            answered(20).insist(away)
        assert len(times) == 2
        assert time.monotonic() - times[1] < 2
        for timer in timers:
            timer.join()


def test_what_waits_in_another_thread_gives_up_too() -> None:
    caught: list[BaseException] = []

    def wait() -> None:
        try:
            answered(20).insist(away)
        except StorageError as error:
            caught.append(error)

    interrupts = Interrupts()
    with interrupts.from_signals():
        thread = threading.Thread(target=wait)
        thread.start()
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.05)
        thread.join(3)
        assert not thread.is_alive()
    assert len(caught) == 1


def test_an_earlier_doubt_is_not_forgotten() -> None:
    """The second try failed before its COMMIT; the first may have happened all the same."""
    told: list[bool] = []

    def once(in_doubt: bool) -> str:
        told.append(in_doubt)
        if len(told) == 3:
            return "done"
        error = DatabaseAway("the database is away")
        error.in_doubt = len(told) == 1
        raise error

    assert answered(20).insist(once) == "done"
    assert told == [False, True, True]


@pytest.mark.parametrize("seconds", [0, 0.3])
def test_patience_ends(seconds: float) -> None:
    tries: list[Any] = []

    def once(_: bool) -> None:
        tries.append(None)
        away(False)

    started = time.monotonic()
    with pytest.raises(StorageError):
        answered(seconds).insist(once)
    assert seconds <= time.monotonic() - started < seconds + 2
    assert (len(tries) == 1) == (seconds == 0)

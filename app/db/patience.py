"""How long an operation keeps trying while the database is away, and what ends that sooner.

An operation is a whole transaction: where the connection is lost before COMMIT was sent, nothing happened, and it is
done again. Where it is lost amid COMMIT nobody knows, so every operation is one that may be repeated, or that finds
out what became of its earlier try:

| operation | why repeating it is right |
|---|---|
| anything that reads | it changes nothing |
| a store's objects | an object is its id; a second row of the journal holds the same ones |
| a ref's move | a ref that stands at ``new``, under our fence where one is named, is where it was to go |
| ``raise_fence`` | the same fence may be stored twice; a higher one still wins |
| folding the journal | what was folded is no longer in the rows that it reads again |
| ``Ledger.begin`` | the row names who wrote it (``begun_by``, drawn for each): ours or somebody else's |
| ``close``, ``save_effects``, ``note_…``, ``set_…`` | they set what they set whatever was there |
| ``drop…``, ``delete…`` | what is gone stays gone |
| ``Leases.acquire`` | the row is ours then: it is taken once more, with the next fence |
| ``renew`` | it sets the time from now on, or the lease is lost |
| ``release`` | where it is no longer ours, it was given back, or there is nothing to give |
| creating a task or a namespace | the row that is there equals ours |
| creating a history | the one that is there is empty: nobody has begun it |

Somebody who does the opposite within those seconds (makes a branch anew whose deletion is in doubt) is not noticed.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from itertools import count
from math import inf
from typing import Final, TypeVar

from app.db.failures import DatabaseAway, TransactionLost
from app.db.waiting import LOG, wait
from app.log_fields import tell

Result = TypeVar("Result")

DEFAULT_SECONDS: Final = 30.0

_TRIES: Final = 8
"""How often a transaction is begun that the database gives up for others."""
_LOCKED_SECONDS: Final = 60.0
_FIRST_PAUSE: Final = 0.01
_LONGEST_PAUSE: Final = 2.0
_UNTOLD_SECONDS: Final = 0.5
"""A connection that is back at once is no news."""


class Patience:
    """The patience that is left for one database. Safe to share between threads.

    A database that has not answered yet is not waited for: more likely its URL is wrong. Nor is one that was given
    up, until something was written again: what cleans up after a failure must not wait as long once more.
    """

    def __init__(self, seconds: float = DEFAULT_SECONDS) -> None:
        self.seconds = seconds
        self._has_answered = False
        self._given_up = False
        self._told = -inf

    def insist(self, once: Callable[[bool], Result], *, writes: bool = True, at_most: float = inf) -> Result:
        """Call ``once`` until the database does it; it is told whether an earlier try may have happened.

        Raises the last ``StorageError`` when patience, or ``at_most`` seconds, are over; ``KeyboardInterrupt`` where
        somebody asked to end it.
        """
        seconds = min(self.seconds, at_most)
        begun, deadline, in_doubt = time.monotonic(), inf, False
        for number in count(1):
            try:
                result = once(in_doubt)
            except TransactionLost:
                # Waiting for a lock may itself have taken the better part of a minute each time.
                if number >= _TRIES or time.monotonic() - begun >= _LOCKED_SECONDS:
                    raise
                time.sleep(random.uniform(0, 0.005 * number * number))
            except DatabaseAway as away:
                in_doubt = in_doubt or away.in_doubt
                now = time.monotonic()
                deadline = min(deadline, now + seconds)
                if not self._is_worth_it() or now >= deadline:
                    self._given_up = self._given_up or (self._has_answered and seconds == self.seconds)
                    raise self._tried(away, now - begun) from away.__cause__
                if now - begun >= _UNTOLD_SECONDS:
                    self._tell(away, deadline - now)
                pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** min(number, 16)) * random.uniform(0.5, 1)
                if not self._wait(min(pause, deadline - now)):
                    raise
            else:
                if deadline < inf and time.monotonic() - begun >= _UNTOLD_SECONDS:
                    away_for = round(time.monotonic() - begun, 1)
                    tell(LOG, logging.INFO, "database.back", "the database is back", seconds=away_for)
                self._has_answered = True
                if writes:
                    self._given_up = False
                return result
        raise AssertionError("count ends never")

    def _is_worth_it(self) -> bool:
        return self._has_answered and not self._given_up

    def _tried(self, away: DatabaseAway, seconds: float) -> DatabaseAway:
        if seconds >= 1:
            away.message = f"{away.message}; tried for {seconds:.0f} s"
        return away

    def _tell(self, away: DatabaseAway, seconds: float) -> None:
        now = time.monotonic()
        if now >= self._told + self.seconds:  # several threads may wait for the same
            self._told = now
            message = f"{away.message}; trying again for {seconds:.0f} s"
            tell(LOG, logging.WARNING, "database.away", message)

    def _wait(self, seconds: float) -> bool:
        try:
            goes_on = wait(seconds)
        except KeyboardInterrupt:
            self._given_up = True
            raise
        self._given_up = self._given_up or not goes_on
        return goes_on

"""All watches of a run as one listener, none of which can do it harm."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from app.observability.base import Handed, Observer, RunWatch, Subject
from app.vm.events import Event, ItemDone, Listener, TokenSaid, ToolSaid, UsageGrew

_UNHEARD: Final = frozenset({TokenSaid, ToolSaid, ItemDone, UsageGrew})
"""What no watch wants, and comes often."""

logger = logging.getLogger(__name__)


class Watches:
    """The watches of one run, and the listener that was there before. One that raises is given up, with a line."""

    def __init__(self, observers: Sequence[Observer], subject: Subject, listener: Listener | None) -> None:
        self._listener = listener
        self._watches: list[RunWatch] = []
        for observer in observers:
            _harmless(partial(self._open, observer, subject))

    def hear(self, event: Event) -> None:
        """A :data:`app.vm.events.Listener`."""
        if self._listener is not None:
            self._listener(event)
        if type(event) not in _UNHEARD:
            for watch in self._watches:
                if not _harmless(partial(watch.hear, event)):
                    self._watches = [other for other in self._watches if other is not watch]

    def end(self, status: str) -> None:
        """The run ended, here."""
        for watch in self._watches:
            _harmless(partial(watch.end, status))

    def _open(self, observer: Observer, subject: Subject) -> None:
        self._watches.append(observer.open(subject))


class Bystanders:
    """Tells observers of what happens outside of runs, and the listener that was there before."""

    def __init__(self, observers: Sequence[Observer], listener: Listener | None) -> None:
        self._observers = observers
        self._listener = listener

    def hear(self, event: Event) -> None:
        """A :data:`app.vm.events.Listener`."""
        if self._listener is not None:
            self._listener(event)
        if type(event) not in _UNHEARD:
            for observer in self._observers:
                _harmless(partial(observer.hear, event))


def note_all(observers: Sequence[Observer], handed: Handed) -> None:
    """For a worker: a run came here from the queue, or goes back."""
    for observer in observers:
        _harmless(partial(observer.note, handed))


def _harmless(call: Callable[[], object]) -> bool:
    """Whatever goes wrong, the run has nothing to do with it."""
    try:
        call()
    except Exception:
        logger.exception("a run is not watched any more", extra={"event": "run.unwatched"})
        return False
    return True

"""The seam: an observer is told of every run of a process, a watch of what happens in one."""

from __future__ import annotations

from typing import NamedTuple, Protocol, TypeAlias

from app.vm.events import Event


class Subject(NamedTuple):
    """A run that begins, or goes on: ``branch`` is where."""

    task_id: str
    branch: str
    namespace: str | None


class Claimed(NamedTuple):
    """A worker of this process took a run from the queue; ``takeovers``: how often one was lost that had it."""

    takeovers: int


class HandedBack(NamedTuple):
    """It gave the run back before its end: at its ``shutdown``, or or ``lease`` or ``storage`` was in its way."""

    reason: str


Handed: TypeAlias = Claimed | HandedBack


class RunWatch(Protocol):
    """Follows one run; called as a :data:`app.vm.events.Listener` is."""

    def hear(self, event: Event) -> None:
        """Something happened in it."""

    def end(self, status: str) -> None:
        """It ended, here: a status of runs, or ``lease_lost``, ``lease_held``, ``broken_off`` where it has none."""


class Observer(Protocol):
    """Follows the runs of this process."""

    def open(self, subject: Subject) -> RunWatch:
        """The watch of a run that begins."""

    def note(self, handed: Handed) -> None:
        """A run came here from the queue, or goes back."""

    def hear(self, event: Event) -> None:
        """Something happened outside of runs: a model was asked for a plan to look at, or for a proposal."""

"""A run of a server, followed from here: what it commits is told as the machine tells it, up to its end.

What is new is looked up behind the last commit that was told, so nothing is lost or told twice however often the
connection breaks. The server's events only say when to look.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic, sleep
from typing import Final

from app.errors import NotFound, ServerFailed, StackVMError
from app.plan.model import Plan
from app.plan.parse import plan_from_json
from app.plan.problems import PlanSyntaxError
from app.remote.desk import AT_REST, RemoteDesk
from app.remote.news import News
from app.remote.told import step_committed
from app.services.inspect import LogEntry
from app.services.reports import Revised, RunReport
from app.vm.events import Event, Listener, PlanChecked, RevisionMade

PATIENCE_SECONDS: Final = 60.0
"""For how long a server may be away: a restart, another version, a lost network."""
_RETRY_SECONDS: Final = 1.0
_DETAILED: Final = 60
"""Of so many commits at a time the records are asked for, for times and values; of more, nobody reads the lines."""


class Follower:
    """Follows a branch of a task, and the revisions that the machine makes of it.

    ``listener`` hears what is committed behind the commit ``told`` (hex). ``on_away`` is told once each time that the
    server does not answer.
    """

    def __init__(
        self,
        desk: RemoteDesk,
        task_id: str,
        branch: str,
        *,
        told: str | None = None,
        listener: Listener | None = None,
        on_away: Callable[[StackVMError], None] = lambda error: None,
    ) -> None:
        self._desk = desk
        self._task_id = task_id
        self._first = self._branch = branch
        self._followed = 0
        self._told = told
        self._listener = listener
        self._on_away = on_away
        self._plan: Plan | None = None

    def follow(self) -> tuple[RunReport, bool]:
        """Wait for the end of the run, and give its report. Raises ``ServerFailed`` where the server stays away."""
        away_since: float | None = None
        with News(self._desk.client, self._task_id) as news:
            while True:
                try:
                    ended = self._look()
                except ServerFailed as error:
                    if not error.may_pass:
                        raise
                    if away_since is None:
                        away_since = monotonic()
                        self._on_away(error)
                    if monotonic() - away_since > PATIENCE_SECONDS:
                        raise
                    sleep(error.retry_after or _RETRY_SECONDS)
                    continue
                if ended is not None:
                    return ended
                away_since = None
                news.wait()

    def _look(self) -> tuple[RunReport, bool] | None:
        """Tell what is new; the report, where nothing more will come."""
        branch = next(
            (each for each in self._desk.branches(self._task_id) if each.name == self._branch), None
        )
        if branch is None:
            raise NotFound("branch", self._branch)
        if self._listener is not None and branch.commit != self._told:
            self._tell_until(branch.commit)
        if branch.status not in AT_REST:
            return None
        report, is_scripted = self._desk.report(self._task_id, self._first)
        if report.branch != self._branch:
            self._go_over(report.revisions[self._followed])
            return self._look()
        if report.status not in AT_REST:
            return None
        if self._listener is not None and report.head != self._told:  # it went on between the two looks
            self._tell_until(report.head)
        return report, is_scripted

    def _go_over(self, revised: Revised) -> None:
        """The machine has revised the plan: the run goes on there."""
        self._followed += 1
        self._branch = revised.branch
        self._told = revised.commit
        self._plan = self._read_plan(revised.commit)
        if self._plan is not None:
            self._tell(PlanChecked(1, self._plan, (), ()))
            self._tell(RevisionMade(revised.branch, revised.fork_point, revised.kept, self._plan))

    def _tell_until(self, head: str) -> None:
        for entry in self._behind(head):
            commit = entry.commit
            if commit.kind == "plan" and entry.record is not None and "model_calls" in entry.record:
                self._plan = self._read_plan(commit.id)
                if self._plan is not None:
                    self._tell(PlanChecked(1, self._plan, (), ()))
            elif commit.kind in ("step", "failure"):
                if self._plan is None:
                    self._plan = self._read_plan(commit.id)
                self._tell(step_committed(entry, self._plan))
        self._told = head

    def _behind(self, head: str) -> list[LogEntry]:
        """The commits from the one that was told last up to ``head``, oldest first."""
        found: list[LogEntry] = []
        for entry in self._desk.log(self._task_id, head, _DETAILED, with_records=True):
            if entry.commit.id == self._told:
                return found[::-1]
            found.append(entry)
        if len(found) == _DETAILED and found[-1].commit.parents:
            for entry in self._desk.log(self._task_id, found[-1].commit.id, None, with_records=False):
                if entry.commit.id == self._told:
                    break
                if entry.commit.id != found[-1].commit.id:
                    found.append(entry)
        return found[::-1]

    def _read_plan(self, commit: str) -> Plan | None:
        try:
            return plan_from_json(self._desk.plan(self._task_id, commit))
        except (PlanSyntaxError, NotFound):  # of another version: lines of steps are good enough
            return None

    def _tell(self, event: Event) -> None:
        if self._listener is not None:
            self._listener(event)

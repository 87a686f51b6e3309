"""What every queue does, with a broker or without: ``make_stand`` gives a queue over empty tables."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Thread

import pytest

from app.db.serving import Claim, Job, JobTable, MessageTable
from app.errors import Busy
from app.queue.base import Line, RunQueue
from app.worker.sweeper import Messenger, Sweeper

PATIENCE = 15.0


@dataclass
class Stand:
    """A queue, and what is behind it. ``lose`` takes all messages away; ``None`` where there are none."""

    queue: RunQueue
    jobs: JobTable
    messages: MessageTable
    messenger: Messenger | None = None
    lose: Callable[[], object] | None = None
    limits: dict[str, int] = field(default_factory=dict)
    names: list[str | None] = field(default_factory=lambda: [None])
    _lines: list[Line] = field(default_factory=list)

    def put(self, job: Job) -> None:
        self.queue.keep(job)
        self.queue.tell(job)

    def line(self, *names: str | None) -> Line:
        line = self.queue.open_line(lambda: names or self.names)
        self._lines.append(line)
        line.next(0.2)  # a consumer that is there before what it is to consume
        line.settle(found=False)
        return line

    def take(self, line: Line, owner: str = "me", seconds: float = PATIENCE) -> Claim | None:
        """The next job, settled only by :meth:`end`."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.sweep()
            look = line.next(0.2)
            if look is None:
                continue
            claim = self.jobs.claim(owner, 30, limits=self.limits, task_id=look.task_id)
            if claim is not None:
                return claim
            line.settle(found=False)
        return None

    def sweep(self) -> None:
        if self.messenger is not None:
            Sweeper(self.messages, self.jobs, self.messenger, lambda: self.limits, "sweeper").sweep()

    def end(self, line: Line, claim: Claim, owner: str = "me") -> None:
        self.jobs.remove(claim.number, owner)
        line.settle(found=True)

    def close(self) -> None:
        for line in self._lines:
            line.close()
        self.queue.close()


def taken(claim: Claim | None) -> str:
    assert claim is not None
    return claim.job.task_id


class QueueContract:
    @pytest.fixture
    def stand(self) -> Stand:
        raise NotImplementedError

    def test_what_is_put_is_taken_once(self, stand: Stand) -> None:
        line, other = stand.line(), stand.line()
        stand.put(Job("a", "main"))
        stand.put(Job("a", "main"))
        claim = stand.take(line)
        assert taken(claim) == "a"
        assert claim is not None and claim.takeovers == 0
        assert stand.take(other, "you", 1.0) is None
        stand.end(line, claim)
        assert stand.take(line, seconds=0.5) is None
        assert stand.queue.trouble() is None

    def test_branches_of_one_task_are_jobs_of_their_own(self, stand: Stand) -> None:
        line, other = stand.line(), stand.line()
        stand.put(Job("a", "main"))
        stand.put(Job("a", "fork"))
        branches = {claim.job.branch for claim in (stand.take(line), stand.take(other)) if claim is not None}
        assert branches == {"main", "fork"}

    def test_the_most_urgent_comes_first(self, stand: Stand) -> None:
        for name, priority in (("a", 0), ("b", 100), ("c", -100), ("d", 40)):
            stand.put(Job(name, "main", priority=priority))
        time.sleep(0.5)  # all of them are sent
        line = stand.queue.open_line(lambda: [None])
        stand._lines.append(line)
        order = []
        for _ in range(4):
            claim = stand.take(line)
            order.append(taken(claim))
            assert claim is not None
            stand.end(line, claim)
        assert order == ["b", "d", "a", "c"]

    def test_what_is_withdrawn_is_not_begun(self, stand: Stand) -> None:
        stand.put(Job("a", "main"))
        stand.queue.withdraw("a")
        stand.put(Job("b", "main"))
        assert taken(stand.take(stand.line())) == "b"
        assert stand.take(stand.line(), seconds=0.5) is None

    def test_a_full_backlog_refuses(self, stand: Stand) -> None:
        stand.queue.most = 1  # type: ignore[attr-defined]
        stand.put(Job("a", "main"))
        with pytest.raises(Busy):
            stand.put(Job("b", "main"))
        assert taken(stand.take(stand.line())) == "a"

    def test_what_is_given_back_is_taken_by_another_and_no_takeover(self, stand: Stand) -> None:
        line, other = stand.line(), stand.line()
        stand.put(Job("a", "main"))
        claim = stand.take(line)
        assert claim is not None
        stand.jobs.give_back(claim.number, "me", 0.0)
        line.settle(found=True, again=True)
        again = stand.take(other, "you")
        assert again is not None and (again.number, again.takeovers) == (claim.number, 0)

    def test_what_is_given_back_for_later_comes_later(self, stand: Stand) -> None:
        line = stand.line()
        stand.put(Job("a", "main"))
        claim = stand.take(line)
        assert claim is not None
        stand.jobs.give_back(claim.number, "me", 1.0)
        line.settle(found=True)
        begun = time.monotonic()
        assert taken(stand.take(line)) == "a"
        assert time.monotonic() - begun > 0.5

    def test_what_its_worker_left_is_taken_over(self, stand: Stand) -> None:
        line, other = stand.line(), stand.line()
        stand.put(Job("a", "main"))
        claim = stand.take(line)
        assert claim is not None
        line.close()  # as the kernel does for who is killed
        assert stand.jobs.disown("me") == 1
        again = stand.take(other, "you")
        assert again is not None and (again.number, again.takeovers) == (claim.number, 1)

    def test_a_namespace_has_no_more_than_it_may_and_the_next_follows_at_once(self, stand: Stand) -> None:
        stand.limits, stand.names = {"small": 1}, [None, "small"]
        line, other = stand.line(), stand.line()
        for name in ("a", "b"):
            stand.put(Job(name, "main", "small"))
        first = stand.take(line)
        assert first is not None
        assert stand.take(other, "you", 1.5) is None
        stand.end(line, first)
        stand.queue.freed("small")
        assert {first.job.task_id, taken(stand.take(other, "you"))} == {"a", "b"}

    def test_who_waits_hears_at_once(self, stand: Stand) -> None:
        line = stand.line()
        heard: list[float] = []

        def wait() -> None:
            while (look := line.next(5.0)) is None or stand.jobs.claim(
                "me", 30, task_id=look.task_id
            ) is None:
                line.settle(found=False)
            heard.append(time.monotonic())

        thread = Thread(target=wait, daemon=True)
        thread.start()
        time.sleep(0.5)
        put_at = time.monotonic()
        stand.put(Job("a", "main"))
        thread.join(PATIENCE)
        assert heard and heard[0] - put_at < 2.0  # half of what it would wait, on a machine with much to do

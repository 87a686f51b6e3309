"""One scenario from its first command to its last: killed, looked at, resumed, decided, and judged in the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Final

from chaos.child import PASSED, Arm, Child, Ended
from chaos.judge import Findings, judge_world, right_choice
from chaos.looking import Sight, seen
from chaos.scene import Scene, document
from chaos.world import DECIDED, note

_MOST_COMMANDS: Final = 60
_MOST_FAILURES: Final = 12
_SLOW_SECONDS: Final = 20.0
"""A command that takes longer has waited for something that it should not wait for."""


@dataclass(frozen=True, slots=True)
class Kill:
    """At ``after`` seconds, or where ``arm`` says; where ``command`` is given, only in a process with that one."""

    after: float | None = None
    arm: Arm | None = None
    command: str | None = None


@dataclass(slots=True)
class Story:
    """What came of a scenario. ``struck``: kind of kill → how many processes it killed."""

    name: str
    violations: list[str] = field(default_factory=list)
    struck: Counter[str] = field(default_factory=Counter)
    decisions: Counter[str] = field(default_factory=Counter)
    reasked_ms: list[float] = field(default_factory=list)
    first_seconds: float = 0.0
    processes: int = 0
    commits_seen: int = 0
    answered: bool = False
    passed: list[tuple[str, float]] = field(default_factory=list)
    """Crash points, and after how many seconds they were passed; only where they are counted."""


class Lives:
    """Runs a scenario's commands."""

    def __init__(self, scene: Scene, name: str, kills: Sequence[Kill] = (), *, counts: bool = False) -> None:
        self.scene = scene
        self.story = Story(name)
        self._kills = list(kills)
        self._counts = counts
        self._seen: set[str] = set()
        self._failures = 0
        self._began = 0.0
        self._stale: int | None = None
        self._sight: Sight | None = None

    def live(self) -> Story:
        """To the end, and the verdict. Whatever goes wrong is a violation, with the folder that shows it."""
        story = self.story
        try:
            self.go_on(self.scene.execute)
            self.conclude()
        except Exception as error:  # noqa: BLE001 - a runner that falls over has shown nothing
            story.violations.append(f"the scenario could not be ended: {type(error).__name__}: {error}")
        if story.violations:
            kills = ", ".join(f"{n} {kind}" for kind, n in story.struck.items()) or "nothing"
            setting = self.scene.setting
            where = f"{setting.store}, width {setting.width}, {setting.kind}"
            story.violations.append(f"({where}; killed: {kills}; look into {self.scene.folder})")
        self.scene.remove(keep=bool(story.violations))
        return story

    def go_on(self, command: list[str] | None) -> None:
        """Command after command until the run has ended."""
        for _ in range(_MOST_COMMANDS):
            if command is None:
                return
            ended = self._run(command)
            if self.story.processes == 1:
                self._measure(ended)
            command = self._after(ended, command)
        self.story.violations.append(f"no end after {_MOST_COMMANDS} commands")

    def _measure(self, ended: Ended) -> None:
        self.story.first_seconds = ended.seconds
        if self._counts:
            lines = (self.scene.folder / PASSED).read_text().splitlines()
            passed = (line.split() for line in lines)
            self.story.passed = [(point, float(moment) - self._began) for point, moment in passed]

    def _run(self, command: list[str]) -> Ended:
        kill = self._next_kill(command[0])
        self.story.processes += 1
        with ExitStack() as around:
            if kill is not None:
                around.enter_context(self.scene.read_meanwhile())
            self._began = monotonic()
            child = self.scene.start(command, arm=kill.arm if kill is not None else None, counts=self._counts)
            around.callback(child.make_sure)
            if kill is not None and kill.after is not None and not child.wait(kill.after):
                child.kill()
            ended = child.end()
        if ended.killed:
            assert kill is not None
            self.story.struck[kill.arm.point if kill.arm is not None else "random"] += 1
        return ended

    def _next_kill(self, command: str) -> Kill | None:
        if not self._kills or self._kills[0].command not in (None, command):
            return None
        return self._kills.pop(0)

    def _after(self, ended: Ended, command: list[str]) -> list[str] | None:
        """The command that follows; ``None`` at the end."""
        if "Traceback" in ended.err or "internal error" in ended.out + ended.err:
            self.story.violations.append(f"{command[0]} said: {ended.err or ended.out}")
        if ended.killed:
            self._look()
            return self._resume()
        if ended.seconds > _SLOW_SECONDS:
            self.story.violations.append(f"{command[0]} took {ended.seconds:.0f} s")
        report = document(ended.out)
        if command[0] == "decide" and ended.code == 2 and self._stale is not None:
            return self._resume()  # the stalled worker has told what became of the call
        if "error" in report and isinstance(report["error"], dict) and "type" in report["error"]:
            raise RuntimeError(f"{command[0]} ended with {ended.code}: {report['error']}")
        if command[0] == "decide":
            return self._resume()
        if ended.code == 3:
            return self._decide(report)
        if ended.code == 1 and report.get("status") == "failed":
            self._failures += 1
            if self._failures > _MOST_FAILURES:
                raise RuntimeError(f"the run fails again and again: {report['error']}")
            return ["resume", report["task_id"], *self.scene.execute[-3:]]
        if ended.code != 0:
            raise RuntimeError(f"{command[0]} ended with {ended.code}: {ended.out}{ended.err}")
        self._check_answer(report)
        return None

    def _look(self) -> None:
        """Nothing that could be read may be gone."""
        self._sight = self.scene.sight()
        self._seen |= seen(self.scene.folder)
        self._compare()
        if self._sight is not None:
            self._seen |= self._sight.commits

    def _compare(self) -> None:
        there = self._sight.commits if self._sight is not None else frozenset()
        if lost := self._seen - there:
            self.story.violations.append(f"{len(lost)} readable commit(s) lost, as {sorted(lost)[0]}")
        if self._sight is not None and not self._sight.linear:
            self.story.violations.append("the history is no single line")

    def _resume(self) -> list[str]:
        sight = self._sight if self._sight is not None else self.scene.sight()
        return self.scene.execute if sight is None else self.scene.resume(sight.task_id)

    def _decide(self, report: dict[str, Any]) -> list[str]:
        """What somebody decides who looks at the world first."""
        waiting = report["waiting"]
        choice, options, place = right_choice(self.scene.world(), waiting, report["branch"])
        self.story.decisions[choice] += 1
        if place is not None:
            note(DECIDED, folder=self.scene.folder, place=place, value=choice, key=waiting["idempotency_key"])
        return ["decide", report["task_id"], *options, "--json"]

    def _check_answer(self, report: dict[str, Any]) -> None:
        self.story.answered = True
        if report["final_answer"] != self.scene.plan.answer:
            self.story.violations.append(
                f"the answer is {report['final_answer']}, and should be {self.scene.plan.answer}"
            )

    def conclude(self) -> None:
        """At the end: the history as it stands, its replay, and what the world saw."""
        self._sight = self.scene.sight()
        self._seen |= seen(self.scene.folder)
        self.story.commits_seen = len(self._seen)
        self._compare()
        if self._sight is None:
            raise RuntimeError("there is no task")
        if self._sight.status != "completed":
            self.story.violations.append(
                f"the run has ended, and its task says that it is {self._sight.status}"
            )
        for branch in self._sight.heads:
            self._replay(self._sight.task_id, branch)
        self._check()
        findings: Findings = judge_world(self.scene.world(), self.scene.plan, self._stale)
        self.story.violations += findings.violations
        self.story.reasked_ms += [each.age * 1000 for each in findings.reasked if each.age is not None]

    def _check(self) -> None:
        child: Child = self.scene.start(["fsck", "--json"])
        ended = child.end()
        if ended.code != 0:
            self.story.violations.append(f"fsck finds damage: {ended.out}{ended.err}")

    def _replay(self, task_id: str, branch: str) -> None:
        before = len(self.scene.world())
        child: Child = self.scene.start(["replay", task_id, "--branch", branch, "--json"])
        ended = child.end()
        if ended.code != 0:
            self.story.violations.append(f"the replay of {branch} differs: {ended.out}{ended.err}")
        if len(self.scene.world()) != before:
            self.story.violations.append("the replay called something")

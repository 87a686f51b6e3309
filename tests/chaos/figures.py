"""What a call of the runner found, as figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from chaos.judge import WINDOW_SECONDS
from chaos.lives import Story
from chaos.same import Compared


@dataclass(slots=True)
class Figures:
    """Sums over scenarios. ``violations``: part, unit and what was wrong."""

    scenarios: int = 0
    processes: int = 0
    answered: int = 0
    commits_seen: int = 0
    struck: Counter[str] = field(default_factory=Counter)
    decisions: Counter[str] = field(default_factory=Counter)
    reasked_ms: list[float] = field(default_factory=list)
    compared: Compared = field(default_factory=Compared)
    violations: list[tuple[str, str, str]] = field(default_factory=list)

    @property
    def killed(self) -> int:
        return sum(count for kind, count in self.struck.items() if not kind.startswith("stalled"))

    @property
    def stalled(self) -> int:
        return self.struck.total() - self.killed

    def add(self, part: str, story: Story) -> None:
        """One more scenario."""
        self.scenarios += 1
        self.processes += story.processes
        self.answered += story.answered
        self.commits_seen += story.commits_seen
        self.struck += story.struck
        self.decisions += story.decisions
        self.reasked_ms += story.reasked_ms
        self.violations += [(part, story.name, text) for text in story.violations]

    def add_compared(self, part: str, compared: Compared) -> None:
        """Some more plans."""
        self.compared.plans += compared.plans
        self.compared.histories += compared.histories
        self.compared.commits += compared.commits
        self.compared.kinds |= compared.kinds
        self.violations += [(part, compared.unit, text) for text in compared.violations]

    def to_json(self) -> dict[str, Any]:
        return {
            "scenarios": self.scenarios,
            "processes": self.processes,
            "kills": self.killed,
            "stalls": self.stalled,
            "struck": dict(sorted(self.struck.items())),
            "ended_with_the_right_answer": self.answered,
            "decisions": dict(self.decisions),
            "commits_that_readers_saw": self.commits_seen,
            "reads_asked_again": len(self.reasked_ms),
            "oldest_answer_asked_again_ms": round(max(self.reasked_ms, default=0.0), 1),
            "reads_asked_again_beyond_the_window": sum(ms > WINDOW_SECONDS * 1000 for ms in self.reasked_ms),
            "plans_compared": self.compared.plans,
            "histories_compared": self.compared.histories,
            "violations": [
                {"part": part, "unit": unit, "what": text} for part, unit, text in self.violations
            ],
        }

    def lines(self) -> Iterator[tuple[str, str]]:
        """Label and figure, for people."""
        if self.scenarios:
            yield "scenarios, processes", f"{self.scenarios:,}, {self.processes:,}"
            yield "kill -9 at random moments", f"{self.struck['random']:,}"
            points = {
                kind: n for kind, n in self.struck.items() if kind != "random" and "stalled" not in kind
            }
            yield f"kill -9 at {len(points)} crash points", f"{sum(points.values()):,}"
            yield "workers stalled past their lease", f"{self.stalled:,}"
            yield "ended with the right answer", f"{self.answered:,} of {self.scenarios:,}"
            yield (
                "decisions that somebody took",
                ", ".join(f"{n:,} {c}" for c, n in self.decisions.items()) or "0",
            )
            yield "commits that readers saw", f"{self.commits_seen:,}"
            late = sum(ms > WINDOW_SECONDS * 1000 for ms in self.reasked_ms)
            oldest = max(self.reasked_ms, default=0.0)
            yield "answers asked again", f"{len(self.reasked_ms):,}, the oldest {oldest:.1f} ms old"
            yield f"of these older than {WINDOW_SECONDS * 1000:.0f} ms", f"{late:,}"
        if self.compared.plans:
            yield "plans, histories compared", f"{self.compared.plans:,}, {self.compared.histories:,}"
            yield "commits of these plans", f"{self.compared.commits:,}"
        yield "violations", f"{len(self.violations):,}"

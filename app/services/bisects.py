"""Bisect: the first commit of a branch at which an expression over the variables turns false."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from app.db.base import TaskRow
from app.errors import InputError
from app.history.commits import Commit
from app.history.repository import Repository
from app.plan.expressions import Expression, compile_expression
from app.plan.model import Json
from app.plan.values import shorten
from app.services.blame import unknown_variable
from app.services.commit_views import CommitView, header, view_commit
from app.services.tasks import open_repository
from app.services.workplace import Workplace
from app.vm.moments import Moments
from app.vm.turns import Evaluator, Stretch, Turn, find_turn, stretches


@dataclass(frozen=True, slots=True)
class VariableTurn:
    """A variable that the expression reads and that changed where it turned."""

    name: str
    old: Json
    new: Json


@dataclass(frozen=True, slots=True)
class Bisection:
    """``start`` is the first commit at which the expression has a value; it is true there.

    ``first_false`` is ``None`` where it never turns; ``last_true`` is the newest commit before at which it is true.
    ``at_head`` is what it is in the end, ``None`` where it has no value there. Of ``commits`` on the branch,
    ``evaluated`` were looked at; ``skipped`` of these had no value, the first one for ``reason``.
    """

    task_id: str
    branch: str | None
    head: Commit
    expression: str
    reads: tuple[str, ...]
    start: CommitView
    last_true: CommitView
    first_false: CommitView | None
    variables: tuple[VariableTurn, ...]
    at_head: bool | None
    commits: int
    evaluated: int
    skipped: int
    reason: str | None

    def to_json(self) -> dict[str, Any]:
        first_false = self.first_false.to_json() if self.first_false is not None else None
        return {
            **header(self.task_id, self.branch, self.head),
            "expression": self.expression,
            "reads": list(self.reads),
            "start": self.start.to_json(),
            "last_true": self.last_true.to_json(),
            "first_false": first_false,
            "variables": [{"name": each.name, "old": each.old, "new": each.new} for each in self.variables],
            "at_head": self.at_head,
            "commits": self.commits,
            "evaluated": self.evaluated,
            "skipped": self.skipped,
            "skipped_because": self.reason,
        }


def bisect_branch(workplace: Workplace, task: TaskRow, revision: str | None, text: str) -> Bisection:
    """The first commit up to a revision at which the expression is false, having been true.

    A state is passed over where a variable that the expression names is not set, or where it has no value.

    Raises ``InputError`` for what is no expression, reads no variable, has no value anywhere, one that is not
    boolean, or is false from the start; ``NotFound`` for a variable that no commit set.
    """
    expression = _compile(text)
    with open_repository(workplace, task) as repository:
        chosen = revision if revision is not None else task.current_branch
        head = repository.resolve(chosen)
        moments = Moments(repository)
        line, commits = stretches(moments, sorted(expression.reads), head.oid)
        _require_known(repository, head, expression, line, chosen)
        evaluator = Evaluator(moments, expression)
        turn = find_turn(line, evaluator)
        branch = chosen if chosen in repository.branches() else None
        return Bisection(
            task.id,
            branch,
            head,
            expression.text,
            tuple(sorted(expression.reads)),
            view_commit(moments, turn.start.first),
            view_commit(moments, turn.until or moments.at(head)),
            view_commit(moments, turn.first_false.first) if turn.first_false is not None else None,
            _changed(turn, evaluator),
            turn.at_head,
            commits,
            turn.evaluated,
            turn.skipped,
            turn.reason,
        )


def _compile(text: str) -> Expression:
    expression = compile_expression(text)
    if not expression.reads:
        raise InputError(
            f"{expression.spelling} reads no variable, so it never turns",
            hint="variables stand by their bare names, as in len(rows) < 10",
        )
    return expression


def _require_known(
    repository: Repository, head: Commit, expression: Expression, line: list[Stretch], chosen: str
) -> None:
    seen = {name for stretch in line for name in stretch.entries}
    for name in sorted(expression.reads - seen):
        known = set(repository.reader.variable_entries(head.tree))
        raise unknown_variable(name, known, f"{shorten(chosen)} sets no variable")


def _changed(turn: Turn, evaluator: Evaluator) -> tuple[VariableTurn, ...]:
    if turn.first_false is None:
        return ()
    was, is_now = turn.last_true.entries, turn.first_false.entries
    return tuple(
        VariableTurn(name, evaluator.variable(name, was[name]), evaluator.variable(name, is_now[name]))
        for name in sorted(evaluator.expression.reads)
        if was[name].oid != is_now[name].oid
    )

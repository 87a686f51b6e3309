"""The plan of a revision as a graph: its steps with what became of them, where control goes, where values go."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from app.db.base import TaskRow
from app.errors import NotFound, StackVMError
from app.plan.components import cyclic
from app.plan.dataflow import Edge, control_flow, results, successors
from app.plan.model import Calling, Jump, Plan, Step
from app.plan.parse import plan_from_json
from app.plan.reaching import data_edges
from app.services.inspect import StepView, view_steps
from app.services.tasks import open_repository
from app.services.waiting import find_waiting
from app.services.workplace import Workplace


@dataclass(frozen=True, slots=True)
class PlanGraph:
    """``edges`` of control are ``next``, ``jump``, ``true``, ``false`` or ``error``; those of data name the
    variables. ``loops`` hold the numbers of steps that can come round again, together. ``branch`` is ``None`` where
    the commit was named by its id."""

    task_id: str
    branch: str | None
    commit: str
    plan: dict[str, Any]
    steps: list[dict[str, Any]]
    edges: list[dict[str, Any]]
    data: list[dict[str, Any]]
    loops: list[list[int]]

    def to_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def read_plan_graph(workplace: Workplace, task: TaskRow, revision: str | None) -> PlanGraph:
    """Of a revision, by default the head of the current branch. Raises ``NotFound`` (revision, or no plan there yet),
    ``Ambiguous``, ``InputError``."""
    name = revision if revision is not None else task.current_branch
    with open_repository(workplace, task) as repository:
        commit = repository.resolve(name)
        document, control = repository.reader.plan(commit.tree), repository.reader.control(commit.tree)
        if document is None:
            raise NotFound("plan", name, hint="it is of before there was a plan")
        branch = name if name in repository.branches() else None
        # Whether the head waits is asked of the attempts: a process that died could not note it.
        waiting = find_waiting(workplace, task, repository, branch) if branch is not None else None
        views = view_steps(repository, commit, document, control, waiting)
    plan = plan_from_json(document)
    effect_of = _effects(workplace, task.namespace)
    loops = [[plan.steps[index].seq_no for index in component] for component in cyclic(successors(plan))]
    return PlanGraph(
        task.id,
        branch,
        commit.id,
        document,
        [_step(step, view, effect_of) for step, view in zip(plan.steps, views, strict=True)],
        list(_control(plan)),
        list(_data(plan)),
        sorted(loops),
    )


def _effects(workplace: Workplace, namespace: str | None) -> Callable[[str], str | None]:
    """Tool → effect class; ``None`` where there is no such tool, or no longer such a namespace."""
    try:
        catalog = workplace.catalog(namespace)
    except StackVMError:
        return lambda tool: None

    def effect_of(tool: str) -> str | None:
        try:
            return catalog.find(tool).effect
        except StackVMError:
            return None

    return effect_of


def _step(step: Step, view: StepView, effect_of: Callable[[str], str | None]) -> dict[str, Any]:
    call = step.instruction
    return {
        "seq_no": step.seq_no,
        "type": step.type,
        "description": step.description,
        "tool": view.tool,
        "effect": effect_of(call.tool_name) if isinstance(call, Calling) else None,
        "for_each": isinstance(call, Calling) and call.for_each is not None,
        "condition": (call.condition or call.condition_prompt) if isinstance(call, Jump) else None,
        "sets": list(results(call)),
        "state": view.state,
        "visits": view.visits,
        "commit": view.commit,
    }


def _control(plan: Plan) -> Iterator[dict[str, Any]]:
    for index, ways in enumerate(control_flow(plan).edges):
        step = plan.steps[index]
        for way in ways:
            target = plan.steps[way.target].seq_no
            for kind in _kinds(step, way, way.target == index + 1, target):
                yield {"from": step.seq_no, "to": target, "kind": kind}


def _kinds(step: Step, way: Edge, is_next: bool, target: int) -> list[str]:
    """What takes that way: both answers of a condition may."""
    jump = step.instruction
    if way.failed:
        return ["error"]
    if not isinstance(jump, Jump):
        return ["next"]
    if jump.target is not None:
        return ["jump"]
    found = ["true"] if jump.if_true == target else []
    if jump.if_false == target or (jump.if_false is None and is_next):
        found.append("false")
    return found


def _data(plan: Plan) -> Iterator[dict[str, Any]]:
    names: dict[tuple[int, int], list[str]] = defaultdict(list)
    for edge in data_edges(plan):
        names[edge.source, edge.target].append(edge.name)
    for (source, target), read in names.items():
        yield {"from": plan.steps[source].seq_no, "to": plan.steps[target].seq_no, "names": read}

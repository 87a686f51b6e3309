"""Graphs of calls that take time, and how long the best order of them takes on so many workers."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from typing import Any

from benchmarks.workloads import Steps


@dataclass(frozen=True, slots=True)
class Task:
    """A call of ``seconds`` that needs the results of the tasks in ``after``, which stand before it."""

    seconds: float
    after: tuple[int, ...]


Graph = Sequence[Task]


def independent(count: int, seconds: float) -> Graph:
    """Tasks that need nothing of each other."""
    return [Task(seconds, ())] * count


def layered(count: int, seed: int) -> Graph:
    """Layers of 2 to 16 tasks; each task needs one to three of the layer before and takes 10 to 100 ms."""
    chance = random.Random(seed)
    tasks: list[Task] = []
    before: Sequence[int] = ()
    while len(tasks) < count:
        layer = range(len(tasks), min(count, len(tasks) + chance.randint(2, 16)))
        for _ in layer:
            needed = chance.sample(before, min(len(before), chance.randint(1, 3)))
            tasks.append(Task(chance.uniform(0.01, 0.1), tuple(sorted(needed))))
        before = layer
    return tasks


def plan_of(graph: Graph, tool_name: str) -> Steps:
    """A step a task, then the answer."""
    steps: Steps = [
        _call(i, tool_name, {"seconds": task.seconds, "after": [f"${{t{j}}}" for j in task.after]}, f"t{i}")
        for i, task in enumerate(graph)
    ]
    return [*steps, {"seq_no": len(graph), "type": "assign", "parameters": {"final_answer": "done"}}]


def fan_of(graph: Graph, tool_name: str) -> Steps:
    """One ``for_each`` over independent tasks."""
    call = _call(0, tool_name, {"seconds": "${item}"}, "results")
    call["parameters"]["for_each"] = [task.seconds for task in graph]
    return [call, {"seq_no": 1, "type": "assign", "parameters": {"final_answer": "done"}}]


def best_seconds(graph: Graph, width: int) -> float:
    """What the better of two list schedules takes: by the plan's order, or the longest remaining way first."""
    remaining = remaining_seconds(graph)
    return min(
        schedule_seconds(graph, width, lambda task: task),
        schedule_seconds(graph, width, lambda task: -remaining[task]),
    )


def schedule_seconds(graph: Graph, width: int, priority: Callable[[int], float]) -> float:
    """A list schedule: whenever a worker is free it takes the ready task of the lowest ``priority``."""
    followers: list[list[int]] = [[] for _ in graph]
    missing = [len(task.after) for task in graph]
    for index, task in enumerate(graph):
        for needed in task.after:
            followers[needed].append(index)
    ready = [(priority(index), index) for index, count in enumerate(missing) if count == 0]
    heapify(ready)
    running: list[tuple[float, int]] = []
    now = 0.0
    while ready or running:
        while ready and len(running) < width:
            index = heappop(ready)[1]
            heappush(running, (now + graph[index].seconds, index))
        now, ended = heappop(running)
        for index in followers[ended]:
            missing[index] -= 1
            if missing[index] == 0:
                heappush(ready, (priority(index), index))
    return now


def remaining_seconds(graph: Graph) -> list[float]:
    """Of each task, the seconds from its start to the end of all that follow it, on as many workers as one likes."""
    remaining = [task.seconds for task in graph]
    behind = [0.0] * len(graph)
    for index in reversed(range(len(graph))):
        remaining[index] += behind[index]
        for needed in graph[index].after:
            behind[needed] = max(behind[needed], remaining[index])
    return remaining


def _call(seq_no: int, tool_name: str, arguments: dict[str, Any], variable: str) -> dict[str, Any]:
    parameters = {"tool_name": tool_name, "tool_params": arguments, "output_vars": variable}
    return {"seq_no": seq_no, "type": "calling", "parameters": parameters}

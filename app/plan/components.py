"""Strongly connected components of a directed graph: which steps lie on a common loop."""

from __future__ import annotations

from collections.abc import Sequence

Graph = Sequence[Sequence[int]]
"""Successors of each node, nodes being the numbers from 0."""


def strongly_connected(graph: Graph) -> list[list[int]]:
    """The components, each sorted, before those that lead to them. Linear; no recursion (Tarjan)."""
    search = _Search(graph)
    for root in range(len(graph)):
        if search.order[root] < 0:
            search.visit_from(root)
    return search.components


def cyclic(graph: Graph) -> list[list[int]]:
    """The components that hold a cycle: those of more than one node, and nodes that lead to themselves."""
    if not any(successor <= node for node, following in enumerate(graph) for successor in following):
        return []  # where every way leads on, none comes back: most plans
    return [
        component
        for component in strongly_connected(graph)
        if len(component) > 1 or component[0] in graph[component[0]]
    ]


class _Search:
    """One depth-first search; ``frames`` stands in for the call stack of the textbook version."""

    def __init__(self, graph: Graph) -> None:
        size = len(graph)
        self.graph = graph
        self.order = [-1] * size
        self.lowest = [0] * size
        self.open: list[int] = []
        self.is_open = bytearray(size)
        self.count = 0
        self.components: list[list[int]] = []

    def visit_from(self, root: int) -> None:
        self._enter(root)
        frames = [(root, iter(self.graph[root]))]
        while frames:
            node, rest = frames[-1]
            for successor in rest:
                if self.order[successor] < 0:
                    self._enter(successor)
                    frames.append((successor, iter(self.graph[successor])))
                    break
                if self.is_open[successor]:
                    self.lowest[node] = min(self.lowest[node], self.order[successor])
            else:
                frames.pop()
                self._leave(node)
                if frames:
                    parent = frames[-1][0]
                    self.lowest[parent] = min(self.lowest[parent], self.lowest[node])

    def _enter(self, node: int) -> None:
        self.order[node] = self.lowest[node] = self.count
        self.count += 1
        self.open.append(node)
        self.is_open[node] = 1

    def _leave(self, node: int) -> None:
        if self.lowest[node] != self.order[node]:
            return
        start = len(self.open) - 1
        while self.open[start] != node:
            start -= 1
        component = sorted(self.open[start:])
        del self.open[start:]
        for member in component:
            self.is_open[member] = 0
        self.components.append(component)

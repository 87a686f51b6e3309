"""Many clients that submit tasks to a running server at once, and how long each answer took."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import perf_counter, sleep
from typing import Any, Final

BODY: Final[dict[str, Any]] = {
    "goal": "benchmark",
    "plan": [{"seq_no": 1, "type": "assign", "parameters": {"final_answer": 42}}],
}


@dataclass
class Submitted:
    """What came back: the milliseconds of each answer, the ids of the tasks, and what was no 202."""

    milliseconds: list[float] = field(default_factory=list)
    task_ids: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def part(self, share: float) -> float:
        """The milliseconds within which that share of the answers came."""
        return percentile(self.milliseconds, share)


def percentile(values: Sequence[float], share: float) -> float:
    """The value that ``share`` of all do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def submit(
    port: int, requests: int, clients: int, body: dict[str, Any] = BODY, *, rate: float = 0.0
) -> Submitted:
    """``requests`` of them in all, by ``clients`` that each keep a connection and send the next when answered.

    ``rate``: of all clients together, at most so many a second; 0: as fast as they are answered.
    """
    found = Submitted()
    counting, left = threading.Lock(), iter(range(requests))

    def client() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        content = json.dumps(body).encode()
        while True:
            with counting:
                if next(left, None) is None:
                    break
            begun = perf_counter()
            next_at = begun + (clients / rate if rate else 0.0)
            try:
                connection.request("POST", "/api/tasks", content, {"Content-Type": "application/json"})
                answer = connection.getresponse()
                text, status = answer.read(), answer.status
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                text, status = repr(error).encode(), 0
            took = 1000 * (perf_counter() - begun)
            with counting:
                found.milliseconds.append(took)
                if status == 202:
                    found.task_ids.append(json.loads(text)["task_id"])
                else:
                    found.errors.append(f"{status} {text[:200]!r}")
            sleep(max(0.0, next_at - perf_counter()))
        connection.close()

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found

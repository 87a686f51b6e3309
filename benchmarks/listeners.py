"""Many listeners on the event streams of a running server: is each event there, once, in order, and how late?

The delay is from the end of a step's call, which its record holds, to the arrival of its commit: the flush is in it.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit


@dataclass
class Heard:
    """What one listener was told: commits in the order they came, with the time in milliseconds."""

    task_id: str
    commits: list[tuple[str, str, float]] = field(default_factory=list)
    last_id: str | None = None
    connections: int = 0
    is_over: bool = False


@dataclass
class Listening:
    """All listeners, and how long other requests took meanwhile."""

    heard: list[Heard]
    request_ms: list[float]


async def listen(url: str, task_ids: Sequence[str], listeners: int, ready: asyncio.Event) -> Listening:
    """``listeners`` on the tasks, one after the other in turn, until all tasks have completed."""
    heard = [Heard(task_ids[number % len(task_ids)]) for number in range(listeners)]
    others: list[float] = []
    connected = asyncio.Semaphore(0)
    running = [asyncio.create_task(_follow(url, one, connected)) for one in heard]
    for _ in heard:
        await connected.acquire()
    ready.set()
    asking = asyncio.create_task(_ask_others(url, others))
    await asyncio.gather(*running)
    asking.cancel()
    with suppress(asyncio.CancelledError):
        await asking
    return Listening(heard, others)


async def _follow(url: str, heard: Heard, connected: asyncio.Semaphore) -> None:
    """As a browser does: comes again with the last id until the task has completed."""
    while not heard.is_over:
        with suppress(OSError, asyncio.IncompleteReadError):
            await _follow_once(url, heard, connected)
        if not heard.is_over:
            await asyncio.sleep(0.5)


async def _follow_once(url: str, heard: Heard, connected: asyncio.Semaphore) -> None:
    reader, writer = await _request(url, f"/api/tasks/{heard.task_id}/events", heard.last_id)
    try:
        status = await reader.readline()
        if b" 200 " not in status:
            return
        event: dict[str, str] = {}
        while line := await reader.readline():
            text = line.decode().rstrip("\r\n")
            if text.startswith("retry:"):
                heard.connections += 1
                if heard.connections == 1:
                    connected.release()
            elif text:
                name, _, value = text.partition(": ")
                event[name] = value
            else:
                if "data" in event and _take(heard, event):
                    return
                event = {}
    finally:
        writer.close()


def _take(heard: Heard, event: dict[str, str]) -> bool:
    """Whether it was the last one."""
    heard.last_id = event.get("id", heard.last_id)
    if event.get("event") == "commit":
        data = json.loads(event["data"])
        heard.commits.append((data["branch"], data["commit"], time.time() * 1000))
    heard.is_over = event.get("event") == "task" and json.loads(event["data"])["status"] == "completed"
    return heard.is_over


async def _ask_others(url: str, took: list[float]) -> None:
    while True:
        begun = time.perf_counter()
        with suppress(OSError):  # the server starts anew
            await _ask(url, "/api/tasks")
            took.append((time.perf_counter() - begun) * 1000)
        await asyncio.sleep(0.05)


async def _ask(url: str, path: str) -> None:
    reader, writer = await _request(url, path)
    try:
        await reader.read()
    finally:
        writer.close()


async def _request(
    url: str, path: str, last_id: str | None = None
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    place = urlsplit(url)
    reader, writer = await asyncio.open_connection(place.hostname, place.port, limit=1 << 20)
    header = f"Last-Event-ID: {last_id}\r\n" if last_id is not None else ""
    writer.write(f"GET {path} HTTP/1.1\r\nHost: {place.netloc}\r\n{header}Connection: close\r\n\r\n".encode())
    await writer.drain()
    return reader, writer


def percentile(values: Sequence[float], part: float) -> float:
    """The value that ``part`` of all are not above."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


def resident_mb(pid: int) -> float:
    """The memory of a process and its children that no other has, and its share of what they have together."""
    total = 0
    for one in [pid, *_children(pid)]:
        for line in Path(f"/proc/{one}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1])
    return total / 1024


def _children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(word) for word in text.split() if int(word) != os.getpid()]

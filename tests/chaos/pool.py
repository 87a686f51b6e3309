"""Work on several processes: units by number, what they give as it comes."""

from __future__ import annotations

import os
import pickle
import selectors
import signal
import struct
import traceback
from collections.abc import Callable, Iterator
from typing import Any, Final

_NUMBER: Final = struct.Struct("!I")

Work = Callable[[Iterator[int]], Iterator[Any]]
"""Given the numbers of units as they become free, gives what comes of them."""


class WorkerDied(Exception):
    """A worker ended before its work did."""


def spread(work: Work, units: int, jobs: int) -> Iterator[Any]:
    """Do all units, ``jobs`` at a time. Raises :class:`WorkerDied` with what it said."""
    reading, writing = os.pipe()
    workers = {}
    for _ in range(jobs):
        pid, pipe = _start(work, reading, writing)
        workers[pipe] = pid
    os.close(reading)
    try:
        yield from _collect(workers, writing, units)
    finally:
        for pid in workers.values():
            os.kill(pid, signal.SIGTERM)
            os.waitpid(pid, 0)


def _collect(workers: dict[int, int], writing: int, units: int) -> Iterator[Any]:
    selector = selectors.DefaultSelector()
    files = {pipe: os.fdopen(pipe, "rb") for pipe in workers}
    for pipe in workers:
        selector.register(pipe, selectors.EVENT_READ)
    os.set_blocking(writing, True)
    given = 0
    while given < min(units, 8_000):  # a pipe holds 16,384 of them
        os.write(writing, _NUMBER.pack(given))
        given += 1
    if units > given:
        raise ValueError("too many units: make them larger")
    os.close(writing)
    open_pipes = set(workers)
    while open_pipes:
        for key, _ in selector.select():
            pipe = key.fd
            try:
                ok, value = pickle.load(files[pipe])
            except EOFError:
                selector.unregister(pipe)
                open_pipes.discard(pipe)
                files[pipe].close()
                os.waitpid(workers.pop(pipe), 0)
                continue
            if not ok:
                raise WorkerDied(value)
            yield value


def _start(work: Work, units: int, others_end: int) -> tuple[int, int]:
    reading, writing = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writing)
        return pid, reading
    code = 1
    try:
        os.close(others_end)
        os.close(reading)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, _leave)
        with os.fdopen(writing, "wb", buffering=0) as pipe:
            try:
                for value in work(_numbers(units)):
                    pipe.write(pickle.dumps((True, value)))
            except Exception:  # noqa: BLE001 - the other side raises it
                pipe.write(pickle.dumps((False, traceback.format_exc())))
        code = 0
    except SystemExit:
        code = 143
    finally:
        os._exit(code)


def _leave(number: int, frame: object) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # what is open is closed in peace
    raise SystemExit(128 + number)


def _numbers(units: int) -> Iterator[int]:
    while data := os.read(units, _NUMBER.size):
        yield _NUMBER.unpack(data)[0]

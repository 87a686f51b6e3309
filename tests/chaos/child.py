"""Processes that run the command line, forked from this one, which has imported everything and opened nothing.

Each is a process of its own that a signal kills like any other; forking saves the half second of imports. A crash
point may be armed in it: at its n-th passing the process sends itself a signal.
"""

from __future__ import annotations

import gc
import os
import pickle
import pkgutil
import random
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from time import monotonic
from typing import Any, Final, TypeVar

import app
from app import crash_points
from app.cli import main
from app.db.ledger import SqlLedger
from app.history.journal import Journal
from app.llm.scripted import ScriptedModel
from chaos.sabotage import SABOTAGES
from chaos.world import BEGUN, DONE, KILLED, WRITING, WRITTEN, note

Result = TypeVar("Result")

PATIENCE: Final = 90.0
"""After so many seconds a process counts as stuck."""

PASSED: Final = "passed"
"""The file with the crash points that a counting process passed, and when."""


@dataclass(frozen=True, slots=True)
class Arm:
    """At the ``nth`` passing of ``point`` the process gets ``signal``."""

    point: str
    nth: int
    signal: int = signal.SIGKILL


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended. ``code`` is negative where a signal ended it."""

    code: int
    seconds: float
    out: str
    err: str

    @property
    def killed(self) -> bool:
        return self.code == -signal.SIGKILL


def warm_up() -> None:
    """Import all of the product, so that children need not."""
    for module in pkgutil.walk_packages(app.__path__, "app."):
        import_module(module.name)
    for driver in ("pymysql", "sqlalchemy.dialects.mysql.pymysql", "sqlalchemy.dialects.sqlite.pysqlite"):
        import_module(driver)
    gc.collect()
    gc.freeze()


class Child:
    """A process with a command; ``counts``: it writes down the crash points that it passes."""

    def __init__(
        self,
        arguments: Sequence[str],
        folder: Path,
        environment: Mapping[str, str],
        *,
        arm: Arm | None = None,
        counts: bool = False,
        sabotage: str | None = None,
    ) -> None:
        self.folder = folder
        self.started = monotonic()
        stem = f"{arguments[0]}-{time.monotonic_ns()}"
        self._out, self._err = folder / f"{stem}.out", folder / f"{stem}.err"
        self.pid = _fork(lambda: self._live(arguments, environment, arm, counts, sabotage))
        self._handle = os.pidfd_open(self.pid)
        self._is_over = False

    def wait(self, seconds: float) -> bool:
        """Whether it ended within that time."""
        return bool(select.select([self._handle], [], [], max(0.0, seconds))[0])

    def kill(self) -> None:
        """What the kernel does to it when somebody says -9."""
        moment = monotonic()
        os.kill(self.pid, signal.SIGKILL)
        note(KILLED, folder=self.folder, time=moment, value="random")

    def wait_for_stop(self) -> bool:
        """Until it has stopped itself; ``False`` where it ended instead."""
        while not self.wait(0.002):
            state = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0]
            if state == "T":
                return True
        return False

    def go_on(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def end(self) -> Ended:
        """Wait for its end. One that is stuck is killed, and says so."""
        stuck = not self.wait(PATIENCE)
        if stuck:
            os.kill(self.pid, signal.SIGKILL)
        _, status = os.waitpid(self.pid, 0)
        self._is_over = True
        os.close(self._handle)
        code = 255 if stuck else os.waitstatus_to_exitcode(status)
        err = self._err.read_text() + ("stuck" if stuck else "")
        return Ended(code, monotonic() - self.started, self._out.read_text(), err)

    def make_sure(self) -> None:
        """Leave no process behind, whatever went wrong here."""
        if not self._is_over:
            os.kill(self.pid, signal.SIGKILL)
            self.end()

    def _live(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        arm: Arm | None,
        counts: bool,
        sabotage: str | None,
    ) -> int:
        _settle(self.folder, environment)
        for path, stream in ((self._out, 1), (self._err, 2)):
            os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND), stream)
        sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", closefd=False)  # noqa: SIM115
        random.seed()
        _tell_of_models()
        _tell_of_writing()
        if arm is not None:
            crash_points.armed[arm.point] = _Trap(arm)
        if counts:
            for point in crash_points.POINTS:
                crash_points.armed[point] = _Counter(point)
        if sabotage is not None:
            SABOTAGES[sabotage].do()
        sys.argv = ["stackvm", *arguments]
        try:
            main()
        except SystemExit as error:
            return error.code if isinstance(error.code, int) else 1
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
        return 0


class _Trap:
    def __init__(self, arm: Arm) -> None:
        self._arm = arm
        self._passed = 0

    def __call__(self) -> None:
        self._passed += 1
        if self._passed == self._arm.nth:
            note(KILLED, value=self._arm.point)
            os.kill(os.getpid(), self._arm.signal)
            time.sleep(0.01)  # until the kernel has come to it


class _Counter:
    def __init__(self, point: str) -> None:
        self._point = point
        self._file = os.open(PASSED, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    def __call__(self) -> None:
        os.write(self._file, f"{self._point} {monotonic()}\n".encode())


def in_fork(
    work: Callable[[], Result], folder: Path | None = None, environment: Mapping[str, str] | None = None
) -> Result:
    """What ``work`` gives in a process of its own, which may open what it likes. Raises what it raised."""
    reading, writing = os.pipe()

    def live() -> int:
        if folder is not None:
            _settle(folder, environment or {})
        try:
            given: Any = (True, work())
        except Exception as error:  # noqa: BLE001 - whatever it is, the other side raises it
            given = (False, f"{type(error).__name__}: {error}\n{traceback.format_exc()}")
        with os.fdopen(writing, "wb") as pipe:
            pickle.dump(given, pipe)
        return 0

    pid = _fork(live)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        data = pipe.read()
    os.waitpid(pid, 0)
    ok, value = pickle.loads(data)
    if not ok:
        raise RuntimeError(value)
    result: Result = value
    return result


def start_reader(work: Callable[[], None], folder: Path, environment: Mapping[str, str]) -> int:
    """The id of a process that does ``work`` until it is killed."""

    def live() -> int:
        _settle(folder, environment)
        os.nice(5)
        work()
        return 0

    return _fork(live)


def stop_reader(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def _fork(live: Callable[[], int]) -> int:
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        return pid
    code = 70
    try:
        code = live()
    except BaseException:  # noqa: BLE001 - nothing may come back into what the parent was doing
        traceback.print_exc()
    finally:
        os._exit(code)


def _settle(folder: Path, environment: Mapping[str, str]) -> None:
    os.chdir(folder)
    os.environ.update(environment)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _tell_of_writing() -> None:
    """When answers begin to be made durable: how long a disk takes for that is not the product's doing."""
    save, flush = SqlLedger.save_effects, Journal.flush

    def told_save(self: SqlLedger, branch: str, finished: Any) -> None:
        note(WRITING)
        save(self, branch, finished)
        note(WRITTEN)

    def told_flush(self: Journal) -> None:
        if self.head == self.durable_head:
            flush(self)
            return
        note(WRITING)
        flush(self)
        note(WRITTEN)

    SqlLedger.save_effects = told_save  # type: ignore[method-assign]
    Journal.flush = told_flush  # type: ignore[method-assign]


def _tell_of_models() -> None:
    """What a model is asked and when it answered stands in the world, too."""
    complete = ScriptedModel.complete

    def told(self: ScriptedModel, request: Any, on_token: Any = None) -> Any:
        texts = [message.content for message in request.messages]
        fields = {
            "tool": f"model: {request.purpose}",
            "effect": "read",
            "place": ("", "", 0, 0, None),
            "arguments": sha256("\0".join(texts).encode()).hexdigest(),
        }
        note(BEGUN, **fields)
        reply = complete(self, request, on_token)
        note(DONE, **fields)
        return reply

    ScriptedModel.complete = told  # type: ignore[method-assign]

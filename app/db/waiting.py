"""Waiting for a database: who is told, and who may end it. For the whole process, as signals and logs are."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

LOG: Final = logging.getLogger("stackvm.database")
"""Where it is said that a database is waited for."""

_SLICE_SECONDS: Final = 0.1


def _nobody() -> bool:
    return False


_asked: Callable[[], bool] = _nobody


@contextmanager
def waits_end_when(asked: Callable[[], bool]) -> Iterator[None]:
    """Within, nothing in this process goes on waiting for a database once ``asked`` is true."""
    global _asked
    before, _asked = _asked, asked
    try:
        yield
    finally:
        _asked = before


def wait(seconds: float) -> bool:
    """Sleep; ``False`` where somebody asked to end it. In the main thread that is a ``KeyboardInterrupt``."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        if _asked():
            if threading.current_thread() is threading.main_thread():
                raise KeyboardInterrupt
            return False
        time.sleep(min(left, _SLICE_SECONDS))
    return True

"""What is begun by a request and takes longer than one should: a few threads beside those that answer."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Final, TypeVar

from app.api.problems import Problem
from app.errors import StackVMError
from app.log_fields import carried, tell

_Prepared = TypeVar("_Prepared")

MOST: Final = 4
"""How many of them a process has under way."""
_RETRY_SECONDS: Final = 10

logger = logging.getLogger(__name__)


class Errands:
    """At most ``most`` at once. They end with the process: what they are about has to be found lost then."""

    def __init__(self, most: int = MOST) -> None:
        self._slots = threading.BoundedSemaphore(most)

    def start(self, prepare: Callable[[], _Prepared], work: Callable[[_Prepared], object]) -> _Prepared:
        """Give what ``prepare`` gives, and have ``work`` done with it. Raises ``Problem`` where all are busy."""
        if not self._slots.acquire(blocking=False):
            problem = Problem(
                429,
                "busy",
                "models write proposals already, as many as may",
                f"try again in {_RETRY_SECONDS} s",
            )
            problem.headers["Retry-After"] = str(_RETRY_SECONDS)
            raise problem
        try:
            prepared = prepare()
            thread = threading.Thread(
                target=carried(self._run), args=(work, prepared), daemon=True, name="errand"
            )
            thread.start()
        except BaseException:
            self._slots.release()
            raise
        return prepared

    def _run(self, work: Callable[[_Prepared], object], prepared: _Prepared) -> None:
        try:
            work(prepared)
        except StackVMError as error:
            tell(logger, logging.INFO, "errand.ended", str(error))
        except Exception:
            logger.exception("an errand ended by a fault of ours", extra={"event": "errand.fault"})
        finally:
            self._slots.release()


errands: Final = Errands()
"""Those of this process."""

"""What the database's own log says goes to stderr as a line, also where nobody set up logging."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from app.cli.streams import note

# Of app/db/waiting.py, by its name: help pages import no database.
_LOG: Final = logging.getLogger("stackvm.database")


class _Notes(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        note(record.getMessage())


@contextmanager
def troubles_are_noted() -> Iterator[None]:
    """Within, a person is told that a database is waited for."""
    handler, passed_on = _Notes(), _LOG.propagate
    _LOG.addHandler(handler)
    _LOG.propagate = False  # else whoever set up logging would see it twice
    try:
        yield
    finally:
        _LOG.propagate = passed_on
        _LOG.removeHandler(handler)

"""The loggers of tools, ``stackvm.tools`` and all below it: what goes through them holds no secret."""

from __future__ import annotations

import logging
import threading
from typing import Any, Final
from weakref import ref

from app.tools.masks import Masks

PARENT: Final = "stackvm.tools"
_FORMATTER: Final = logging.Formatter()
_lock: Final = threading.Lock()
_in_use: tuple[ref[Masks], ...] = ()
_installed = False


def tool_logger(name: str, masks: Masks) -> logging.Logger:
    """The logger of the tool of that name; from now on no logger of tools lets the masks' values pass."""
    logger = logging.getLogger(f"{PARENT}.{name}")
    if masks:
        if not any(each() is masks for each in _in_use):
            _use(masks)
        _protect(logger)
    return logger


def _use(masks: Masks) -> None:
    """Masks are used for as long as they live; loggers live as long as the process."""
    global _in_use, _installed
    with _lock:
        _in_use = (*(each for each in _in_use if each() is not None), ref(masks))
        if not _installed:
            _installed = True
            _protect_what_logs()


def _protect_what_logs() -> None:
    """A tool may log by any name below ours: a logger is protected when it makes a record, before a handler
    sees that."""
    make = logging.getLogRecordFactory()

    def make_record(name: Any, *args: Any, **more: Any) -> logging.LogRecord:
        if isinstance(name, str) and (name == PARENT or name.startswith(f"{PARENT}.")):
            _protect(logging.getLogger(name))
        return make(name, *args, **more)

    logging.setLogRecordFactory(make_record)


def _protect(logger: logging.Logger) -> None:
    if _MASKING not in logger.filters:
        logger.addFilter(_MASKING)


class _Masking(logging.Filter):
    """Takes values out of a record: out of its message, its exception with its causes, and what was added."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Every record passes."""
        for each in _in_use:
            masks = each()
            if masks is not None:
                _mask_message(record, masks)
                _mask_exception(record, masks)
                for name, value in vars(record).items():
                    if name not in ("msg", "args", "exc_info") and type(value) in (str, list, dict):
                        setattr(record, name, masks.json(value))
        return True


_MASKING: Final = _Masking()


def _mask_message(record: logging.LogRecord, masks: Masks) -> None:
    try:
        message = record.getMessage()
    except Exception:  # noqa: BLE001 - arguments that don't fit: a handler would complain, and show them
        record.msg, record.args = masks.text(f"{record.msg!r} {record.args!r}"), None
        return
    masked = masks.text(message)
    if masked is not message:
        record.msg, record.args = masked, None


def _mask_exception(record: logging.LogRecord, masks: Masks) -> None:
    if record.exc_info and not record.exc_text:
        text = _FORMATTER.formatException(record.exc_info)
        masked = masks.text(text)
        if masked is not text:
            record.exc_info, record.exc_text = None, masked

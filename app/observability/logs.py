"""How lines of a log look: one JSON object each, or colours for a person; those of libraries as our own.

All goes through the standard library's ``logging``: our lines carry ``event`` and ``fields`` (:mod:`app.log_fields`),
others are an event by their text. Each says the fields of its context, and no secret.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, MutableMapping
from logging.config import dictConfig
from typing import Any, Final, TypeAlias

import orjson
import structlog
from structlog.dev import ConsoleRenderer, plain_traceback
from structlog.processors import JSONRenderer, TimeStamper, format_exc_info
from structlog.stdlib import ProcessorFormatter, add_log_level, add_logger_name

from app.log_fields import fields
from app.tools.masks import NO_MASKS, Masks

Line: TypeAlias = MutableMapping[str, Any]

_masks: Masks = NO_MASKS


def hide(masks: Masks) -> None:
    """From now on no line of this process shows these values."""
    global _masks
    _masks = masks


def set_up_logs(style: str, level: str) -> None:
    """Have everything that is logged go to stderr. ``style``: ``json``, ``pretty``, or ``auto`` by what stderr is."""
    dictConfig(log_config(style, level))


def is_pretty(style: str) -> bool:
    """Whether lines are for a person."""
    return style == "pretty" or (style == "auto" and sys.stderr.isatty())


def log_config(style: str, level: str) -> dict[str, Any]:
    """For :func:`logging.config.dictConfig`; the handlers that gunicorn gave its loggers go."""
    plain = {"handlers": [], "propagate": True}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"stackvm": {"()": make_formatter, "pretty": is_pretty(style)}},
        "handlers": {
            "stackvm": {
                "class": "logging.StreamHandler",
                "formatter": "stackvm",
                "stream": "ext://sys.stderr",
            }
        },
        "root": {"level": level.upper(), "handlers": ["stackvm"]},
        "loggers": {
            "gunicorn.error": {**plain, "level": level.upper()},
            "gunicorn.access": {**plain, "level": "INFO"},
            # They tell of each request they make, or each retry, at INFO.
            **{name: {"level": "WARNING"} for name in ("httpx", "urllib3", "alembic", "celery.bootsteps")},
        },
    }


def make_formatter(*, pretty: bool) -> logging.Formatter:
    """One line a record."""
    shown: Callable[..., Any]
    if pretty:
        shown = ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=plain_traceback, sort_keys=False
        )
    else:
        shown = JSONRenderer(serializer=_to_json)
    return ProcessorFormatter(
        foreign_pre_chain=[_take_fields, add_log_level, add_logger_name, TimeStamper(fmt="iso", utc=True)],
        processors=[ProcessorFormatter.remove_processors_meta, format_exc_info, _mask, shown],
    )


def _take_fields(_logger: Any, _method: str, line: Line) -> Line:
    record: Final[logging.LogRecord] = line["_record"]
    name = getattr(record, "event", None)
    if isinstance(name, str):
        message, line["event"] = line["event"], name
        if message != name:
            line["message"] = message
    line.update(fields())
    more = getattr(record, "fields", None)
    if isinstance(more, dict):
        line.update((key, value) for key, value in more.items() if value is not None)
    return line


def _mask(_logger: Any, _method: str, line: Line) -> Line:
    if not _masks:
        return line
    try:
        masked = _masks.json({key: _as_json(value) for key, value in line.items()})
    except Exception as error:  # noqa: BLE001 - rather no line than one with a secret
        return {"event": "log.unreadable", "level": "error", "error": type(error).__name__}
    return dict(masked)


def _as_json(value: Any) -> Any:
    return value if isinstance(value, str | int | float | bool | list | dict | None) else str(value)


def _to_json(line: Any, **_: Any) -> str:
    return orjson.dumps(line, default=str, option=orjson.OPT_NON_STR_KEYS).decode()


structlog.configure(
    processors=[structlog.stdlib.filter_by_level, ProcessorFormatter.wrap_for_formatter],
    logger_factory=structlog.stdlib.LoggerFactory(),
    wrapper_class=structlog.stdlib.BoundLogger,
)

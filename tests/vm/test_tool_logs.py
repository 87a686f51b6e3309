"""Loggers of tools hide values, whatever their names and whatever is logged."""

from __future__ import annotations

import gc
import io
import logging
from collections.abc import Iterator

import pytest

from app.tools.masks import NO_MASKS, Masks
from app.vm.tool_logs import tool_logger

VALUE = "a-value-nobody-must-see"


@pytest.fixture
def masks() -> Masks:
    return Masks({"secret:TOKEN": VALUE})


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """What a handler with a format of its own writes."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(name)s %(message)s %(token)s", defaults={"token": "-"}))
    logging.getLogger().addHandler(handler)
    yield stream
    logging.getLogger().removeHandler(handler)


def test_messages_arguments_and_what_was_added_are_masked(masks: Masks, logged: io.StringIO) -> None:
    logger = tool_logger("fetch", masks)
    logger.warning("a %s b", VALUE, extra={"token": VALUE})
    assert logged.getvalue() == "stackvm.tools.fetch a secret:TOKEN b secret:TOKEN\n"


def test_exceptions_are_masked_with_their_causes(masks: Masks, logged: io.StringIO) -> None:
    logger = tool_logger("fetch", masks)
    try:
        try:
            raise KeyError(VALUE)
        except KeyError as error:
            raise RuntimeError("outer") from error
    except RuntimeError:
        logger.exception("failed")
    assert VALUE not in logged.getvalue()
    assert "KeyError: 'secret:TOKEN'" in logged.getvalue()
    assert "RuntimeError: outer" in logged.getvalue()


def test_arguments_that_do_not_fit_are_shown_without_a_value(masks: Masks, logged: io.StringIO) -> None:
    tool_logger("fetch", masks).warning("%d things", VALUE)
    assert logged.getvalue() == "stackvm.tools.fetch '%d things' ('secret:TOKEN',) -\n"


@pytest.mark.parametrize("name", ["stackvm.tools", "stackvm.tools.fetch.http", "stackvm.tools.never_called"])
def test_every_logger_of_tools_is_protected(name: str, masks: Masks, logged: io.StringIO) -> None:
    tool_logger("fetch", masks)
    logging.getLogger(name).warning(VALUE)
    assert logged.getvalue() == f"{name} secret:TOKEN -\n"


def test_other_loggers_are_left_alone(masks: Masks, logged: io.StringIO) -> None:
    tool_logger("fetch", masks)
    logging.getLogger("stackvm.toolset").warning(VALUE)
    assert logged.getvalue() == f"stackvm.toolset {VALUE} -\n"


def test_a_record_without_a_value_stays_as_it_was_made(masks: Masks) -> None:
    records: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = records.append  # type: ignore[assignment, method-assign]
    logger = tool_logger("fetch", masks)
    logger.addHandler(handler)
    try:
        logger.warning("%s of %d", "one", 2, exc_info=ValueError("three"))
    finally:
        logger.removeHandler(handler)
    assert (records[0].msg, records[0].args) == ("%s of %d", ("one", 2))
    assert records[0].exc_info


def test_masks_that_nobody_uses_any_more_are_forgotten(logged: io.StringIO) -> None:
    tool_logger("fetch", Masks({"secret:OLD": VALUE}))
    gc.collect()
    tool_logger("fetch", NO_MASKS).warning(VALUE)
    assert logged.getvalue() == f"stackvm.tools.fetch {VALUE} -\n"

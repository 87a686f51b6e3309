"""How an error ends a command: one line on stderr, or one JSON document on stdout, and its exit code."""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from app.cli.exit_codes import FAILED, code_of_error
from app.cli.streams import emit, forget_stdout, note
from app.errors import PlanRejected, StackVMError


class Interrupted(KeyboardInterrupt):
    """Ctrl-C during a run; ``hint`` says how to go on."""

    message = "interrupted"

    def __init__(self, hint: str, **fields: str) -> None:
        super().__init__(self.message)
        self.hint = hint
        self.fields = fields


class Detached(Interrupted):
    """Ctrl-C while a server's run was watched: the run goes on."""

    message = "not watched any more; the run goes on"


@contextmanager
def errors_end_here(*, as_json: bool, debug: bool = False) -> Iterator[None]:
    """Report whatever is raised within, and leave with its exit code. Never a traceback, unless ``debug``."""
    try:
        yield
    except (click.exceptions.Exit, GeneratorExit):
        raise
    except BrokenPipeError:
        forget_stdout()  # `stackvm log | head`: the reader has seen enough
        raise click.exceptions.Exit(FAILED) from None
    except (Exception, KeyboardInterrupt, SystemExit) as error:  # noqa: BLE001 - here they end
        if debug and not isinstance(error, click.ClickException):
            traceback.print_exc(file=sys.stderr)
        _report(error, as_json)
        raise click.exceptions.Exit(code_of_error(error)) from None


def _report(error: BaseException, as_json: bool) -> None:
    document = describe(error)
    if as_json:
        emit(json.dumps({"error": document}, ensure_ascii=False, indent=2))
        return
    note(f"error: {document['message']}" if not _is_interrupt(error) else str(document["message"]))
    if isinstance(error, PlanRejected):
        for finding in error.findings:
            for line in finding_lines(finding.to_json()):
                note(line)
    if document["hint"] is not None:
        note(f"hint: {document['hint']}")


def describe(error: BaseException) -> dict[str, Any]:
    """An error as a JSON object: ``type``, ``message`` and ``hint``, and what else is known of it."""
    message, hint = _message_and_hint(error)
    document: dict[str, Any] = {
        "type": type(error).__name__,
        "message": " ".join(message.split()) or type(error).__name__,
        "hint": hint,
    }
    if isinstance(error, PlanRejected):
        document["findings"] = [finding.to_json() for finding in error.findings]
    if isinstance(error, Interrupted):
        document.update(error.fields)
    return document


def _message_and_hint(error: BaseException) -> tuple[str, str | None]:
    if isinstance(error, StackVMError):
        return error.message, error.hint
    if isinstance(error, click.ClickException):
        context = error.ctx if isinstance(error, click.UsageError) else None
        hint = context.get_usage() if context is not None else None
        return error.format_message().removesuffix("."), hint
    if isinstance(error, Interrupted):
        return error.message, error.hint
    if isinstance(error, KeyboardInterrupt):
        return "interrupted", None
    if isinstance(error, click.Abort):
        return "called off", None
    if isinstance(error, OSError) and error.strerror is not None:
        place = f"{error.filename}: " if error.filename else ""
        return f"{place}{error.strerror}", None
    return f"internal error: {type(error).__name__}: {error}", "`--debug` before the command shows where"


def _is_interrupt(error: BaseException) -> bool:
    return isinstance(error, KeyboardInterrupt | click.Abort)


def finding_lines(finding: dict[str, Any]) -> Iterator[str]:
    """A checker's finding for a person: where and what, then what would be right."""
    step = f"step {finding['step']}" if finding["step"] is not None else ""
    place = ", ".join(part for part in (step, finding["path"]) if part)
    yield f"  {finding['code']} {finding['severity']}" + (f" at {place}" if place else "")
    yield f"       {finding['message']}"
    if finding["hint"]:
        yield f"       hint: {finding['hint']}"

"""``/git/TASK.git``: clone, fetch and push with the stock git client. What goes wrong is plain text."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from io import BytesIO
from typing import BinaryIO, Final, cast

from flask import Blueprint, Response, request

from app.api.auditing import note_change
from app.api.problems import MEDIA_TYPE, Problem
from app.api.state import place, server
from app.db.base import TaskRow
from app.errors import Conflict, InputError, PlanRejected
from app.history.base import RawObject
from app.history.receive_pack import Command, Commands, read_commands, report
from app.history.received_pack import PackLimits, read_pack, too_large
from app.history.refnames import HEADS
from app.services.fetches import fetch, find_visible, offer_fetch, offer_push
from app.services.pushes import read_known, refused_lines, take_push, taken_lines

git = Blueprint("git", __name__, url_prefix="/git/<task_id>.git")

_MOST_REQUEST_BYTES: Final = 16 * 1024 * 1024
"""What a fetch may ask for: a list of ids."""

_MOST_DISCARDED_BYTES: Final = 1 << 30
"""A client reads no answer while it sends; so what is refused for its size is read, and dropped, up to this."""

_NO_LIMIT: Final = 1 << 62
_MOST_REASON: Final = 500

_PART: Final = 1 << 16
_VERSION: Final = re.compile(r"(?:^|:)version=(\d)(?:$|:)")


@git.get("/info/refs")
def discover(task_id: str) -> Response:
    """What there is, to begin with."""
    service = request.args.get("service")
    if service == "git-upload-pack":
        return _answer("git-upload-pack-advertisement", offer_fetch(place(), task_id, _version()))
    if service == "git-receive-pack":
        return _answer("git-receive-pack-advertisement", offer_push(place(), task_id))
    raise Problem(
        403, "forbidden", "only git's smart protocol is served here", "use a git client newer than 1.6.6"
    )


@git.post("/git-upload-pack")
def upload_pack(task_id: str) -> Response:
    """Clone and fetch: streamed."""
    body = BytesIO(_read_request())
    return _answer("git-upload-pack-result", fetch(place(), task_id, _version(), body))


@git.post("/git-receive-pack")
def receive_pack(task_id: str) -> Response:
    """Push. What is refused is a success to HTTP: the reasons are in the report."""
    workplace = place()
    task = find_visible(workplace, task_id)
    workplace.actor.require("operator")
    limits = PackLimits(server().settings.push_max_bytes, server().settings.push_max_objects)
    body = _body()
    commands = read_commands(body)
    if not commands.moves:
        return _answer("git-receive-pack-result", b"")
    return _answer("git-receive-pack-result", _take(task, commands, body, limits))


def _take(task: TaskRow, commands: Commands, body: BinaryIO, limits: PackLimits) -> bytes:
    """Take or refuse each ref, and say so."""
    lines: list[str] = []
    results: dict[bytes, str | None] = {}
    for move in commands.moves:
        reason = _refusal(move)
        if reason is not None:
            results[move.ref] = reason.message
            lines += refused_lines(reason)
    pack = _read_pack(body, limits)
    wanted = [move for move in commands.moves if move.ref not in results]
    try:
        objects = _unpack(task, pack, limits) if wanted else {}
    except InputError as error:
        # Said of every ref: git tells people of those.
        results |= {move.ref: error.message for move in wanted}
        _note(task, commands, results)
        return report(commands, error.message, results, [*lines, *refused_lines(error)])
    for move in wanted:
        results[move.ref] = _take_one(task, move, objects, lines)
    _note(task, commands, results)
    return report(commands, "ok", results, lines)


def _note(task: TaskRow, commands: Commands, results: dict[bytes, str | None]) -> None:
    """What became of each ref: what was refused is an answer 200 too."""
    for move in commands.moves:
        told = {"path": request.path, "branch": _branch_of(move), "outcome": "taken"}
        if results[move.ref] is not None:
            told |= {"outcome": "refused", "reason": str(results[move.ref])[:_MOST_REASON]}
        elif move.new is not None:
            told["pushed"] = move.new.hex()
        note_change("git.push", task.id, told)


def _branch_of(move: Command) -> str:
    return move.ref.decode(errors="replace").removeprefix(HEADS)[:_MOST_REASON]


def _refusal(move: Command) -> InputError | None:
    """Why a ref can't be pushed, whatever comes with it."""
    if not move.ref.startswith(HEADS.encode()):
        return Conflict("only branches can be pushed", hint=f"refs below {HEADS}")
    if move.new is None:
        return Conflict("a push deletes no branch", hint="`stackvm delete-branch` does")
    if move.old is not None:
        return Conflict(
            "a push moves no branch that is there", hint="push under a new name: HEAD:refs/heads/NAME"
        )
    return None


def _take_one(task: TaskRow, move: Command, objects: dict[bytes, RawObject], lines: list[str]) -> str | None:
    assert move.new is not None
    branch = move.ref.decode(errors="surrogateescape").removeprefix(HEADS)
    try:
        pushed = take_push(place(), server().queue, task, branch, move.new, objects)
    except (InputError, PlanRejected) as error:
        lines += refused_lines(error)
        return error.message
    lines += taken_lines(pushed, f"{request.host_url}api/tasks/{task.id}")
    return None


def _unpack(task: TaskRow, pack: bytes | None, limits: PackLimits) -> dict[bytes, RawObject]:
    if pack is None:
        raise too_large(limits)
    with read_known(place(), task) as look:
        return read_pack(pack, limits, look) if pack else {}


def _read_pack(body: BinaryIO, limits: PackLimits) -> bytes | None:
    """What follows the commands; ``None`` where it is too large: of that nothing is kept."""
    kept = bytearray()
    discarded = 0
    while part := body.read(_PART):
        if discarded:
            discarded += len(part)
        elif len(kept) + len(part) > limits.bytes:
            discarded = len(kept) + len(part)
            kept.clear()
        else:
            kept += part
        if discarded > _MOST_DISCARDED_BYTES:
            raise Problem(413, "too-large", str(too_large(limits)))
    return None if discarded else bytes(kept)


def _body() -> BinaryIO:
    """The request's body as it comes, of any length: what is read of it is limited here."""
    request.max_content_length = _NO_LIMIT
    stream = cast("BinaryIO", request.stream)
    if request.headers.get("Content-Encoding", "") in ("gzip", "x-gzip"):
        return cast("BinaryIO", gzip.GzipFile(fileobj=stream))
    return stream


def _read_request() -> bytes:
    body, parts, size = _body(), [], 0
    try:
        while part := body.read(_PART):
            parts.append(part)
            size += len(part)
            if size > _MOST_REQUEST_BYTES:
                raise Problem(413, "too-large", f"a request of more than {_MOST_REQUEST_BYTES:,} bytes")
    except (gzip.BadGzipFile, EOFError) as error:
        raise Problem(400, "bad-request", f"the request can't be unpacked: {error}") from None
    return b"".join(parts)


def _version() -> int:
    match = _VERSION.search(request.headers.get("Git-Protocol", ""))
    return 2 if match is not None and match[1] == "2" else 0


def _answer(kind: str, body: bytes | Iterator[bytes]) -> Response:
    response = Response(body, mimetype=f"application/x-{kind}")
    response.headers["Cache-Control"] = "no-cache, max-age=0, must-revalidate"
    return response


@git.after_request
def plain_text(response: Response) -> Response:
    """Errors as git shows them: behind ``remote:``, where they are plain text."""
    if response.mimetype == MEDIA_TYPE:
        told = response.get_json()
        lines = [told["title"], *([told["detail"]] if "detail" in told else [])]
        response.set_data("\n".join(lines) + "\n")
        response.mimetype = "text/plain"
    return response

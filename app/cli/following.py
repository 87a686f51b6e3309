"""``execute`` and ``resume`` against a server: what goes there, and a run that is watched from here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, NoReturn

from app.cli.errors import Detached
from app.cli.options import command_line
from app.cli.progress import watching
from app.cli.running import Manner, end_run, head_lines
from app.cli.screen import tell
from app.cli.streams import note
from app.cli.texts import short_task
from app.db.base import TaskRow
from app.errors import Conflict, InputError, NotFound, ServerFailed, StackVMError
from app.services.branches import BranchView
from app.services.tasks import NewTask
from app.vm.state import FAILED, PAUSED, PLANNING, RUNNING

if TYPE_CHECKING:
    from app.remote.desk import RemoteDesk


_RESUMED: Final = (PAUSED, FAILED)
_UNDER_WAY: Final = ("queued", PLANNING, RUNNING)


def submission(new: NewTask, parallel: int) -> dict[str, Any]:
    """What a server is sent to make a task. A plan goes as its text: findings then say where it is broken."""
    plan = new.plan
    if isinstance(plan, bytes):
        try:
            plan = plan.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise InputError(f"the plan is no UTF-8 text: {error.reason} at byte {error.start}") from None
    return {
        "goal": new.goal,
        "plan": plan,
        "namespace": new.namespace,
        "response_format": new.response_format,
        "history": new.history,
        "max_steps": new.max_steps,
        "revise": new.revise,
        "parallel": parallel,
    }


def resume_and_follow(
    desk: RemoteDesk, task: str, branch: str | None, manner: Manner, *, max_steps: int | None, parallel: int
) -> NoReturn:
    """Have the server go on with a run, and follow it; one that goes on already is followed, one that has ended is
    shown."""
    row = desk.find(task)
    view = _branch(desk, row, branch)
    is_resumed = False
    if view.status in _RESUMED:
        try:
            desk.resume(row.id, {"branch": view.name, "max_steps": max_steps, "parallel": parallel})
            is_resumed = True
        except Conflict:
            view = _branch(desk, row, view.name)
            if view.status in _RESUMED:
                raise  # else somebody was quicker
    if max_steps is not None and not is_resumed:
        pause = command_line("pause", short_task(row.id))
        hint = f"; `{pause}` first" if view.status in _UNDER_WAY else ""
        note(f"branch {view.name} is {view.status} already: --max-steps changes nothing{hint}")
    follow_to_its_end(desk, row, view.name, manner, told=view.commit)


def _branch(desk: RemoteDesk, task: TaskRow, name: str | None) -> BranchView:
    """The branch of a task, by default its current one."""
    wanted = task.current_branch if name is None else name
    branches = desk.branches(task.id)
    found = next((each for each in branches if each.name == wanted), None)
    if found is None:
        raise NotFound("branch", wanted, hint="branches: " + ", ".join(each.name for each in branches))
    return found


def follow_to_its_end(
    desk: RemoteDesk, task: TaskRow, branch: str, manner: Manner, *, told: str | None = None
) -> NoReturn:
    """Watch a run of a server, show how it goes and what came of it, and leave with the exit code of its end.

    ``told`` is the commit up to which it is known. Ctrl-C ends the watching, and nothing else.
    """
    from app.remote.following import Follower  # it needs an HTTP client, which few commands do

    started = monotonic()
    if not manner.is_silent:
        tell(head_lines(task, branch))
    with _detachable(task, branch), watching(silent=manner.is_silent) as listener:
        follower = Follower(desk, task.id, branch, told=told, listener=listener, on_away=_away_teller(manner))
        report, is_scripted = follower.follow()
    end_run(report, manner, monotonic() - started, is_scripted=is_scripted)


def _away_teller(manner: Manner) -> Callable[[StackVMError], None]:
    def tell_away(error: StackVMError) -> None:
        if not manner.is_silent:
            note(f"{error.message}; asking again")

    return tell_away


@contextmanager
def _detachable(task: TaskRow, branch: str) -> Iterator[None]:
    """What ends the watching before the run's end says how to watch on."""
    words = [short_task(task.id)] + (["--branch", branch] if branch != task.current_branch else [])
    watch, pause, cancel = (command_line(name, *words) for name in ("resume", "pause", "cancel"))
    try:
        yield
    except KeyboardInterrupt:
        hint = f"`{watch}` watches it again, `{pause}` pauses it, `{cancel}` ends it"
        raise Detached(hint, task_id=task.id, branch=branch) from None
    except ServerFailed as error:
        error.hint = "; ".join(filter(None, (error.hint, f"the run may go on: `{watch}` watches it again")))
        raise

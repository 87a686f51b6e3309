"""The end of a branch while it is being run: commits gathered, flushed in groups, the head moved by fence.

What is not flushed is lost by a crash and costs nothing where it had no effect (history: "durability by need").
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Final

from app.crash_points import reached
from app.history.base import Kind, RefMove, Store
from app.history.commits import commit_bytes
from app.history.trees import ObjectSink

GROUP_SECONDS: Final = 0.05
"""The longest a commit stays unflushed while steps go on."""

GROUP_BYTES: Final = 4 * 1024 * 1024
"""Objects gathered beyond this are flushed at once."""


class Journal:
    """Appends commits to one branch. Not for use by several threads.

    ``on_flush`` takes the seconds that a flush took.
    ``makes_branch``: there is no such branch yet; it comes into being at the first flush, above ``head``.
    """

    def __init__(
        self,
        store: Store,
        ref: str,
        head: bytes | None,
        *,
        fence: int | None = None,
        every_commit: bool = False,
        on_flush: Callable[[float], None] | None = None,
        makes_branch: bool = False,
    ) -> None:
        self.store = store
        self.ref = ref
        self.sink = ObjectSink()
        self.head = head
        """The newest commit, flushed or not."""
        self.durable_head = None if makes_branch else head
        """The branch's newest commit that is on stable storage."""
        self._fence = fence
        self._every_commit = every_commit
        self._on_flush = on_flush
        self._first_unflushed: float | None = None
        self._flushes = True
        self._writing = False

    @property
    def seconds_left(self) -> float | None:
        """Until the commits gathered so far are to be flushed; ``None`` where there are none."""
        if self._first_unflushed is None:
            return None
        return max(0.0, self._first_unflushed + GROUP_SECONDS - monotonic())

    def never_flush(self) -> None:
        """From now on only compute ids: for replay, which looks the objects up instead of writing them."""
        self._flushes = False

    def append(
        self, tree: bytes, time: int, message: str, author: str | None = None, *, pushed: bytes | None = None
    ) -> bytes:
        """Commit ``tree`` on the head; gives the id. Flushes where the group is old or large enough.

        ``pushed`` is the client's commit that a push took, its first parent.
        """
        parents = tuple(oid for oid in (pushed, self.head) if oid is not None)
        self.head = self.sink.add(Kind.COMMIT, commit_bytes(tree, parents, time, message, author))
        if not self._flushes:
            return self.head
        if self._every_commit:
            self.flush()
        elif self._first_unflushed is None:
            self._first_unflushed = monotonic()
        elif monotonic() - self._first_unflushed >= GROUP_SECONDS or self.sink.bytes >= GROUP_BYTES:
            self.flush()
        return self.head

    def flush(self) -> None:
        """Make everything durable and move the branch. Raises ``BranchMoved`` where it is no longer ours."""
        self._first_unflushed = None
        if self.head == self.durable_head or self._writing:
            return
        reached("flush.due")
        objects = self.sink.drain()
        move = RefMove(self.ref, self.durable_head, self.head, self._fence)
        # What was taken from the sink is gone if this fails: no later flush may move the branch without it.
        self._writing = True
        began = monotonic()
        self.store.write(objects, [move])
        self._writing = False
        self.durable_head = self.head
        reached("flush.done")
        if self._on_flush is not None:
            self._on_flush(monotonic() - began)

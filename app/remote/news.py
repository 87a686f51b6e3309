"""When it is worth looking again: a task's event stream, read beside, or the clock where there is none."""

from __future__ import annotations

import threading
from time import sleep
from typing import Final

from app.errors import NotFound, ServerFailed, StackVMError
from app.remote.client import ServerClient
from app.remote.desk import task_path

POLL_SECONDS: Final = 0.5
"""Between two looks, where a server says nothing by itself."""
_QUIET_SECONDS: Final = 5.0
"""With a stream: in case that it broke and nobody said so."""
_PAUSE_SECONDS: Final = 0.1
"""Events come by the hundred; so often it is looked."""
_RETRY_SECONDS: Final = 1.0


class News:
    """:meth:`wait` comes back when something happened in the task, or is to be suspected."""

    def __init__(self, client: ServerClient, task_id: str) -> None:
        self._client = client
        self._path = f"{task_path(task_id)}/events"
        self._something = threading.Event()
        self._over = threading.Event()
        self._is_streaming = False
        self._last_id: str | None = None

    def __enter__(self) -> News:
        threading.Thread(target=self._read_on, daemon=True, name="events").start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._over.set()

    def wait(self) -> None:
        """At most some seconds."""
        self._something.wait(_QUIET_SECONDS if self._is_streaming else POLL_SECONDS)
        if self._something.is_set():
            sleep(_PAUSE_SECONDS)
            self._something.clear()

    def _read_on(self) -> None:
        """Read the stream, and come again behind its last event where it breaks."""
        while not self._over.is_set():
            try:
                self._read()
            except NotFound:
                return  # a server without streams; where the task is gone, whoever looks is told
            except StackVMError as error:
                self._is_streaming = False
                if not isinstance(error, ServerFailed) or not error.may_pass:
                    return
            self._is_streaming = False
            self._something.set()
            self._over.wait(_RETRY_SECONDS)

    def _read(self) -> None:
        headers = {"Last-Event-ID": self._last_id} if self._last_id is not None else {}
        query = {} if headers else {"since": "now"}
        with self._client.stream(self._path, query, headers) as lines:
            self._is_streaming = True
            self._something.set()  # what happened before it was opened
            for line in lines:
                if self._over.is_set():
                    return
                name, _, value = line.partition(":")
                if name == "id" and "\0" not in value:
                    self._last_id = value.removeprefix(" ")
                elif name == "data":
                    self._something.set()

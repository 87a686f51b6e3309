"""Sends messages in a thread of its own: who puts a run waits for the database, never for a broker."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from time import monotonic
from typing import Any, Final, NamedTuple

from kombu import Connection

from app.errors import ConfigurationError, StackVMError
from app.log_fields import tell
from app.queue.base import NO_HEADERS
from app.queue.broker import Broker, BrokerAway

_CHECK_SECONDS: Final = 2.0
"""How late it is noticed, while nothing is sent, that the broker went away or is back."""

_FIRST_SECONDS: Final = 1.0
_MOST: Final = 10_000

logger = logging.getLogger(__name__)


class Message(NamedTuple):
    """Look at this task. ``headers`` go along, for whoever follows a run across processes."""

    task_id: str
    namespace: str | None = None
    priority: int = 0
    headers: Mapping[str, str] = NO_HEADERS


class Sender:
    """Its thread starts with the first use.

    What can't be sent is dropped: the job's row is there, and a worker's sweeper sends what is missing.
    """

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._pending: deque[Message] = deque(maxlen=_MOST)
        self._news = threading.Condition()
        self._closing = False
        self._thread: threading.Thread | None = None
        self._trouble: str | None = None
        self._known = threading.Event()
        self._connection: Connection | None = None
        self._producer: Any = None

    def send(self, message: Message) -> None:
        """Soon, if it can be."""
        with self._news:
            if not self._closing:
                self._pending.append(message)
                self._start()
                self._news.notify()

    def trouble(self) -> str | None:
        """Why nothing can be sent at the moment."""
        with self._news:
            self._start()
        self._known.wait(_FIRST_SECONDS)
        return self._trouble if self._known.is_set() else f"{self._broker.where} has not answered yet"

    def close(self, seconds: float) -> None:
        """Send what is pending, for at most so long."""
        with self._news:
            self._closing = True
            self._news.notify()
        if self._thread is not None:
            self._thread.join(seconds)

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, daemon=True, name="sender")
            self._thread.start()

    def _work(self) -> None:
        checked = 0.0
        while True:
            with self._news:
                if not self._pending and not self._closing and self._known.is_set():
                    self._news.wait(_CHECK_SECONDS)
                message = self._pending.popleft() if self._pending else None
                if message is None and self._closing:
                    break
            try:
                if self._trouble is not None and monotonic() < checked + _CHECK_SECONDS:
                    continue  # dropped: it was away a moment ago
                checked = monotonic()
                self._do(message)
                self._tell(None)
            except StackVMError as error:
                self._tell(error)
        self._drop()

    def _do(self, message: Message | None) -> None:
        connection = self._connected()
        try:
            if message is not None:
                self._broker.send(self._producer, *message)
            else:
                self._broker.queue(None)(connection.default_channel).queue_declare()
        except self._broker.errors(connection) as error:
            self._drop()
            raise self._broker.explain(error) from error
        except Exception as error:
            self._drop()
            logger.exception("a message was not sent by a fault of ours", extra={"event": "message.fault"})
            raise BrokerAway(f"{self._broker.where}: {type(error).__name__}") from error

    def _connected(self) -> Connection:
        if self._connection is None:
            self._connection = self._broker.connect()
            self._producer = self._broker.app.amqp.Producer(self._connection)
        return self._connection

    def _drop(self) -> None:
        connection, self._connection, self._producer = self._connection, None, None
        if connection is not None:
            with suppress(Exception):
                connection.release()

    def _tell(self, error: StackVMError | None) -> None:
        trouble = None if error is None else str(error)
        if (trouble is None) != (self._trouble is None) or not self._known.is_set():
            if isinstance(error, ConfigurationError):
                tell(logger, logging.ERROR, "broker.refused", str(trouble))
            elif trouble is not None:
                tell(logger, logging.WARNING, "broker.away", f"{trouble}; runs wait in the database")
            elif self._known.is_set():
                tell(logger, logging.INFO, "broker.back", f"{self._broker.where} is back")
        self._trouble = trouble
        self._known.set()

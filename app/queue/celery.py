"""The queue with a broker: the row first, a message after it that says "look at this task".

The rows are the truth. A message may be lost, come twice or late: who gets it takes the job or finds it taken, and
what nobody was told of is sent again by the sweeper. While the broker is away, workers look at the rows themselves.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from time import monotonic, sleep
from typing import Any, Final

from kombu import Connection, Consumer

from app.db.serving import Job, JobTable, MessageTable, Waiting
from app.errors import StackVMError
from app.log_fields import tell
from app.queue.base import Line, Look
from app.queue.broker import Broker
from app.queue.sender import Message, Sender

_NAMES_SECONDS: Final = 2.0
"""How late a worker hears of a namespace that was just made."""

_AGAIN_SECONDS: Final = 2.0
_CLOSE_SECONDS: Final = 2.0

logger = logging.getLogger(__name__)


class CeleryQueue:
    """A :class:`app.queue.base.RunQueue`. ``most``: how many runs may wait or be under way."""

    def __init__(self, broker: Broker, jobs: JobTable, messages: MessageTable, *, most: int) -> None:
        self._broker = broker
        self._jobs = jobs
        self._messages = messages
        self.most = most
        self.where = broker.where
        self._sender = Sender(broker)
        self._probe: Connection | None = None
        self._probing = threading.Lock()

    def keep(self, job: Job) -> None:
        self._jobs.put(job, most=self.most)

    def tell(self, job: Job) -> None:
        # Here, in the thread of who asks, is where a trace's context would be put into the headers.
        self._sender.send(Message(job.task_id, job.namespace, job.priority))

    def withdraw(self, task_id: str, branch: str | None = None) -> None:
        self._jobs.withdraw(task_id, branch)

    def open_line(self, namespaces: Callable[[], Collection[str | None]]) -> Line:
        return _Line(self._broker, namespaces)

    def freed(self, namespace: str) -> None:
        self.remind(self._messages.most_urgent(namespace, 1))

    def trouble(self) -> str | None:
        return self._sender.trouble()

    def close(self) -> None:
        self._sender.close(_CLOSE_SECONDS)
        with self._probing:
            self._drop_probe()

    def check(self) -> None:
        """Raise :class:`app.queue.broker.BrokerAway` or ``ConfigurationError`` where the broker is of no use."""
        self._broker.connect().release()

    def remind(self, waiting: Sequence[Waiting]) -> None:
        """Send a message about each."""
        self._messages.mark(waiting)
        for each in waiting:
            self._sender.send(Message(each.task_id, each.namespace, each.priority))

    def depth(self, namespace: str | None) -> int:
        """How many messages of a namespace wait. Raises :class:`app.queue.broker.BrokerAway`."""
        with self._probing:
            if self._probe is None:
                self._probe = self._broker.connect()
            try:
                queue = self._broker.queue(namespace)(self._probe.default_channel)
                queue.declare()
                return int(queue.queue_declare().message_count)
            except self._broker.errors(self._probe) as error:
                self._drop_probe()
                raise self._broker.explain(error) from error

    def _drop_probe(self) -> None:
        probe, self._probe = self._probe, None
        if probe is not None:
            with suppress(Exception):
                probe.release()


class _Line:
    """A connection of a thread's own: one message at a time, which stays the broker's until it is settled.

    Not Celery's own worker: it settles the messages of its threads from its event loop, so that the next one comes
    late, and it ends where RabbitMQ takes a message back that was not settled for half an hour.
    """

    def __init__(self, broker: Broker, namespaces: Callable[[], Collection[str | None]]) -> None:
        self._broker = broker
        self._namespaces = namespaces
        self._connection: Connection | None = None
        self._consumer: Consumer | None = None
        self._names: set[str | None] = set()
        self._names_at = 0.0
        self._arrived: deque[Any] = deque()
        self._message: Any = None
        self._not_before = 0.0

    def next(self, seconds: float) -> Look | None:
        try:
            if self._connection is None:
                if monotonic() < self._not_before:
                    sleep(min(seconds, self._not_before - monotonic()))
                    return Look(None)
                self._connect()
            return self._receive(seconds)
        except StackVMError as error:
            self._lost(error)
            return Look(None)  # the rows are there without it
        except Exception:
            logger.exception("no message can be taken by a fault of ours", extra={"event": "broker.fault"})
            self._drop()
            self._not_before = monotonic() + _AGAIN_SECONDS
            return Look(None)

    def settle(self, *, found: bool, again: bool = False) -> None:
        message, self._message = self._message, None
        if message is None or self._connection is None:
            return
        try:
            if again:
                message.requeue()
            else:
                message.ack()
        except self._broker.errors(self._connection) as error:
            # It will come again, and find nothing to do.
            tell(logger, logging.INFO, "broker.lost", str(self._broker.explain(error)))
            self._drop()

    def close(self) -> None:
        self._drop()

    def _receive(self, seconds: float) -> Look | None:
        assert self._connection is not None
        try:
            self._consume_new()
            if not self._arrived:
                with suppress(TimeoutError):
                    self._connection.drain_events(timeout=seconds)
        except self._broker.errors(self._connection) as error:
            raise self._broker.explain(error) from error
        if not self._arrived:
            return None
        self._message = self._arrived.popleft()
        look = _look(self._message)
        if look is None:
            self.settle(found=False)
        return look

    def _connect(self) -> None:
        self._connection = self._broker.connect()
        self._names, self._names_at = set(), 0.0
        try:
            channel = self._connection.default_channel
            self._consumer = Consumer(channel, [], on_message=self._arrived.append, prefetch_count=1)
        except self._broker.errors(self._connection) as error:
            raise self._broker.explain(error) from error

    def _consume_new(self) -> None:
        if monotonic() < self._names_at + _NAMES_SECONDS:
            return
        assert self._consumer is not None
        for name in set(self._namespaces()) - self._names:
            self._consumer.add_queue(self._broker.queue(name))
            self._names.add(name)
        self._consumer.consume()
        self._names_at = monotonic()

    def _lost(self, error: StackVMError) -> None:
        if self._not_before == 0.0:
            tell(logger, logging.INFO, "broker.lost", f"{error}; the database is looked at meanwhile")
        self._drop()
        self._not_before = monotonic() + _AGAIN_SECONDS

    def _drop(self) -> None:
        connection, self._connection, self._consumer = self._connection, None, None
        self._arrived.clear()
        self._message = None
        if connection is not None:
            with suppress(Exception):
                connection.release()


def _look(message: Any) -> Look | None:
    """What a message says; ``None`` where that is nothing of ours, or of a version to come."""
    try:
        task_id = message.payload[0][0]
    except Exception:  # noqa: BLE001 - whatever it is, it is none
        task_id = None
    if not isinstance(task_id, str):
        tell(logger, logging.WARNING, "message.dropped", "a message that says nothing of a task")
        return None
    headers = {name: value for name, value in (message.headers or {}).items() if isinstance(value, str)}
    return Look(task_id, headers)

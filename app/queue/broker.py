"""The broker behind the distributed queue: a Celery application, its queues, and what its errors mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit, urlunsplit

from amqp.exceptions import AccessRefused, NotAllowed
from celery import Celery
from kombu import Connection, Queue
from kombu.exceptions import OperationalError
from redis.exceptions import AuthenticationError, AuthorizationError, NoPermissionError, ResponseError

from app.errors import ConfigurationError, StackVMError

TASK: Final = "stackvm.run"
"""The one kind of message: look at this task."""

CONNECT_SECONDS: Final = 3.0
MOST_URGENT: Final = 9
"""Brokers tell ten priorities apart, jobs 201."""

VISIBILITY_SECONDS: Final = 300
"""After so long Redis gives a message again that is not settled. That does no harm, and is no help either."""

_SETTING: Final = "CELERY_BROKER_URL"
_HINT: Final = "as amqp://user:password@host:5672/vhost or redis://:password@host:6379/0"
_KINDS: Final = {
    "amqp": "RabbitMQ",
    "amqps": "RabbitMQ",
    "pyamqp": "RabbitMQ",
    "redis": "Redis",
    "rediss": "Redis",
}
_VISIBILITY: Final = "visibility_timeout"
_PREFIX: Final = "stackvm"


class BrokerAway(StackVMError):
    """The broker can't be reached now; it may be back later."""


class Broker:
    """Where messages go. Connects to nothing by itself. Raises ``ConfigurationError`` for a URL of another kind."""

    def __init__(self, url: str) -> None:
        self.scheme, address, options = _read_url(url)
        self.is_redis = _KINDS[self.scheme] == "Redis"
        self.where = f"{_KINDS[self.scheme]} at {_place(address)}"
        """Which it is, for people: no password."""
        self.app = Celery("stackvm", broker=address, set_as_current=False, fixups=[])
        self.app.conf.update(
            # Or Celery would read the environment for itself, where our own options may be in it.
            broker_write_url=address,
            broker_read_url=address,
            task_ignore_result=True,
            broker_connection_timeout=CONNECT_SECONDS,
            broker_connection_retry=False,
            broker_heartbeat=0,  # a thread that runs something answers none; the kernel's keepalive finds the dead
            broker_transport_options=self._transport_options(options),
        )

    def _transport_options(self, options: Mapping[str, float]) -> dict[str, Any]:
        if not self.is_redis:
            return {"confirm_publish": True, "max_retries": 0}
        return {
            "max_retries": 0,
            _VISIBILITY: options.get(_VISIBILITY, VISIBILITY_SECONDS),
            # With the defaults it would look for what it is to give again every 100 s only.
            "unacked_restore_interval": 1,
            "unacked_restore_throttle": 1,
            "priority_steps": list(range(MOST_URGENT + 1)),
            "queue_order_strategy": "round_robin",
            "socket_connect_timeout": CONNECT_SECONDS,
            "socket_keepalive": True,
        }

    def connect(self) -> Connection:
        """A connection of one's own. Raises :class:`BrokerAway`, ``ConfigurationError``."""
        connection = self.app.connection_for_write()
        try:
            connection.ensure_connection(max_retries=0)
        except Exception as error:
            connection.release()
            raise self.explain(error) from error
        return connection

    def queue(self, namespace: str | None) -> Queue:
        """Where the messages about a namespace's tasks wait."""
        name = _PREFIX if namespace is None else f"{_PREFIX}.{namespace}"
        arguments = {} if self.is_redis else {"x-max-priority": MOST_URGENT}
        return Queue(name, routing_key=name, queue_arguments=arguments)

    def priority(self, of_job: int) -> int:
        """A job's, -100 to 100 with 0 amid them, in the broker's terms."""
        urgency = 4 + (-(-of_job // 20) if of_job > 0 else of_job // 25)
        urgency = min(MOST_URGENT, max(0, urgency))
        return MOST_URGENT - urgency if self.is_redis else urgency

    def send(self, producer: Any, task_id: str, namespace: str | None, priority: int, headers: Any) -> None:
        """One message. Raises what the broker's library raises."""
        self.app.send_task(
            TASK,
            args=(task_id,),
            queue=self.queue(namespace),
            priority=self.priority(priority),
            headers=dict(headers),
            producer=producer,
            retry=False,
            ignore_result=True,
            confirm_timeout=CONNECT_SECONDS,
        )

    def errors(self, connection: Connection) -> tuple[type[BaseException], ...]:
        """What its library raises where a connection is no good."""
        found = (*connection.connection_errors, *connection.channel_errors)
        return (OperationalError, OSError, *found)

    def explain(self, error: BaseException) -> StackVMError:
        """``ConfigurationError`` where only another setting helps, else :class:`BrokerAway`."""
        cause = error.__cause__ if isinstance(error, OperationalError) and error.__cause__ else error
        text = " ".join(str(cause).split()).rstrip(".") or type(cause).__name__
        refused = (AuthenticationError, AuthorizationError, NoPermissionError, AccessRefused, NotAllowed)
        if isinstance(cause, refused) or (isinstance(cause, ResponseError) and "DB index" in text):
            return ConfigurationError(f"{_SETTING}: {self.where} refuses us: {text}", hint=_HINT)
        return BrokerAway(f"{self.where} can't be reached: {text}")


def _place(address: str) -> str:
    """Host, port and which of its parts: no user, no password."""
    parts = urlsplit(address)
    port = f":{parts.port}" if parts.port is not None else ""
    return f"{parts.hostname}{port}{parts.path.rstrip('/')}"


def _read_url(url: str) -> tuple[str, str, Mapping[str, float]]:
    """Scheme, the URL without what is ours, and that."""
    if not url:
        raise ConfigurationError(f"QUEUE=celery needs {_SETTING}", hint=_HINT)
    try:
        parts = urlsplit(url)
        valid = parts.scheme in _KINDS and parts.hostname is not None and parts.port != 0
    except ValueError:
        valid = False
    if not valid:
        raise ConfigurationError(f"{_SETTING} is no URL of RabbitMQ or Redis", hint=_HINT)
    query = parse_qs(parts.query)
    options: dict[str, float] = {}
    if _VISIBILITY in query:
        try:
            options[_VISIBILITY] = float(query.pop(_VISIBILITY)[0])
        except ValueError:
            raise ConfigurationError(f"{_SETTING}: {_VISIBILITY} is in seconds") from None
    rest = "&".join(f"{name}={value}" for name, values in query.items() for value in values)
    return parts.scheme, urlunsplit(parts._replace(query=rest)), options

"""The queues pass one suite: the embedded one on every database, the one with a broker on every broker."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import brokers
import databases
import pytest
from queue_contract import QueueContract, Stand

from app.db.jobs import SqlJobs
from app.db.messages import SqlMessages
from app.db.serving import Job
from app.db.session import open_database
from app.errors import ConfigurationError
from app.queue.broker import Broker, BrokerAway
from app.queue.celery import CeleryQueue
from app.queue.embedded import EmbeddedQueue


class TestEmbeddedQueue(QueueContract):
    @pytest.fixture(params=databases.KINDS)
    def stand(self, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stand]:
        database = open_database(databases.shared_database(request.param, tmp_path))
        jobs = SqlJobs(database)
        stand = Stand(EmbeddedQueue(jobs), jobs, SqlMessages(database))
        yield stand
        stand.close()
        database.close()


class TestCeleryQueue(QueueContract):
    @pytest.fixture(
        params=[("rabbitmq", "mariadb"), ("redis", "sqlite"), ("redis", "postgresql")], ids="-".join
    )
    def stand(self, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stand]:
        kind, database_kind = request.param
        url = brokers.shared_broker(kind)
        brokers.purge(url, "stackvm", "stackvm.small")
        database = open_database(databases.shared_database(database_kind, tmp_path))
        jobs, messages = SqlJobs(database), SqlMessages(database)
        queue = CeleryQueue(Broker(url), jobs, messages, most=10_000)
        stand = Stand(queue, jobs, messages, queue, lambda: brokers.purge(url))
        yield stand
        stand.close()
        database.close()


@pytest.fixture
def tables(tmp_path: Path) -> Iterator[tuple[SqlJobs, SqlMessages]]:
    database = open_database(databases.shared_database("sqlite", tmp_path))
    yield SqlJobs(database), SqlMessages(database)
    database.close()


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("", "QUEUE=celery needs CELERY_BROKER_URL"),
        ("sqs://", "CELERY_BROKER_URL is no URL"),
        ("amqp://", "CELERY_BROKER_URL is no URL"),
        ("redis://host:port/0", "CELERY_BROKER_URL is no URL"),
        ("redis://host/0?visibility_timeout=long", "visibility_timeout"),
    ],
)
def test_a_url_that_is_none_is_said(url: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        Broker(url)


@pytest.mark.parametrize("kind", brokers.KINDS)
def test_wrong_credentials_are_named_and_no_password_is_shown(kind: str) -> None:
    address = brokers.shared_broker(kind).partition("://")[2].rpartition("@")[2]
    scheme = "amqp" if kind == "rabbitmq" else "redis"
    with pytest.raises(ConfigurationError, match="CELERY_BROKER_URL") as raised:
        Broker(f"{scheme}://somebody:t0p-secret@{address}").connect()
    assert "t0p-secret" not in f"{raised.value}"
    if kind == "rabbitmq":
        with pytest.raises(ConfigurationError, match="nowhere"):
            Broker(f"amqp://guest:guest@{address.partition('/')[0]}/nowhere").connect()


def test_a_broker_that_is_away_keeps_nobody_waiting_and_is_said(tables: tuple[SqlJobs, SqlMessages]) -> None:
    jobs, messages = tables
    queue = CeleryQueue(Broker("amqp://guest:t0p-secret@127.0.0.1:1/"), jobs, messages, most=10)
    with pytest.raises(BrokerAway):
        queue.check()
    begun = time.monotonic()
    queue.keep(Job("a", "main"))
    queue.tell(Job("a", "main"))
    assert time.monotonic() - begun < 1.0
    trouble = queue.trouble()
    assert trouble is not None and "RabbitMQ at 127.0.0.1:1" in trouble and "t0p-secret" not in trouble
    line = queue.open_line(lambda: [None])
    look = line.next(0.2)
    assert look is not None and look.task_id is None, "the rows are looked at"
    assert jobs.claim("me", 30) is not None
    line.close()
    queue.close()


def test_priorities_of_jobs_become_those_of_brokers() -> None:
    rabbit, redis = Broker("amqp://localhost"), Broker("redis://localhost")
    ours = list(range(-100, 101))
    theirs = [rabbit.priority(each) for each in ours]
    assert theirs == sorted(theirs) and (theirs[0], theirs[-1]) == (0, 9)
    assert rabbit.priority(-1) < rabbit.priority(0) < rabbit.priority(1)
    assert [redis.priority(each) for each in ours] == [9 - each for each in theirs]

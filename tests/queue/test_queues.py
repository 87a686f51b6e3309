"""The queues pass one suite: the embedded one on every database, the one with a broker on every broker."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import brokers
import databases
import pytest
from kombu import Connection
from queue_contract import QueueContract, Stand

from app.db.jobs import SqlJobs
from app.db.messages import SqlMessages
from app.db.models import jobs
from app.db.serving import Job
from app.db.session import open_database
from app.errors import ConfigurationError
from app.queue.broker import Broker, BrokerAway
from app.queue.celery import CeleryQueue, _Line
from app.queue.embedded import EmbeddedQueue


class TestEmbeddedQueue(QueueContract):
    @pytest.fixture(params=databases.KINDS)
    def stand(self, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stand]:
        database = open_database(databases.shared_database(request.param, tmp_path))
        table = SqlJobs(database)
        stand = Stand(EmbeddedQueue(table), table, SqlMessages(database))
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
        table, messages = SqlJobs(database), SqlMessages(database)
        queue = CeleryQueue(Broker(url), table, messages, most=10_000)
        stand = Stand(queue, table, messages, queue, lambda: brokers.purge(url))
        yield stand
        stand.close()
        database.close()

    def test_lost_messages_lose_nothing_and_those_too_many_do_nothing(self, stand: Stand) -> None:
        for number in range(20):
            stand.put(Job(f"t{number}", "main"))
        time.sleep(0.5)
        assert stand.lose is not None
        stand.lose()
        line = stand.line()
        for _ in range(3):  # and some come twice
            assert stand.messenger is not None
            stand.messenger.remind(stand.messages.oldest(None, 5))
        found = []
        while (claim := stand.take(line, seconds=4.0)) is not None:
            found.append(claim.job.task_id)
            stand.end(line, claim)
        assert sorted(found) == sorted(f"t{number}" for number in range(20))


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
    table, messages = tables
    queue = CeleryQueue(Broker("amqp://guest:t0p-secret@127.0.0.1:1/"), table, messages, most=10)
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
    assert table.claim("me", 30) is not None
    line.close()
    queue.close()


def test_priorities_of_jobs_become_those_of_brokers() -> None:
    rabbit, redis = Broker("amqp://localhost"), Broker("redis://localhost")
    ours = list(range(-100, 101))
    theirs = [rabbit.priority(each) for each in ours]
    assert theirs == sorted(theirs) and (theirs[0], theirs[-1]) == (0, 9)
    assert rabbit.priority(-1) < rabbit.priority(0) < rabbit.priority(1)
    assert [redis.priority(each) for each in ours] == [9 - each for each in theirs]


def test_what_a_worker_of_the_version_before_puts_is_found(tables: tuple[SqlJobs, SqlMessages]) -> None:
    """It knows nothing of messages, and sends none that we could count on."""
    table, messages = tables
    row = {"task_id": "a", "branch": "main", "priority": 0, "takeovers": 0}
    row |= {"queued_ms": 0, "not_before_ms": 1, "expires_ms": 0}
    table._database.transact(lambda connection: connection.execute(jobs.insert(), row))
    assert [each.task_id for each in messages.due(10)] == ["a"]
    messages.mark(messages.due(10))
    assert messages.due(10) == []
    assert messages.waiting() == {None: 1}


@pytest.mark.parametrize("kind", brokers.KINDS)
def test_messages_of_a_version_to_come_are_read_as_far_as_they_say_which_task(kind: str) -> None:
    url = brokers.shared_broker(kind)
    brokers.purge(url)
    broker = Broker(url)
    with Connection(url) as connection, broker.app.amqp.Producer(connection) as producer:
        for arguments in (("a", "more"), (), (7,)):
            broker.app.send_task(
                "stackvm.run",
                args=arguments,
                kwargs={"and": "more"},
                queue=broker.queue(None),
                producer=producer,
                headers={"traceparent": "00-1-2-01"},
                priority=broker.priority(0),
            )
        producer.publish({"nothing": "of ours"}, routing_key="stackvm", priority=broker.priority(0))
    line = _Line(broker, lambda: [None])
    found = []
    for _ in range(12):
        look = line.next(0.3)
        if look is not None:
            found.append((look.task_id, look.headers.get("traceparent")))
            line.settle(found=True)
    line.close()
    assert found == [("a", "00-1-2-01")]


def test_one_sweeper_at_a_time_and_another_when_it_died(tables: tuple[SqlJobs, SqlMessages]) -> None:
    _, messages = tables
    assert messages.elect("sweep", "me", 0.3)
    assert not messages.elect("sweep", "you", 0.3)
    assert messages.elect("sweep", "me", 0.3)
    time.sleep(0.4)
    assert messages.elect("sweep", "you", 0.3)
    assert not messages.elect("sweep", "me", 0.3)


def test_a_run_that_gets_further_is_no_poisoned_one(tables: tuple[SqlJobs, SqlMessages]) -> None:
    table, _ = tables
    table.put(Job("a", "main"))
    counts = []
    for owner, head in (("1", ""), ("2", "a" * 40), ("3", "a" * 40), ("4", "b" * 40), ("5", "b" * 40)):
        claim = table.claim(owner, 30)
        assert claim is not None
        if claim.takeovers:
            counts.append(table.note_takeover(claim.number, owner, head))
        table.disown(owner)
    assert counts == [1, 2, 1, 2]

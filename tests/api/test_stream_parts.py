from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import suppress

import pytest

from app.api.connections import (
    MAX_WAITING_BYTES,
    SocketConnection,
    ThreadConnection,
    response_head,
    take_socket,
)
from app.api.streams import Stream, event_bytes


@pytest.fixture
def pair() -> Iterator[tuple[SocketConnection, socket.socket]]:
    ours, theirs = socket.socketpair()
    theirs.settimeout(5)
    connection = SocketConnection(ours)
    yield connection, theirs
    connection.close()
    theirs.close()


def read(client: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        data += client.recv(count - len(data))
    return data


def test_what_a_client_does_not_take_waits_and_comes_whole(
    pair: tuple[SocketConnection, socket.socket],
) -> None:
    connection, client = pair
    data = bytes(range(256)) * 4_000
    assert connection.send(data) and connection.waiting_bytes > 0 and not connection.is_drained
    got = b""
    while len(got) < len(data):
        got += client.recv(65536)
        assert connection.flush()
    assert got == data and connection.is_drained


def test_a_client_that_takes_nothing_is_given_up(pair: tuple[SocketConnection, socket.socket]) -> None:
    connection, _ = pair
    sent = 0
    while connection.send(b"x" * 100_000):
        sent += 100_000
        assert sent < 4 * MAX_WAITING_BYTES


def test_a_client_that_went_is_noticed(pair: tuple[SocketConnection, socket.socket]) -> None:
    connection, client = pair
    assert not connection.is_gone()
    client.sendall(b"talk")
    assert not connection.is_gone()
    client.close()
    assert connection.is_gone() and not connection.send(b"x" * 10)


def test_old_events_are_written_down_only_as_far_as_the_client_takes_them(
    pair: tuple[SocketConnection, socket.socket],
) -> None:
    connection, client = pair
    made = 0

    def parts() -> Iterator[bytes]:
        nonlocal made
        for _ in range(3_000):
            made += 1
            yield b"y" * 1_000

    stream = Stream(0.0)
    stream.connection = connection
    stream.tell(parts())
    stream.tell([b"end"])
    while stream.is_eager:
        assert stream.pump()
    assert made < 1_500
    got = 0
    stream.is_over = True
    goes_on = True
    while goes_on:
        got += len(client.recv(1 << 20))
        connection.flush()
        while stream.is_eager:
            goes_on = stream.pump()
        goes_on = stream.pump()
    assert made == 3_000
    assert got + len(read(client, 3_000_003 - got)) == 3_000_003


def test_somebody_who_falls_behind_for_good_is_hopeless() -> None:
    stream = Stream(0.0)
    for _ in range(1_001):
        assert not stream.is_hopeless
        stream.tell([b"x"])
    assert stream.is_hopeless


def test_a_thread_reads_what_it_is_sent_to_the_end() -> None:
    connection = ThreadConnection()
    assert connection.send(b"a") and connection.send(b"b")
    connection.close()
    assert list(connection.chunks()) == [b"a", b"b"]
    assert not connection.send(b"c"), "nobody reads any more"


def test_the_server_keeps_a_dead_socket_and_may_do_with_it_what_it_likes() -> None:
    given, client = socket.socketpair()
    client.settimeout(5)
    taken = take_socket({"gunicorn.socket": given})
    assert taken is not None
    connection, remains = taken
    given.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    assert list(remains) == []
    remains.close()
    given.shutdown(socket.SHUT_WR)
    with suppress(ConnectionResetError):  # at once, either way
        assert given.recv(10) == b""
    given.close()
    connection.send(response_head("200 OK", [("A", "b")]))
    assert client.recv(1_000) == b"HTTP/1.1 200 OK\r\nA: b\r\nConnection: close\r\n\r\n"
    connection.close()
    assert client.recv(10) == b""
    client.close()


@pytest.mark.parametrize("environ", [{}, {"gunicorn.socket": None}, {"gunicorn.socket": object()}])
def test_other_servers_keep_their_sockets(environ: dict[str, object]) -> None:
    assert take_socket(environ) is None


def test_an_event_is_three_lines() -> None:
    assert event_bytes("commit", {"a": "x\ny"}, "id1") == b'id: id1\nevent: commit\ndata: {"a":"x\\ny"}\n\n'
    assert event_bytes("live", {}) == b"event: live\ndata: {}\n\n"

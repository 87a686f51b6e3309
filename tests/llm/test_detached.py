"""A call that can be walked away from: whatever the provider waits for, who waits for the provider is free."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from fake_server import Answer
from providers import Served, asking

from app.errors import ModelError
from app.llm.base import ModelReply, ModelRequest, OnToken
from app.llm.detached import complete_detached, within
from app.tools.context import Cancellation, Cancelled

REPLY = ModelReply("ab", None, "m", "fake", 1, 1)
SOON = 1.0


class Waiting:
    """Says "a", waits for its gate, says "b"."""

    provider = name = server = "fake"

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.asked = threading.Event()
        self.over = threading.Event()
        self.was_heard_out = False
        self.thread: threading.Thread | None = None

    def complete(self, request: ModelRequest, on_token: OnToken | None = None) -> ModelReply:
        self.thread = threading.current_thread()
        assert on_token is not None
        try:
            on_token("a")
            self.asked.set()
            assert self.gate.wait(20)
            on_token("b")
            self.was_heard_out = True
            return REPLY
        finally:
            self.over.set()

    def offered(self, timeout: float) -> None:
        """Nothing."""


@contextmanager
def at_once() -> Iterator[None]:
    started = time.monotonic()
    yield
    assert time.monotonic() - started < SOON


def after(event: threading.Event, act: Callable[[], Any]) -> None:
    """Act in a thread as soon as the event is there."""

    def wait() -> None:
        event.wait(20)
        act()

    threading.Thread(target=wait, daemon=True).start()


def test_tokens_and_reply_arrive_in_the_thread_that_asked() -> None:
    model = Waiting()
    model.gate.set()
    heard: list[tuple[str, threading.Thread]] = []
    reply = complete_detached(
        model, asking(), lambda token: heard.append((token, threading.current_thread()))
    )
    assert reply is REPLY
    assert heard == [("a", threading.current_thread()), ("b", threading.current_thread())]


@pytest.mark.parametrize("error", [ModelError("server", "boom"), ZeroDivisionError("oh")])
def test_what_the_model_raises_is_raised_here(error: Exception) -> None:
    class Broken(Waiting):
        def complete(self, request: ModelRequest, on_token: OnToken | None = None) -> ModelReply:
            raise error

    with pytest.raises(type(error)) as caught:
        complete_detached(Broken(), asking())
    assert caught.value is error


def test_a_cancellation_ends_the_wait_at_once() -> None:
    model, cancellation = Waiting(), Cancellation()
    after(model.asked, cancellation.request)
    with at_once(), pytest.raises(Cancelled):
        complete_detached(model, asking(), None, cancellation)


def test_control_c_ends_the_wait_at_once_also_just_before_it_begins() -> None:
    for _ in range(30):  # a signal between Python's last look and its wait wakes nobody: one in five of these
        model = Waiting()
        after(model.asked, lambda: os.kill(os.getpid(), signal.SIGINT))
        with at_once(), pytest.raises(KeyboardInterrupt):
            complete_detached(model, asking())
        model.gate.set()


def test_what_is_left_behind_hangs_up_at_its_next_token_and_is_not_heard() -> None:
    model, cancellation = Waiting(), Cancellation()
    heard: list[str] = []

    def hear(token: str) -> None:
        heard.append(token)
        cancellation.request()

    with pytest.raises(Cancelled):
        complete_detached(model, asking(), hear, cancellation)
    model.gate.set()
    assert model.over.wait(20)
    assert heard == ["a"]
    assert not model.was_heard_out
    assert model.thread is not None
    assert model.thread.daemon  # the process's exit never waits for it


def test_an_error_of_who_listens_ends_the_call() -> None:
    def refuse(token: str) -> None:
        raise ZeroDivisionError

    with at_once(), pytest.raises(ZeroDivisionError):
        complete_detached(Waiting(), asking(), refuse)


def test_a_silent_server_is_left_at_once(served: Served) -> None:
    served.server.put(Answer(wait=20))
    cancellation = Cancellation()
    threading.Timer(0.2, cancellation.request).start()
    with at_once(), pytest.raises(Cancelled):
        complete_detached(served.model, asking(), None, cancellation)


def test_a_server_that_still_writes_sees_us_hang_up(served: Served) -> None:
    served.server.drips(0.2)
    cancellation = Cancellation()
    threads = set(threading.enumerate())
    with pytest.raises(Cancelled):
        complete_detached(served.model, asking(), lambda token: cancellation.request(), cancellation)
    (left,) = [each for each in set(threading.enumerate()) - threads if each.name == "stackvm-model"]
    left.join(10)
    assert not left.is_alive()


def test_an_answer_may_have_a_time_limit() -> None:
    gate = threading.Event()
    assert within(20, lambda: 5) == 5
    with at_once(), pytest.raises(ModelError, match=r"no answer within 0\.1 s") as caught:
        within(0.1, lambda: gate.wait(20))
    assert caught.value.kind == "timeout"
    gate.set()
    with pytest.raises(ZeroDivisionError):
        within(20, lambda: 1 // 0)

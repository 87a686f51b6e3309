"""What goes wrong between a model's server and us, for both protocols."""

from __future__ import annotations

import socket
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from fake_server import Answer
from providers import KEY, TIMEOUT, Served, asking, failure, judging

from app.llm.base import Model
from app.llm.ollama import OllamaModel
from app.llm.openai import OpenAIModel

BOTH_WAYS = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


def model_at(url: str, kind: str, timeout: float = TIMEOUT) -> Model:
    if kind == "openai":
        return OpenAIModel("m", api_key=KEY, base_url=url + "/v1", timeout=timeout)
    return OllamaModel("m", base_url=url, timeout=timeout)


def impatient(served: Served, timeout: float) -> Model:
    """A model of the same server that waits ``timeout`` seconds only."""
    return model_at(served.server.url, served.model.provider, timeout)


@BOTH_WAYS
@pytest.mark.parametrize(
    ("status", "message", "kind"),
    [
        (401, f"Incorrect API key provided: {KEY}", "auth"),
        (403, "not for you", "auth"),
        (404, "model 'm' not found", "no_model"),
        (400, "The model `m` does not exist", "no_model"),
        (404, "page not found", "refused"),
        (400, "This model's maximum context length is 8192 tokens", "too_long"),
        (400, "the request exceeds the available context size", "too_long"),
        (413, "payload too large", "too_long"),
        (429, "slow down", "rate_limit"),
        (408, "too slow", "timeout"),
        (400, "temperature must be below 2", "refused"),
        (500, "boom", "server"),
        (503, "overloaded", "server"),
        (529, "overloaded", "server"),
    ],
)
def test_a_refusal_is_sorted_by_what_to_do_about_it(
    served: Served, status: int, message: str, kind: str, stream: bool
) -> None:
    served.server.refuses(status, message)
    error = failure(served.model, stream=stream)
    assert error.kind == kind
    assert "\n" not in str(error)
    assert KEY not in str(error)


@BOTH_WAYS
@pytest.mark.parametrize("structured", ["json_schema", "json_object"])
@pytest.mark.parametrize(
    ("status", "message"),
    [(500, "boom"), (501, ""), (400, "response_format is not supported"), (422, "json_schema?")],
)
def test_a_server_without_the_json_mode_says_mode(
    served: Served, status: int, message: str, structured: str, stream: bool
) -> None:
    served.server.refuses(status, message)
    assert failure(served.model, judging(structured=structured), stream=stream).kind == "mode"


def test_an_internal_error_has_no_other_cause_where_no_mode_was_asked_for(served: Served) -> None:
    served.server.refuses(500, "boom")
    assert failure(served.model, judging(structured="text")).kind == "server"


@pytest.mark.parametrize("status", [429, 503])
def test_the_wait_may_be_a_date(served: Served, status: int) -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    served.server.refuses(status, "later", headers={"retry-after": date})
    wait = failure(served.model).retry_after
    assert wait is not None
    assert 25 < wait <= 30


@pytest.mark.parametrize("text", ["soon", "-5", "nan", "Wed, 99 Foo 2020"])
def test_a_wait_that_can_not_be_read_is_none_or_no_time(served: Served, text: str) -> None:
    served.server.refuses(429, "later", headers={"retry-after": text})
    assert not failure(served.model).retry_after


@BOTH_WAYS
def test_a_silent_server_times_out(served: Served, stream: bool) -> None:
    served.server.put(Answer(wait=5))
    begin = time.monotonic()
    error = failure(impatient(served, 0.2), stream=stream)
    assert (error.kind, error.may_pass) == ("timeout", True)
    assert time.monotonic() - begin < 4
    assert "LLM_TIMEOUT" in (error.hint or "")


def test_silence_within_a_stream_times_out(served: Served) -> None:
    served.server.drips(2.0)
    assert failure(impatient(served, 0.4), stream=True).kind == "timeout"


def test_a_slow_stream_is_no_silent_one(served: Served) -> None:
    served.server.drips(0.5)
    assert impatient(served, 0.9).complete(asking(), lambda token: None).text == "slowly"


@pytest.mark.parametrize("how", ["breaks_off", "ends_early"])
def test_a_stream_that_is_cut_off_is_never_taken_for_whole(served: Served, how: str) -> None:
    getattr(served.server, how)()
    heard: list[str] = []
    with pytest.raises(Exception) as caught:
        served.model.complete(asking(), heard.append)
    assert caught.value.kind == "network"
    assert heard == ["half a"]


def test_an_error_within_a_stream_is_the_servers(served: Served) -> None:
    served.server.fails_within("the GPU is gone")
    error = failure(served.model, stream=True)
    assert error.kind == "server"
    assert "the GPU is gone" in error.message


@BOTH_WAYS
@pytest.mark.parametrize(
    ("text", "content_type"),
    [
        ("<html>Welcome to the proxy</html>", "text/html"),
        ("<html>", "application/json"),
        ("[1, 2]", "application/json"),
        ('{"hello": "world"}', "application/json"),
        ("", "application/json"),
    ],
)
def test_another_protocol_is_garbage_or_nothing(
    served: Served, text: str, content_type: str, stream: bool
) -> None:
    served.server.put(Answer(pieces=[text] if text else [], headers={"content-type": content_type}))
    error = failure(served.model, stream=stream)
    # Through a stream, a page without events looks like a reply that ended before it began.
    assert error.kind in (("garbage", "network") if stream else ("garbage",))
    assert "\n" not in str(error)


@BOTH_WAYS
def test_a_tool_call_instead_of_an_answer_is_garbage(served: Served, stream: bool) -> None:
    arguments = {"steps": []} if isinstance(served.model, OllamaModel) else '{"steps": []}'
    call = {
        "id": "1",
        "index": 0,
        "type": "function",
        "function": {"name": "submit_plan", "arguments": arguments},
    }
    served.server.says(None, reason="tool_calls", tool_calls=[call])
    error = failure(served.model, judging(), stream=stream)
    assert error.kind == "garbage"
    assert "called a tool (submit_plan)" in error.message


@BOTH_WAYS
def test_json_that_ran_out_of_tokens_says_so(served: Served, stream: bool) -> None:
    served.server.says('{"result": tr', reason="length")
    error = failure(served.model, judging(), stream=stream)
    assert (error.kind, error.hint) == ("garbage", "it was cut off: allow more output tokens")


def test_tokens_spent_on_thinking_alone_are_named(served: Served) -> None:
    served.server.says("", reason="length")
    assert "used up its output tokens" in failure(served.model).message


@BOTH_WAYS
@pytest.mark.parametrize("kind", ["openai", "ollama"])
def test_a_server_that_is_absent_is_named(kind: str, stream: bool) -> None:
    with socket.socket() as listener:  # bound and not listening: nobody else gets the port meanwhile
        listener.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        error = failure(model_at(url, kind), stream=stream)
    assert (error.kind, error.may_pass) == ("network", True)
    assert url in error.message
    assert "refused" in error.message
    assert error.hint


@pytest.mark.parametrize("kind", ["openai", "ollama"])
def test_a_name_nobody_knows_is_named(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*args: object, **kwargs: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    error = failure(model_at("http://models.invalid", kind))
    assert error.kind == "network"
    assert "models.invalid" in error.message
    assert "not known" in error.message


@pytest.mark.parametrize("kind", ["openai", "ollama"])
def test_a_login_in_the_url_is_never_shown(kind: str) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        model = model_at(f"http://me:hunter2@127.0.0.1:{listener.getsockname()[1]}", kind)
        error = failure(model)
    for text in (str(error), repr(error), repr(model), model.server):
        assert "hunter2" not in text
        assert KEY not in text

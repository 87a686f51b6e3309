"""Secrets in runs: the tool gets the value, and nothing that is kept, said, logged or asked holds it."""

from __future__ import annotations

import json
import logging
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import quote

import pytest
from leaks import trace_of
from place import make_workplace
from pydantic import BaseModel, Field

from app.errors import ConfigurationError
from app.llm.budget import Budget, Limits
from app.llm.gateway import Gateway
from app.llm.prices import Prices
from app.llm.scripted import ScriptedModel
from app.services.inspect import read_log, show_task
from app.services.masked_asker import masked
from app.services.replays import replay_branch
from app.services.runs import RunOptions, RunReport, run_branch
from app.services.tasks import NewTask, open_repository, submit_task
from app.services.thinking import Askers
from app.services.toolcalls import call_tool
from app.services.waiting import Decision, decide
from app.services.workplace import Workplace
from app.tools import NotPerformed, ToolContext, tool
from app.tools.llm import llm_generate
from app.vm.calls import Call
from app.vm.events import Event, TokenSaid, ToolSaid
from app.vm.interrupts import Interrupts
from app.vm.performer import Performer

TOKEN = 'sk-4fQ9zTr7Lm2"X/vB8nHc+1WyK5dJ é3Ga6Us'
OTHER = "another-value-of-another-secret-77"
SECRETS = {"TOKEN": TOKEN, "OTHER": OTHER}
SEEN: list[Any] = []


class Strict(BaseModel):
    number: int


@pytest.fixture(autouse=True)
def nothing_seen() -> None:
    SEEN.clear()


def leak(way: str, token: str, context: ToolContext) -> Any:
    SEEN.append(token)
    if way == "progress":
        context.progress(f"using {token}", 0.5)
        context.progress(quote(token), None)
    if way == "log":
        context.logger.warning("token %s", token)
        context.logger.error(f"header {json.dumps(token)}", exc_info=ValueError(token))
        for name in ("stackvm.tools", "stackvm.tools.another", f"stackvm.tools.new{len(SEEN)}.below"):
            logging.getLogger(name).warning("by name %s", token, extra={"token": token, "all": [token]})
    if way == "raise":
        raise ValueError(f"401 for {token}: Basic {b64encode(b'me:' + token.encode()).decode()}")
    if way == "long":
        raise ValueError("x" * 1_976 + token)
    if way == "class":
        raise type(f"Bad{token}", (Exception,), {})
    if way == "strict":
        Strict(number=token * 2)  # type: ignore[arg-type]
    if way == "bytes":
        return {token.encode(): 1}
    if way == "beyond":
        return {token: {1, 2}}
    if way == "exit":
        raise SystemExit(token)
    return {"token": token, token: [f"https://x/?t={quote(token)}"], "other": OTHER, "n": 1}


def make_echo(name: str, **options: Any) -> Any:
    @tool(name=name, **options)
    def echo(way: str, token: str, context: ToolContext) -> Any:
        """Gives back what it must not."""
        return leak(way, token, context)

    return echo


@tool(effect="read", name="echo_async", timeout=20)
async def echo_async(way: str, token: str, context: ToolContext) -> Any:
    """Gives back what it must not."""
    return leak(way, token, context)


@tool(effect="pure")
def plain(value: Any) -> Any:
    """Gives back what it gets, without a context."""
    SEEN.append(value)
    return value


@tool(effect="read", name="model_user")
def model_user(token: str, context: ToolContext) -> Any:
    """Tells a model what it must not."""
    assert context.generate is not None
    return context.generate(f"say {token}", {"header": [token]}, None)


TOOLS = [
    make_echo("echo", effect="read"),
    make_echo("echo_pure", effect="pure"),
    make_echo("echo_write", effect="write", retry={"max_attempts": 2, "backoff": 0.0}),
    make_echo("echo_irreversible", effect="irreversible"),
    make_echo("echo_thread", effect="read", timeout=20),
    echo_async,
    plain,
    model_user,
    llm_generate,
]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Workplace]:
    workplace, database = make_workplace(tmp_path, TOOLS, secrets=SECRETS)
    yield workplace
    database.close()


class Ran:
    """A run with everything that anybody was told of it."""

    def __init__(self, place: Workplace, *steps: Mapping[str, Any]) -> None:
        numbered = [{"seq_no": n, "type": "calling", "parameters": step} for n, step in enumerate(steps, 1)]
        self.place = place
        self.task = submit_task(place, NewTask(goal="a goal", plan=json.dumps(numbered)))
        self.events: list[Event] = []
        self.report = self.again()

    def again(self) -> RunReport:
        options = RunOptions(Interrupts(), self.events.append)
        self.report = run_branch(self.place, self.task, "main", options)
        return self.report

    def variable(self, name: str = "final_answer") -> Any:
        return show_task(self.place, self.task, None).variables[name]

    def record(self) -> dict[str, Any]:
        """The newest commit's record."""
        return next(read_log(self.place, self.task, None, with_records=True)).record or {}

    def written(self) -> Iterator[str | bytes]:
        """Everything: the report, the events, what ``show`` and ``log`` tell, every object of the history."""
        yield repr(self.report) + repr(self.events)
        yield repr(show_task(self.place, self.task, None).to_json())
        yield repr(list(read_log(self.place, self.task, None, with_records=True)))
        for attempt in self.attempts():
            yield repr(attempt)
        with open_repository(self.place, self.task) as repository:
            for oid in repository.store.object_ids():
                yield repository.store.read(oid).data

    def attempts(self) -> list[Any]:
        keys = [entry.record.get("key") for entry in self.log() if entry.record and "key" in entry.record]
        ledger = self.place.ledger(self.task.id)
        return [attempt for key in keys for attempt in ledger.attempts(str(key))]

    def log(self) -> list[Any]:
        return list(read_log(self.place, self.task, None, with_records=True))

    def assert_nothing_leaked(self) -> None:
        for text in self.written():
            for value in SECRETS.values():
                trace = trace_of(value, text)
                assert trace is None, f"{trace} in {text!r:.500}"


def call(name: str, to: str = "final_answer", **params: Any) -> dict[str, Any]:
    return {"tool_name": name, "tool_params": params, "output_vars": to}


ECHOES = ["echo", "echo_pure", "echo_write", "echo_irreversible", "echo_thread", "echo_async"]
ECHOED = {
    "token": "secret:TOKEN",
    "secret:TOKEN": ["https://x/?t=secret:TOKEN"],
    "other": "secret:OTHER",
    "n": 1,
}


@pytest.mark.parametrize("name", ECHOES)
def test_a_tool_gets_the_value_and_gives_back_the_name(place: Workplace, name: str) -> None:
    ran = Ran(place, call(name, way="return", token="secret:TOKEN"))
    assert SEEN == [TOKEN]
    assert ran.variable() == ECHOED
    assert ran.record()["inputs"] == {"way": "return", "token": "secret:TOKEN"}
    ran.assert_nothing_leaked()


@pytest.mark.parametrize("name", ECHOES)
@pytest.mark.parametrize("way", ["raise", "long", "class", "strict", "bytes", "beyond", "exit"])
def test_no_error_holds_the_value(place: Workplace, name: str, way: str) -> None:
    ran = Ran(place, call(name, way=way, token="secret:TOKEN"))
    assert TOKEN in SEEN
    assert ran.report.status == ("waiting" if name == "echo_irreversible" else "failed")
    if ran.report.error is not None and way != "long":
        assert "secret:TOKEN" in ran.report.error["message"]
    ran.assert_nothing_leaked()


@pytest.mark.parametrize("name", ECHOES)
def test_neither_progress_nor_logs_hold_it(
    place: Workplace, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    ran = Ran(
        place,
        call(name, "x", way="progress", token="secret:TOKEN"),
        call(name, way="log", token="secret:TOKEN"),
    )
    said = [event.message for event in ran.events if isinstance(event, ToolSaid)]
    assert said == ["using secret:TOKEN", "secret:TOKEN"]
    formatted = caplog.text + "".join(repr(vars(record)) for record in caplog.records)
    assert trace_of(TOKEN, formatted) is None
    assert f"stackvm.tools.{name}" in caplog.text
    assert "token secret:TOKEN" in caplog.text
    assert "ValueError: secret:TOKEN" in caplog.text
    ran.assert_nothing_leaked()


def test_logged_exceptions_hold_it_nowhere_in_their_chain(
    place: Workplace, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    Ran(place, call("echo", way="raise", token="secret:TOKEN"))
    assert "echo raised" in caplog.text
    assert "401 for secret:TOKEN" in caplog.text
    assert trace_of(TOKEN, caplog.text) is None


def test_secrets_are_found_at_any_depth_and_in_every_item(place: Workplace) -> None:
    items = [
        {"headers": {"X-Token": name}, "n": n} for n, name in enumerate(["secret:TOKEN", "secret:OTHER", "x"])
    ]
    step = call("plain", value=["${item}", "Bearer secret:TOKEN", {"secret:TOKEN": 1}])
    ran = Ran(place, {**step, "for_each": items})
    assert sorted(str(seen[0]["headers"]["X-Token"]) for seen in SEEN) == sorted([TOKEN, OTHER, "x"])
    assert {seen[1] for seen in SEEN} == {"Bearer secret:TOKEN"}
    assert ran.variable() == [[item, "Bearer secret:TOKEN", {"secret:TOKEN": 1}] for item in items]
    assert ran.record()["item_inputs"]["value"][0][0]["headers"] == {"X-Token": "secret:TOKEN"}
    ran.assert_nothing_leaked()


def test_items_kept_for_a_resumed_run_hold_it_not(place: Workplace, tmp_path: Path) -> None:
    steps = {**call("echo", way="${item}", token="secret:TOKEN"), "for_each": ["return", "raise", "return"]}
    ran = Ran(place, steps)
    assert ran.report.status == "failed"
    rows = place.ledger(ran.task.id).effects("main", 1, 1)
    assert rows
    for _, data in rows.values():
        assert trace_of(TOKEN, data) is None
        assert b"secret:TOKEN" in data


def test_all_secrets_are_hidden_in_every_step_not_only_those_it_names(place: Workplace) -> None:
    @tool(effect="write")
    def remember() -> str:
        """Knows what an earlier call was given."""
        return f"{SEEN[0]} and {OTHER}"

    registry = place.load_registry()
    registry.add(remember)
    ran = Ran(place, call("plain", "token", value="secret:TOKEN"), call("remember"))
    assert ran.variable() == "secret:TOKEN and secret:OTHER"
    ran.assert_nothing_leaked()


def test_a_name_that_came_with_data_gets_no_value(place: Workplace) -> None:
    @tool(effect="read")
    def page() -> list[str]:
        """A page whose author knows how secrets are named."""
        return ["secret:OTHER"]

    place.load_registry().add(page)
    ran = Ran(place, call("page", "found"), call("plain", value="${found[0]}"))
    assert SEEN == [] and ran.report.status == "failed"
    assert ran.report.error is not None
    assert "does not stand in the plan" in ran.report.error["message"]


def test_what_was_masked_can_be_passed_on(place: Workplace) -> None:
    Ran(place, call("plain", "given", value=["secret:TOKEN"]), call("plain", value="${given[0]}"))
    assert SEEN == [[TOKEN], TOKEN]


@pytest.mark.parametrize("name", ECHOES)
def test_a_secret_that_is_not_set_fails_the_step_before_the_tool_is_called(
    place: Workplace, name: str
) -> None:
    ran = Ran(place, call(name, way="return", token="secret:MISSING"))
    assert SEEN == []
    assert ran.report.status == "failed"
    assert ran.report.error is not None
    assert "STACKVM_SECRET_MISSING is not set" in ran.report.error["message"]
    assert ran.attempts() == []
    assert ran.record().get("attempts", 0) == 0


def test_after_it_was_set_the_run_goes_on(place: Workplace) -> None:
    ran = Ran(place, call("echo_irreversible", way="return", token="secret:LATER"))
    assert ran.report.status == "failed"
    ran.place = replace(place, secrets=type(place.secrets)({"LATER": TOKEN}))
    assert ran.again().status == "completed"
    assert SEEN == [TOKEN]


def test_a_call_in_doubt_shows_the_name(place: Workplace) -> None:
    ran = Ran(place, call("echo_irreversible", way="raise", token="secret:TOKEN"))
    assert ran.report.waiting is not None
    assert ran.report.waiting.inputs == {"way": "raise", "token": "secret:TOKEN"}
    assert [attempt.state for attempt in ran.attempts()] or "secret:TOKEN" in ran.report.waiting.reason
    ran.assert_nothing_leaked()
    decide(place, ran.task, "main", Decision("run"))
    SEEN.clear()
    assert ran.again().status == "waiting"
    assert SEEN == [TOKEN]
    ran.assert_nothing_leaked()


def test_the_value_is_checked_against_the_schema_and_not_shown(place: Workplace) -> None:
    @tool(effect="read")
    def narrow(token: Annotated[str, Field(max_length=5)]) -> str:
        """Takes short texts only."""
        return token

    @tool(effect="read")
    def numbered(token: int | Annotated[str, Field(pattern="^ta-")]) -> str:
        """Takes keys of a form."""
        return str(token)

    for each in (narrow, numbered):
        place.load_registry().add(each)
        ran = Ran(place, call(each.name, token="secret:TOKEN"))
        assert ran.report.error is not None
        assert "secret:TOKEN" in ran.report.error["message"]
        ran.assert_nothing_leaked()


def test_of_a_long_value_no_part_is_shown(tmp_path: Path) -> None:
    long = "".join(f"{n:03}-Kq7/" for n in range(40))

    @tool(effect="read")
    def dated(day: date, title: Annotated[str, Field(max_length=5)], kind: Literal["a", "b"]) -> str:
        """Takes what a long text can't be."""
        return f"{day} {title} {kind}"

    workplace, database = make_workplace(tmp_path, [dated], secrets={"TOKEN": long})
    good = {"day": "2026-01-01", "title": "x", "kind": "a"}
    for name in good:
        ran = Ran(workplace, call("dated", **{**good, name: "secret:TOKEN"}))
        assert ran.report.error is not None
        assert "secret:TOKEN" in ran.report.error["message"]
        assert trace_of(long, ran.report.error["message"]) is None
    database.close()


def test_replay_needs_no_secret(place: Workplace) -> None:
    ran = Ran(place, call("echo", way="return", token="secret:TOKEN"))
    bare = replace(place, secrets=type(place.secrets)({}))
    name, result = replay_branch(bare, ran.task, None)
    assert (name, result.divergence) == ("main", None)


def test_the_history_is_the_same_whatever_the_value_is(tmp_path: Path) -> None:
    heads = []
    for n, value in enumerate(["the-first-value", "quite-another-value"]):
        folder = tmp_path / str(n)
        folder.mkdir()
        workplace, database = make_workplace(folder, TOOLS, secrets={"TOKEN": value})
        heads.append(Ran(workplace, call("plain", value={"a": "secret:TOKEN"})).report.head)
        assert SEEN[-1] == {"a": value}
        database.close()
    assert heads[0] == heads[1]


def test_a_mask_that_makes_a_result_too_large_is_an_error(tmp_path: Path) -> None:
    workplace, database = make_workplace(tmp_path, TOOLS, secrets={"A" * 64: "abcdef"}, max_value_bytes=1_024)
    ran = Ran(workplace, call("plain", value="abcdef" * 100))
    assert ran.report.error is not None
    assert "above the limit" in ran.report.error["message"]
    database.close()


def test_a_call_by_hand_resolves_and_hides(place: Workplace) -> None:
    events: list[Event] = []
    _, outcome = call_tool(place, "echo", {"way": "progress", "token": "secret:TOKEN"}, events.append)
    assert SEEN == [TOKEN]
    assert outcome.value == ECHOED
    assert trace_of(TOKEN, repr(events)) is None
    _, outcome = call_tool(place, "echo", {"way": "return", "token": "secret:MISSING"})
    assert outcome.error is not None
    assert "STACKVM_SECRET_MISSING" in outcome.error.message


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"secrets": {"PIN": "1234"}}, "STACKVM_SECRET_PIN"),
        ({"secrets": {"no": "long enough"}}, "STACKVM_SECRET_no"),
    ],
)
def test_a_wrong_secret_keeps_everything_from_starting(
    tmp_path: Path, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        make_workplace(tmp_path, **settings)


def test_keys_are_hidden_but_words_that_servers_of_ones_own_take_for_keys_are_not(tmp_path: Path) -> None:
    key = "sk-a-key-of-OpenAI-or-another-1234"
    for n, (given, shown) in enumerate(
        [(key, "[OPENAI_API_KEY]"), ("none", "none"), ("lm-studio", "lm-studio")]
    ):
        folder = tmp_path / str(n)
        folder.mkdir()
        workplace, database = make_workplace(
            folder, TOOLS, openai_api_key=given, autoflow_api_key="ta-12345678"
        )
        ran = Ran(workplace, call("plain", value=f"{given} ta-12345678"))
        assert ran.variable() == f"{shown} [AUTOFLOW_API_KEY]"
        database.close()


class Asking:
    """A workplace whose model says the given replies, behind the masks, and what it was asked."""

    def __init__(self, place: Workplace, folder: Path, *replies: str) -> None:
        script = folder / "replies.yaml"
        script.write_text(json.dumps([{"purpose": "generate", "reply": reply} for reply in replies]))
        self.asked: list[str] = []
        model = ScriptedModel.from_file(script, name="scripted")
        complete = model.complete

        def watched(request: Any, on_token: Any = None) -> Any:
            self.asked += [message.content for message in request.messages]
            return complete(request, on_token)

        model.complete = watched  # type: ignore[method-assign]
        asker = masked(Gateway(model, prices=Prices(), budget=Budget(Limits())), place.secrets.masks)
        self.place = replace(place, open_askers=lambda usage: Askers(asker, asker, "scripted", True))


def test_a_model_is_told_the_name_never_the_value(place: Workplace, tmp_path: Path) -> None:
    asking = Asking(place, tmp_path, "done", "done")
    step = call("llm_generate", "x", prompt="secret:MISSING", context={"a": ["secret:TOKEN"], "b": TOKEN})
    assert Ran(asking.place, step, call("model_user", token="secret:TOKEN")).variable() == "done"
    asked = "\n".join(asking.asked)
    assert "secret:MISSING" in asked
    assert asked.count("secret:TOKEN") >= 4
    assert trace_of(TOKEN, asked) is None


def test_a_tool_asks_a_model_through_the_masks_of_its_own_call(place: Workplace) -> None:
    asked: list[Any] = []

    def generate(*words: Any) -> str:
        asked.append(words)
        return "done"

    with Performer() as performer:
        request = Call(
            model_user, {"token": "secret:TOKEN"}, generate=lambda _: generate, secrets=place.secrets
        )
        assert performer.perform(request).value == "done"
    assert asked == [("say secret:TOKEN", {"header": ["secret:TOKEN"]}, None)]


def test_what_a_model_says_is_masked_token_by_token(place: Workplace, tmp_path: Path) -> None:
    asking = Asking(place, tmp_path, f"I know {OTHER} and {quote(TOKEN)}, and anoth")
    ran = Ran(asking.place, call("llm_generate", prompt="What do you know?"))
    tokens = [event.token for event in ran.events if isinstance(event, TokenSaid)]
    assert "".join(tokens) == "I know secret:OTHER and secret:TOKEN, and anoth"
    assert ran.variable() == "I know secret:OTHER and secret:TOKEN, and anoth"
    ran.assert_nothing_leaked()


def test_without_secrets_nothing_is_masked_and_nothing_added(tmp_path: Path) -> None:
    workplace, database = make_workplace(tmp_path, TOOLS)
    ran = Ran(workplace, call("echo", way="return", token="a value that is no secret"))
    assert ran.variable()["token"] == "a value that is no secret"
    database.close()


def test_not_performed_is_masked_too(place: Workplace) -> None:
    @tool(effect="irreversible")
    def refuse(token: str) -> None:
        """Does nothing."""
        raise NotPerformed(f"no line for {token}")

    place.load_registry().add(refuse)
    ran = Ran(place, call("refuse", token="secret:TOKEN"))
    assert ran.report.error is not None
    assert "no line for secret:TOKEN" in ran.report.error["message"]
    ran.assert_nothing_leaked()

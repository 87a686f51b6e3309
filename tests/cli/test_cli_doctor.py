"""``doctor`` and the models: whether they can be asked, found out without asking."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from command_line import CommandLine
from fake_openai import FakeOpenAI
from fake_server import Answer

KEY = "sk-very-secret-key-0123456789"


def model_check(cli: CommandLine, *, ok: bool, name: str = "model") -> dict[str, Any]:
    """What the doctor says of the model; the exit code says the same."""
    checks = {check["name"]: check for check in cli.json("doctor", code=0 if ok else 1)}
    assert checks[name]["ok"] is ok
    assert all(check["ok"] for other, check in checks.items() if other != name)
    return checks[name]


def test_a_model_that_can_be_asked_is_named_with_its_server(cli: CommandLine, server: FakeOpenAI) -> None:
    server.lists("m")
    assert model_check(cli, ok=True)["detail"] == f"openai m at {server.url}/v1"
    assert [asked.path for asked in server.asked] == ["/v1/models"]


def test_a_model_that_is_not_there_is_named_with_those_that_are(cli: CommandLine, server: FakeOpenAI) -> None:
    server.lists("mm", "other")
    check = model_check(cli, ok=False)
    assert "no such model" in check["detail"]
    assert "mm" in check["advice"]


def test_a_wrong_key_is_a_failure_and_is_not_shown(cli: CommandLine, server: FakeOpenAI) -> None:
    server.refuses(401, f"wrong key {KEY}")
    check = model_check(cli, ok=False)
    assert "did not accept the API key" in check["detail"]
    assert "check the key" in check["advice"]
    server.refuses(401, f"wrong key {KEY}")
    assert KEY not in cli.run("doctor").output


def test_a_server_that_lists_nothing_is_no_failure(cli: CommandLine, server: FakeOpenAI) -> None:
    server.put(Answer(status=404, pieces=["{}"]))
    assert "not checked" in model_check(cli, ok=True)["detail"]


def test_an_absent_server_is_a_failure(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        monkeypatch.setenv("LLM_PROVIDER", "ollama")
        monkeypatch.setenv("LLM_MODEL", "qwen3")
        monkeypatch.setenv("OLLAMA_BASE_URL", f"http://127.0.0.1:{listener.getsockname()[1]}")
        check = model_check(cli, ok=False)
    assert "can't reach" in check["detail"]
    assert "ollama serve" in check["advice"]


def test_a_missing_key_is_a_failure(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_PROVIDER", "openai")
    monkeypatch.setenv("LLM_MODEL", "m")
    assert model_check(cli, ok=False, name="models")["detail"] == "OPENAI_API_KEY is not set"


def test_a_broken_list_of_prices_is_a_failure(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    (cli.folder / "prices.json").write_text("{")
    monkeypatch.setenv("MODEL_PRICES", "prices.json")
    assert "is not JSON" in model_check(cli, ok=False, name="MODEL_PRICES")["detail"]
    (cli.folder / "prices.json").write_text("{}")
    assert model_check(cli, ok=True, name="MODEL_PRICES")["detail"] == "prices.json"

"""A command line whose models are on a server of the tests' own: what it says, and what it was asked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from itertools import count
from typing import Any

import pytest
from command_line import CommandLine
from fake_ollama import FakeOllama
from fake_openai import FakeOpenAI
from fake_server import Asked

KEY = "sk-test-0123456789abcdef"
URLS = {"openai": ("OPENAI_BASE_URL", "/v1"), "ollama": ("OLLAMA_BASE_URL", "")}

_numbers = count(1)


class ModelServer:
    """``server`` says what a test tells it; ``model`` is a name that nobody else in this process has asked for.

    What a server lacks is remembered by its address and the model's name, and addresses come again.
    """

    def __init__(
        self,
        provider: str,
        server: FakeOpenAI | FakeOllama,
        cli: CommandLine,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        self.provider = provider
        self.server = server
        self.cli = cli
        self.model = f"model-{next(_numbers)}"
        self._monkeypatch = monkeypatch
        setting, path = URLS[provider]
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.delenv(name, raising=False)
            monkeypatch.delenv(name.lower(), raising=False)
        self.configure(LLM_PROVIDER=provider, LLM_MODEL=self.model, OPENAI_API_KEY=KEY, LLM_TIMEOUT=20)
        self.configure(MAX_REVISIONS=0)  # what fails stays failed, where a test does not say otherwise
        self.configure(**{setting: server.url + path})

    def configure(self, **settings: object) -> None:
        """Put settings into the environment."""
        for name, value in settings.items():
            self._monkeypatch.setenv(name, str(value))

    def prices(self, **prices: tuple[str, str]) -> None:
        """A price list: model → price of a million tokens in and out, each as a decimal number."""
        entries = [
            f"{json.dumps(model)}: {{{json.dumps('input')}: {into}, {json.dumps('output')}: {out}}}"
            for model, (into, out) in prices.items()
        ]
        (self.cli.folder / "prices.json").write_text(f"{{{', '.join(entries)}}}")
        self.configure(MODEL_PRICES="prices.json")

    def plans(
        self, *steps: dict[str, Any], usage: tuple[int, int] | None = (100, 10), match: str = ""
    ) -> None:
        """A plan of these steps, numbered from 1, for the next request for one."""
        self.server.on("plan", match=match).says(json.dumps(document(*steps)), usage=usage)

    @property
    def asked(self) -> list[Asked]:
        return self.server.asked

    def execute(self, goal: str = "Praise the poem", *options: str, code: int = 0) -> dict[str, Any]:
        """The report of ``execute --goal`` without a plan."""
        report = self.cli.json("execute", "--goal", goal, *options, code=code)
        assert isinstance(report, dict)
        return report

    def records(self, task: str) -> list[dict[str, Any]]:
        """The records of all commits, oldest first."""
        return [entry["record"] for entry in self.cli.json("log", task, "--records")][::-1]


def document(*steps: dict[str, Any], reasoning: str = "It is short.") -> dict[str, Any]:
    """A plan as a model writes it: the object form, steps numbered from 1."""
    numbered = [{"seq_no": number, **step} for number, step in enumerate(steps, 1)]
    return {"version": 1, "reasoning": reasoning, "steps": numbered}


def model_calls(records: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """All model calls of a history, in order."""
    for record in records:
        yield from record.get("model_calls", ())


def cost(*priced: tuple[list[tuple[int, int]], tuple[str, str]]) -> float:
    """What calls cost together, each list at its price: worked out exactly and rounded once."""
    total = sum(
        Decimal(in_) * into + Decimal(out_) * out for used, (in_, out_) in priced for into, out in used
    )
    return float(total / 1_000_000)

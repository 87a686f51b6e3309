"""A run is one trace, from the request in one process to the model call in another; off, nothing of it is loaded."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import time
from pathlib import Path

import pytest
from collector import Collector, collecting
from served import ROOT, Served, free_port, serving

from app.config import Settings
from app.errors import ConfigurationError
from app.observability.base import Subject
from app.observability.opening import observe_commands
from app.observability.tracing import Tracing, open_tracing

SERVER, CLIENT = 2, 3
CAUSE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
SECRET = "correct horse battery"

STEPS = [
    {
        "type": "calling",
        "parameters": {
            "tool_name": "llm_generate",
            "tool_params": {"prompt": f"say {SECRET}"},
            "output_vars": "text",
        },
    },
    {
        "type": "jmp",
        "parameters": {
            "condition_prompt": f"is it {SECRET}?",
            "context": "${text}",
            "jump_if_true": 4,
            "jump_if_false": 3,
        },
    },
    {"type": "assign", "parameters": {"final_answer": "no"}},
    {"type": "assign", "parameters": {"final_answer": "${text}"}},
]
REPLIES = [
    {"purpose": "generate", "reply": f"I say {SECRET}", "usage": {"input": 7, "output": 3}},
    {"purpose": "judge", "reply": '{"result": true, "explanation": "so it seems"}'},
]


def traced(folder: Path, collector: Collector, **more: object) -> dict[str, object]:
    replies = folder / "replies.yaml"
    replies.write_text(json.dumps(REPLIES))
    chosen = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": 100}
    return {**chosen, "LLM_PROVIDER": "scripted", "SCRIPTED_REPLIES": replies, **more}


def test_a_run_is_one_trace_over_two_processes_from_the_request_to_the_model_call(tmp_path: Path) -> None:
    with (
        collecting() as collector,
        serving(
            tmp_path, workers=1, **traced(tmp_path, collector, RUN_THREADS=0, OTEL_SERVICE_NAME="web")
        ) as web,
    ):
        environment = {**web._environment, "RUN_THREADS": "2", "OTEL_SERVICE_NAME": "worker"}
        worker = Served(tmp_path, free_port(), environment, 1)
        try:
            numbered = [{"seq_no": number, **step} for number, step in enumerate(STEPS, 1)]
            answer = web.client.post(
                "/api/tasks", json={"goal": "test", "plan": numbered}, headers={"traceparent": CAUSE}
            )
            task_id = answer.json()["task_id"]
            web.wait(task_id)
            collector.wait(lambda: bool(collector.named("invoke_workflow")) and bool(collector.named("POST")))
        finally:
            worker.client.close()
            worker.stop()
    assert set(collector.paths) == {"/v1/traces"}
    spans = {span.id: span for span in collector.spans if span.trace == CAUSE[3:35]}

    [request] = collector.named("POST /api/tasks")
    assert (request.parent, request.kind, request.service) == (CAUSE[36:52], SERVER, "web")
    assert request.attributes["http.route"] == "/api/tasks"
    assert request.attributes["http.response.status_code"] == 202

    [run] = collector.named("invoke_workflow")
    assert (run.parent, run.trace, run.service) == (request.id, request.trace, "worker")
    assert run.attributes["gen_ai.conversation.id"] == task_id
    assert run.attributes["stackvm.run.status"] == "completed"
    assert {span.parent for span in collector.named("step ")} == {run.id}
    assert [span.attributes["stackvm.step"] for span in collector.named("step ")] == [1, 2, 4]

    [tool] = collector.named("execute_tool")
    assert spans[tool.parent].attributes["stackvm.step"] == 1
    assert tool.attributes["gen_ai.tool.name"] == "llm_generate"
    generate, judge = collector.named("chat scripted")
    assert (generate.parent, generate.kind) == (tool.id, CLIENT)
    assert spans[judge.parent].attributes["stackvm.step"] == 2
    assert generate.attributes["gen_ai.operation.name"] == "chat"
    assert generate.attributes["gen_ai.provider.name"] == "scripted"
    assert generate.attributes["gen_ai.request.model"] == "scripted"
    assert generate.attributes["gen_ai.usage.input_tokens"] == 7
    assert generate.attributes["gen_ai.usage.output_tokens"] == 3
    assert not any(SECRET in str(span) for span in collector.spans), "no span holds what was said"

    [ended] = [line for line in lines(tmp_path) if line["event"] == "run.ended"]
    assert (ended["trace_id"], ended["task_id"]) == (run.trace, task_id)


def lines(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "server.log").read_text().splitlines()]


def test_without_traces_a_clients_trace_still_names_the_lines_of_its_run(tmp_path: Path) -> None:
    with serving(tmp_path, workers=1) as web:
        body = {"goal": "test", "plan": [{"seq_no": 1, **STEPS[2]}]}
        task_id = web.client.post("/api/tasks", json=body, headers={"traceparent": CAUSE}).json()["task_id"]
        web.wait(task_id)
        other = web.submit(STEPS[2])
        web.wait(other)
        bad = web.client.post("/api/tasks", json=body, headers={"traceparent": "00-zz-1"})
        assert bad.status_code == 202
        web.wait(bad.json()["task_id"])
    ended = {
        line["task_id"]: line.get("trace_id") for line in lines(tmp_path) if line["event"] == "run.ended"
    }
    assert ended[task_id] == CAUSE[3:35]
    assert ended[other] is None and ended[bad.json()["task_id"]] is None


def test_a_collector_that_is_away_is_one_line_and_holds_nothing_up(
    tmp_path: Path,
) -> None:
    settings = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{free_port()}",
        "OTEL_BSP_SCHEDULE_DELAY": 50,
        "OTEL_EXPORTER_OTLP_TIMEOUT": 1,
    }
    with serving(tmp_path, workers=1, **settings) as served:
        for _ in range(3):
            served.wait(served.submit(STEPS[2]))
            time.sleep(0.7)
        collected = time.monotonic()
        while not any(line["event"] == "traces.dropped" for line in lines(tmp_path)):
            assert time.monotonic() < collected + 30
            time.sleep(0.1)
        assert served.stop() < 10
    assert sum(line["event"] == "traces.dropped" for line in lines(tmp_path)) == 1
    assert not [
        line for line in lines(tmp_path) if str(line["logger"]).startswith(("opentelemetry", "urllib3"))
    ]


def test_a_command_is_traced_too_and_does_not_wait_for_a_collector_that_is_away(tmp_path: Path) -> None:
    plan = tmp_path / "plan.json"
    plan.write_text(json.dumps([{"seq_no": 1, **STEPS[2]}]))
    migrate = [sys.executable, "-m", "alembic", "--config", str(ROOT / "migrations.ini"), "upgrade", "head"]
    execute = [sys.executable, "-c", "from app.cli import main; main()"]
    execute += ["execute", "--goal", "g", "--plan", str(plan)]
    with collecting() as collector:
        base = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "VAR_DIR": str(tmp_path / "var")}
        (tmp_path / "var").mkdir()
        subprocess.run(migrate, cwd=ROOT, env=base, check=True, capture_output=True)
        on = {**base, "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
        done = subprocess.run(execute, cwd=tmp_path, env=on, check=True, capture_output=True, text=True)
        assert [span.name for span in collector.spans] == ["step assign", "invoke_workflow"]
        quiet = subprocess.run(execute, cwd=tmp_path, env=base, check=True, capture_output=True, text=True)
    away = {**base, "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{free_port()}"}
    begun = time.monotonic()
    dead = subprocess.run(execute, cwd=tmp_path, env=away, check=True, capture_output=True, text=True)
    assert time.monotonic() - begun < 20
    assert done.stdout == quiet.stdout == dead.stdout


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"OTEL_SDK_DISABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"},
        {"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"},
    ],
    ids=["unset", "disabled", "none"],
)
def test_off_it_is_not_even_loaded(variables: dict[str, str]) -> None:
    code = (
        "import sys; from app.config import load_settings; from app.bootstrap import workplace\n"
        "import app.cli.execute\n"
        "from app.observability.opening import observe_commands\n"
        "assert observe_commands(load_settings()).observers == ()\n"
        "heavy = ('opentelemetry', 'prometheus_client', 'structlog', 'requests')\n"
        "print([name for name in sys.modules if name.split('.')[0] in heavy])"
    )
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), **variables}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd="/", check=True, capture_output=True, text=True
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("name", "value"), [("otel_traces_exporter", "zipkin"), ("otel_exporter_otlp_protocol", "grpc")]
)
def test_what_is_not_spoken_here_is_refused_only_where_traces_are_wanted(name: str, value: str) -> None:
    wanted = {"otel_exporter_otlp_endpoint": "http://127.0.0.1:1", name: value}
    with pytest.raises(ConfigurationError) as raised:
        observe_commands(Settings(_env_file=None, **wanted))  # type: ignore[call-arg, arg-type]
    assert name.upper() in raised.value.message and raised.value.hint
    off = Settings(_env_file=None, otel_sdk_disabled=True, **wanted)  # type: ignore[call-arg, arg-type]
    assert observe_commands(off).observers == ()


def test_the_endpoint_for_traces_alone_is_taken_as_it_is(tmp_path: Path) -> None:
    with collecting() as collector:
        url = f"{collector.url}/mine"
        made = open_tracing(
            Settings(_env_file=None, otel_exporter_otlp_traces_endpoint=url)  # type: ignore[call-arg]
        )
        _end(made)
    assert collector.paths == ["/mine"]


def _end(tracing: Tracing) -> None:
    level = logging.getLogger("opentelemetry").level
    watch = tracing.open(Subject("a", "main", "billing"))
    watch.end("failed")
    tracing.close()
    assert level > logging.CRITICAL

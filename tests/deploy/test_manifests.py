"""Dockerfile, compose file and Kubernetes manifests: what they name exists, what they run is kept small, and they fit
their schemas."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from manifests import (
    BASE,
    COMPOSE,
    DOCKERFILE,
    KUBERNETES,
    ROOT,
    documents,
    environment,
    of_kind,
    ours,
    pods,
    seconds,
)

import app.cli
from app.config import SECRET_PREFIX, Settings

SETTINGS = {name.upper() for name in Settings.model_fields}
COMING = {"QUEUE", "CELERY_BROKER_URL"}
"""Of the queue with a broker, which comes with `stackvm worker`."""
CHECKS = os.environ.get("DEPLOY_CHECKS")
"""The folder with the validators; ``make test`` says where."""


def is_setting(name: str) -> bool:
    return name in SETTINGS | COMING or name.startswith(SECRET_PREFIX)


def test_nothing_is_expected_that_has_come() -> None:
    assert not COMING & SETTINGS, "take it out of COMING"


@pytest.mark.parametrize("name", ours())
def test_compose_sets_what_there_is_to_set(name: str) -> None:
    assert [each for each in ours()[name]["environment"] if not is_setting(each)] == []


def test_kubernetes_sets_what_there_is_to_set() -> None:
    for name, template in pods():
        for container in template["spec"]["containers"]:
            assert [each for each in environment(container) if not is_setting(each)] == [], name


def test_the_image_sets_what_there_is_to_set_or_python_knows() -> None:
    found = re.findall(r"(?:^ENV|^   ) +([A-Z_]+)=", DOCKERFILE, re.MULTILINE)
    assert "VAR_DIR" in found
    assert [
        each for each in found if not is_setting(each) and not each.startswith(("PYTHON", "PIP_", "PATH"))
    ] == []


@pytest.mark.parametrize("name", ours())
def test_values_are_ones_that_a_setting_takes(name: str) -> None:
    given = ours()[name]["environment"]
    plain = {key.lower(): re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", str(value)) for key, value in given.items()}
    Settings(_env_file=None, **plain)  # type: ignore[arg-type, call-arg]


def test_kubernetes_gives_values_that_a_setting_takes() -> None:
    for _, template in pods():
        for container in template["spec"]["containers"]:
            plain = {name.lower(): value for name, value in environment(container).items()}
            Settings(_env_file=None, **plain)  # type: ignore[arg-type, call-arg]


def commands() -> list[list[str]]:
    found = [service["command"] for service in ours().values() if "command" in service]
    for _, template in pods():
        found += [each["command"] for each in template["spec"]["containers"] if "command" in each]
    return found


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_commands_are_ones_that_there_are(words: list[str]) -> None:
    if words[0] != "stackvm":
        assert words == ["alembic", "--config", "migrations.ini", "upgrade", "head"]
        return
    if "QUEUE" in COMING and words[1] == "worker":
        pytest.skip("it comes with the queue")
    help_text = CliRunner().invoke(app.cli.stackvm, [words[1], "--help"])
    assert help_text.exit_code == 0, help_text.output
    assert all(option in help_text.output for option in words if option.startswith("--"))


@pytest.mark.parametrize(("name", "template"), pods(), ids=[name for name, _ in pods()])
def test_a_pod_may_do_nothing_that_it_need_not(name: str, template: dict[str, Any]) -> None:
    spec = template["spec"]
    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert f"USER {spec['securityContext']['runAsUser']}:" in DOCKERFILE
    for container in spec["containers"]:
        allowed = container["securityContext"]
        assert allowed["allowPrivilegeEscalation"] is False
        assert allowed["readOnlyRootFilesystem"] is True
        assert allowed["capabilities"] == {"drop": ["ALL"]}
        assert container["resources"]["limits"]["memory"] and container["resources"]["requests"]["cpu"]
        written = {mount["mountPath"] for mount in container["volumeMounts"]}
        assert {"/tmp", environment(container)["VAR_DIR"]} <= written, "all else is read-only"
        assert {mount["name"] for mount in container["volumeMounts"]} <= {
            each["name"] for each in spec["volumes"]
        }


def test_a_pod_has_longer_to_end_than_its_runs_have_to_pause() -> None:
    for deployment in of_kind("Deployment"):
        spec = deployment["spec"]["template"]["spec"]
        for container in spec["containers"]:
            sleeps = (
                container.get("lifecycle", {}).get("preStop", {}).get("exec", {}).get("command", ["", "0"])
            )
            needed = float(environment(container)["SHUTDOWN_SECONDS"]) + float(sleeps[1])
            assert spec["terminationGracePeriodSeconds"] >= needed + 10, deployment["metadata"]["name"]
    for name in ("web", "worker"):
        service = COMPOSE["services"][name]
        waits = float(
            service["environment"].get("SHUTDOWN_SECONDS", Settings.model_fields["shutdown_seconds"].default)
        )
        assert seconds(service["stop_grace_period"]) >= waits + 10


def test_probes_ask_what_is_there() -> None:
    containers = {name: template["spec"]["containers"][0] for name, template in pods()}
    web, worker = containers["stackvm-web"], containers["stackvm-worker"]
    assert web["livenessProbe"]["httpGet"]["path"] == web["startupProbe"]["httpGet"]["path"] == "/healthz"
    assert web["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert worker["livenessProbe"]["httpGet"]["path"] == "/metrics"
    ports = {each["name"]: each["containerPort"] for each in (*web["ports"], *worker["ports"])}
    assert str(ports["metrics"]) == environment(worker)["METRICS_PORT"]
    assert f'"0.0.0.0:{ports["http"]}"' in DOCKERFILE
    for container in (web, worker):
        for probe in ("startupProbe", "livenessProbe"):
            assert container[probe]["httpGet"]["port"] in {each["name"] for each in container["ports"]}


def test_selectors_find_the_pods_they_mean() -> None:
    labels = {name: template["metadata"]["labels"] for name, template in pods()}
    for each in of_kind("Deployment"):
        assert each["spec"]["selector"]["matchLabels"].items() <= labels[each["metadata"]["name"]].items()
    for each in of_kind("PodDisruptionBudget", "NetworkPolicy", "Service"):
        spec = each["spec"]
        chosen = spec.get("podSelector", spec.get("selector", {}))
        wanted = chosen.get("matchLabels", chosen)
        assert any(wanted.items() <= found.items() for found in labels.values()), each["metadata"]["name"]
    for each in of_kind("HorizontalPodAutoscaler", "ScaledObject"):
        assert each["spec"]["scaleTargetRef"]["name"] in labels


def test_every_pod_is_closed_by_a_network_policy_before_others_open_it() -> None:
    [closed] = [each for each in of_kind("NetworkPolicy") if not {"ingress", "egress"} & each["spec"].keys()]
    assert set(closed["spec"]["policyTypes"]) == {"Ingress", "Egress"}
    for name, template in pods():
        wanted = closed["spec"]["podSelector"]["matchLabels"]
        assert wanted.items() <= template["metadata"]["labels"].items(), name


def test_kustomizations_name_every_file_but_the_example() -> None:
    for path, document in documents():
        if path.name == "kustomization.yaml":
            there = {each.name for each in path.parent.glob("*.yaml")}
            assert there - {path.name, "secret.example.yaml"} == set(document["resources"])
    images = {container["image"] for _, template in pods() for container in template["spec"]["containers"]}
    [base] = [document for path, document in documents() if path == BASE / "kustomization.yaml"]
    assert images == {each["name"] for each in base["images"]}


def test_workers_are_scaled_by_figures_that_there_are() -> None:
    page = (ROOT / "docs" / "observing.md").read_text()
    [scaled] = of_kind("ScaledObject")
    assert scaled["apiVersion"] == "keda.sh/v1alpha1"
    for trigger in scaled["spec"]["triggers"]:
        assert trigger["type"] == "prometheus" and float(trigger["metadata"]["threshold"]) > 0
        for name in re.findall(r"stackvm_\w+", trigger["metadata"]["query"]):
            assert f"`{name}`" in page


def test_the_image_copies_what_is_there_and_nothing_else_is_sent() -> None:
    copied = [
        path
        for line in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE)
        for path in line.split()[:-1]
    ]
    assert all((ROOT / path).exists() for path in copied)
    ignore = (ROOT / ".dockerignore").read_text().splitlines()
    assert "*" in ignore
    assert {line[1:] for line in ignore if line.startswith("!")} == set(copied)
    assert not re.search(r"^USER (root|0)", DOCKERFILE, re.MULTILINE)
    assert DOCKERFILE.rindex("USER 10001") > DOCKERFILE.rindex("RUN ")


def test_no_secret_that_is_good_for_anything_is_written_down() -> None:
    for path in [ROOT / "compose.yaml", ROOT / "Dockerfile", *KUBERNETES.rglob("*.yaml")]:
        for name, value in re.findall(r"(\w*(?:PASSWORD|KEY|SECRET)\w*): (\S+)", path.read_text()):
            harmless = value == "CHANGE-ME" or name == "MARIADB_RANDOM_ROOT_PASSWORD"
            assert harmless or re.fullmatch(r"\$\{\w+:-(dev-only[\w-]*)?\}", value), (path, name)
    published = [port for service in COMPOSE["services"].values() for port in service.get("ports", ())]
    assert published and all(port.startswith("127.0.0.1:") for port in published)


def checker(name: str) -> Path:
    if CHECKS is None:
        if os.environ.get("CI"):
            pytest.fail("DEPLOY_CHECKS does not say where the validators are")
        pytest.skip("DEPLOY_CHECKS does not say where the validators are: make test")
    return Path(CHECKS) / name


def passes(*command: object) -> str:
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


OBJECTS = [path for path in sorted(BASE.glob("*.yaml")) if path.name != "kustomization.yaml"]


@pytest.mark.parametrize("path", OBJECTS, ids=lambda path: path.name)
def test_manifests_fit_the_schemas_of_kubernetes(path: Path) -> None:
    assert "passed" in passes(checker("kubernetes-validate"), "--strict", path)


def test_a_manifest_with_a_mistake_does_not(tmp_path: Path) -> None:
    wrong = tmp_path / "worker.yaml"
    wrong.write_text(
        (BASE / "worker.yaml").read_text().replace("readOnlyRootFilesystem", "readOnlyRootFileSystem")
    )
    done = subprocess.run([checker("kubernetes-validate"), "--strict", wrong], capture_output=True)
    assert done.returncode != 0


def test_compose_fits_its_schema(tmp_path: Path) -> None:
    validator = [checker("check-jsonschema"), "--builtin-schema", "vendor.compose-spec"]
    passes(*validator, ROOT / "compose.yaml")
    wrong = tmp_path / "compose.yaml"
    wrong.write_text((ROOT / "compose.yaml").read_text().replace("stop_grace_period:", "stop_grace:"))
    assert subprocess.run([*validator, wrong], capture_output=True).returncode != 0


def test_the_dockerfile_has_nothing_that_a_linter_minds() -> None:
    passes(checker("hadolint"), ROOT / "Dockerfile")

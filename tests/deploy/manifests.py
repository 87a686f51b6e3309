"""What is deployed, read from its files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
KUBERNETES = ROOT / "deploy" / "kubernetes"
BASE = KUBERNETES / "base"
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
DOCKERFILE = (ROOT / "Dockerfile").read_text()
WORKLOADS = ("Deployment", "Job")


def documents() -> Iterator[tuple[Path, dict[str, Any]]]:
    """Every object under ``deploy/kubernetes``, with its file."""
    for path in sorted(KUBERNETES.rglob("*.yaml")):
        for document in yaml.safe_load_all(path.read_text()):
            yield path, document


def of_kind(*kinds: str) -> list[dict[str, Any]]:
    return [document for _, document in documents() if document["kind"] in kinds]


def pods() -> list[tuple[str, dict[str, Any]]]:
    """Name and pod template of everything that runs."""
    return [(each["metadata"]["name"], each["spec"]["template"]) for each in of_kind(*WORKLOADS)]


def environment(container: dict[str, Any]) -> dict[str, str]:
    """What a container is given, from the config map and the example of a secret too."""
    shared = of_kind("ConfigMap")[0]["data"] | of_kind("Secret")[0]["stringData"]
    return shared | {each["name"]: each["value"] for each in container.get("env", ())}


def ours() -> dict[str, dict[str, Any]]:
    """The services of ``compose.yaml`` that run our image."""
    return {
        name: service
        for name, service in COMPOSE["services"].items()
        if service["image"].startswith("stackvm:")
    }


def seconds(duration: str) -> int:
    """Of ``40s``, ``2m``."""
    found = re.fullmatch(r"(\d+)([sm])", duration)
    assert found, duration
    return int(found[1]) * (60 if found[2] == "m" else 1)

"""Names of events: one convention, and all in the documentation."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from served import ROOT

NAME = re.compile(r"[a-z]+\.[a-z_]+")


def named() -> set[str]:
    """Every name that code gives a line: of ``tell`` and its like, and of ``extra={"event": …}``."""
    found = set()
    for path in [*(ROOT / "app").rglob("*.py"), ROOT / "gunicorn.conf.py"]:
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id in ("tell", "_say")
            ):
                place = 0 if node.func.id == "_say" else 2
                words = node.args[place] if len(node.args) > place else None
                if isinstance(words, ast.Constant):
                    found.add(str(words.value))
            if isinstance(node, ast.Dict):
                for key, value in zip(node.keys, node.values, strict=True):
                    if (
                        isinstance(key, ast.Constant)
                        and key.value == "event"
                        and isinstance(value, ast.Constant)
                    ):
                        found.add(str(value.value))
    return {name for name in found if "." in name}


def test_each_says_what_it_is_about_and_what_happened_and_is_documented() -> None:
    page = (ROOT / "docs" / "observing.md").read_text()
    rows = page[page.index("| event |") : page.index("## Figures")]
    told = set(re.findall(r"`([a-z]+\.[a-z_]+)`", rows))
    assert all(NAME.fullmatch(name) for name in named())
    # How a run broke off is chosen in one place, and then told.
    assert told == named() | {"run.broken_off", "lease.lost", "lease.held"}


def test_no_logger_says_anything_without_a_name() -> None:
    nameless = []
    for path in (ROOT / "app").rglob("*.py"):
        if path.relative_to(ROOT / "app").parts[0] in (
            "api",
            "worker",
            "observability",
            "services",
            "db",
            "queue",
        ):
            for line, text in enumerate(path.read_text().splitlines(), 1):
                if re.search(r"\b(logger|LOG)\.(info|warning|error)\(", text) and "extra" not in text:
                    nameless.append(f"{Path(path).name}:{line}")
    assert nameless == []

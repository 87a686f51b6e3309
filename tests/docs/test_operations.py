"""``docs/operations.md``: no setting is missing, and none is named that there is not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from app.config import Settings

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "operations.md").read_text()
NAMES = {"STACKVM_SECRET_NAME" if name == "secrets" else name.upper() for name in Settings.model_fields}
COMING = {"QUEUE", "CELERY_BROKER_URL"}
"""Of the queue with a broker."""

ROWS = re.findall(r"^\| (`[A-Z][^|]*) \| ([^|]*)\|", PAGE[: PAGE.index("## Upgrading")], re.MULTILINE)


def test_every_setting_is_there_once_and_no_other() -> None:
    named = [name for names, _ in ROWS for name in re.findall(r"`([A-Z_]+)`", names)]
    assert len(named) == len(set(named))
    assert set(named) == NAMES | COMING


@pytest.mark.parametrize(("names", "defaults"), ROWS)
def test_its_default_is_what_it_is(names: str, defaults: str) -> None:
    given = [each.strip().strip("`") for each in defaults.split(",")]
    for name, told in zip(re.findall(r"`([A-Z_]+)`", names), given, strict=False):
        field = Settings.model_fields.get(name.lower())
        if field is None or told in ("", "the login name"):
            continue
        default = field.default
        shown = str(default).lower() if isinstance(default, bool) else str(default)
        assert told in (shown, shown.removesuffix(".0")), name

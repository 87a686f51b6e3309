"""The settings: ``.env.example`` says all there is to say about them, and wrong ones are named."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from dotenv import dotenv_values

from app.config import SECRET_PREFIX, Settings, load_settings
from app.errors import ConfigurationError

EXAMPLE = Path(__file__).parent.parent / ".env.example"
NAMES = {name.upper() for name in Settings.model_fields} - {"SECRETS"} | {"STACKVM_SECRET_NAME"}


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.upper() in NAMES or name.upper().startswith(SECRET_PREFIX):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def test_the_example_has_every_setting_and_nothing_else() -> None:
    assert set(dotenv_values(EXAMPLE)) == NAMES


def test_the_example_has_each_setting_once() -> None:
    assigned = [line.split("=")[0] for line in EXAMPLE.read_text().splitlines() if line and line[0] != "#"]
    assert len(assigned) == len(set(assigned))


def test_the_example_has_the_defaults() -> None:
    assert Settings(_env_file=EXAMPLE) == Settings(_env_file=None)  # type: ignore[call-arg]


def test_each_setting_of_the_example_has_a_line_that_explains_it() -> None:
    for paragraph in EXAMPLE.read_text().strip().split("\n\n")[1:]:
        *comment, assignment = paragraph.splitlines()
        assert comment, assignment
        assert all(line.startswith("# ") for line in comment), assignment
        assert "=" in assignment


def test_each_setting_says_what_it_is() -> None:
    for name, field in Settings.model_fields.items():
        assert field.description, name


def test_a_copy_of_the_example_changes_nothing(tmp_path: Path) -> None:
    before = load_settings()
    (tmp_path / ".env").write_text(EXAMPLE.read_text())
    assert load_settings() == before


def test_the_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text("MAX_STEPS=5\nDURABILITY=step\n")
    monkeypatch.setenv("MAX_STEPS", "7")
    settings = load_settings()
    assert (settings.max_steps, settings.durability) == (7, "step")


def test_without_a_database_there_is_sqlite_in_the_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAR_DIR", "/data/here")
    assert load_settings().database_url == "sqlite:////data/here/stackvm.db"


def test_folders_of_tools_are_separated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOOLS_PATH", os.pathsep.join(["mine", "", "/ours"]))
    assert load_settings().tools_path == (Path("mine"), Path("/ours"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MAX_STEPS", "many"),
        ("MAX_STEPS", "0"),
        ("MAX_SECONDS", ""),
        ("LEASE_SECONDS", "-1"),
        ("LEASE_SECONDS", "inf"),
        ("HISTORY_BACKEND", "floppy"),
        ("DURABILITY", "never"),
        ("MAX_VALUE_BYTES", "1"),
        ("KB_ID", "zero"),
        ("KB_ID", "0"),
    ],
)
def test_a_wrong_setting_is_named(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError) as raised:
        load_settings()
    assert name in raised.value.message
    assert repr(value) in raised.value.message
    assert raised.value.hint == "see .env.example"


def test_a_file_of_settings_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"MAX_STEPS=\xff\xfe")
    with pytest.raises(ConfigurationError, match=r"\.env"):
        load_settings()


def test_secrets_come_from_the_file_and_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text(
        "STACKVM_SECRET_ONE=from the file\nSTACKVM_SECRET_TWO='file too'\nSTACKVM_SECRET_GONE=old\n"
        "STACKVM_SECRET_EMPTY=\nSTACKVM_SECRET_BARE\n"
    )
    monkeypatch.setenv("STACKVM_SECRET_TWO", "environment")
    monkeypatch.setenv("stackvm_secret_three", "12345678")
    monkeypatch.setenv("STACKVM_SECRET_GONE", "")
    monkeypatch.setenv("SECRETS", "no setting of ours")
    settings = load_settings()
    assert {name: value.get_secret_value() for name, value in settings.secrets.items()} == {
        "ONE": "from the file",
        "TWO": "environment",
        "THREE": "12345678",
    }
    for shown in (repr(settings), str(settings), settings.model_dump_json()):
        assert "from the file" not in shown
        assert "12345678" not in shown


def test_the_number_of_a_knowledge_base_may_be_left_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KB_ID", "")
    assert load_settings().kb_id is None
    monkeypatch.setenv("KB_ID", "30001")
    assert load_settings().kb_id == 30001

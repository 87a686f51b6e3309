"""The first schema: tasks and their branches, leases, attempts, effects, namespaces, and the history.

Written out rather than taken from the models, which go on while a migration stays.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_BLOB = sa.LargeBinary().with_variant(mysql.LONGBLOB(), "mysql")
_TEXT = sa.Text().with_variant(mysql.LONGTEXT(), "mysql")
_OID = sa.LargeBinary(20).with_variant(mysql.BINARY(20), "mysql")
_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

_PLAIN: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
}
_NUMBERED: dict[str, Any] = {**_PLAIN, "sqlite_autoincrement": True}
_CLUSTERED: dict[str, Any] = {**_PLAIN, "sqlite_with_rowid": False}


def _name(length: int = 240) -> sa.types.TypeEngine[str]:
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def _big(name: str, **options: Any) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, **{"nullable": False, **options})


def upgrade() -> None:
    _create_tasks()
    _create_run_tables()
    _create_namespaces()
    _create_history()


def _create_tasks() -> None:
    op.create_table(
        "tasks",
        sa.Column("number", _NUMBER, nullable=False),
        sa.Column("id", _name(64), nullable=False),
        sa.Column("goal", _TEXT, nullable=False),
        sa.Column("namespace", _name()),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("store", sa.String(16), nullable=False),
        sa.Column("current_branch", _name(), nullable=False),
        _big("created_ms"),
        _big("updated_ms"),
        _big("steps"),
        sa.Column("error", _TEXT),
        sa.PrimaryKeyConstraint("number", name="pk_tasks"),
        sa.UniqueConstraint("id", name="uq_tasks_id"),
        **_NUMBERED,
    )
    op.create_index("ix_tasks_created_ms", "tasks", ["created_ms", "number"])
    op.create_table(
        "branches",
        sa.Column("task", _NUMBER, nullable=False),
        sa.Column("name", _name(), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        _big("created_ms"),
        sa.PrimaryKeyConstraint("task", "name", name="pk_branches"),
        sa.ForeignKeyConstraint(["task"], ["tasks.number"], name="fk_branches_task", ondelete="CASCADE"),
        **_CLUSTERED,
    )


def _create_run_tables() -> None:
    op.create_table(
        "leases",
        sa.Column("task_id", _name(64), nullable=False),
        sa.Column("branch", _name(), nullable=False),
        sa.Column("owner", _name()),
        _big("expires_ms"),
        _big("fence"),
        sa.PrimaryKeyConstraint("task_id", "branch", name="pk_leases"),
        **_CLUSTERED,
    )
    op.create_table(
        "attempts",
        sa.Column("task_id", _name(64), nullable=False),
        sa.Column("key", _name(64), nullable=False),
        sa.Column("number", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("branch", _name(), nullable=False),
        _big("seq_no"),
        _big("visit"),
        _big("item", nullable=True),
        sa.Column("tool", _TEXT, nullable=False),
        sa.Column("inputs_hash", _name(64), nullable=False),
        _big("started_ms"),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("error", _TEXT),
        sa.PrimaryKeyConstraint("task_id", "key", "number", name="pk_attempts"),
        **_CLUSTERED,
    )
    op.create_table(
        "effects",
        sa.Column("task_id", _name(64), nullable=False),
        sa.Column("branch", _name(), nullable=False),
        _big("seq_no", autoincrement=False),
        _big("visit", autoincrement=False),
        _big("item", autoincrement=False),
        sa.Column("inputs_hash", _name(64), nullable=False),
        sa.Column("outcome", _BLOB, nullable=False),
        sa.PrimaryKeyConstraint("task_id", "branch", "seq_no", "visit", "item", name="pk_effects"),
        **_CLUSTERED,
    )


def _create_namespaces() -> None:
    op.create_table(
        "namespaces",
        sa.Column("name", _name(), nullable=False),
        sa.Column("allowed_tools", _TEXT, nullable=False),
        sa.Column("description", _TEXT, nullable=False),
        sa.Column("policies", _TEXT, nullable=False),
        _big("created_ms"),
        _big("updated_ms"),
        sa.PrimaryKeyConstraint("name", name="pk_namespaces"),
        **_PLAIN,
    )


def _create_history() -> None:
    op.create_table(
        "repositories",
        sa.Column("number", _NUMBER, nullable=False),
        sa.Column("task_id", _name(64), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_repositories"),
        sa.UniqueConstraint("task_id", name="uq_repositories_task_id"),
        **_NUMBERED,
    )
    op.create_table(
        "refs",
        _big("repository", autoincrement=False),
        sa.Column("name", _name(), nullable=False),
        sa.Column("target", _OID),
        _big("fence"),
        sa.PrimaryKeyConstraint("repository", "name", name="pk_refs"),
        **_CLUSTERED,
    )
    op.create_table(
        "journal",
        _big("repository", autoincrement=False),
        _big("id", autoincrement=False),
        sa.Column("data", _BLOB, nullable=False),
        sa.PrimaryKeyConstraint("repository", "id", name="pk_journal"),
        **_PLAIN,
    )
    op.create_table(
        "segments",
        sa.Column("id", _NUMBER, nullable=False),
        _big("repository"),
        _big("raw_bytes"),
        sa.Column("data", _BLOB, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_segments"),
        **_NUMBERED,
    )
    op.create_index("ix_segments_repository", "segments", ["repository"])
    op.create_table(
        "objects",
        _big("repository", autoincrement=False),
        sa.Column("oid", _OID, nullable=False),
        _big("segment"),
        _big("position"),
        _big("length"),
        sa.Column("kind", sa.SmallInteger, nullable=False),
        sa.PrimaryKeyConstraint("repository", "oid", name="pk_objects"),
        **_CLUSTERED,
    )


def downgrade() -> None:
    for name in (
        *("objects", "segments", "journal", "refs", "repositories", "namespaces"),
        *("effects", "attempts", "leases", "branches", "tasks"),
    ):
        op.drop_table(name)

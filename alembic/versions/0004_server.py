"""What a server needs: the queue, keys and the audit, proposals with comments, tags, what is under way."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_OPTIONS: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
}
_CLUSTERED: dict[str, Any] = {**_OPTIONS, "sqlite_with_rowid": False}
_NUMBERED: dict[str, Any] = {**_OPTIONS, "sqlite_autoincrement": True}
_TABLES = ("comments", "proposals", "live", "audit", "requests", "api_keys", "jobs", "tags")


def upgrade() -> None:
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    text = sa.Text().with_variant(mysql.LONGTEXT(), "mysql")
    _add_to_tasks(text)
    op.create_table(
        "tags",
        sa.Column("tag", _name(100), primary_key=True),
        sa.Column("task", number, primary_key=True),
        **_CLUSTERED,
    )
    op.create_index("ix_tags_task", "tags", ["task"])
    op.create_table(
        "jobs",
        sa.Column("number", number, primary_key=True),
        sa.Column("task_id", _name(64), nullable=False),
        sa.Column("branch", _name(), nullable=False),
        sa.Column("namespace", _name()),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("parallel", sa.Integer()),
        sa.Column("queued_ms", sa.BigInteger(), nullable=False),
        sa.Column("not_before_ms", sa.BigInteger(), nullable=False),
        sa.Column("owner", _name()),
        sa.Column("expires_ms", sa.BigInteger(), nullable=False),
        sa.Column("takeovers", sa.Integer(), nullable=False),
        sa.UniqueConstraint("task_id", "branch", name="uq_jobs_task_id"),
        **_NUMBERED,
    )
    op.create_index("ix_jobs_priority", "jobs", ["priority", "number"])
    op.create_table(
        "api_keys",
        sa.Column("id", _name(32), primary_key=True),
        sa.Column("name", _name(), nullable=False),
        sa.Column("secret_hash", _name(64), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("namespace", _name()),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("expires_ms", sa.BigInteger()),
        sa.Column("revoked_ms", sa.BigInteger()),
        **_OPTIONS,
    )
    op.create_table(
        "requests",
        sa.Column("actor", _name(), primary_key=True),
        sa.Column("key", _name(200), primary_key=True),
        sa.Column("fingerprint", _name(64), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Integer()),
        sa.Column("body", text),
        sa.Column("headers", text),
        **_CLUSTERED,
    )
    op.create_table(
        "audit",
        sa.Column("number", number, primary_key=True),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("actor", _name(), nullable=False),
        sa.Column("action", _name(64), nullable=False),
        sa.Column("task_id", _name(64)),
        sa.Column("detail", text, nullable=False),
        **_NUMBERED,
    )
    op.create_index("ix_audit_task_id", "audit", ["task_id"])
    op.create_table(
        "live",
        sa.Column("task_id", _name(64), primary_key=True),
        sa.Column("branch", _name(), primary_key=True),
        sa.Column("updated_ms", sa.BigInteger(), nullable=False),
        sa.Column("data", text, nullable=False),
        **_CLUSTERED,
    )
    op.create_table(
        "proposals",
        sa.Column("number", number, primary_key=True),
        sa.Column("task_id", _name(64), nullable=False),
        sa.Column("branch", _name(), nullable=False),
        sa.Column("base", sa.String(40), nullable=False),
        sa.Column("plan", text, nullable=False),
        sa.Column("origin", text, nullable=False),
        sa.Column("options", text, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("result", _name()),
        sa.Column("created_by", _name(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("updated_ms", sa.BigInteger(), nullable=False),
        **_NUMBERED,
    )
    op.create_index("ix_proposals_task_id", "proposals", ["task_id"])
    op.create_table(
        "comments",
        sa.Column("number", number, primary_key=True),
        sa.Column("proposal", sa.BigInteger(), nullable=False),
        sa.Column("seq_no", sa.BigInteger()),
        sa.Column("author", _name(), nullable=False),
        sa.Column("body", text, nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        **_NUMBERED,
    )
    op.create_index("ix_comments_proposal", "comments", ["proposal"])


def _add_to_tasks(text: Any) -> None:
    """Not by `batch_alter_table`, which on SQLite would make the table anew and lose AUTOINCREMENT."""
    for name, kind in (("planned_steps", sa.BigInteger()), ("worked_ms", sa.BigInteger()), ("usage", text)):
        op.add_column("tasks", sa.Column(name, kind, nullable=True))
    op.create_index("ix_tasks_updated_ms", "tasks", ["updated_ms", "number"])


def _name(length: int = 240) -> Any:
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def downgrade() -> None:
    for table in _TABLES:
        op.drop_table(table)
    op.drop_index("ix_tasks_updated_ms", "tasks")
    for column in ("usage", "worked_ms", "planned_steps"):
        op.drop_column("tasks", column)

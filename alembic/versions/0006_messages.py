"""A queue with a broker: when messages were sent, who looks after them, and runs that get nowhere."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_CLUSTERED: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
    "sqlite_with_rowid": False,
}


def upgrade() -> None:
    op.add_column("jobs", sa.Column("head", sa.String(40)))
    # With a default: workers of the version before go on putting jobs while this one is rolled out.
    op.add_column("jobs", sa.Column("sent_ms", sa.BigInteger(), nullable=False, server_default="0"))
    op.create_table(
        "duties",
        sa.Column("name", _name(), primary_key=True),
        sa.Column("owner", _name(), nullable=False),
        sa.Column("expires_ms", sa.BigInteger(), nullable=False),
        **_CLUSTERED,
    )


def downgrade() -> None:
    op.drop_table("duties")
    for column in ("sent_ms", "head"):
        op.drop_column("jobs", column)


def _name() -> Any:
    return sa.String(240).with_variant(sa.String(240, collation="C"), "postgresql")

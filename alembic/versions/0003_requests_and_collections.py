"""What a running branch is asked from outside, who began an attempt, what was collected, checksums of rows."""

from __future__ import annotations

import sqlalchemy as sa

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_CHECKED = ("tasks", "branches", "attempts", "effects", "namespaces")


def upgrade() -> None:
    name = sa.String(240).with_variant(sa.String(240, collation="C"), "postgresql")
    # Not by `batch_alter_table`, which on SQLite would make the table anew and lose AUTOINCREMENT.
    op.add_column("leases", sa.Column("request", sa.String(16), nullable=True))
    op.add_column("leases", sa.Column("requester", name, nullable=True))
    for counter in ("collected", "created_ms"):
        column = sa.Column(counter, sa.BigInteger(), nullable=False, server_default=sa.text("0"))
        op.add_column("repositories", column)
    op.add_column("attempts", sa.Column("begun_by", sa.String(16), nullable=True))
    for table in _CHECKED:
        op.add_column(table, sa.Column("checksum", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    for table in _CHECKED:
        op.drop_column(table, "checksum")
    op.drop_column("attempts", "begun_by")
    op.drop_column("repositories", "created_ms")
    op.drop_column("repositories", "collected")
    op.drop_column("leases", "requester")
    op.drop_column("leases", "request")

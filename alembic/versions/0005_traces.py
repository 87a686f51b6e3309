"""What asked for a run, as a trace has it: from the request to the worker that runs it."""

from __future__ import annotations

import sqlalchemy as sa

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Not by `batch_alter_table`, which on SQLite would make the table anew and lose AUTOINCREMENT.
    op.add_column("jobs", sa.Column("trace", sa.String(64), nullable=True))


def downgrade() -> None:
    op.drop_column("jobs", "trace")

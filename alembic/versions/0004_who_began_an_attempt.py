"""Who began an attempt: its row is known again where the connection was lost amid COMMIT."""

from __future__ import annotations

import sqlalchemy as sa

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("attempts", sa.Column("begun_by", sa.String(16), nullable=True))


def downgrade() -> None:
    op.drop_column("attempts", "begun_by")

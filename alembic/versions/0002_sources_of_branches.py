"""Which branch a branch was forked from, and where that one stood: its answers are the first to be taken again."""

from __future__ import annotations

import sqlalchemy as sa

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    name = sa.String(240).with_variant(sa.String(240, collation="C"), "postgresql")
    with op.batch_alter_table("branches") as branches:
        branches.add_column(sa.Column("source", name, nullable=True))
        branches.add_column(sa.Column("source_head", sa.String(40), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("branches") as branches:
        branches.drop_column("source_head")
        branches.drop_column("source")

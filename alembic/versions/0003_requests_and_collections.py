"""What a running branch is asked to do from outside, and how often a repository was collected."""

from __future__ import annotations

import sqlalchemy as sa

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    name = sa.String(240).with_variant(sa.String(240, collation="C"), "postgresql")
    with op.batch_alter_table("leases") as leases:
        leases.add_column(sa.Column("request", sa.String(16), nullable=True))
        leases.add_column(sa.Column("requester", name, nullable=True))
    with op.batch_alter_table("repositories") as repositories:
        repositories.add_column(
            sa.Column("collected", sa.BigInteger(), nullable=False, server_default=sa.text("0"))
        )


def downgrade() -> None:
    with op.batch_alter_table("repositories") as repositories:
        repositories.drop_column("collected")
    with op.batch_alter_table("leases") as leases:
        leases.drop_column("requester")
        leases.drop_column("request")

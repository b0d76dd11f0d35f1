"""The audit trail; a store's deletion can be undone for a while, and tells what it destroyed"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "audit",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("actor_id", sa.String(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("token_id", sa.String(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("store_id", sa.String(), nullable=False),
        sa.Column("store_name", sa.String(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("error", sa.String(), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit"),
    )
    for column in ("at", "actor", "action", "store_name"):
        op.create_index(f"ix_audit_{column}", "audit", [column])
    op.add_column("store", sa.Column("destroy_at", TIME, nullable=True))
    op.add_column("store", sa.Column("destroying_at", TIME, nullable=True))
    op.add_column("store", sa.Column("inventory", sa.JSON(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("store") as store:
        for column in ("inventory", "destroying_at", "destroy_at"):
            store.drop_column(column)
    op.drop_table("audit")

"""Attempts to bring stores up, for the figures, also those of stores that are gone

What is known of the stores that are there is taken over from their changes of state.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    attempt = op.create_table(
        "attempt",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("store_id", sa.String(), nullable=False),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("again", sa.Boolean(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attempt")),
    )
    op.create_index(op.f("ix_attempt_ended_at"), "attempt", ["ended_at"])
    transition = sa.table(
        "transition",
        *(sa.column(name) for name in ("id", "store_id", "before", "after")),
        sa.column("at", sa.DateTime(timezone=True)),
    )
    rows = op.get_bind().execute(sa.select(transition).order_by(transition.c.store_id, transition.c.id))
    began: dict[str, object] = {}
    been_ready: set[str] = set()
    found = []
    for row in rows:
        if row.after == "PROVISIONING":
            began[row.store_id] = row.at
        elif row.before == "PROVISIONING" and row.after in ("READY", "FAILED") and row.store_id in began:
            begin = began.pop(row.store_id)
            found.append(
                {
                    "store_id": row.store_id,
                    "began_at": begin,
                    "ended_at": row.at,
                    "seconds": (row.at - begin).total_seconds(),
                    "again": row.store_id in been_ready,
                    "code": "" if row.after == "READY" else "unknown",
                }
            )
            if row.after == "READY":
                been_ready.add(row.store_id)
    if found:
        op.bulk_insert(attempt, found)


def downgrade() -> None:
    op.drop_index(op.f("ix_attempt_ended_at"), "attempt")
    op.drop_table("attempt")

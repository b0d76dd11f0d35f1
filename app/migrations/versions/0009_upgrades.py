"""Which release a store wants, which came up, what it can be upgraded to, and what it can be rolled back to"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("store", sa.Column("pinned", sa.String(), nullable=True))
    op.add_column("store", sa.Column("proven", sa.JSON(), nullable=True))
    op.add_column("store", sa.Column("upgrade_to", sa.String(), nullable=True))
    op.add_column("store", sa.Column("earlier", sa.JSON(), nullable=True))


def downgrade() -> None:
    for column in ("earlier", "upgrade_to", "proven", "pinned"):
        op.drop_column("store", column)  # one by one: a table that is made anew would take its stores' rows along

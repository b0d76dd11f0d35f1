"""How far a store's secrets are being replaced by new ones"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("store_secret", sa.Column("generation", sa.Integer(), nullable=False, server_default="1"))
    op.add_column("store_secret", sa.Column("next", sa.LargeBinary(), nullable=True))
    op.add_column("store_secret", sa.Column("former_login", sa.String(), nullable=True))
    op.add_column("store_secret", sa.Column("granted_on", sa.String(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("store_secret") as secrets:
        for column in ("generation", "next", "former_login", "granted_on"):
            secrets.drop_column(column)

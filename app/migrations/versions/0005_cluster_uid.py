"""In which cluster a database's stores live"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("installation", sa.Column("cluster_uid", sa.String(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("installation") as installation:
        installation.drop_column("cluster_uid")

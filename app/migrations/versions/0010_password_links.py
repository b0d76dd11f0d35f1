"""Links by which people whose password is forgotten choose another"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "password_link",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("user_id", sa.String(), sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
        sa.Column("made_by_id", sa.String(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_password_link"),
        sa.UniqueConstraint("hash", name="uq_password_link_hash"),
    )
    op.create_index("ix_password_link_user_id", "password_link", ["user_id"])
    op.create_index("ix_password_link_made_by_id", "password_link", ["made_by_id"])


def downgrade() -> None:
    op.drop_table("password_link")

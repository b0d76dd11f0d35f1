"""Sessions that can be seen, scoped tokens, invitations, identities, and the failures that throttle sign-in"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    with op.batch_alter_table("user_session") as sessions:
        sessions.add_column(sa.Column("id", sa.String(), nullable=True))
        sessions.add_column(sa.Column("last_seen_at", TIME, nullable=True))
    op.execute("UPDATE user_session SET id = substr(id_hash, 1, 32), last_seen_at = created_at")
    with op.batch_alter_table("user_session") as sessions:
        sessions.alter_column("id", existing_type=sa.String(), nullable=False)
        sessions.alter_column("last_seen_at", existing_type=TIME, nullable=False)
        sessions.create_unique_constraint("uq_user_session_id", ["id"])
    with op.batch_alter_table("token") as tokens:
        tokens.add_column(sa.Column("scope", sa.String(), nullable=True))
        tokens.add_column(sa.Column("made_by", sa.String(), nullable=True))
    op.execute("UPDATE token SET scope = 'admin'")  # what they could do so far
    with op.batch_alter_table("token") as tokens:
        tokens.alter_column("scope", existing_type=sa.String(), nullable=False)
        tokens.create_foreign_key("fk_token_made_by", "token", ["made_by"], ["id"], ondelete="CASCADE")
        tokens.create_index("ix_token_made_by", ["made_by"])
    op.create_table(
        "identity",
        sa.Column("issuer", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("user_id", sa.String(), sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("issuer", "subject", name="pk_identity"),
    )
    op.create_index("ix_identity_user_id", "identity", ["user_id"])
    op.create_table(
        "invitation",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("email", sa.String(254), nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
        sa.Column("admin", sa.Boolean(), nullable=False),
        sa.Column("invited_by", sa.String(), nullable=False),
        sa.Column("invited_by_id", sa.String(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_invitation"),
        sa.UniqueConstraint("email", name="uq_invitation_email"),
        sa.UniqueConstraint("hash", name="uq_invitation_hash"),
    )
    op.create_index("ix_invitation_invited_by_id", "invitation", ["invited_by_id"])
    op.create_index("ix_invitation_expires_at", "invitation", ["expires_at"])
    op.create_table(
        "sign_in_failure",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("place", sa.String(), nullable=False),
        sa.Column("filled", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_sign_in_failure"),
    )
    for column in ("at", "account", "place"):
        op.create_index(f"ix_sign_in_failure_{column}", "sign_in_failure", [column])
    op.create_table(
        "oidc_used_state",
        sa.Column("hash", sa.String(), nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("hash", name="pk_oidc_used_state"),
    )
    op.create_index("ix_oidc_used_state_at", "oidc_used_state", ["at"])


def downgrade() -> None:
    for table in ("oidc_used_state", "sign_in_failure", "invitation", "identity"):
        op.drop_table(table)
    with op.batch_alter_table("token") as tokens:
        tokens.drop_index("ix_token_made_by")
        tokens.drop_constraint("fk_token_made_by", type_="foreignkey")
        tokens.drop_column("made_by")
        tokens.drop_column("scope")
    with op.batch_alter_table("user_session") as sessions:
        sessions.drop_constraint("uq_user_session_id", type_="unique")
        sessions.drop_column("last_seen_at")
        sessions.drop_column("id")

"""Tags of messages, corrections, accounts with signals from elsewhere, second questions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "accounts",
        sa.Column("id", sa.String(length=100), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=True),
        sa.Column("stage", sa.String(length=20), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "account_signals",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("account_id", sa.String(length=100), nullable=False),
        sa.Column("external_id", sa.String(length=100), nullable=False),
        sa.Column("name", sa.String(length=30), nullable=False),
        sa.Column("source", sa.String(length=20), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("quote", sa.Text(), nullable=False),
        sa.Column("probability", sa.Double(), nullable=False),
        sa.Column("model", sa.String(length=16), nullable=True),
        sa.Column("by", sa.String(length=50), nullable=True),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("source", "external_id", "name", name="uq_account_signals_external"),
    )
    with op.batch_alter_table("account_signals", schema=None) as batch_op:
        batch_op.create_index("ix_account_signals_account", ["account_id", "occurred_at"], unique=False)
    op.create_table(
        "second_questions",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("conversation_id", sa.String(length=32), nullable=False),
        sa.Column("account_id", sa.String(length=100), nullable=True),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("stage", sa.String(length=20), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["conversation_id"], ["conversations.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("second_questions", schema=None) as batch_op:
        batch_op.create_index("ix_second_questions_account", ["account_id", "created_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_second_questions_conversation_id"), ["conversation_id"], unique=False)
    op.create_table(
        "corrections",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("conversation_id", sa.String(length=32), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=30), nullable=False),
        sa.Column("verdict", sa.String(length=10), nullable=False),
        sa.Column("quote", sa.Text(), nullable=True),
        sa.Column("by", sa.String(length=50), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["conversation_id", "number"],
            ["messages.conversation_id", "messages.number"],
            name="fk_corrections_message",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("corrections", schema=None) as batch_op:
        batch_op.create_index("ix_corrections_message", ["conversation_id", "number"], unique=False)
    op.create_table(
        "message_tags",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("conversation_id", sa.String(length=32), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=30), nullable=False),
        sa.Column("probability", sa.Double(), nullable=False),
        sa.Column("start", sa.Integer(), nullable=False),
        sa.Column("end", sa.Integer(), nullable=False),
        sa.Column("quote", sa.Text(), nullable=False),
        sa.Column("model", sa.String(length=16), nullable=False),
        sa.Column("origin", sa.String(length=10), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["conversation_id", "number"],
            ["messages.conversation_id", "messages.number"],
            name="fk_message_tags_message",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("conversation_id", "number", "name", name="uq_message_tags_name"),
    )
    with op.batch_alter_table("message_tags", schema=None) as batch_op:
        batch_op.create_index("ix_message_tags_name", ["name", "created_at"], unique=False)
    op.create_table(
        "taggings",
        sa.Column("conversation_id", sa.String(length=32), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("urgent", sa.Boolean(), nullable=False),
        sa.Column("urgency", sa.Double(), nullable=False),
        sa.Column("sentiment", sa.String(length=10), nullable=False),
        sa.Column("language", sa.String(length=5), nullable=False),
        sa.Column("model", sa.String(length=16), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["conversation_id", "number"],
            ["messages.conversation_id", "messages.number"],
            name="fk_taggings_message",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("conversation_id", "number"),
    )
    op.add_column("escalations", sa.Column("turn_number", sa.Integer(), nullable=True))
    op.add_column("escalations", sa.Column("signals", sa.JSON(), nullable=True))
    op.add_column("conversations", sa.Column("account_id", sa.String(length=100), nullable=True))
    op.create_index("ix_conversations_account_id", "conversations", ["account_id"], unique=False)


def downgrade() -> None:
    """Undo."""
    op.drop_column("escalations", "signals")
    op.drop_column("escalations", "turn_number")
    # Not in a batch: that would copy the table, and messages hang on it.
    op.drop_index("ix_conversations_account_id", "conversations")
    op.drop_column("conversations", "account_id")
    op.drop_table("taggings")
    with op.batch_alter_table("message_tags", schema=None) as batch_op:
        batch_op.drop_index("ix_message_tags_name")
    op.drop_table("message_tags")
    with op.batch_alter_table("corrections", schema=None) as batch_op:
        batch_op.drop_index("ix_corrections_message")
    op.drop_table("corrections")
    with op.batch_alter_table("second_questions", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_second_questions_conversation_id"))
        batch_op.drop_index("ix_second_questions_account")
    op.drop_table("second_questions")
    with op.batch_alter_table("account_signals", schema=None) as batch_op:
        batch_op.drop_index("ix_account_signals_account")
    op.drop_table("account_signals")
    op.drop_table("accounts")

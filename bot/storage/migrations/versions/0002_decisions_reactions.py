"""Decisions of the bot, and what customers made of them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_MESSAGES = sa.table(
    "messages",
    *(sa.column(name) for name in ("conversation_id", "number", "author")),
    sa.column("content", sa.JSON()),
    sa.column("created_at", sa.DateTime(timezone=True)),
)
_CONVERSATIONS = sa.table("conversations", *(sa.column(name) for name in ("id", "language", "audience")))


def upgrade() -> None:
    """Apply."""
    decisions = op.create_table(
        "decisions",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("conversation_id", sa.String(length=32), nullable=False),
        sa.Column("turn_number", sa.Integer(), nullable=False),
        sa.Column("question_number", sa.Integer(), nullable=False),
        sa.Column("reply_number", sa.Integer(), nullable=True),
        sa.Column("decision", sa.String(length=10), nullable=False),
        sa.Column("confidence", sa.Double(), nullable=False),
        sa.Column("article_id", sa.String(length=100), nullable=True),
        sa.Column("language", sa.String(length=5), nullable=False),
        sa.Column("audience", sa.String(length=10), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["conversation_id", "question_number"],
            ["messages.conversation_id", "messages.number"],
            name="fk_decisions_question",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("decisions", schema=None) as batch_op:
        batch_op.create_index("ix_decisions_created_at", ["created_at"], unique=False)
        batch_op.create_index("ix_decisions_reply", ["conversation_id", "reply_number"], unique=False)
        batch_op.create_index("ix_decisions_turn", ["conversation_id", "turn_number"], unique=False)

    op.create_table(
        "reactions",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("decision_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("number", sa.Integer(), nullable=True),
        sa.Column("article_id", sa.String(length=100), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["decision_id"], ["decisions.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("decision_id", "kind", name="uq_reactions_kind"),
    )
    _take_over(decisions)


def _take_over(decisions: sa.Table) -> None:
    """Decisions taken before this revision stand in the content of the bot's messages."""
    connection = op.get_bind()
    known = {row.id: row for row in connection.execute(sa.select(_CONVERSATIONS))}
    rows = connection.execute(sa.select(_MESSAGES).order_by(_MESSAGES.c.conversation_id, _MESSAGES.c.number))
    found = []
    conversation_id = turn = question = None
    for row in rows:
        if row.conversation_id != conversation_id:
            conversation_id, turn, question = row.conversation_id, None, None
        content = row.content or {}
        if row.author == "customer":
            turn = row.number
            question = question if content.get("payload") and question else turn
        # Without an article it was no question: "that did not help".
        elif turn is not None and content.get("decision") and content.get("article_id"):
            found.append(
                {
                    "conversation_id": conversation_id,
                    "turn_number": turn,
                    "question_number": question,
                    "reply_number": row.number,
                    "decision": content["decision"],
                    "confidence": content.get("confidence") or 0.0,
                    "article_id": content["article_id"],
                    "language": known[conversation_id].language,
                    "audience": known[conversation_id].audience,
                    "created_at": row.created_at,
                }
            )
    for start in range(0, len(found), 1000):
        connection.execute(sa.insert(decisions), found[start : start + 1000])


def downgrade() -> None:
    """Undo."""
    op.drop_table("reactions")
    with op.batch_alter_table("decisions", schema=None) as batch_op:
        batch_op.drop_index("ix_decisions_turn")
        batch_op.drop_index("ix_decisions_reply")
        batch_op.drop_index("ix_decisions_created_at")

    op.drop_table("decisions")

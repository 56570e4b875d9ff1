"""Events, people and what they do on the desk, service levels of cases, ratings, webhooks and what goes out to them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "api_tokens",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("queues", sa.JSON(), nullable=True),
        sa.Column("created_by", sa.String(length=60), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("token_hash"),
    )
    op.create_table(
        "audit",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("by", sa.String(length=60), nullable=False),
        sa.Column("action", sa.String(length=40), nullable=False),
        sa.Column("target", sa.String(length=120), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.Column("address", sa.String(length=60), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_audit_created_at", "audit", ["created_at"], unique=False)
    op.create_index("ix_audit_target", "audit", ["target"], unique=False)
    op.create_table(
        "people",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("email", sa.String(length=200), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("password_hash", sa.String(length=200), nullable=True),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("languages", sa.JSON(), nullable=False),
        sa.Column("capacity", sa.Integer(), nullable=True),
        sa.Column("language", sa.String(length=5), nullable=False),
        sa.Column("online", sa.Boolean(), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_assigned_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("preferences", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("disabled_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("email"),
    )
    op.create_table(
        "saved_replies",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("title", sa.String(length=100), nullable=False),
        sa.Column("texts", sa.JSON(), nullable=False),
        sa.Column("queue", sa.String(length=30), nullable=True),
        sa.Column("by", sa.String(length=60), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "webhooks",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("url", sa.String(length=1000), nullable=False),
        sa.Column("secret", sa.String(length=100), nullable=False),
        sa.Column("old_secret", sa.String(length=100), nullable=True),
        sa.Column("old_secret_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("events", sa.JSON(), nullable=False),
        sa.Column("description", sa.String(length=200), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("paused_reason", sa.String(length=200), nullable=True),
        sa.Column("created_by", sa.String(length=60), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "sign_in_failures",
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_table(
        "desk_sessions",
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("person_id", sa.String(length=32), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("token_hash"),
    )
    op.create_index(op.f("ix_desk_sessions_person_id"), "desk_sessions", ["person_id"], unique=False)
    op.create_table(
        "drafts",
        sa.Column("conversation_id", sa.String(length=32), nullable=False),
        sa.Column("person_id", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("last_number", sa.Integer(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["conversation_id"], ["conversations.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("conversation_id", "person_id", "kind"),
    )
    op.create_table(
        "events",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("conversation_id", sa.String(length=32), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=30), nullable=False),
        sa.Column("visible", sa.Boolean(), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.Column("by", sa.String(length=60), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["conversation_id"], ["conversations.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("conversation_id", "number", name="uq_events_number"),
    )
    op.create_table(
        "outbox",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("webhook_id", sa.String(length=32), nullable=False),
        sa.Column("event", sa.String(length=40), nullable=False),
        sa.Column("conversation_id", sa.String(length=32), nullable=True),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("last_status", sa.Integer(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("holder", sa.String(length=32), nullable=True),
        sa.Column("held_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["webhook_id"], ["webhooks.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_outbox_conversation_id"), "outbox", ["conversation_id"], unique=False)
    op.create_index("ix_outbox_state", "outbox", ["state", "created_at"], unique=False)
    op.create_index("ix_outbox_webhook", "outbox", ["webhook_id", "state", "created_at"], unique=False)
    op.create_index("ix_outbox_holder", "outbox", ["holder"], unique=False)
    op.create_table(
        "presences",
        sa.Column("conversation_id", sa.String(length=32), nullable=False),
        sa.Column("person_id", sa.String(length=32), nullable=False),
        sa.Column("drafting", sa.Boolean(), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["conversation_id"], ["conversations.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("conversation_id", "person_id"),
    )
    op.create_table(
        "notes",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("conversation_id", sa.String(length=32), nullable=False),
        sa.Column("case_id", sa.Integer(), nullable=True),
        sa.Column("client_id", sa.String(length=100), nullable=True),
        sa.Column("by", sa.String(length=60), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["escalations.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["conversation_id"], ["conversations.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("conversation_id", "client_id", name="uq_notes_client_id"),
    )
    op.create_index(op.f("ix_notes_conversation_id"), "notes", ["conversation_id"], unique=False)
    op.create_table(
        "ratings",
        sa.Column("case_id", sa.Integer(), nullable=False),
        sa.Column("conversation_id", sa.String(length=32), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("asks_effort", sa.Boolean(), nullable=False),
        sa.Column("csat", sa.Integer(), nullable=True),
        sa.Column("effort", sa.Integer(), nullable=True),
        sa.Column("comment", sa.Text(), nullable=True),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("rated_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["case_id"], ["escalations.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["conversation_id"], ["conversations.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("case_id"),
    )
    op.create_index(op.f("ix_ratings_conversation_id"), "ratings", ["conversation_id"], unique=False)
    op.add_column("accounts", sa.Column("plan", sa.String(length=50), nullable=True))
    op.add_column("conversations", sa.Column("customer_id", sa.String(length=100), nullable=True))
    op.add_column("conversations", sa.Column("last_event", sa.Integer(), server_default="0", nullable=False))
    op.add_column("conversations", sa.Column("lease_holder", sa.String(length=32), nullable=True))
    op.add_column("conversations", sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True))
    op.create_index(op.f("ix_conversations_customer_id"), "conversations", ["customer_id"], unique=False)
    op.add_column("escalations", sa.Column("priority", sa.String(length=10), server_default="normal", nullable=False))
    op.add_column("escalations", sa.Column("assignee", sa.String(length=60), nullable=True))
    op.add_column("escalations", sa.Column("assigned_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("escalations", sa.Column("pushed", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("escalations", sa.Column("version", sa.Integer(), server_default="0", nullable=False))
    op.add_column("escalations", sa.Column("waiting_since", sa.DateTime(timezone=True), nullable=True))
    op.add_column("escalations", sa.Column("first_response_warn_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("escalations", sa.Column("first_response_due", sa.DateTime(timezone=True), nullable=True))
    op.add_column("escalations", sa.Column("first_response_state", sa.String(length=10), nullable=True))
    op.add_column("escalations", sa.Column("first_responded_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("escalations", sa.Column("resolution_warn_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("escalations", sa.Column("resolution_due", sa.DateTime(timezone=True), nullable=True))
    op.add_column("escalations", sa.Column("resolution_state", sa.String(length=10), nullable=True))
    op.add_column("escalations", sa.Column("paused", sa.Integer(), server_default="0", nullable=False))
    op.add_column("escalations", sa.Column("resolution", sa.String(length=20), nullable=True))
    op.add_column("escalations", sa.Column("closed_by", sa.String(length=60), nullable=True))
    op.add_column("escalations", sa.Column("reopened", sa.Integer(), server_default="0", nullable=False))
    op.add_column("escalations", sa.Column("merged_into", sa.Integer(), nullable=True))
    op.create_index("ix_escalations_assignee", "escalations", ["assignee", "status"], unique=False)
    op.create_index("ix_escalations_status", "escalations", ["status", "queue"], unique=False)
    op.drop_index("ix_escalations_queue", table_name="escalations")
    op.create_index("ix_escalations_queue", "escalations", ["queue", "created_at"], unique=False)
    # What was said before there were events: one for each message, with the same number.
    op.execute(
        """INSERT INTO events (conversation_id, number, kind, visible, data, "by", created_at)
        SELECT conversation_id, number, 'message', true, CAST('{"number": ' || number || '}' AS JSON),
            CASE author WHEN 'agent' THEN 'person:unknown' ELSE author END, created_at
        FROM messages"""
        if op.get_bind().dialect.name == "postgresql"
        else """INSERT INTO events (conversation_id, number, kind, visible, data, "by", created_at)
        SELECT conversation_id, number, 'message', 1, '{"number": ' || number || '}',
            CASE author WHEN 'agent' THEN 'person:unknown' ELSE author END, created_at
        FROM messages"""
    )
    op.execute("UPDATE conversations SET last_event = last_number")
    # Who wrote to a customer has the case from now on; the others wait since they were made.
    op.execute(
        """UPDATE escalations SET assigned_at = created_at, assignee = (
            SELECT substr(owner, 7) FROM conversations WHERE conversations.id = escalations.conversation_id)
        WHERE status = 'open' AND reason <> 'signal' AND conversation_id IN (
            SELECT id FROM conversations WHERE owner LIKE 'agent:%')"""
    )
    op.execute(
        """UPDATE escalations SET waiting_since = created_at
        WHERE status = 'open' AND reason <> 'signal' AND assignee IS NULL"""
    )


def downgrade() -> None:
    """Undo."""

    op.drop_index("ix_escalations_queue", table_name="escalations")
    op.create_index("ix_escalations_queue", "escalations", ["queue", "status"], unique=False)
    op.drop_index("ix_escalations_status", table_name="escalations")
    op.drop_index("ix_escalations_assignee", table_name="escalations")
    op.drop_column("escalations", "merged_into")
    op.drop_column("escalations", "reopened")
    op.drop_column("escalations", "closed_by")
    op.drop_column("escalations", "resolution")
    op.drop_column("escalations", "paused")
    op.drop_column("escalations", "resolution_state")
    op.drop_column("escalations", "resolution_due")
    op.drop_column("escalations", "resolution_warn_at")
    op.drop_column("escalations", "first_responded_at")
    op.drop_column("escalations", "first_response_state")
    op.drop_column("escalations", "first_response_due")
    op.drop_column("escalations", "first_response_warn_at")
    op.drop_column("escalations", "waiting_since")
    op.drop_column("escalations", "version")
    op.drop_column("escalations", "pushed")
    op.drop_column("escalations", "assigned_at")
    op.drop_column("escalations", "assignee")
    op.drop_column("escalations", "priority")
    op.drop_index(op.f("ix_conversations_customer_id"), table_name="conversations")
    op.drop_column("conversations", "lease_until")
    op.drop_column("conversations", "lease_holder")
    op.drop_column("conversations", "last_event")
    op.drop_column("conversations", "customer_id")
    op.drop_column("accounts", "plan")
    op.drop_index(op.f("ix_ratings_conversation_id"), table_name="ratings")
    op.drop_table("ratings")
    op.drop_index(op.f("ix_notes_conversation_id"), table_name="notes")
    op.drop_table("notes")
    op.drop_table("presences")
    op.drop_index("ix_outbox_holder", table_name="outbox")
    op.drop_index("ix_outbox_webhook", table_name="outbox")
    op.drop_index("ix_outbox_state", table_name="outbox")
    op.drop_index(op.f("ix_outbox_conversation_id"), table_name="outbox")
    op.drop_table("outbox")
    op.drop_table("events")
    op.drop_table("drafts")
    op.drop_index(op.f("ix_desk_sessions_person_id"), table_name="desk_sessions")
    op.drop_table("desk_sessions")
    op.drop_table("sign_in_failures")
    op.drop_table("webhooks")
    op.drop_table("saved_replies")
    op.drop_table("people")
    op.drop_index("ix_audit_target", table_name="audit")
    op.drop_index("ix_audit_created_at", table_name="audit")
    op.drop_table("audit")
    op.drop_table("api_tokens")

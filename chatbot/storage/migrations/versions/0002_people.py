"""Queue, erasure, outbox, sessions, the shared clock; the state machine's own constraints

Revision: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# Table -> name of the constraint -> what it demands: the state machine, in the database's words.
CHECKS = {
    "messages": {"delivered": "(state = 'delivered') = (position IS NOT NULL)"},
    "turns": {"finished": "(state IN ('queued', 'running')) = (finished_at IS NULL)"},
    "review_items": {
        "resolved": "(state = 'open') = (resolved_at IS NULL)",
        "held_while_open": "state = 'open' OR holder_id IS NULL",
        "holder": "(holder_id IS NULL) = (holder_name IS NULL)",
    },
}
# All that choosing the next item reads: the long sealed columns are never touched by it.
QUEUE = [
    "state",
    "urgent",
    "priority",
    "promised_at",
    "holder_id",
    "lease_until",
    "assignee_id",
    "team",
    "late_steps",
    "conversation_id",
    "id",
]


def upgrade() -> None:
    op.add_column("conversations", sa.Column("training_consent", sa.Boolean(), nullable=True))
    op.add_column("conversations", sa.Column("erased_at", sa.Double(), nullable=True))
    op.add_column("messages", sa.Column("erased_at", sa.Double(), nullable=True))
    with op.batch_alter_table("messages") as batch:
        batch.drop_column("redacted_sealed")  # never written since placeholders are kept
    for column in (
        sa.Column("priority", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("team", sa.String(length=40), nullable=False, server_default=""),
        sa.Column("assignee_id", sa.String(length=40), nullable=True),
        sa.Column("assignee_name", sa.String(length=80), nullable=True),
        sa.Column("codes", sa.JSON(), nullable=False, server_default="[]"),
        sa.Column("draft_hash", sa.String(length=32), nullable=False, server_default=""),
        sa.Column("edit_distance", sa.Double(), nullable=True),
        sa.Column("late_steps", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("summary_sealed", sa.LargeBinary(), nullable=True),
    ):
        op.add_column("review_items", column)
    op.drop_index("ix_review_items_state_promised", table_name="review_items")
    for table, checks in CHECKS.items():
        with op.batch_alter_table(table) as batch:
            for name, condition in checks.items():
                batch.create_check_constraint(op.f(f"ck_{table}_{name}"), condition)
    op.create_index("ix_messages_created", "messages", ["created_at"])
    op.create_index(
        "uq_messages_position", "messages", ["conversation_id", "position"], unique=True
    )
    op.create_index("ix_review_items_queue", "review_items", QUEUE)
    op.create_index("ix_review_items_draft", "review_items", ["state", "draft_hash"])
    op.create_index("ix_review_items_created", "review_items", ["created_at"])
    op.create_table(
        "staff_sessions",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("staff_id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("role", sa.String(length=10), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("seen_at", sa.Double(), nullable=False),
        sa.Column("expires_at", sa.Double(), nullable=False),
        sa.Column("ended_at", sa.Double(), nullable=True),
        sa.CheckConstraint(
            "role IN ('agent', 'reviewer', 'admin')", name=op.f("ck_staff_sessions_role")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff_sessions")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_staff_sessions_token_hash")),
    )
    op.create_table(
        "webhook_deliveries",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("target", sa.String(length=10), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("conversation_id", sa.String(length=40), nullable=True),
        sa.Column("position", sa.Integer(), nullable=True),
        sa.Column("payload_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.Double(), nullable=False),
        sa.Column("last_status", sa.Integer(), nullable=True),
        sa.Column("last_error", sa.String(length=300), nullable=True),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("finished_at", sa.Double(), nullable=True),
        sa.CheckConstraint(
            "target IN ('events', 'notify')", name=op.f("ck_webhook_deliveries_target")
        ),
        sa.CheckConstraint(
            "state IN ('waiting', 'delivered', 'skipped', 'dead')",
            name=op.f("ck_webhook_deliveries_state"),
        ),
        sa.CheckConstraint(
            "(state = 'waiting') = (finished_at IS NULL)",
            name=op.f("ck_webhook_deliveries_finished"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_deliveries")),
    )
    op.create_index("ix_webhook_deliveries_state_due", "webhook_deliveries", ["state", "due_at"])
    op.create_index(
        op.f("ix_webhook_deliveries_conversation_id"), "webhook_deliveries", ["conversation_id"]
    )
    op.create_table(
        "clock_anchors",
        sa.Column("boot_id", sa.String(length=64), nullable=False),
        sa.Column("offset_s", sa.Double(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("boot_id", name=op.f("pk_clock_anchors")),
    )


def downgrade() -> None:
    op.drop_table("clock_anchors")
    op.drop_table("webhook_deliveries")
    op.drop_table("staff_sessions")
    for name in ("ix_review_items_queue", "ix_review_items_draft", "ix_review_items_created"):
        op.drop_index(name, table_name="review_items")
    op.drop_index("uq_messages_position", table_name="messages")
    op.drop_index("ix_messages_created", table_name="messages")
    for table_name, checks in CHECKS.items():
        with op.batch_alter_table(table_name) as batch:
            for name in checks:
                batch.drop_constraint(op.f(f"ck_{table_name}_{name}"), type_="check")
    op.create_index("ix_review_items_state_promised", "review_items", ["state", "promised_at"])
    with op.batch_alter_table("review_items") as table:
        for column in (
            "priority",
            "team",
            "assignee_id",
            "assignee_name",
            "codes",
            "draft_hash",
            "edit_distance",
            "late_steps",
            "summary_sealed",
        ):
            table.drop_column(column)
    with op.batch_alter_table("messages") as table:
        table.add_column(sa.Column("redacted_sealed", sa.LargeBinary(), nullable=True))
        table.drop_column("erased_at")
    with op.batch_alter_table("conversations") as table:
        table.drop_column("training_consent")
        table.drop_column("erased_at")

"""Handovers can be kept for somebody; three more demands of the state machine

Revision: 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

PAIR = "(assignee_id IS NULL) = (assignee_name IS NULL)"
WAITING = "state <> 'waiting' OR waiting_since IS NOT NULL"


def upgrade() -> None:
    op.execute(
        "UPDATE conversations SET waiting_since = updated_at"
        " WHERE state = 'waiting' AND waiting_since IS NULL"
    )
    with op.batch_alter_table("conversations") as table:
        table.add_column(sa.Column("assignee_id", sa.String(length=40), nullable=True))
        table.add_column(sa.Column("assignee_name", sa.String(length=80), nullable=True))
        table.create_check_constraint(op.f("ck_conversations_waiting"), WAITING)
        table.create_check_constraint(op.f("ck_conversations_assignee"), PAIR)
    with op.batch_alter_table("review_items") as table:
        table.create_check_constraint(op.f("ck_review_items_assignee"), PAIR)


def downgrade() -> None:
    with op.batch_alter_table("review_items") as table:
        table.drop_constraint(op.f("ck_review_items_assignee"), type_="check")
    with op.batch_alter_table("conversations") as table:
        table.drop_constraint(op.f("ck_conversations_assignee"), type_="check")
        table.drop_constraint(op.f("ck_conversations_waiting"), type_="check")
        table.drop_column("assignee_name")
        table.drop_column("assignee_id")

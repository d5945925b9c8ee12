"""Two indexes that nothing reads: the queue reads ranks without their kind, and plans are listed by their ids.

Each ranking of all needs wrote the first of them anew.
"""

from alembic import op

revision = "0039"
down_revision = "0038"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Drop them."""
    op.drop_index(op.f("need_rank_kind_rank_idx"), "need_rank")
    op.drop_index(op.f("work_plan_at_idx"), "work_plan")


def downgrade() -> None:
    """Make them again."""
    op.create_index(op.f("need_rank_kind_rank_idx"), "need_rank", ["kind", "rank"])
    op.create_index(op.f("work_plan_at_idx"), "work_plan", ["at"])

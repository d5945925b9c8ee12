"""Needs are written by what happens to reports, and by no call of a page.

What keeps them runs by the right of the owner, and takes the ids of reports as given: called by itself it
could hang a need on a report that asks for none. Triggers and loading call it as the owner does.
"""

from alembic import op

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None

KEEPING = "need_attach, need_keep, need_settle, needs_find_lights, needs_catch_up, lights_follow"


def upgrade() -> None:
    """Take the right to call what keeps needs from everybody but the owner."""
    op.execute(f"REVOKE ALL ON FUNCTION {KEEPING} FROM PUBLIC")


def downgrade() -> None:
    """Let everybody call it."""
    op.execute(f"GRANT EXECUTE ON FUNCTION {KEEPING} TO PUBLIC")

"""Somebody always stays administrator.

Whoever ends the role of the last administrator, closes their account or deletes it is refused by the
store, also where two do so at the same time.
"""

from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

RULES = """
CREATE FUNCTION person_keep_administrator() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF TG_TABLE_NAME = 'person' AND NOT EXISTS (
        SELECT FROM role_grant
        WHERE person_id = NEW.id AND role = 'administrator' AND ended_at IS NULL
    ) THEN
        RETURN NULL;
    END IF;
    -- One after the other: of two that go at the same time, the second sees that the first is gone.
    PERFORM pg_advisory_xact_lock(hashtext('last administrator'));
    IF NOT EXISTS (
        SELECT FROM role_grant JOIN person ON person.id = person_id
        WHERE role = 'administrator' AND ended_at IS NULL AND disabled_at IS NULL
    ) THEN
        RAISE EXCEPTION 'somebody must stay administrator'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'person_last_administrator_stays',
                  TABLE = 'person';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER role_grant_last_is_not_ended AFTER UPDATE OF ended_at ON role_grant
    FOR EACH ROW WHEN (
        OLD.role = 'administrator' AND OLD.ended_at IS NULL AND NEW.ended_at IS NOT NULL
    ) EXECUTE FUNCTION person_keep_administrator();
CREATE TRIGGER role_grant_last_is_not_deleted AFTER DELETE ON role_grant
    FOR EACH ROW WHEN (OLD.role = 'administrator' AND OLD.ended_at IS NULL)
    EXECUTE FUNCTION person_keep_administrator();
CREATE TRIGGER person_last_administrator_is_not_closed AFTER UPDATE OF disabled_at ON person
    FOR EACH ROW WHEN (OLD.disabled_at IS NULL AND NEW.disabled_at IS NOT NULL)
    EXECUTE FUNCTION person_keep_administrator();
"""


def upgrade() -> None:
    op.execute(RULES)


def downgrade() -> None:
    op.execute("DROP FUNCTION person_keep_administrator CASCADE")

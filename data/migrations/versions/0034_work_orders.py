"""Work orders: who fixes what on which day, and what came of it.

Orders are read and changed by whoever may read their need. What happened to one is only ever added to, and
no page can write it in another's name.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None

WEB = "porchlight_web"

STATE = postgresql.ENUM(
    "draft", "issued", "in_field", "done", "inspected", "cancelled", name="work_order_state",
    create_type=False,
)  # fmt: skip
OUTCOME = postgresql.ENUM(
    "", "fixed", "not_found", "needs_parts", name="work_order_outcome", create_type=False
)
VISIT = postgresql.ENUM(
    "put_off", "not_found", "needs_parts", "corrected", "sent_back", name="visit", create_type=False
)

TEMPLATES = (
    (
        "put_off",
        "The visit that was planned is put off. We will post here when it is planned again.",
        "La visita prevista se pospuso. Avisaremos aquí cuando se programe de nuevo.",
    ),
    (
        "not_found",
        "A crew was here and could not find the problem. Your report stays open, and we look into it.",
        "Una cuadrilla estuvo aquí y no encontró el problema. Su reporte sigue abierto y lo estamos revisando.",
    ),
    (
        "needs_parts",
        "A crew was here. The repair needs parts that it did not have, so another visit will follow.",
        "Una cuadrilla estuvo aquí. La reparación necesita piezas que no tenía, así que habrá otra visita.",
    ),
    (
        "corrected",
        "The crew has corrected what it marked: the work is not finished yet.",
        "La cuadrilla corrigió lo que había marcado: el trabajo aún no está terminado.",
    ),
    (
        "sent_back",
        "We looked at the work again: it is not finished yet. Another visit will follow.",
        "Revisamos el trabajo otra vez: aún no está terminado. Habrá otra visita.",
    ),
)

KEEP = """
-- As geo.work_orders.STEPS.
CREATE FUNCTION work_order_state_follows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.version := OLD.version + 1;
    IF NEW.state <> OLD.state AND (OLD.state, NEW.state) NOT IN (
        ('draft', 'issued'), ('draft', 'cancelled'), ('draft', 'done'),
        ('issued', 'draft'), ('issued', 'in_field'), ('issued', 'done'), ('issued', 'cancelled'),
        ('in_field', 'issued'), ('in_field', 'done'), ('in_field', 'cancelled'),
        ('done', 'in_field'), ('done', 'inspected'), ('done', 'draft'),
        ('cancelled', 'done')
    ) THEN
        RAISE EXCEPTION 'a work order cannot go from % to %', OLD.state, NEW.state
            USING ERRCODE = 'check_violation', CONSTRAINT = 'work_order_state_follows',
                  TABLE = 'work_order';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER work_order_state BEFORE UPDATE ON work_order
    FOR EACH ROW EXECUTE FUNCTION work_order_state_follows();

CREATE FUNCTION work_order_event_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND NOT EXISTS (SELECT FROM work_order WHERE id = OLD.work_order_id) THEN
        RETURN OLD; -- the order goes with its need
    END IF;
    IF TG_OP = 'UPDATE' AND NEW.person_id IS NULL
        AND to_jsonb(NEW) - 'person_id' = to_jsonb(OLD) - 'person_id' THEN
        RETURN NEW; -- an account is deleted
    END IF;
    RAISE EXCEPTION 'what happened to a work order is only ever added to'
        USING ERRCODE = 'restrict_violation', TABLE = 'work_order_event';
END $$;
CREATE TRIGGER work_order_event_append_only BEFORE UPDATE OR DELETE ON work_order_event
    FOR EACH ROW EXECUTE FUNCTION work_order_event_is_append_only();

CREATE TRIGGER work_order_photo_files_go_with_it AFTER DELETE ON work_order_photo
    FOR EACH ROW EXECUTE FUNCTION photo_discard();

-- A need whose reports came to others is kept where a crew has gone to it, or was sent: it is closed.
CREATE FUNCTION need_keep_with_orders() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM work_order WHERE need_id = OLD.id AND state <> 'draft') THEN
        RETURN OLD;
    END IF;
    UPDATE need SET status = 'duplicate', closed_at = greatest(now(), opened_at)
    WHERE id = OLD.id AND closed_at IS NULL;
    RETURN NULL;
END $$;
CREATE TRIGGER need_kept_with_orders BEFORE DELETE ON need
    FOR EACH ROW EXECUTE FUNCTION need_keep_with_orders();
"""

# Whoever sees the need, sees and changes its orders: a need is seen by those who may work on it.
RIGHTS = f"""
ALTER TABLE work_order ENABLE ROW LEVEL SECURITY;
CREATE POLICY read ON work_order FOR SELECT
    USING (EXISTS (SELECT FROM need WHERE need.id = need_id));
CREATE POLICY add ON work_order FOR INSERT WITH CHECK (
    person_id = visitor() AND EXISTS (SELECT FROM need WHERE need.id = need_id)
);
CREATE POLICY work ON work_order FOR UPDATE
    USING (EXISTS (SELECT FROM need WHERE need.id = need_id));
GRANT SELECT,
    INSERT (work_plan_id, need_id, crew_id, day, position, arrive_at, service_minutes, person_id),
    UPDATE (crew_id, day, position, arrive_at, service_minutes, state, outcome, parts)
    ON work_order TO {WEB};

ALTER TABLE work_order_event ENABLE ROW LEVEL SECURITY;
CREATE POLICY read ON work_order_event FOR SELECT
    USING (EXISTS (SELECT FROM work_order WHERE work_order.id = work_order_id));
CREATE POLICY add ON work_order_event FOR INSERT WITH CHECK (
    person_id = visitor()
    AND EXISTS (SELECT FROM work_order WHERE work_order.id = work_order_id)
);
GRANT SELECT, INSERT (
    work_order_id, state, outcome, note, parts, came_late, person_id, marked_at, key, body_hash
) ON work_order_event TO {WEB};

ALTER TABLE work_order_photo ENABLE ROW LEVEL SECURITY;
CREATE POLICY read ON work_order_photo FOR SELECT
    USING (EXISTS (SELECT FROM work_order_event AS event WHERE event.id = event_id));
CREATE POLICY add ON work_order_photo FOR INSERT WITH CHECK (EXISTS (
    SELECT FROM work_order_event AS event WHERE event.id = event_id AND event.person_id = visitor()
));
GRANT SELECT, INSERT (event_id, key, width, height) ON work_order_photo TO {WEB};

GRANT USAGE ON SEQUENCE work_order_id_seq, work_order_event_id_seq, work_order_photo_id_seq
    TO {WEB};
"""


def upgrade() -> None:
    for enumeration in (STATE, OUTCOME, VISIT):
        enumeration.create(op.get_bind())
    op.create_table(
        "work_order",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        _reference("work_plan_id", "work_order", "work_plan", "SET NULL"),
        _reference("need_id", "work_order", "need", "CASCADE", nullable=False),
        _reference("crew_id", "work_order", "crew", None),
        sa.Column("day", sa.Date),
        sa.Column("position", sa.Integer),
        sa.Column("arrive_at", sa.DateTime(timezone=True)),
        sa.Column("service_minutes", sa.Integer, nullable=False),
        sa.Column("state", STATE, server_default="draft", nullable=False),
        sa.Column("outcome", OUTCOME, server_default="", nullable=False),
        sa.Column("parts", sa.Text, server_default="", nullable=False),
        sa.Column("version", sa.Integer, server_default=sa.text("1"), nullable=False),
        _reference("person_id", "work_order", "person", "SET NULL"),
        _moment("at"),
        sa.CheckConstraint("position >= 1", name=op.f("work_order_position_counts_from_one")),
        sa.CheckConstraint(
            "service_minutes BETWEEN 1 AND 960",
            name=op.f("work_order_service_minutes_are_sensible"),
        ),
        sa.CheckConstraint("length(parts) <= 200", name=op.f("work_order_parts_are_short")),
        sa.CheckConstraint(
            "state NOT IN ('issued', 'in_field') OR (crew_id IS NOT NULL AND day IS NOT NULL)",
            name=op.f("work_order_crew_and_day_are_named"),
        ),
        sa.CheckConstraint(
            "(state IN ('done', 'inspected')) = (outcome <> '')",
            name=op.f("work_order_outcome_is_of_a_visit"),
        ),
    )
    for column in ("work_plan_id", "need_id"):
        op.create_index(op.f(f"work_order_{column}_idx"), "work_order", [column])
    op.create_index(op.f("work_order_crew_id_day_idx"), "work_order", ["crew_id", "day"])
    op.create_index(
        "work_order_holds_need", "work_order", ["need_id"], unique=True,
        postgresql_where=sa.text(
            "state NOT IN ('inspected', 'cancelled') AND outcome IN ('', 'fixed')"
        ),
    )  # fmt: skip
    op.create_table(
        "work_order_event",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        _reference("work_order_id", "work_order_event", "work_order", "CASCADE", nullable=False),
        sa.Column("state", STATE),
        sa.Column("outcome", OUTCOME, server_default="", nullable=False),
        sa.Column("note", sa.Text, server_default="", nullable=False),
        sa.Column("parts", sa.Text, server_default="", nullable=False),
        sa.Column("came_late", sa.Boolean, server_default=sa.text("false"), nullable=False),
        _reference("person_id", "work_order_event", "person", "SET NULL"),
        _moment("at"),
        _moment("marked_at"),
        sa.Column("key", sa.Uuid),
        sa.Column("body_hash", sa.LargeBinary),
        sa.UniqueConstraint("key", name=op.f("work_order_event_key_key")),
        sa.CheckConstraint("length(note) <= 1000", name=op.f("work_order_event_note_is_short")),
        sa.CheckConstraint("length(parts) <= 200", name=op.f("work_order_event_parts_are_short")),
        sa.CheckConstraint("marked_at <= at", name=op.f("work_order_event_marked_before_sent")),
        sa.CheckConstraint(
            "(key IS NULL) = (body_hash IS NULL)", name=op.f("work_order_event_key_is_of_a_body")
        ),
    )
    op.create_index(
        op.f("work_order_event_work_order_id_idx"), "work_order_event", ["work_order_id"]
    )
    for table in ("work_order", "work_order_event"):
        op.create_index(
            op.f(f"{table}_person_id_idx"), table, ["person_id"],
            postgresql_where=sa.text("person_id IS NOT NULL"),
        )  # fmt: skip
    op.create_table(
        "work_order_photo",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        _reference("event_id", "work_order_photo", "work_order_event", "CASCADE", nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("width", sa.Integer, nullable=False),
        sa.Column("height", sa.Integer, nullable=False),
        sa.UniqueConstraint("key", name=op.f("work_order_photo_key_key")),
    )
    op.create_index(op.f("work_order_photo_event_id_idx"), "work_order_photo", ["event_id"])
    op.add_column("response_template", sa.Column("visit", VISIT))
    op.create_unique_constraint(op.f("response_template_visit_key"), "response_template", ["visit"])
    for visit, english, spanish in TEMPLATES:
        op.execute(
            sa.text(
                "INSERT INTO response_template (status, visit, english, spanish) "
                "VALUES ('confirmed', CAST(:visit AS visit), :english, :spanish)"
            ).bindparams(visit=visit, english=english, spanish=spanish)
        )
    for rules in (KEEP, RIGHTS):
        op.execute(rules)


def downgrade() -> None:
    op.execute("DROP FUNCTION need_keep_with_orders CASCADE")
    op.execute("DELETE FROM response_template WHERE visit IS NOT NULL")
    op.drop_column("response_template", "visit")
    for table in ("work_order_photo", "work_order_event", "work_order"):
        op.drop_table(table)
    op.execute("DROP FUNCTION work_order_event_is_append_only, work_order_state_follows")
    for enumeration in (VISIT, OUTCOME, STATE):
        enumeration.drop(op.get_bind())


def _moment(name: str) -> "sa.Column[Any]":
    return sa.Column(
        name, sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
    )


def _reference(
    name: str, table: str, other: str, ondelete: str | None, *, nullable: bool = True
) -> "sa.Column[Any]":
    return sa.Column(
        name,
        sa.BigInteger,
        sa.ForeignKey(f"{other}.id", name=op.f(f"{table}_{name}_fkey"), ondelete=ondelete),
        nullable=nullable,
    )

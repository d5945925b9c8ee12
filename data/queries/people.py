"""People who can sign in, and the roles they hold. All of it as the owner of the store."""

import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from data.queries.sign_ins import LIVE
from geo.categories import BY_CODE, Category
from geo.roles import STRONG, Role
from geo.statuses import Status

MOST_LISTED = 200

UNUSABLE = "!"
"""How a password hash begins that fits no password."""


@dataclass(frozen=True, slots=True)
class Known:
    """A person, with what signing in asks."""

    id: int
    email: str | None
    name: str
    language: str
    password_hash: str | None
    totp_secret: bytes | None
    is_sample: bool
    created_at: datetime
    disabled_at: datetime | None


_KNOWN = (
    "SELECT id, email, name, language, password_hash, totp_secret, is_sample, created_at, "
    "disabled_at FROM person"
)


def find(session: Session, id: int, *, lock: bool = False) -> Known | None:
    """Give a person, and keep others from changing them until the end where `lock` is given."""
    statement = f"{_KNOWN} WHERE id = :id" + (" FOR UPDATE" if lock else "")
    found = session.execute(text(statement), {"id": id}).one_or_none()
    return None if found is None else Known(*found)


def find_by_email(session: Session, email: str) -> Known | None:
    """Give the person of an e-mail address."""
    found = session.execute(text(f"{_KNOWN} WHERE email = lower(:email)"), {"email": email})
    row = found.one_or_none()
    return None if row is None else Known(*row)


def of_email(session: Session, email: str, language: str, name: str = "") -> Known:
    """Give the person of an e-mail address, made where there is none yet."""
    session.execute(
        text(
            "INSERT INTO person (email, language, name) VALUES (lower(:email), :language, :name) "
            "ON CONFLICT (email) DO NOTHING"
        ),
        {"email": email, "language": language, "name": name},
    )
    found = find_by_email(session, email)
    assert found is not None
    return found


def now_s(session: Session) -> float:
    """Give the database's clock, in seconds since 1970."""
    return float(session.scalar(text("SELECT extract(epoch FROM clock_timestamp())")) or 0)


def set_password(session: Session, id: int, password_hash: str) -> None:
    """Have a person sign in by a password."""
    session.execute(
        text("UPDATE person SET password_hash = :password_hash WHERE id = :id"),
        {"id": id, "password_hash": password_hash},
    )


def start_over(session: Session, id: int) -> None:
    """Take password, one-time codes and the city's own sign-in from a person; end all their sign-ins.

    The password becomes one that nothing fits and that was never before, so that no earlier
    invitation holds again.
    """
    session.execute(
        text(
            "UPDATE person SET password_hash = :never, totp_secret = NULL, totp_step = NULL, "
            "oidc_issuer = NULL, oidc_subject = NULL WHERE id = :id"
        ),
        {"id": id, "never": UNUSABLE + secrets.token_hex(8)},
    )
    end_sign_ins(session, id)


def enrol(session: Session, id: int, totp_secret: bytes, step: int) -> bool:
    """Keep the secret of a person's one-time codes, where they have none yet."""
    kept = session.execute(
        text(
            "UPDATE person SET totp_secret = :totp_secret, totp_step = :step "
            "WHERE id = :id AND totp_secret IS NULL RETURNING id"
        ),
        {"id": id, "totp_secret": totp_secret, "step": step},
    )
    return kept.first() is not None


def use_code(session: Session, id: int, step: int) -> bool:
    """Use a one-time code up; False where it, or a later one, was used before."""
    used = session.execute(
        text(
            "UPDATE person SET totp_step = :step "
            "WHERE id = :id AND coalesce(totp_step, 0) < :step RETURNING id"
        ),
        {"id": id, "step": step},
    )
    return used.first() is not None


def change(session: Session, id: int, *, name: str, language: str) -> None:
    """Change what a person is called and the language for them."""
    session.execute(
        text("UPDATE person SET name = :name, language = :language WHERE id = :id"),
        {"id": id, "name": name, "language": language},
    )


class LastAdministrator(Exception):  # noqa: N818 (it is the name of who would be gone)
    """Nobody would be left to look after people and roles. Nothing more can be done in the session."""


@contextmanager
def _one_stays() -> Iterator[None]:
    try:
        yield
    except IntegrityError as error:
        constraint = (
            error.orig.diag.constraint_name if isinstance(error.orig, psycopg.Error) else ""
        )
        if constraint != "person_last_administrator_stays":
            raise
        raise LastAdministrator from error


def close(session: Session, id: int, *, closed: bool) -> None:
    """Keep a person from signing in, or let them again.

    Raises
    ------
    LastAdministrator
    """
    with _one_stays():
        session.execute(
            text("UPDATE person SET disabled_at = CASE WHEN :closed THEN now() END WHERE id = :id"),
            {"id": id, "closed": closed},
        )
    if closed:
        end_sign_ins(session, id)


def find_by_subject(session: Session, issuer: str, subject: str) -> Known | None:
    """Give the person whom a provider names so."""
    found = session.execute(
        text(f"{_KNOWN} WHERE oidc_issuer = :issuer AND oidc_subject = :subject"),
        {"issuer": issuer, "subject": subject},
    ).one_or_none()
    return None if found is None else Known(*found)


def link(session: Session, email: str, issuer: str, subject: str) -> Known | None:
    """Have a provider's name stand for the person of an e-mail address from now on.

    Only for whoever an administrator has given a role of the city, and once: an address that went to
    somebody else leads to nobody.

    Returns
    -------
    Known or None
    """
    linked = session.scalar(
        text(
            "UPDATE person SET oidc_issuer = :issuer, oidc_subject = :subject "
            "WHERE email = lower(:email) AND oidc_subject IS NULL AND NOT is_sample "
            "AND EXISTS (SELECT FROM role_grant WHERE person_id = person.id AND ended_at IS NULL "
            "AND role::text = ANY (:roles)) RETURNING id"
        ),
        {
            "email": email,
            "issuer": issuer,
            "subject": subject,
            "roles": [role.value for role in STRONG],
        },
    )
    return None if linked is None else find(session, linked)


def end_sign_ins(session: Session, id: int) -> None:
    """Sign a person out everywhere."""
    session.execute(
        text("UPDATE sign_in SET ended_at = now() WHERE person_id = :id AND ended_at IS NULL"),
        {"id": id},
    )


_ERASED = (
    """
    DELETE FROM report_contact USING report WHERE report.id = report_id AND reporter_id = :id
    """,
    """
    DELETE FROM text_appeal USING report WHERE report.id = report_id AND reporter_id = :id
    """,
    """
    UPDATE report_hold SET appeal = '', appealed_at = NULL, answer = '' FROM report
    WHERE report.id = report_id AND reporter_id = :id AND appeal <> ''
    """,
    # Before the words themselves: a moderator who decides at this moment either finds nothing to
    # decide any more, or is done, and what they published goes with the rest.
    """
    DELETE FROM text_review USING report
    WHERE report.id = report_id AND reporter_id = :id AND state = 'waiting'
    """,
    """
    DELETE FROM photo USING report WHERE report.id = report_id AND reporter_id = :id
        AND (:shown OR state <> 'public' OR status = 'held')
    """,
    """
    DELETE FROM photo_appeal USING photo, report
    WHERE photo.id = photo_id AND report.id = report_id AND reporter_id = :id
    """,
    """
    UPDATE report SET description = kept, public_text = kept
    FROM (
        SELECT id AS of_id, CASE WHEN :shown OR status = 'held' THEN '' ELSE public_text END AS kept
        FROM report WHERE reporter_id = :id
    ) AS words
    WHERE id = of_id AND (description <> kept OR public_text <> kept)
    """,
    "DELETE FROM watch_words WHERE written_by_id = :id AND state <> 'approved'",
    # What was found at a step of a plan is the plan's and stays, without the person.
    """
    DELETE FROM plan_note WHERE person_id = :id AND (state IN ('waiting', 'refused')
        OR (stage IS NULL AND (:shown OR audience <> 'everyone')))
    """,
)


def erase(session: Session, id: int, *, shown: bool) -> None:
    """Delete a person, how to reach them, and what they wrote and photographed that is not public.

    The reports stay, as facts about places, and without the person. Files of photos are deleted by the
    next look after the store.

    Parameters
    ----------
    session : Session
        Nothing is committed here.
    id : int
    shown : bool
        Whether public words and photos of theirs go, too.

    Raises
    ------
    LastAdministrator
    """
    for statement in _ERASED:
        session.execute(text(statement), {"id": id, "shown": shown})
    with _one_stays():
        email = session.scalar(
            text("DELETE FROM person WHERE id = :id RETURNING email"), {"id": id}
        )
    for statement in (
        "DELETE FROM sign_in_link WHERE email = :email",
        "DELETE FROM mail WHERE lower(recipient) = :email",
    ):
        session.execute(text(statement), {"email": email})


@dataclass(frozen=True, slots=True)
class OwnReport:
    """A report that a person sent while signed in."""

    id: int
    category: Category
    status: Status
    reported_at: datetime


def own_reports(session: Session, person_id: int) -> list[OwnReport]:
    """Give the reports of a person, the newest first, at the most `MOST_LISTED`."""
    rows = session.execute(
        text(
            "SELECT id, category_code, status, reported_at FROM report "
            "WHERE reporter_id = :person_id ORDER BY reported_at DESC, id DESC LIMIT :most"
        ),
        {"person_id": person_id, "most": MOST_LISTED},
    )
    return [
        OwnReport(row.id, BY_CODE[row.category_code], Status(row.status), row.reported_at)
        for row in rows
    ]


@dataclass(frozen=True, slots=True)
class Browser:
    """A browser in which a person is signed in."""

    id: int
    browser: str
    strong: bool
    created_at: datetime
    seen_at: datetime


def browsers(session: Session, person_id: int) -> list[Browser]:
    """Give the browsers in which a person is signed in, the one used last first."""
    rows = session.execute(
        text(
            "SELECT id, browser, strong, created_at, seen_at FROM sign_in "  # noqa: S608 (its own constants)
            f"WHERE person_id = :person_id AND {LIVE} ORDER BY seen_at DESC, id DESC"
        ),
        {"person_id": person_id},
    )
    return [Browser(*row) for row in rows]


@dataclass(frozen=True, slots=True)
class Held:
    """A role that a person holds, with the names of its scope.

    Attributes
    ----------
    place : str or None
        The block watch, the patrol division or the council district.
    department : str or None
    """

    id: int
    role: Role
    place: str | None
    department: str | None
    granted_at: datetime


_HELD = """
    SELECT role_grant.id, role, coalesce(block_watch.name, area.name) AS place,
        department.name AS department, granted_at, person_id
    FROM role_grant
    LEFT JOIN block_watch ON block_watch.id = block_watch_id
    LEFT JOIN area ON area.id = area_id
    LEFT JOIN department ON department.id = department_id
    WHERE ended_at IS NULL AND person_id = ANY (:ids)
    ORDER BY role_grant.id
"""


def held(session: Session, ids: Sequence[int]) -> dict[int, list[Held]]:
    """Give the roles that people hold, by person."""
    found: dict[int, list[Held]] = {id: [] for id in ids}
    for row in session.execute(text(_HELD), {"ids": list(ids)}):
        found[row.person_id].append(
            Held(row.id, Role(row.role), row.place, row.department, row.granted_at)
        )
    return found


def listed(session: Session, sought: str = "") -> list[Known]:
    """Give people by what stands in their e-mail address or name; without, those with a role.

    At the most `MOST_LISTED`, by e-mail address.
    """
    statement = f"""{_KNOWN} WHERE CASE WHEN :sought = ''
        THEN EXISTS (SELECT FROM role_grant WHERE person_id = person.id AND ended_at IS NULL)
        ELSE position(lower(:sought) IN coalesce(email, '') || ' ' || lower(name)) > 0 END
        ORDER BY email, name, id LIMIT :most"""
    rows = session.execute(text(statement), {"sought": sought, "most": MOST_LISTED})
    return [Known(*row) for row in rows]


class NotThere(LookupError):  # noqa: N818 (it is the name of what happened)
    """What a role should be about is not in the store."""


def grant(
    session: Session,
    person_id: int,
    role: Role,
    *,
    granted_by_id: int | None,
    block_watch_id: int | None = None,
    area_id: int | None = None,
    department_id: int | None = None,
) -> int | None:
    """Give a person a role, and give its id; None where they hold it already.

    Raises
    ------
    NotThere
        Where the division or district is none of that layer, or the scope is unknown.
    """
    if area_id is not None:
        layer = "patrol_division" if role is Role.LIAISON else "council_district"
        is_one = text("SELECT true FROM area WHERE id = :id AND layer = CAST(:layer AS area_layer)")
        if not session.scalar(is_one, {"id": area_id, "layer": layer}):
            raise NotThere("area")
    for table, id in (("block_watch", block_watch_id), ("department", department_id)):
        is_one = text(f"SELECT true FROM {table} WHERE id = :id")  # noqa: S608 (its own constants)
        if id is not None and not session.scalar(is_one, {"id": id}):
            raise NotThere(table)
    made: int | None = session.scalar(
        text(
            "INSERT INTO role_grant "
            "(person_id, role, block_watch_id, area_id, department_id, granted_by_id) "
            "VALUES (:person_id, CAST(:role AS role), :block_watch_id, :area_id, :department_id, "
            ":granted_by_id) ON CONFLICT DO NOTHING RETURNING id"
        ),
        {
            "person_id": person_id,
            "role": role.value,
            "block_watch_id": block_watch_id,
            "area_id": area_id,
            "department_id": department_id,
            "granted_by_id": granted_by_id,
        },
    )
    return made


def end_grant(session: Session, id: int, person_id: int) -> bool:
    """End a role that a person holds; False where there is no such role of theirs.

    Raises
    ------
    LastAdministrator
    """
    with _one_stays():
        ended = session.execute(
            text(
                "UPDATE role_grant SET ended_at = now() "
                "WHERE id = :id AND person_id = :person_id AND ended_at IS NULL RETURNING id"
            ),
            {"id": id, "person_id": person_id},
        )
    return ended.first() is not None


@dataclass(frozen=True, slots=True)
class Choice:
    """Something that a role can be about."""

    id: int
    name: str


@dataclass(frozen=True, slots=True)
class Scopes:
    """All that roles can be about."""

    block_watches: Sequence[Choice]
    divisions: Sequence[Choice]
    departments: Sequence[Choice]
    districts: Sequence[Choice]


def scopes(session: Session) -> Scopes:
    """Give all that roles can be about, by name."""

    def choices(query: str) -> list[Choice]:
        return [Choice(*row) for row in session.execute(text(query))]

    return Scopes(
        block_watches=choices("SELECT id, name FROM block_watch ORDER BY name, id"),
        divisions=choices(
            "SELECT id, name FROM area WHERE layer = 'patrol_division' ORDER BY name, id"
        ),
        departments=choices("SELECT id, name FROM department ORDER BY name, id"),
        districts=choices(
            "SELECT id, name FROM area WHERE layer = 'council_district' ORDER BY name, id"
        ),
    )


def sample_people(session: Session) -> list[Known]:
    """Give the people of the sample city, whom everybody may try being."""
    rows = session.execute(text(f"{_KNOWN} WHERE is_sample AND disabled_at IS NULL ORDER BY id"))
    return [Known(*row) for row in rows]


def works_for_city(roles: Sequence[Held]) -> bool:
    """Tell whether some of the roles hold only after two factors."""
    return any(held.role in STRONG for held in roles)


def export(session: Session, id: int) -> Mapping[str, Any]:
    """Give everything that is held about a person.

    "Affects me too" is not among it: nobody can tell whose it was.
    """
    asked: Mapping[str, Any] = session.execute(
        text("""
            SELECT jsonb_build_object(
                'person', (
                    SELECT jsonb_build_object(
                        'e-mail address', email, 'name', name, 'language', language,
                        'signs in by password', password_hash IS NOT NULL,
                        'uses one-time codes', totp_secret IS NOT NULL,
                        'signs in at the city as', oidc_subject, 'since', created_at
                    ) FROM person WHERE id = :id
                ),
                'roles', (
                    SELECT coalesce(jsonb_agg(jsonb_build_object(
                        'role', role, 'block watch', block_watch.name, 'area', area.name,
                        'department', department.name, 'since', granted_at, 'until', ended_at
                    ) ORDER BY role_grant.id), '[]')
                    FROM role_grant
                    LEFT JOIN block_watch ON block_watch.id = block_watch_id
                    LEFT JOIN area ON area.id = area_id
                    LEFT JOIN department ON department.id = department_id
                    WHERE person_id = :id
                ),
                'sign-ins', (
                    SELECT coalesce(jsonb_agg(jsonb_build_object(
                        'browser', browser, 'from', created_at, 'last used', seen_at,
                        'until', ended_at, 'with two factors', strong,
                        'by the city''s sign-in', by_provider
                    ) ORDER BY id), '[]') FROM sign_in WHERE person_id = :id
                ),
                'reports', (
                    SELECT coalesce(jsonb_agg(jsonb_build_object(
                        'id', report.id, 'category', category_code, 'status', status,
                        'description', description, 'what of it everybody reads', public_text,
                        'photos', (
                            SELECT coalesce(jsonb_agg(jsonb_build_object(
                                'file', '/photos/' || photo.id || '/large.webp', 'state', state,
                                'the reason', reason, 'sent', photo.created_at
                            ) ORDER BY photo.id), '[]') FROM photo WHERE report_id = report.id
                        ), 'address', address || home_address,
                        'place', ST_AsGeoJSON(exact_geom)::jsonb, 'seen', occurred_at,
                        'reported', reported_at,
                        'contact', (
                            SELECT jsonb_build_object('name', name, 'email', email, 'phone', phone)
                            FROM report_contact WHERE report_id = report.id
                        ),
                        'appeals', (
                            SELECT coalesce(jsonb_agg(said.reason), '[]') FROM (
                                SELECT reason FROM text_appeal WHERE report_id = report.id
                                UNION ALL
                                SELECT appeal.reason FROM photo_appeal AS appeal
                                JOIN photo ON photo.id = photo_id WHERE photo.report_id = report.id
                                UNION ALL
                                SELECT appeal FROM report_hold
                                WHERE report_id = report.id AND appeal <> ''
                            ) AS said
                        )
                    ) ORDER BY report.id), '[]') FROM report WHERE reporter_id = :id
                ),
                'saved filters', (
                    SELECT coalesce(jsonb_agg(jsonb_build_object(
                        'name', name, 'filters', query) ORDER BY id), '[]')
                    FROM saved_filter WHERE person_id = :id
                ),
                'follows', (
                    SELECT coalesce(jsonb_agg(jsonb_build_object(
                        'report', report_id, 'block watch', block_watch.name, 'area', area.name,
                        'part of the map', ST_AsGeoJSON(drawn)::jsonb, 'called', follow.name,
                        'kinds', kinds,
                        'categories', categories, 'how often', pace, 'since', created_at
                    ) ORDER BY follow.id), '[]')
                    FROM follow
                    LEFT JOIN block_watch ON block_watch.id = follow.block_watch_id
                    LEFT JOIN area ON area.id = follow.area_id
                    WHERE person_id = :id
                ),
                'requests to join block watches', (
                    SELECT coalesce(jsonb_agg(jsonb_build_object(
                        'block watch', block_watch.name, 'note', note, 'asked', asked_at,
                        'decided', decided_at, 'approved', approved
                    ) ORDER BY join_request.id), '[]')
                    FROM join_request JOIN block_watch ON block_watch.id = block_watch_id
                    WHERE person_id = :id
                ),
                'walks begun', (
                    SELECT coalesce(jsonb_agg(jsonb_build_object(
                        'block watch', block_watch.name, 'title', title, 'day', walked_on
                    ) ORDER BY walk.id), '[]')
                    FROM walk JOIN block_watch ON block_watch.id = block_watch_id
                    WHERE started_by_id = :id
                ),
                'boundaries drawn', (
                    SELECT coalesce(jsonb_agg(jsonb_build_object(
                        'block watch', block_watch.name, 'drawn', at,
                        'boundary', ST_AsGeoJSON(watch_boundary.boundary)::jsonb
                    ) ORDER BY watch_boundary.id), '[]')
                    FROM watch_boundary JOIN block_watch ON block_watch.id = block_watch_id
                    WHERE drawn_by_id = :id
                ),
                'words of block watches that were held', (
                    SELECT coalesce(jsonb_agg(jsonb_build_object(
                        'block watch', block_watch.name, 'about', field, 'words', words,
                        'state', state, 'the reason', reason, 'written', created_at
                    ) ORDER BY watch_words.id), '[]')
                    FROM watch_words JOIN block_watch ON block_watch.id = block_watch_id
                    WHERE written_by_id = :id
                ),
                'notes of action plans', (
                    SELECT coalesce(jsonb_agg(jsonb_build_object(
                        'plan', title, 'note', words, 'for', audience, 'state', state,
                        'the reason', reason, 'written', at
                    ) ORDER BY plan_note.id), '[]')
                    FROM plan_note JOIN plan ON plan.id = plan_id WHERE person_id = :id
                ),
                'tasks of action plans', (
                    SELECT coalesce(jsonb_agg(jsonb_build_object(
                        'plan', title, 'task', what, 'due', due, 'done', done_at
                    ) ORDER BY plan_task.id), '[]')
                    FROM plan_task JOIN plan ON plan.id = plan_id WHERE person_id = :id
                ),
                'action plans opened', (
                    SELECT coalesce(jsonb_agg(jsonb_build_object(
                        'plan', title, 'opened', created_at) ORDER BY id), '[]')
                    FROM plan WHERE opened_by_id = :id
                ),
                'audit log', (
                    SELECT coalesce(jsonb_agg(jsonb_build_object(
                        'at', at, 'action', action, 'subject', subject
                    ) ORDER BY id), '[]') FROM audit_entry WHERE person_id = :id
                )
            )
        """),
        {"id": id},
    ).scalar_one()
    return asked

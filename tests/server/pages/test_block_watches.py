"""Pages of block watches, as browsers ask."""

import re
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from icalendar import Calendar
from sqlalchemy import func, insert, literal, select, text, update
from sqlalchemy.orm import Session

from data.models import AuditEntry, BlockWatch, Mail, Meeting, Person, Report, RoleGrant
from data.queries import associations
from geo.roles import Role
from geo.statuses import Status
from server import meetings
from server.languages import language
from server.meetings import NotTheLast, Repeats
from server.pages.block_watches import quarter_of
from tests.people import person, signed_in
from tests.places import IN_THE_WATCH
from tests.reports import moved, new, send

CITY = ZoneInfo("America/Chicago")
TUESDAY = date(2026, 6, 9)
A_MEETING = {
    "place": "Hope Center; back door, please",
    "day": "2026-06-09",
    "hour": "18:30",
    "repeats": "monthly",
    "minutes": "90",
    "note": "Bring a friend\\neighbour",
}


def again(client, engine, id):
    signed_in(client, engine, id)


def roles(engine, watch):
    with Session(engine) as session:
        return {one.person_id: one.role for one in associations.members(session, watch)}


def asking(engine, watch):
    with Session(engine) as session:
        return [one.id for one in associations.asking(session, watch)]


def planned(client, watch):
    answer = client.get(f"/watches/{watch}/meetings.ics")
    assert answer.headers["content-type"] == "text/calendar; charset=utf-8"
    return Calendar.from_ical(answer.content)


class TestPublicPage:
    def test_shows_open_reports_and_tells_done_from_verified(self, client, engine, watch):
        with Session(engine) as session:
            here = [send(session, new(at=IN_THE_WATCH, description="canary")) for _ in range(4)]
            for id in here[1:]:
                moved(session, id, Status.CONFIRMED, Status.SCHEDULED, Status.IN_PROGRESS)
                moved(session, id, Status.DONE)
            moved(session, here[3], Status.VERIFIED)
            session.execute(
                update(Report).where(Report.id.in_(here[1:])).values(closed_at=func.now())
            )
            session.commit()
        page = client.get(f"/watches/{watch}").text
        opened, done = page.split('id="done-title"')
        assert re.findall(r'href="/reports/(\d+)"', opened) == [str(here[0])]
        assert set(re.findall(r'href="/reports/(\d+)"', done)) == {str(id) for id in here[1:]}
        assert "2 reports are done, says the city" in done
        assert "1 is verified by neighbours" in done
        assert f'href="/?block_watch={watch}&amp;status=open"' in opened
        assert f'"ground": {{"block_watch": {watch}}}' in page
        assert "canary" not in page

    def test_is_linked_from_the_report_the_popup_the_map_and_the_list(self, client, engine, watch):
        with Session(engine) as session:
            id = send(session, new(at=IN_THE_WATCH))
            session.commit()
        address = f"/watches/{watch}"
        assert f'href="{address}"' in client.get(f"/reports/{id}").text
        assert client.get(f"/api/features/block_watches/{watch}").json()["url"] == address
        assert f'href="{address}"' in client.get("/watches").text
        for page in ("/", "/list"):
            assert 'href="/watches"' in client.get(page).text

    def test_the_list_counts_open_reports(self, client, engine, watch):
        assert "0 open reports" in client.get("/watches").text
        with Session(engine) as session:
            send(session, new(at=IN_THE_WATCH))
            session.commit()
        assert "1 open report<" in client.get("/watches").text

    @pytest.mark.parametrize("id", ["999", str(2**63), "9" * 30])
    @pytest.mark.parametrize("below", ["", "/meetings.ics"])
    def test_an_unknown_watch_is_not_found(self, client, id, below):
        assert client.get(f"/watches/{id}{below}").status_code == 404

    def test_what_captains_write_is_shown_as_text(self, client, engine, watch):
        with Session(engine) as session:
            session.execute(
                update(BlockWatch).values(contact="<script>1</script>", meeting="<b>Tuesdays</b>")
            )
            session.commit()
        for address in (f"/watches/{watch}", "/watches"):
            page = client.get(address).text
            assert "<b>Tuesdays" not in page
            assert "<script>1" not in page

    def test_nobody_reads_names_and_the_page_says_where_no_captain_is(self, client, act, watch):
        assert "has no captain now" in client.get(f"/watches/{watch}").text
        act(Role.CAPTAIN, "Canary Name")
        client.cookies.clear()
        page = client.get(f"/watches/{watch}").text
        assert "has no captain" not in page
        assert "Canary" not in page

    @pytest.mark.parametrize(("month", "first"), [(1, 1), (3, 1), (4, 4), (9, 7), (12, 10)])
    def test_a_quarter_begins_with_its_first_month(self, month, first):
        assert quarter_of(date(2026, month, 28)) == date(2026, first, 1)


WORDS = {"contact": "Line 0101", "member_contact": "Porch 0102", "meeting": "Tuesdays"}


class TestContact:
    def test_captains_change_it_and_members_alone_read_their_part(self, client, act, watch):
        act(Role.CAPTAIN)
        assert client.get(f"/watches/{watch}/contact").status_code == 200
        assert client.post(f"/watches/{watch}/contact", data=WORDS).status_code == 200
        for role in (Role.CAPTAIN, Role.MEMBER, None, Role.MODERATOR):
            act(role)
            page = client.get(f"/watches/{watch}").text
            assert "Line 0101" in page
            assert ("Porch 0102" in page) is (role in {Role.CAPTAIN, Role.MEMBER})
        for layer in (f"/api/features/block_watches/{watch}", "/watches", "/"):
            assert "0102" not in client.get(layer).text


@pytest.mark.parametrize("role", [None, Role.MEMBER, Role.MODERATOR, "other captain"])
def test_only_captains_change_a_watch(client, engine, act, watch, role):
    act(Role.CAPTAIN)
    client.post(f"/watches/{watch}/meetings", data=A_MEETING)
    with Session(engine) as session:
        meeting = session.scalar(select(Meeting.id))
        elsewhere = session.scalar(
            text("INSERT INTO block_watch (name, boundary) SELECT 'Other', boundary FROM block_watch "
                 "RETURNING id")
        )  # fmt: skip
        session.commit()
    if role == "other captain":
        act(Role.CAPTAIN, block_watch_id=elsewhere)
    else:
        act(role)
    root = f"/watches/{watch}"
    for address in ("/contact", "/meetings/new", f"/meetings/{meeting}"):
        assert client.get(root + address).status_code == 403
    posts = ("/contact", "/meetings", f"/meetings/{meeting}", f"/meetings/{meeting}/cancel",
             "/invitations", "/invitations/1/revoke", "/requests/1", "/members/1")  # fmt: skip
    for address in posts:
        assert client.post(root + address, data=A_MEETING).status_code == 403
    client.cookies.clear()
    for address in (*posts, "/ask", "/leave"):
        assert client.post(root + address, data=A_MEETING).status_code == 401
    assert client.get(f"{root}/members").status_code == 401


class TestMeetings:
    def test_a_captain_plans_changes_and_cancels(self, client, act, engine, watch):
        act(Role.CAPTAIN)
        client.post(f"/watches/{watch}/meetings", data=A_MEETING)
        page = client.get(f"/watches/{watch}").text
        assert page.count("Second Tuesday of each month") >= 3
        assert len(re.findall(r'<strong><time datetime="[^"]+T18:30:00-0[56]:00"', page)) == 3
        with Session(engine) as session:
            id = session.scalar(select(Meeting.id))
        form = client.get(f"/watches/{watch}/meetings/{id}").text
        for shown in (
            'value="2026-06-09"',
            'value="18:30"',
            'value="monthly" selected',
            'value="90"',
        ):
            assert shown in form
        client.post(f"/watches/{watch}/meetings/{id}", data={**A_MEETING, "place": "Elsewhere"})
        assert "Elsewhere" in client.get(f"/watches/{watch}").text
        before = planned(client, watch).walk("VEVENT")[0]
        client.post(f"/watches/{watch}/meetings/{id}/cancel")
        assert "No meeting is planned." in client.get(f"/watches/{watch}").text
        after = planned(client, watch).walk("VEVENT")[0]
        assert before["uid"] == after["uid"]
        assert (before["status"], after["status"]) == ("CONFIRMED", "CANCELLED")
        assert (before["sequence"], after["sequence"]) == (1, 2)
        assert client.get(f"/watches/{watch}/meetings/{id}").status_code == 404

    def test_the_calendar_says_what_was_written_in_the_citys_time(self, client, act, watch):
        act(Role.CAPTAIN)
        client.post(f"/watches/{watch}/meetings", data=A_MEETING)
        found = planned(client, watch)
        (event,) = found.walk("VEVENT")
        assert event["location"] == A_MEETING["place"]
        assert event["description"] == A_MEETING["note"]
        assert event["summary"] == "Norton Watch"
        assert event["dtstart"].dt == datetime(2026, 6, 9, 18, 30, tzinfo=CITY)
        assert event["dtstart"].params["TZID"] == "America/Chicago"
        assert [str(zone["tzid"]) for zone in found.walk("VTIMEZONE")] == ["America/Chicago"]
        assert event["rrule"].to_ical() == b"FREQ=MONTHLY;BYDAY=2TU"
        assert event["duration"].dt == timedelta(minutes=90)
        assert planned(client, watch).walk("VEVENT")[0]["uid"] == event["uid"]

    @pytest.mark.parametrize(
        ("field", "word"),
        [
            ("place", ""), ("place", "x" * 201), ("note", "x" * 501), ("minutes", "4"),
            ("minutes", "x"), ("minutes", "721"), ("day", ""), ("day", "2026-02-30"),
            ("day", "0001-01-01"), ("hour", "25:00"), ("hour", ""), ("repeats", "daily"),
            ("location", "999"),
        ],
    )  # fmt: skip
    def test_what_cannot_be_is_told_beside_its_field(self, client, act, watch, field, word):
        act(Role.CAPTAIN)
        answer = client.post(f"/watches/{watch}/meetings", data={**A_MEETING, field: word})
        assert answer.status_code == 422
        assert f'id="{field}-fault"' in answer.text
        assert answer.text.count('<p class="account-fault"') == 1
        assert not planned(client, watch).walk("VEVENT")

    def test_last_means_the_last(self, client, act, watch):
        act(Role.CAPTAIN)
        sent = {**A_MEETING, "repeats": "monthly_last"}
        assert client.post(f"/watches/{watch}/meetings", data=sent).status_code == 422
        client.post(f"/watches/{watch}/meetings", data={**sent, "day": "2026-06-30"})
        assert "Last Tuesday of each month" in client.get(f"/watches/{watch}").text


class TestSingleDates:
    """One date of a meeting that recurs is moved or cancelled, and the others stay."""

    @pytest.fixture
    def meeting(self, client, act, engine, watch):
        act(Role.CAPTAIN)
        client.post(f"/watches/{watch}/meetings", data=A_MEETING)
        with Session(engine) as session:
            return session.scalar(select(Meeting.id))

    @pytest.fixture
    def days(self, client, watch, meeting):
        """The next dates by the rule, as the page links them."""
        page = client.get(f"/watches/{watch}").text
        return re.findall(rf"/watches/{watch}/meetings/{meeting}/dates/([0-9-]+)", page)

    def change(self, client, watch, meeting, day, **sent):
        return client.post(f"/watches/{watch}/meetings/{meeting}/dates/{day}", data=sent)

    def test_a_cancelled_date_is_shown_and_calendars_learn_of_it(
        self, client, watch, meeting, days
    ):
        assert len(days) == 3
        page = self.change(client, watch, meeting, days[0], act="cancel").text
        assert page.count("Cancelled</strong>") == 1
        assert len(re.findall(r'/dates/[0-9-]+"', page)) == 4
        series, single = planned(client, watch).walk("VEVENT")
        assert series["status"] == "CONFIRMED"
        assert series["sequence"] == 1
        exdate = series["exdate"].dts[0].dt
        assert exdate.isoformat()[:16] == f"{days[0]}T18:30"
        assert single["uid"] == series["uid"]
        assert single["recurrence-id"].dt == exdate == single["dtstart"].dt
        assert single["recurrence-id"].params["TZID"] == "America/Chicago"
        assert single["status"] == "CANCELLED"
        assert "rrule" not in single

    def test_a_moved_date_stands_where_it_is_now(self, client, watch, meeting, days):
        to = (date.fromisoformat(days[0]) + timedelta(days=1)).isoformat()
        page = self.change(
            client, watch, meeting, days[0], act="move", to_day=to, to_hour="19:15"
        ).text
        assert f'datetime="{to}T19:15:00-0' in page
        assert f'datetime="{days[0]}T' not in page
        assert "moved, instead of" in page
        series, single = planned(client, watch).walk("VEVENT")
        assert "exdate" not in series
        assert single["recurrence-id"].dt.isoformat()[:10] == days[0]
        assert single["dtstart"].dt.isoformat()[:16] == f"{to}T19:15"
        assert single["status"] == "CONFIRMED"
        form = client.get(f"/watches/{watch}/meetings/{meeting}/dates/{days[0]}").text
        assert f'value="{to}"' in form
        assert 'value="19:15"' in form
        page = self.change(client, watch, meeting, days[0], act="keep").text
        assert f'datetime="{days[0]}T18:30' in page
        assert len(planned(client, watch).walk("VEVENT")) == 1

    def test_what_cannot_be_is_told(self, client, watch, meeting, days):
        answer = self.change(client, watch, meeting, days[0], act="move", to_day="x", to_hour="")
        assert answer.status_code == 422
        assert 'id="fault"' in answer.text
        another = (date.fromisoformat(days[0]) + timedelta(days=1)).isoformat()
        for day in (another, "x", "2026-02-30", "9" * 30):
            assert self.change(client, watch, meeting, day, act="cancel").status_code == 404

    def test_others_change_none(self, client, act, watch, meeting, days):
        for role in (Role.MEMBER, None, Role.MODERATOR):
            act(role)
            assert f"/dates/{days[0]}" not in client.get(f"/watches/{watch}").text
            assert self.change(client, watch, meeting, days[0], act="cancel").status_code == 403
        assert len(planned(client, watch).walk("VEVENT")) == 1

    def test_the_last_meeting_is_one_that_took_place(self, engine, watch):
        with Session(engine) as session:
            first = datetime.combine(TUESDAY, time(18, 30), CITY)
            associations.add_meeting(
                session, watch,
                associations.NewMeeting("Porch", None, first, "FREQ=WEEKLY;BYDAY=TU", 60, ""),
            )  # fmt: skip
            id = associations.meetings(session, watch)[0].id
            now = datetime(2026, 6, 24, 12, 0, tzinfo=CITY)

            def last():
                return meetings.last(associations.meetings(session, watch), CITY, now)

            assert last() == datetime(2026, 6, 23, 18, 30, tzinfo=CITY)
            associations.change_date(session, id, date(2026, 6, 23), None)
            assert last() == datetime(2026, 6, 16, 18, 30, tzinfo=CITY)
            moved_to = datetime(2026, 6, 22, 17, 0, tzinfo=CITY)
            associations.change_date(session, id, date(2026, 6, 23), moved_to)
            assert last() == moved_to
            assert meetings.last([], CITY, now) is None


class TestRules:
    @pytest.mark.parametrize(
        ("repeats", "first", "expected", "words", "palabras"),
        [
            ("once", TUESDAY, "", "", ""),
            ("weekly", TUESDAY, "FREQ=WEEKLY;BYDAY=TU", "Every Tuesday", "Cada martes"),
            ("fortnightly", TUESDAY, "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU",
             "Every second week on Tuesday", "Cada dos semanas, el martes"),
            ("monthly", TUESDAY, "FREQ=MONTHLY;BYDAY=2TU",
             "Second Tuesday of each month", "Segundo martes de cada mes"),
            ("monthly", date(2026, 6, 30), "FREQ=MONTHLY;BYDAY=-1TU",
             "Last Tuesday of each month", "Último martes de cada mes"),
            ("monthly_last", date(2026, 2, 28), "FREQ=MONTHLY;BYDAY=-1SA",
             "Last Saturday of each month", "Último sábado de cada mes"),
        ],
    )  # fmt: skip
    def test_a_rule_follows_from_the_first_date(self, repeats, first, expected, words, palabras):
        found = meetings.rule(Repeats(repeats), first)
        assert found == expected
        assert meetings.said(found, language("en")) == words
        assert meetings.said(found, language("es")) == palabras

    def test_the_second_to_last_is_not_the_last(self):
        with pytest.raises(NotTheLast):
            meetings.rule(Repeats.MONTHLY_LAST, date(2026, 6, 23))

    def test_the_hour_stays_when_clocks_change_and_a_running_meeting_counts(self, engine, watch):
        with Session(engine) as session:
            first = datetime.combine(TUESDAY, time(18, 30), CITY)
            associations.add_meeting(
                session, watch,
                associations.NewMeeting("Porch", None, first, "FREQ=MONTHLY;BYDAY=2TU", 60, ""),
            )  # fmt: skip
            stored = associations.meetings(session, watch)
        during = datetime(2026, 10, 13, 19, 0, tzinfo=CITY).astimezone(UTC)
        found = meetings.coming(stored, CITY, during, 3)
        assert [one.starts_at.isoformat() for one in found] == [
            "2026-10-13T18:30:00-05:00", "2026-11-10T18:30:00-06:00", "2026-12-08T18:30:00-06:00",
        ]  # fmt: skip
        after = datetime(2026, 10, 13, 19, 30, tzinfo=CITY)
        assert meetings.coming(stored, CITY, after, 1)[0].starts_at.month == 11


class TestMembership:
    def test_somebody_asks_and_a_captain_takes_them_in(self, client, act, engine, watch):
        captain = act(Role.CAPTAIN, "Canary Captain")
        asker = act(None, "Canary Asker")
        assert "Canary" not in client.get(f"/watches/{watch}").text.replace("Canary Asker", "")
        page = client.post(f"/watches/{watch}/ask", data={"note": "From 34th"}).text
        assert "You have asked to join" in page
        assert client.get(f"/watches/{watch}/members").status_code == 403
        again(client, engine, captain)
        assert "1 person asks to join" in client.get(f"/watches/{watch}").text
        page = client.get(f"/watches/{watch}/members").text
        assert "Canary Asker" in page
        assert "From 34th" in page
        id = re.search(rf"/watches/{watch}/requests/(\d+)", page)[1]
        client.post(f"/watches/{watch}/requests/{id}", data={"answer": "approve"})
        assert roles(engine, watch) == {captain: Role.CAPTAIN, asker: Role.MEMBER}
        again(client, engine, asker)
        page = client.get(f"/watches/{watch}/members").text
        assert "Canary Captain" in page
        assert "/requests/" not in page
        assert "Make a link" not in page

    @pytest.mark.parametrize("role", [None, Role.MODERATOR, Role.ADMINISTRATOR])
    def test_names_are_for_members_alone(self, client, act, watch, role):
        act(Role.MEMBER, "Canary")
        act(role)
        answer = client.get(f"/watches/{watch}/members")
        assert answer.status_code == 403
        assert "Canary" not in answer.text

    def test_captains_hear_of_it_and_the_person_of_the_decision(self, client, act, engine, watch):
        captain = act(Role.CAPTAIN, "Canary Captain")
        asker = act(None, "Canary Asker")
        with Session(engine) as session:
            for id, email, code in (
                (captain, "cap@example.org", "es"),
                (asker, "me@example.org", "en"),
            ):
                session.execute(
                    update(Person).where(Person.id == id).values(email=email, language=code)
                )
            session.commit()

        def mails():
            with Session(engine) as session:
                found = session.scalars(select(Mail).order_by(Mail.id)).all()
                return [(mail.recipient, mail.subject, mail.text) for mail in found]

        for _ in range(2):
            client.post(f"/watches/{watch}/ask", data={"note": "Canary note"})
        ((to, subject, written),) = mails()
        assert to == "cap@example.org"
        assert "Norton Watch" in subject
        assert subject != "Somebody asks to join Norton Watch"
        assert f"/watches/{watch}/members#asking" in written
        assert "Canary" not in written
        again(client, engine, captain)
        page = client.get(f"/watches/{watch}/members").text
        id = re.search(rf"/watches/{watch}/requests/(\d+)", page)[1]
        for answer in ("approve", "refuse"):
            client.post(f"/watches/{watch}/requests/{id}", data={"answer": answer})
        _first, (to, subject, written) = mails()
        assert (to, subject) == ("me@example.org", "Welcome to Norton Watch")
        assert "Canary" not in written

    def test_whoever_is_not_taken_in_is_told(self, client, act, engine, watch):
        captain = act(Role.CAPTAIN)
        asker = act(None)
        with Session(engine) as session:
            session.execute(update(Person).where(Person.id == asker).values(email="me@example.org"))
            session.commit()
        client.post(f"/watches/{watch}/ask")
        again(client, engine, captain)
        page = client.get(f"/watches/{watch}/members").text
        id = re.search(rf"/watches/{watch}/requests/(\d+)", page)[1]
        client.post(f"/watches/{watch}/requests/{id}", data={"answer": "refuse"})
        with Session(engine) as session:
            mail = session.scalars(select(Mail)).one()
        assert mail.subject == "Your request to join Norton Watch"

    def test_nobody_asks_where_nobody_could_answer(self, client, act, watch):
        act()
        assert client.post(f"/watches/{watch}/ask").status_code == 409

    def test_a_link_invites_once_it_is_confirmed(self, client, act, engine, watch):
        captain = act(Role.CAPTAIN)
        page = client.post(f"/watches/{watch}/invitations", data={"uses": "1"}).text
        link = re.search(r'value="http://[^/"]+(/watches/join\?token=[^"]+)"', page)[1]
        token = link.partition("=")[2]
        assert token not in client.get(f"/watches/{watch}/members").text
        client.cookies.clear()
        answer = client.get(link)
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert "Norton Watch" in answer.text
        assert client.post("/watches/join", data={"token": token}).status_code == 401
        guest = act(None)
        client.get(link)
        assert guest not in roles(engine, watch)
        assert "Welcome" in client.post("/watches/join", data={"token": token}).text
        assert roles(engine, watch)[guest] is Role.MEMBER
        act(None)
        assert client.get(link).status_code == 404
        assert client.post("/watches/join", data={"token": token}).status_code == 404
        with Session(engine) as session:
            actions = session.scalars(select(AuditEntry.action).order_by(AuditEntry.id)).all()
            granted_by = session.scalar(
                select(RoleGrant.granted_by_id).where(RoleGrant.person_id == guest)
            )
        assert actions == ["watch.invite", "role.grant"]
        assert granted_by == captain

    @pytest.mark.parametrize("uses", ["", "0", "51", "-1", "x", "100"])
    def test_a_link_is_for_a_few(self, client, act, watch, uses):
        act(Role.CAPTAIN)
        answer = client.post(f"/watches/{watch}/invitations", data={"uses": uses})
        assert answer.status_code == 422
        assert 'id="uses-fault"' in answer.text

    def test_a_link_that_is_taken_back_does_not_work(self, client, act, watch):
        act(Role.CAPTAIN)
        page = client.post(f"/watches/{watch}/invitations", data={"uses": "1"}).text
        link = re.search(r'value="http://[^/"]+(/watches/join\?token=[^"]+)"', page)[1]
        id = re.search(r"/invitations/(\d+)/revoke", page)[1]
        client.post(f"/watches/{watch}/invitations/{id}/revoke")
        assert client.get(link).status_code == 404

    def test_a_request_is_decided_once_and_by_its_own_watch(self, client, act, engine, watch):
        captain = act(Role.CAPTAIN)
        asker = act()
        client.post(f"/watches/{watch}/ask")
        with Session(engine) as session:
            other = session.scalars(
                insert(BlockWatch)
                .from_select(["name", "boundary"], select(literal("Other"), BlockWatch.boundary))
                .returning(BlockWatch.id)
            ).one()
            person_id = person(session, Role.CAPTAIN, block_watch_id=other)
            session.commit()
        (id,) = asking(engine, watch)
        yes = {"answer": "approve"}
        again(client, engine, person_id)
        assert client.post(f"/watches/{other}/requests/{id}", data=yes).status_code == 404
        again(client, engine, captain)
        path = f"/watches/{watch}/requests/{id}"
        assert client.post(path, data={"answer": "maybe"}).status_code == 422
        assert asker not in roles(engine, watch)
        assert client.post(path, data=yes).status_code == 200
        answer = client.post(path, data={"answer": "refuse"}, headers={"Accept": "text/html"})
        assert answer.status_code == 409
        assert "was decided already" in answer.text
        assert roles(engine, watch)[asker] is Role.MEMBER

    def test_people_without_names_are_told_apart(self, client, act, engine, watch):
        captain = act(Role.CAPTAIN)
        link = re.search(
            r'value="http://[^/"]+(/watches/join\?token=([^"]+))"',
            client.post(f"/watches/{watch}/invitations", data={"uses": "1"}).text,
        )
        guest = act()
        client.post("/watches/join", data={"token": link[2]})
        asker = act()
        client.post(f"/watches/{watch}/ask")
        (id,) = asking(engine, watch)
        again(client, engine, captain)
        assert "· asked <time" in client.get(f"/watches/{watch}/members").text
        client.post(f"/watches/{watch}/requests/{id}", data={"answer": "approve"})
        page = client.get(f"/watches/{watch}/members").text
        assert page.count("joined by a link <time") == 1
        assert page.count("asked to join <time") == 1
        assert re.search(
            r'aria-label="Remove: No name given, asked to join [^"<>]+, taken in', page
        )
        path = f"/watches/{watch}/members/{guest}"
        assert "joined by a link <time" in client.post(path, data={"act": "remove"}).text
        assert guest in roles(engine, watch)
        client.post(path, data={"act": "remove", "sure": "1"})
        assert roles(engine, watch) == {captain: Role.CAPTAIN, asker: Role.MEMBER}
        assert client.post(path, data={"act": "remove"}).status_code == 404

    def test_a_link_is_shown_once_and_loading_again_makes_no_other(
        self, client, act, engine, watch
    ):
        act(Role.CAPTAIN)
        answer = client.post(
            f"/watches/{watch}/invitations", data={"uses": "1"}, follow_redirects=False
        )
        assert answer.status_code == 303
        page = f"/watches/{watch}/members"
        assert "/watches/join?token=" in client.get(page).text
        assert "/watches/join?token=" not in client.get(page).text
        with Session(engine) as session:
            assert len(associations.invitations(session, watch)) == 1

    def test_captains_hand_over_remove_and_leave(self, client, act, engine, watch):
        first = act(Role.MEMBER)
        second = act(Role.MEMBER)
        captain = act(Role.CAPTAIN)
        client.post(f"/watches/{watch}/members/{first}", data={"act": "captain"})
        assert roles(engine, watch)[first] is Role.CAPTAIN
        client.post(f"/watches/{watch}/members/{first}", data={"act": "remove", "sure": "1"})
        path = f"/watches/{watch}/members/{second}"
        assert client.post(path, data={"act": "crown"}).status_code == 422
        asked = client.post(path, data={"act": "hand_over"}).text
        assert "Hand over the block watch?" in asked
        assert roles(engine, watch)[captain] is Role.CAPTAIN
        client.post(path, data={"act": "hand_over", "sure": "1"})
        again(client, engine, captain)
        assert roles(engine, watch) == {second: Role.CAPTAIN, captain: Role.MEMBER}
        assert client.post(f"/watches/{watch}/leave").status_code == 200
        again(client, engine, second)
        assert client.post(f"/watches/{watch}/leave").status_code == 409
        page = client.post(f"/watches/{watch}/leave", data={"even_last": "1"}).text
        assert "has no captain now" in page
        assert roles(engine, watch) == {}

    def test_another_site_cannot_send_these_forms(self, client, act, engine, watch):
        act(Role.CAPTAIN)
        headers = {"sec-fetch-site": "cross-site"}
        for address in ("leave", "invitations", "meetings", "contact"):
            answer = client.post(f"/watches/{watch}/{address}", data=A_MEETING, headers=headers)
            assert answer.status_code == 403
        assert len(roles(engine, watch)) == 1

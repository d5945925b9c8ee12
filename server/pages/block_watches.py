"""Block watches: what everybody may know of each, its meetings, and its members among themselves."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from datetime import UTC, date, datetime, time
from types import MappingProxyType
from typing import Annotated, TypedDict
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Form, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from sqlalchemy.orm import Session

from data.models import ReviewState, WordsField
from data.models.association import (
    ASSOCIATION_NOTE_LIMIT,
    CONTACT_LIMIT,
    LEAST_MINUTES,
    MOST_MINUTES,
    MOST_USES,
    PLACE_LIMIT,
)
from data.queries import associations, watch_words
from data.queries.associations import (
    Asking,
    ChangedDate,
    Inside,
    Invitation,
    Invited,
    LastCaptain,
    ListedWatch,
    Member,
    NewMeeting,
    NotCaptain,
    PlannedMeeting,
    Watch,
)
from data.queries.people import Choice
from data.queries.watch_words import OwnWords
from geo.categories import N_
from geo.places import plain_text
from geo.roles import Role
from geo.statuses import Status
from layers.atlas import Atlas, Mark, Options, atlas, view_of
from layers.block_watches import BlockWatches
from layers.reports import Reports
from server import joining, meetings, screening, visitors
from server.dependencies import Accounts, Chosen, Reading, Who, Writing, own_site
from server.languages import Language, language
from server.links import root
from server.meetings import Coming, NotTheLast, Repeats
from server.pages.feeds import feed_address
from server.pages.following import follow_address
from server.pages.map import STATUSES, raster
from server.pages.page import asset, page
from server.pages.reports import ICONS
from server.pages.sign_in import QUIET
from server.pages.watch_words import screen_page
from server.problems import Problem
from server.schemas.filters import LARGEST_ID
from server.screening import Finding
from server.settings import Settings
from server.visitors import Visitor
from server.watch_words import LABELS, held, sealed

router = APIRouter(prefix="/watches", dependencies=[Depends(own_site)], include_in_schema=False)

MOST_DATES = 3

_LINK_COOKIE = "invitation"
_LINK_COOKIE_LASTS_S = 60

REPEATS: dict[Repeats, str] = {
    Repeats.ONCE: N_("Once"),
    Repeats.WEEKLY: N_("Every week"),
    Repeats.FORTNIGHTLY: N_("Every second week"),
    Repeats.MONTHLY: N_("Every month, such as each second Tuesday"),
    Repeats.MONTHLY_LAST: N_("Every month, on the last such weekday"),
}

_FIRST_YEAR, _LAST_YEAR = 2000, 2100

_NOTICES: dict[str, str] = {
    "changed": N_("Your changes are kept."),
    "boundary": N_("The new boundary holds. Reports and followers go by it from now on."),
    "asked": N_("Your request is with the captains."),
    "joined": N_("Welcome. You are a member of this block watch."),
    "left": N_("You have left this block watch."),
    "decided": N_("Your decision holds."),
    "revoked": N_("The link does not work any more."),
}


_REVIEWS: dict[ReviewState, str] = {
    ReviewState.WAITING: N_("These words wait for a moderator, who decides what of them is shown."),
    ReviewState.SHORTENED: N_("A moderator shows a part of these words."),
    ReviewState.REFUSED: N_("A moderator does not show these words."),
}


class ListPage(TypedDict):
    """What the list of block watches shows."""

    watches: Sequence[ListedWatch]


class WatchPage(TypedDict):
    """What the page of a block watch shows.

    `done_since` is the first day of this quarter.
    """

    watch: Watch
    atlas: Atlas
    open: Inside
    done: Inside
    done_since: date
    open_on_map: str
    done_on_map: str
    coming: Sequence[tuple[Coming, str, str]]
    planned: Sequence[tuple[PlannedMeeting, str]]
    statuses: Mapping[str, str]
    icons: Mapping[Status, str]
    keeps: bool
    own_words: Sequence[OwnWords]
    labels: Mapping[WordsField, str]
    reviews: Mapping[ReviewState, str]
    belongs: bool
    follow: str
    feed: str
    notice: str
    note_limit: int


class ContactPage(TypedDict):
    """The words of a block watch, to be changed."""

    watch: Watch
    limit: int


@dataclass(frozen=True, slots=True)
class MeetingForm:
    """A meeting as it was typed."""

    place: str = ""
    location: str = ""
    day: str = ""
    hour: str = ""
    repeats: str = Repeats.ONCE.value
    minutes: str = "60"
    note: str = ""
    screened: str = ""

    def sent(self) -> dict[str, str]:
        """Give it as a form sends it, without the mark of what was screened."""
        return {
            field.name: getattr(self, field.name)
            for field in fields(self)
            if field.name != "screened"
        }


class MeetingPage(TypedDict):
    """A meeting to be written down or changed. `faults` go by the names of fields."""

    watch: Watch
    meeting_id: int | None
    typed: MeetingForm
    faults: Mapping[str, str]
    repeats: Mapping[Repeats, str]
    locations: Sequence[Choice]
    limits: Mapping[str, int]


class MembersPage(TypedDict):
    """What members see of each other, and captains of who wants to be one."""

    watch: Watch
    members: Sequence[Member]
    own_id: int
    is_captain: bool
    is_last_captain: bool
    asking: Sequence[Asking]
    invitations: Sequence[Invitation]
    link: str
    notice: str
    fault: str
    most_uses: int


class MemberPage(TypedDict):
    """A member, and what a captain is asked about once more: `hand_over` or `remove`."""

    watch: Watch
    member: Member
    act: str


class JoinPage(TypedDict):
    """To which block watch a link leads; `invited` is None where it does not hold."""

    invited: Invited | None
    token: str
    sign_in: str


@router.get("")
def read_all(request: Request, session: Reading) -> HTMLResponse:
    """Show all block watches."""
    context = ListPage(watches=associations.watches(session))
    return page(request, "block_watches.html", context)


def watch_of(request: Request, session: Session, id: int) -> Watch:
    """Give a block watch.

    Raises
    ------
    Problem
        404 where there is none.
    """
    found = associations.watch(session, id) if id <= LARGEST_ID else None
    if found is None:
        _ = request.state.language.gettext
        raise Problem(404, _("Not found"), _("There is no such block watch."))
    return found


def kept(request: Request, who: Visitor, id: int) -> None:
    """Refuse whoever may not change a block watch.

    Raises
    ------
    Problem
    """
    visitors.require(request, who)
    if not who.keeps(id):
        _ = request.state.language.gettext
        raise Problem(403, _("For its captains"), _("Only captains of this block watch do this."))


def belonging(request: Request, who: Visitor, id: int) -> int:
    """Give the person, and refuse whoever is not of a block watch.

    Administrators keep every watch and give its roles on the page of each person, but the names of
    its members are for its members.

    Raises
    ------
    Problem
    """
    visitors.require(request, who)
    if not who.belongs(id):
        _ = request.state.language.gettext
        raise Problem(403, _("For its members"), _("Only members of this block watch see this."))
    assert who.person_id is not None
    return who.person_id


def _captain(request: Request, who: Visitor, id: int) -> int:
    """Give the person, and refuse whoever is no captain of a block watch."""
    person_id = belonging(request, who, id)
    kept(request, who, id)
    return person_id


def quarter_of(day: date) -> date:
    """Give the first day of the quarter of a year."""
    return date(day.year, (day.month - 1) // 3 * 3 + 1, 1)


def watch_atlas(code: str, watch: Watch, settings: Settings, marks: Sequence[Mark] = ()) -> Atlas:
    """Give the map of a block watch.

    Parameters
    ----------
    code : str
        Of the language.
    watch : Watch
    settings : Settings
    marks : sequence of Mark
        Places in it, with numbers.
    """
    options = Options(
        mode="look",
        asset=asset,
        translate=language(code).gettext,
        raster=raster(settings),
        marks=tuple(marks),
        ground=("block_watch", watch.id),
    )
    view = view_of(watch.west, watch.south, watch.east, watch.north)
    return atlas((BlockWatches, Reports), view, options)


@router.get("/{id:int}")
def read_watch(
    *, request: Request, session: Reading, settings: Chosen, who: Who, id: int, notice: str = ""
) -> HTMLResponse:
    """Show what everybody may know of a block watch."""
    spoken: Language = request.state.language
    watch = watch_of(request, session, id)
    now = datetime.now(UTC)
    since = quarter_of(now.astimezone(settings.zone).date())
    planned = [one for one in associations.meetings(session, id) if not one.is_cancelled]
    pairs = [("block_watch", str(id))]
    context = WatchPage(
        watch=watch,
        atlas=watch_atlas(spoken.code, watch, settings),
        open=associations.open_inside(session, id),
        done=associations.done_inside(session, id, datetime.combine(since, time(), settings.zone)),
        done_since=since,
        open_on_map=f"/?{urlencode([*pairs, ('status', 'open')])}",
        done_on_map=f"/?{urlencode([*pairs, ('status', 'done'), ('status', 'verified')])}",
        coming=[
            (one, meetings.hour_said(one, spoken), meetings.said(one.meeting.rrule, spoken))
            for one in meetings.coming(planned, settings.zone, now, MOST_DATES)
        ],
        planned=[(one, meetings.said(one.rrule, spoken)) for one in planned],
        statuses=STATUSES,
        icons=ICONS,
        keeps=who.keeps(id),
        own_words=watch_words.of_watch(session, id) if who.keeps(id) else (),
        labels=LABELS,
        reviews=_REVIEWS,
        belongs=who.belongs(id),
        follow=follow_address(pairs),
        feed=feed_address(pairs),
        notice=_NOTICES.get(notice, ""),
        note_limit=ASSOCIATION_NOTE_LIMIT,
    )
    return page(request, "block_watch.html", context)


@router.get("/{id:int}/meetings.ics")
def read_calendar(request: Request, session: Reading, settings: Chosen, id: int) -> Response:
    """Give the meetings of a block watch for calendar programs."""
    watch = watch_of(request, session, id)
    written = meetings.calendar(
        watch.name,
        f"{root(settings)}/watches/{id}",
        associations.meetings(session, id),
        settings.zone,
    )
    return Response(
        written,
        media_type="text/calendar; charset=utf-8",
        headers={
            "Cache-Control": "no-cache",
            "Content-Disposition": f'attachment; filename="block-watch-{id}.ics"',
        },
    )


# What captains change -----------------------------------------------------------------------------


@router.get("/{id:int}/contact")
def read_contact(request: Request, session: Reading, who: Who, id: int) -> HTMLResponse:
    """Show the words of a block watch, to be changed."""
    watch = watch_of(request, session, id)
    kept(request, who, id)
    context = ContactPage(watch=watch, limit=CONTACT_LIMIT)
    return page(request, "block_watch_contact.html", context)


@router.post("/{id:int}/contact", response_model=None)
def change_contact(
    *,
    request: Request,
    session: Writing,
    who: Who,
    id: int,
    contact: Annotated[str, Form()] = "",
    meeting: Annotated[str, Form()] = "",
    member_contact: Annotated[str, Form()] = "",
    screened: Annotated[str, Form(max_length=100)] = "",
) -> Response:
    """Keep the words of a block watch; what points at a person waits for a moderator."""
    watch = watch_of(request, session, id)
    kept(request, who, id)
    for_members = plain_text(member_contact)[:CONTACT_LIMIT]
    words = {
        WordsField.CONTACT: plain_text(contact)[:CONTACT_LIMIT],
        WordsField.MEETING: plain_text(meeting)[:CONTACT_LIMIT],
    }
    found = held({field: text for field, text in words.items() if text != getattr(watch, field)})
    if found and screened != sealed(words, found):
        typed = {field.value: text for field, text in words.items()}
        typed["member_contact"] = for_members
        return screen_page(request, watch, f"/watches/{id}/contact", typed, found)
    contact, meeting = (
        str(getattr(watch, field)) if field in found else text for field, text in words.items()
    )
    associations.change_watch(
        session, id, contact=contact, meeting=meeting, member_contact=for_members
    )
    _hold(session, id, None, words, found)
    return RedirectResponse(f"/watches/{id}?notice=changed", 303)


def _hold(
    session: Session,
    id: int,
    meeting_id: int | None,
    words: Mapping[WordsField, str],
    found: Collection[WordsField],
) -> None:
    """Have words that are held wait, in place of those that waited before."""
    watch_words.take_back(session, id, meeting_id, [*words])
    for field in found:
        watch_words.hold(session, id, meeting_id, field, words[field])


@router.get("/{id:int}/meetings/new")
def new_meeting(request: Request, session: Reading, who: Who, id: int) -> HTMLResponse:
    """Show the form of a meeting."""
    watch = watch_of(request, session, id)
    kept(request, who, id)
    return _meeting_page(request, session, watch, None, MeetingForm())


@router.get("/{id:int}/meetings/{meeting_id:int}")
def read_meeting(
    *, request: Request, session: Reading, settings: Chosen, who: Who, id: int, meeting_id: int
) -> HTMLResponse:
    """Show a meeting, to be changed."""
    watch = watch_of(request, session, id)
    kept(request, who, id)
    found = _meeting(request, session, id, meeting_id)
    local = found.starts_at.astimezone(settings.zone)
    typed = MeetingForm(
        place=found.place,
        location=str(found.service_location_id or ""),
        day=local.date().isoformat(),
        hour=f"{local:%H:%M}",
        repeats=meetings.repeats_of(found.rrule),
        minutes=str(found.duration_minutes),
        note=found.note,
    )
    return _meeting_page(request, session, watch, meeting_id, typed)


def _meeting(request: Request, session: Session, id: int, meeting_id: int) -> PlannedMeeting:
    for one in associations.meetings(session, id):
        if one.id == meeting_id and not one.is_cancelled:
            return one
    _ = request.state.language.gettext
    raise Problem(404, _("Not found"), _("There is no such meeting, or it was cancelled."))


def _meeting_page(
    request: Request,
    session: Session,
    watch: Watch,
    meeting_id: int | None,
    typed: MeetingForm,
    *,
    faults: Mapping[str, str] = MappingProxyType({}),
) -> HTMLResponse:
    context = MeetingPage(
        watch=watch,
        meeting_id=meeting_id,
        typed=typed,
        faults=faults,
        repeats=REPEATS,
        locations=associations.places_near(session, watch.id),
        limits={
            "place": PLACE_LIMIT,
            "note": ASSOCIATION_NOTE_LIMIT,
            "least": LEAST_MINUTES,
            "most": MOST_MINUTES,
        },
    )
    return page(request, "block_watch_meeting.html", context, status=422 if faults else 200)


async def _typed_meeting(request: Request) -> MeetingForm:
    sent = await request.form()
    typed = {field.name: sent.get(field.name) for field in fields(MeetingForm)}
    return MeetingForm(
        **{name: plain_text(word) for name, word in typed.items() if isinstance(word, str)}
    )


TypedMeeting = Annotated[MeetingForm, Depends(_typed_meeting)]


@router.post("/{id:int}/meetings", response_model=None)
def add_meeting(
    *, request: Request, session: Writing, settings: Chosen, who: Who, id: int, typed: TypedMeeting
) -> Response:
    """Write down a meeting."""
    watch = watch_of(request, session, id)
    kept(request, who, id)
    made = _understood(session, watch, typed, request.state.language, settings.zone)
    if not isinstance(made, NewMeeting):
        return _meeting_page(request, session, watch, None, typed, faults=made)
    words = {WordsField.PLACE: made.place, WordsField.NOTE: made.note}
    found = held(words)
    if found and typed.screened != sealed(words, found):
        return screen_page(request, watch, f"/watches/{id}/meetings", typed.sent(), found)
    meeting_id = associations.add_meeting(session, id, _shown(made, found, note=""))
    _hold(session, id, meeting_id, words, found)
    return RedirectResponse(f"/watches/{id}?notice=changed#meetings", 303)


@router.post("/{id:int}/meetings/{meeting_id:int}", response_model=None)
def change_meeting(
    *,
    request: Request,
    session: Writing,
    settings: Chosen,
    who: Who,
    id: int,
    meeting_id: int,
    typed: TypedMeeting,
) -> Response:
    """Change a meeting with all its dates."""
    watch = watch_of(request, session, id)
    kept(request, who, id)
    before = _meeting(request, session, id, meeting_id)
    made = _understood(session, watch, typed, request.state.language, settings.zone)
    if not isinstance(made, NewMeeting):
        return _meeting_page(request, session, watch, meeting_id, typed, faults=made)
    words = {WordsField.PLACE: made.place, WordsField.NOTE: made.note}
    found = held({field: text for field, text in words.items() if text != getattr(before, field)})
    if found and typed.screened != sealed(words, found):
        action = f"/watches/{id}/meetings/{meeting_id}"
        return screen_page(request, watch, action, typed.sent(), found)
    associations.change_meeting(session, id, meeting_id, _shown(made, found, note=before.note))
    _hold(session, id, meeting_id, words, found)
    return RedirectResponse(f"/watches/{id}?notice=changed#meetings", 303)


def _shown(
    made: NewMeeting, found: Mapping[WordsField, Sequence[Finding]], *, note: str
) -> NewMeeting:
    """Give a meeting as everybody sees it while some of its words wait.

    The old place would lead people astray, so of the new one all is shown but what was found.
    """
    place = screening.preview(made.place, found.get(WordsField.PLACE, ()))[:PLACE_LIMIT]
    return replace(made, place=place, note=note if WordsField.NOTE in found else made.note)


@router.post("/{id:int}/meetings/{meeting_id:int}/cancel")
def cancel_meeting(
    request: Request, session: Writing, who: Who, id: int, meeting_id: int
) -> RedirectResponse:
    """Cancel a meeting with all its dates."""
    watch_of(request, session, id)
    kept(request, who, id)
    _meeting(request, session, id, meeting_id)
    associations.cancel_meeting(session, id, meeting_id)
    return RedirectResponse(f"/watches/{id}?notice=changed#meetings", 303)


class DatePage(TypedDict):
    """One date of a meeting, to be moved or cancelled.

    `changed` is how it was changed already; `day` and `hour` are typed.
    """

    watch: Watch
    meeting: PlannedMeeting
    planned: datetime
    changed: ChangedDate | None
    said: str
    day: str
    hour: str
    fault: str


@router.get("/{id:int}/meetings/{meeting_id:int}/dates/{day}")
def read_date(
    *,
    request: Request,
    session: Reading,
    settings: Chosen,
    who: Who,
    id: int,
    meeting_id: int,
    day: str,
) -> HTMLResponse:
    """Show one date of a meeting that recurs, to be moved or cancelled."""
    watch = watch_of(request, session, id)
    kept(request, who, id)
    meeting = _meeting(request, session, id, meeting_id)
    planned = _planned(request, meeting, settings.zone, day)
    return _date_page(request, watch, meeting, planned, settings.zone)


def _planned(request: Request, meeting: PlannedMeeting, zone: ZoneInfo, day: str) -> datetime:
    """Give when a meeting is on a day by its rule."""
    meant = _day(day)
    planned = meetings.on_day(meeting, zone, meant) if meant else None
    if planned is None:
        _ = request.state.language.gettext
        raise Problem(404, _("Not found"), _("This meeting is not on that day."))
    return planned


def _date_page(
    request: Request,
    watch: Watch,
    meeting: PlannedMeeting,
    planned: datetime,
    zone: ZoneInfo,
    *,
    typed: tuple[str, str] | None = None,
    fault: str = "",
) -> HTMLResponse:
    spoken: Language = request.state.language
    changed = meeting.dates.get(planned.date())
    at = changed.moved_to.astimezone(zone) if changed and changed.moved_to else planned
    day, hour = typed or (at.date().isoformat(), f"{at:%H:%M}")
    context = DatePage(
        watch=watch,
        meeting=meeting,
        planned=planned,
        changed=changed,
        said=meetings.moment_said(planned, spoken),
        day=day,
        hour=hour,
        fault=fault,
    )
    return page(request, "block_watch_date.html", context, status=422 if fault else 200)


@router.post("/{id:int}/meetings/{meeting_id:int}/dates/{day}", response_model=None)
def change_date(
    *,
    request: Request,
    session: Writing,
    settings: Chosen,
    who: Who,
    id: int,
    meeting_id: int,
    day: str,
    act: Annotated[str, Form()] = "",
    to_day: Annotated[str, Form()] = "",
    to_hour: Annotated[str, Form()] = "",
) -> Response:
    """Move or cancel one date of a meeting, or have it as planned again."""
    watch = watch_of(request, session, id)
    kept(request, who, id)
    meeting = _meeting(request, session, id, meeting_id)
    planned = _planned(request, meeting, settings.zone, day)
    if act == "cancel":
        associations.change_date(session, meeting_id, planned.date(), None)
    elif act == "keep":
        associations.keep_date(session, meeting_id, planned.date())
    else:
        new_day, new_hour = _day(to_day), _hour(to_hour)
        if new_day is None or new_hour is None:
            fault = request.state.language.gettext("Choose the day and the hour it is moved to.")
            typed = (to_day, to_hour)
            return _date_page(
                request, watch, meeting, planned, settings.zone, typed=typed, fault=fault
            )
        moved_to = datetime.combine(new_day, new_hour, settings.zone)
        associations.change_date(session, meeting_id, planned.date(), moved_to)
    return RedirectResponse(f"/watches/{id}?notice=changed#meetings", 303)


def _understood(
    session: Session, watch: Watch, typed: MeetingForm, spoken: Language, zone: ZoneInfo
) -> NewMeeting | dict[str, str]:
    """Read a meeting, or say by the names of fields what to mend."""
    _ = spoken.gettext
    near = {str(one.id) for one in associations.places_near(session, watch.id)}
    faults = _plain_faults(typed, near, spoken)
    first, hour = _day(typed.day), _hour(typed.hour)
    if hour is None:
        faults["hour"] = _("Choose when it begins.")
    rrule = ""
    try:
        if first is None:
            faults["day"] = _("Choose the day of the meeting, or of the first of them.")
        else:
            rrule = meetings.rule(Repeats(typed.repeats), first)
    except NotTheLast:
        faults["day"] = _("This is not the last such weekday of its month. Choose the last.")
    except ValueError:
        faults["repeats"] = _("Choose how often it takes place.")
    if faults or first is None or hour is None:
        return faults
    return NewMeeting(
        place=typed.place,
        service_location_id=int(typed.location) if typed.location else None,
        starts_at=datetime.combine(first, hour, zone),
        rrule=rrule,
        duration_minutes=int(typed.minutes),
        note=typed.note,
    )


def _plain_faults(typed: MeetingForm, near: Collection[str], spoken: Language) -> dict[str, str]:
    _ = spoken.gettext
    faults = {}
    if not 0 < len(typed.place) <= PLACE_LIMIT:
        faults["place"] = _("Say where it is, in at most {most} characters.").format(
            most=PLACE_LIMIT
        )
    if len(typed.note) > ASSOCIATION_NOTE_LIMIT:
        faults["note"] = _("Write at most {most} characters.").format(most=ASSOCIATION_NOTE_LIMIT)
    if typed.location and typed.location not in near:
        faults["location"] = _("Choose one of these places, or none.")
    minutes = int(typed.minutes) if re.fullmatch("[0-9]{1,4}", typed.minutes) else 0
    if not LEAST_MINUTES <= minutes <= MOST_MINUTES:
        faults["minutes"] = _("Give the minutes it lasts, from {least} to {most}.").format(
            least=LEAST_MINUTES, most=MOST_MINUTES
        )
    return faults


def _day(word: str) -> date | None:
    try:
        day = date.fromisoformat(word)
    except ValueError:
        return None
    return day if _FIRST_YEAR <= day.year < _LAST_YEAR else None


def _hour(word: str) -> time | None:
    try:
        hour = time.fromisoformat(word)
    except ValueError:
        return None
    return hour if hour.tzinfo is None else None


# Members ------------------------------------------------------------------------------------------


@router.post("/{id:int}/ask")
def ask(
    *,
    request: Request,
    session: Accounts,
    settings: Chosen,
    who: Who,
    id: int,
    note: Annotated[str, Form()] = "",
) -> RedirectResponse:
    """Ask to become a member, and let the captains know."""
    watch = watch_of(request, session, id)
    visitors.require(request, who)
    assert who.person_id is not None
    if not watch.has_captain:
        _ = request.state.language.gettext
        raise Problem(
            409,
            _("No captain"),
            _("Nobody could answer you: this block watch has no captain now."),
        )
    written = plain_text(note)[:ASSOCIATION_NOTE_LIMIT]
    if associations.ask_to_join(session, id, who.person_id, written):
        joining.tell_captains(session, settings, watch)
    return RedirectResponse(f"/watches/{id}?notice=asked#join", 303)


@router.get("/{id:int}/members")
def read_members(
    *, request: Request, session: Accounts, settings: Chosen, who: Who, id: int, notice: str = ""
) -> HTMLResponse:
    """Show members to each other, and to a captain the link that they have just made."""
    watch = watch_of(request, session, id)
    own_id = belonging(request, who, id)
    token = request.cookies.get(_LINK_COOKIE, "")
    link = f"{root(settings)}/watches/join?token={token}" if token else ""
    shown = _members_page(
        request, session, watch, own_id, link=link, notice=_NOTICES.get(notice, "")
    )
    if token:
        shown.headers["Cache-Control"] = "no-store"
        shown.delete_cookie(_LINK_COOKIE, path=f"/watches/{id}/members")
    return shown


def _members_page(
    request: Request,
    session: Session,
    watch: Watch,
    own_id: int,
    *,
    link: str = "",
    notice: str = "",
    fault: str = "",
) -> HTMLResponse:
    found = associations.members(session, watch.id)
    captains = {one.person_id for one in found if one.role is Role.CAPTAIN}
    is_captain = own_id in captains
    context = MembersPage(
        watch=watch,
        members=found,
        own_id=own_id,
        is_captain=is_captain,
        is_last_captain=captains == {own_id},
        asking=associations.asking(session, watch.id) if is_captain else (),
        invitations=associations.invitations(session, watch.id) if is_captain else (),
        link=link,
        notice=notice,
        fault=fault,
        most_uses=MOST_USES,
    )
    return page(request, "block_watch_members.html", context, status=422 if fault else 200)


@contextmanager
def _captains_only(request: Request) -> Iterator[None]:
    """Say so to whoever is no captain any more when the store looks again."""
    try:
        yield
    except NotCaptain as error:
        _ = request.state.language.gettext
        raise Problem(
            403, _("For its captains"), _("Only captains of this block watch do this.")
        ) from error


@router.post("/{id:int}/requests/{request_id:int}")
def decide(
    *,
    request: Request,
    session: Accounts,
    settings: Chosen,
    who: Who,
    id: int,
    request_id: int,
    answer: Annotated[str, Form()] = "",
) -> RedirectResponse:
    """Take somebody in who asked, or refuse, and let them know."""
    watch = watch_of(request, session, id)
    own_id = _captain(request, who, id)
    _ = request.state.language.gettext
    if answer not in {"approve", "refuse"}:
        raise _unknown(request)
    if request_id > LARGEST_ID or not associations.was_asked(session, id, request_id):
        raise Problem(404, _("Not found"), _("This block watch has no such request."))
    approved = answer == "approve"
    with _captains_only(request):
        person_id = associations.decide(session, id, request_id, approved=approved, by_id=own_id)
    if person_id is None:
        raise Problem(
            409,
            _("Decided already"),
            _("This request was decided already. The list of members shows how it stands."),
        )
    joining.tell_asker(session, settings, watch, person_id, approved=approved)
    return RedirectResponse(f"/watches/{id}/members?notice=decided", 303)


def _unknown(request: Request) -> Problem:
    """Say that a form asks for something that no page of ours sends."""
    _ = request.state.language.gettext
    return Problem(
        422,
        _("Some of this cannot be used"),
        _(
            "The form did not come as this site makes it, so nothing was changed. Go back, load "
            "the page again, and send it from there."
        ),
    )


@router.post("/{id:int}/invitations", response_model=None)
def invite(
    *,
    request: Request,
    session: Accounts,
    who: Who,
    id: int,
    uses: Annotated[str, Form()] = "",
) -> Response:
    """Make a link that lets people in, and have the page of members show it once.

    A cookie takes it there, since the store keeps only its hash, and to load a page that answered a
    form again would make another link.
    """
    watch = watch_of(request, session, id)
    own_id = _captain(request, who, id)
    _ = request.state.language.gettext
    if not re.fullmatch("[0-9]{1,2}", uses) or not 1 <= int(uses) <= MOST_USES:
        fault = _("Say how many people may use it, from 1 to {most}.").format(most=MOST_USES)
        return _members_page(request, session, watch, own_id, fault=fault)
    with _captains_only(request):
        token = associations.invite(session, id, uses=int(uses), by_id=own_id)
    if token is None:
        fault = _("There are too many links already. Take one of them back first.")
        return _members_page(request, session, watch, own_id, fault=fault)
    response = RedirectResponse(f"/watches/{id}/members#invite", 303)
    response.set_cookie(
        _LINK_COOKIE,
        token,
        max_age=_LINK_COOKIE_LASTS_S,
        path=f"/watches/{id}/members",
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="strict",
    )
    return response


@router.post("/{id:int}/invitations/{invitation_id:int}/revoke")
def revoke(
    request: Request, session: Accounts, who: Who, id: int, invitation_id: int
) -> RedirectResponse:
    """Have a link work no longer."""
    own_id = _captain(request, who, id)
    if invitation_id <= LARGEST_ID:
        with _captains_only(request):
            associations.revoke(session, id, invitation_id, by_id=own_id)
    return RedirectResponse(f"/watches/{id}/members?notice=revoked", 303)


@router.post("/{id:int}/members/{person_id:int}", response_model=None)
def change_member(
    *,
    request: Request,
    session: Accounts,
    who: Who,
    id: int,
    person_id: int,
    act: Annotated[str, Form()] = "",
    sure: Annotated[str, Form()] = "",
) -> Response:
    """Make a member captain, hand over to them, or end their membership; the last two once meant."""
    own_id = _captain(request, who, id)
    acts = {
        "captain": associations.make_captain,
        "hand_over": associations.hand_over,
        "remove": associations.remove,
    }
    if act not in acts:
        raise _unknown(request)
    if act != "captain" and not sure:
        watch = watch_of(request, session, id)
        found = associations.members(session, id)
        member = next((one for one in found if one.person_id == person_id), None)
        if member is None or person_id == own_id:
            raise _no_member(request)
        context = MemberPage(watch=watch, member=member, act=act)
        return page(request, "block_watch_member.html", context)
    with _captains_only(request):
        if person_id > LARGEST_ID or not acts[act](session, id, person_id, by_id=own_id):
            raise _no_member(request)
    return RedirectResponse(f"/watches/{id}/members?notice=changed", 303)


def _no_member(request: Request) -> Problem:
    _ = request.state.language.gettext
    return Problem(
        404, _("Not found"), _("There is no such other member of this block watch any more.")
    )


@router.post("/{id:int}/leave")
def leave(
    *,
    request: Request,
    session: Accounts,
    who: Who,
    id: int,
    even_last: Annotated[str, Form()] = "",
) -> RedirectResponse:
    """Leave a block watch."""
    own_id = belonging(request, who, id)
    try:
        associations.leave(session, id, own_id, even_last=bool(even_last))
    except LastCaptain as error:
        _ = request.state.language.gettext
        raise Problem(
            409,
            _("You are the only captain"),
            _(
                "Hand over to another member first, or confirm that the block watch stays without "
                "a captain."
            ),
        ) from error
    return RedirectResponse(f"/watches/{id}?notice=left", 303)


@router.get("/join")
def read_invitation(
    request: Request,
    session: Accounts,
    who: Who,
    token: Annotated[str, Query(max_length=100)] = "",
) -> HTMLResponse:
    """Show where an invitation leads. A button uses it, since programs that read mail follow links."""
    invited = associations.invited_to(session, token)
    here = f"/watches/join?{urlencode({'token': token})}"
    context = JoinPage(
        invited=invited, token=token, sign_in=f"/sign-in?{urlencode({'next': here})}"
    )
    status = 200 if invited else 404
    return page(request, "block_watch_join.html", context, status=status, headers=QUIET)


@router.post("/join", response_model=None)
def join(
    *,
    request: Request,
    session: Accounts,
    who: Who,
    token: Annotated[str, Form(max_length=100)] = "",
) -> Response:
    """Become a member by an invitation."""
    visitors.require(request, who)
    assert who.person_id is not None
    id = associations.accept(session, token, who.person_id)
    if id is None:
        context = JoinPage(invited=None, token="", sign_in="/sign-in")
        return page(request, "block_watch_join.html", context, status=404, headers=QUIET)
    return RedirectResponse(f"/watches/{id}?notice=joined", 303)

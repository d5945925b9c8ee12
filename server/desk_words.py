"""What the desk says: how far things are, where they stand in the queue, and what came of a change."""

from data.queries.desk import Order, QueueItem
from geo.categories import N_
from geo.kinds import Kind
from geo.statuses import Status
from server.desk import Act, Left, Why
from server.languages import Language

KINDS: dict[Kind, str] = {Kind.LIGHTING: N_("Lights"), Kind.CLEANUP: N_("Cleanup")}

LIGHT_STATES: dict[Status, str] = {
    Status.RECEIVED: N_("Reported"),
    Status.CONFIRMED: N_("Confirmed dark"),
    Status.SCHEDULED: N_("Repair scheduled"),
    Status.IN_PROGRESS: N_("Being repaired"),
    Status.DONE: N_("Fixed by the crew"),
}
CLEANUP_STATES: dict[Status, str] = {
    Status.RECEIVED: N_("Reported"),
    Status.CONFIRMED: N_("Confirmed"),
    Status.SCHEDULED: N_("Scheduled"),
    Status.IN_PROGRESS: N_("In progress"),
    Status.DONE: N_("Cleaned up by the crew"),
}
STATES: dict[Kind, dict[Status, str]] = {
    Kind.LIGHTING: LIGHT_STATES,
    Kind.CLEANUP: CLEANUP_STATES,
}

ORDERS: dict[Order, str] = {
    "": N_("By priority"),
    "due": N_("Due first"),
    "oldest": N_("Oldest first"),
}

ACTS: dict[Act, str] = {
    Act.CONFIRM: N_("Confirm"),
    Act.SCHEDULE: N_("Schedule"),
    Act.ASSIGN: N_("Give to somebody"),
    Act.PLAN_IN: N_("Put into a work plan"),
    Act.PLAN_OUT: N_("Keep out of a work plan"),
    Act.ORDER: N_("Draft work orders"),
}

_LEFT: dict[Why, str] = {
    Why.GONE: N_("It is not in the queue any more, or not yours to work on."),
    Why.CHANGED_MEANWHILE: N_(
        "Somebody changed it while you looked. This is how it stands now; look again, then decide."
    ),
    Why.CLOSED: N_("It is closed by now."),
    Why.NOTHING_TO_DO: N_("It is that far already, or further."),
    Why.REFUSED: N_("A report of it can not be changed like this. Open it to see why."),
    Why.HAS_ORDER: N_("It has a work order already."),
    Why.PLAN_IS_ISSUED: N_("That work plan is not a draft any more. Choose another one."),
}


def left_words(left: Left, language: Language) -> str:
    """Say why something was left as it is, and what to do."""
    words: str = language.gettext(_LEFT[left.why])
    return words


def ordinal(n: int, language: Language) -> str:
    """Give a place in a row in short, such as 3rd; Babel knows none."""
    if language.code == "es":
        return f"{n}.º"
    ends = {1: "st", 2: "nd", 3: "rd"}
    return f"{n}{'th' if 10 <= n % 100 <= 20 else ends.get(n % 10, 'th')}"


def rank_words(item: QueueItem, language: Language) -> str:
    """Say where something stands, and how sure that is."""
    _ = language.gettext
    if item.rank is None or item.rank_low is None or item.rank_high is None:
        return str(_("Not ranked yet"))
    rank = ordinal(item.rank, language)
    if item.rank_low == item.rank_high:
        return rank
    words: str = _("{rank}, between {low} and {high}")
    return words.format(
        rank=rank, low=ordinal(item.rank_low, language), high=ordinal(item.rank_high, language)
    )

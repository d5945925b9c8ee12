"""Forms of action plans: what was typed, what is wrong with it, and what in it points at a person."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType
from typing import Annotated

from fastapi import Depends, Request

from data.models.plan import (
    BRINGS_LIMIT,
    PARTNER_LIMIT,
    PLAN_NOTE_LIMIT,
    TASK_LIMIT,
    TITLE_LIMIT,
)
from geo.places import plain_text
from server import screening
from server.languages import Language
from server.schemas.filters import LARGEST_ID
from server.screening import Concern, Marked

LIMITS: Mapping[str, int] = MappingProxyType(
    {
        "title": TITLE_LIMIT,
        "words": PLAN_NOTE_LIMIT,
        "what": TASK_LIMIT,
        "name": PARTNER_LIMIT,
        "brings": BRINGS_LIMIT,
    }
)


@dataclass(frozen=True, slots=True)
class Sent:
    """A form as it was sent, and what is wrong with it.

    Attributes
    ----------
    form : str
        Which of the page's forms; empty where none was sent.
    values, faults : mapping of str to str
        By the names of fields.
    warned : mapping of str to Marked
        What points at a person, to be said otherwise or sent again as it is.
    """

    form: str = ""
    values: Mapping[str, str] = field(default_factory=dict)
    faults: Mapping[str, str] = field(default_factory=dict)
    warned: Mapping[str, Marked] = field(default_factory=dict)

    @property
    def seals(self) -> Mapping[str, str]:
        """What the form carries that is sent again with the same words."""
        return {name: screening.seal(plain_text(self.values[name])) for name in self.warned}


NOTHING_SENT = Sent()


async def _typed(request: Request) -> Mapping[str, str]:
    sent = await request.form()
    return {name: value for name, value in sent.items() if isinstance(value, str)}


Typed = Annotated[Mapping[str, str], Depends(_typed)]


@dataclass(slots=True)
class Reading:
    """A form that is being read: what is wrong with it gathers here.

    Attributes
    ----------
    typed : mapping of str to str
    spoken : Language
    faults, warned : dict
        As of `Sent`.
    """

    typed: Mapping[str, str]
    spoken: Language
    faults: dict[str, str] = field(default_factory=dict)
    warned: dict[str, Marked] = field(default_factory=dict)

    def short(
        self,
        name: str,
        most: int,
        *,
        needed: bool = True,
        allowed: frozenset[Concern] = frozenset(),
    ) -> str:
        """Read a line that is shown as it is: nothing in it may point at a person."""
        _ = self.spoken.gettext
        words = plain_text(self.typed.get(name, ""))
        if needed and not words:
            self.faults[name] = _("Write something here.")
        if len(words) > most:
            self.faults[name] = _("Use up to {most} characters.").format(most=most)
        found = [one for one in screening.screen(words) if one.concern not in allowed]
        if found:
            explained = screening.marked(words, found)
            self.faults[name] = " ".join(
                f"“{words[one.start : one.end]}”: "
                f"{_(explained.concerns[one.concern].reason)} "
                f"{_(explained.concerns[one.concern].advice)}"
                for one in found
            )
        return words

    def words(self, name: str) -> tuple[str, bool]:
        """Read a text, and tell whether it is held: it points at a person, and was sent again so."""
        _ = self.spoken.gettext
        words = plain_text(self.typed.get(name, ""))
        if not words:
            self.faults[name] = _("Write something here.")
        if len(words) > PLAN_NOTE_LIMIT:
            self.faults[name] = _("Use up to {most} characters.").format(most=PLAN_NOTE_LIMIT)
        found = screening.screen(words)
        if found and self.typed.get(f"{name}_seal") != screening.seal(words):
            self.warned[name] = screening.marked(words, found)
        return words, bool(found)

    def day(self, name: str) -> date | None:
        """Read a day; None for none."""
        typed = self.typed.get(name, "").strip()
        try:
            day = date.fromisoformat(typed) if typed else None
        except ValueError:
            day = None
            self.faults[name] = self.spoken.gettext("Write a day like 2026-09-30.")
        if day is not None and not 2000 <= day.year < 2100:
            self.faults[name] = self.spoken.gettext("Write a day of this century.")
        return day

    def number(self, name: str) -> int | None:
        """Read the number of something; None where none is written."""
        typed = self.typed.get(name, "").strip().removeprefix("#")
        if not typed:
            return None
        found = int(typed) if re.fullmatch(r"[0-9]{1,19}", typed) else 0
        if not 1 <= found <= LARGEST_ID:
            self.faults[name] = self.spoken.gettext("Write a number in figures, such as 1234.")
            return None
        return found

    def sent(self, form: str) -> Sent:
        """Give the form back, to be shown again."""
        return Sent(form, self.typed, self.faults, self.warned)

    @property
    def stands(self) -> bool:
        """Whether nothing is wrong with it."""
        return not self.faults and not self.warned

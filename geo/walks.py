"""Block walks: what is asked at each stop, and what the answers sum up to.

The questions are those that walks for safety by design (CPTED) come back to: light, sight lines, the
way itself, and signs that nobody looks after a place. Each answer that names a problem carries the
category under which it can be reported and the words of that report. None asks about people.

A question that was not answered at a stop was not looked at, which is not the same as "nothing found".

References
----------
.. [1] Crowe, T. (2000). Crime Prevention Through Environmental Design. Butterworth-Heinemann.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from geo.categories import BY_CODE, N_, Category


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer to a question.

    Attributes
    ----------
    code : str
        Stable key; it is stored.
    name : str
        Plain words, to be translated.
    category : Category or None
        What a report of it is about; None where nothing is wrong.
    report : str
        What such a report says, to be translated.
    """

    code: str
    name: str
    category: Category | None = None
    report: str = ""


@dataclass(frozen=True, slots=True)
class Question:
    """What is looked at.

    Attributes
    ----------
    code : str
        Stable key; it is stored.
    title, asks : str
        Plain words, to be translated.
    answers : tuple of Answer
        The first are those with nothing wrong.
    """

    code: str
    title: str
    asks: str
    answers: tuple[Answer, ...]

    def answer(self, code: str) -> Answer | None:
        """Give the answer with this code; None where there is none."""
        return next((answer for answer in self.answers if answer.code == code), None)

    @property
    def fine(self) -> Answer:
        """What to answer where there is nothing to say."""
        return self.answers[0]


def _problem(code: str, name: str, category: str, report: str) -> Answer:
    return Answer(code, name, BY_CODE[category], report)


QUESTIONS: tuple[Question, ...] = (
    Question(
        "lighting",
        N_("Light"),
        N_("Is there light along the whole sidewalk?"),
        (
            Answer("works", N_("Lights work")),
            _problem(
                "dim",
                N_("Dim or flickers"),
                "light_flickers",
                N_("Seen on a block walk: the street light flickers or is dim."),
            ),
            _problem(
                "out",
                N_("Light is out"),
                "light_out",
                N_("Seen on a block walk: the street light is out."),
            ),
            _problem(
                "blocked",
                N_("Behind branches"),
                "light_blocked",
                N_("Seen on a block walk: branches block the street light."),
            ),
            _problem(
                "none",
                N_("No light here"),
                "light_needed",
                N_("Seen on a block walk: there is no light on this part of the street."),
            ),
        ),
    ),
    Question(
        "sight_lines",
        N_("Sight lines"),
        N_("Can you see who comes, ahead and around the corner?"),
        (
            Answer("clear", N_("Clear view")),
            _problem(
                "blocked",
                N_("View is blocked"),
                "blind_corner",
                N_("Seen on a block walk: something blocks the view here."),
            ),
        ),
    ),
    Question(
        "sidewalk",
        N_("Sidewalk and crossing"),
        N_("Can everybody get through, with a stroller or a wheelchair too?"),
        (
            Answer("good", N_("Good to walk")),
            _problem(
                "bad",
                N_("Broken or unsafe"),
                "unsafe_crossing",
                N_("Seen on a block walk: the sidewalk or the crossing is broken or not safe."),
            ),
        ),
    ),
    Question(
        "lot",
        N_("Vacant lot"),
        N_("Is there an empty lot, and does somebody look after it?"),
        (
            Answer("none", N_("No vacant lot")),
            Answer("kept", N_("Kept clean")),
            _problem(
                "neglected",
                N_("Neglected"),
                "vacant_lot",
                N_("Seen on a block walk: nobody looks after this vacant lot."),
            ),
        ),
    ),
    Question(
        "building",
        N_("Vacant building"),
        N_("Is there an empty building, and is it closed up?"),
        (
            Answer("none", N_("No vacant building")),
            Answer("closed", N_("Closed up")),
            _problem(
                "open",
                N_("Open or broken into"),
                "open_building",
                N_("Seen on a block walk: this vacant building is open."),
            ),
        ),
    ),
    Question(
        "dumping",
        N_("Trash and dumping"),
        N_("Is trash lying around?"),
        (
            Answer("none", N_("Clean")),
            _problem(
                "litter",
                N_("Litter"),
                "litter",
                N_("Seen on a block walk: litter, or a bin that overflows."),
            ),
            _problem(
                "dumped",
                N_("Dumped trash"),
                "dumping",
                N_("Seen on a block walk: trash has been dumped here."),
            ),
        ),
    ),
    Question(
        "overgrowth",
        N_("Overgrowth"),
        N_("Do weeds or bushes hide the place or block the way?"),
        (
            Answer("none", N_("Trimmed")),
            _problem(
                "overgrown",
                N_("Overgrown"),
                "overgrowth",
                N_("Seen on a block walk: tall weeds or bushes."),
            ),
        ),
    ),
    Question(
        "signs",
        N_("Signs and walls"),
        N_("Are signs in place and easy to read, and walls clean?"),
        (
            Answer("fine", N_("In order")),
            _problem(
                "damaged",
                N_("Sign missing or damaged"),
                "sign_damaged",
                N_("Seen on a block walk: a sign is missing or damaged."),
            ),
            _problem(
                "graffiti",
                N_("Graffiti"),
                "graffiti",
                N_("Seen on a block walk: graffiti."),
            ),
        ),
    ),
)

QUESTION_BY_CODE = MappingProxyType({question.code: question for question in QUESTIONS})


class UnknownAnswer(ValueError):  # noqa: N818 (it is the name of what happened)
    """Nothing like this is asked, or it is no answer to it."""


def understood(answers: Mapping[str, str]) -> dict[Question, Answer]:
    """Read the answers of a stop, in the order of the questions.

    Parameters
    ----------
    answers : mapping of str to str
        Codes of questions and of their answers. What was not looked at is missing.

    Returns
    -------
    dict of Question to Answer

    Raises
    ------
    UnknownAnswer

    Examples
    --------
    >>> [answer.name for answer in understood({"signs": "graffiti", "lighting": "out"}).values()]
    ['Light is out', 'Graffiti']
    """
    found = {}
    for question in QUESTIONS:
        if (code := answers.get(question.code)) is not None:
            answer = question.answer(code)
            if answer is None:
                raise UnknownAnswer(f"{question.code}: {code}")
            found[question] = answer
    if len(found) < len(answers):
        raise UnknownAnswer(", ".join(sorted({*answers} - {*QUESTION_BY_CODE})))
    return found


@dataclass(frozen=True, slots=True)
class Sum:
    """What a walk has found.

    Attributes
    ----------
    stops : int
    counts : mapping of (str, str) to int
        Stops by codes of question and answer.
    """

    stops: int
    counts: Mapping[tuple[str, str], int]

    def looked(self, question: Question) -> int:
        """Count the stops at which somebody looked."""
        return sum(n for (asked, _), n in self.counts.items() if asked == question.code)

    def found(self, question: Question, answer: Answer) -> int:
        """Count the stops with this answer."""
        return self.counts.get((question.code, answer.code), 0)

    @property
    def problems(self) -> int:
        """Count the problems found: one a stop and question."""
        return sum(
            self.found(question, answer)
            for question in QUESTIONS
            for answer in question.answers
            if answer.category is not None
        )


@dataclass(frozen=True, slots=True)
class Found:
    """How often a problem was found.

    Attributes
    ----------
    answer : Answer
    now : int
    then : int or None
        On the walk before; None where that one did not look.
    """

    answer: Answer
    now: int
    then: int | None


@dataclass(frozen=True, slots=True)
class Compared:
    """What was found of one question.

    Attributes
    ----------
    question : Question
    looked : int
        Stops at which somebody looked on this walk: at least one.
    looked_then : int
        The same on the walk before; 0 where there was none.
    found : tuple of Found
        Problems that either walk found.
    """

    question: Question
    looked: int
    looked_then: int
    found: tuple[Found, ...]


def compared(now: Sum, then: Sum | None = None) -> list[Compared]:
    """Compare a walk with the one before, question by question.

    Two walks need not stop at the same places, so a difference is no trend: what was looked at stands
    beside what was found.

    Parameters
    ----------
    now : Sum
    then : Sum, optional
        The walk before, where there was one.

    Returns
    -------
    list of Compared
        What this walk looked at, in the order of the questions.
    """
    rows = []
    for question in QUESTIONS:
        looked = now.looked(question)
        looked_then = then.looked(question) if then else 0
        if not looked:
            continue
        found = (
            Found(
                answer,
                now.found(question, answer),
                then.found(question, answer) if then and looked_then else None,
            )
            for answer in question.answers
            if answer.category is not None
        )
        rows.append(
            Compared(
                question, looked, looked_then, tuple(one for one in found if one.now or one.then)
            )
        )
    return rows


def not_looked_at(now: Sum) -> list[Question]:
    """Give the questions that nobody answered on a walk."""
    return [question for question in QUESTIONS if not now.looked(question)]

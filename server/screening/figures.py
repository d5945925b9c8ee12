"""Phone numbers, e-mail addresses and names of accounts, told by their figures and signs."""

import re
from collections.abc import Iterator

from server.screening.concerns import Concern, Span

_AT = r"(?:\barroba\b|@|[(\[{]\s?(?:at|arroba|@)\s?[)\]}])"
_DOT = r"(?:\bdot\b|\bpunto\b|[(\[{]\s?(?:dot|punto|\.)\s?[)\]}])"
_LOCAL = r"(?<![\w.+-])[\w.+-]{1,64}"
# Each with signs of which it needs one.
_EMAILS = (
    (("@",), re.compile(rf"{_LOCAL}@[\w-]{{1,63}}(?:\.[\w-]{{2,63}}){{1,4}}")),
    # Bare "at" wants "dot": "seen at example.com" is no address.
    (
        ("dot", "punto", "(.", "[.", "{.", "( .", "[ .", "{ ."),
        re.compile(
            rf"(?i){_LOCAL}\s{{0,2}}(?:\bat\b|{_AT})\s{{0,2}}[\w-]{{1,63}}\s{{0,2}}{_DOT}\s{{0,2}}\w{{2,6}}\b"
        ),
    ),
    (
        ("@", "arroba", "at)", "at]", "at}", "at )", "at ]", "at }"),
        re.compile(rf"(?i){_LOCAL}\s{{0,2}}{_AT}\s{{0,2}}[\w-]{{1,63}}\.[a-z]{{2,6}}\b"),
    ),
)
# Names of accounts: what stands for a place ("@ Main", "out @Troost") has none of these signs.
_ACCOUNTS = (
    re.compile(r"(?<![\w.@])@(?=\w*[_\d])[a-z]\w{2,29}\b", re.IGNORECASE),
    re.compile(
        r"(?<![\w.@])@\w{3,30}(?=,?\s(?:on|en)\s(?:instagram|insta|ig|facebook|fb|twitter|x|tiktok|snapchat|snap)\b)",
        re.IGNORECASE,
    ),
    re.compile(
        r"\b(?:instagram|insta|ig|facebook|fb|twitter|tiktok|snapchat|snap|cashapp|venmo)\s?(?::|is|es)?\s{0,2}([@$]\w{3,30})",
        re.IGNORECASE,
    ),
)
_DIGITS = {
    word: str(digit)
    for digit, words in enumerate(
        ("zero oh o cero", "one uno", "two dos", "three tres", "four cuatro", "five cinco",
         "six seis", "seven siete", "eight ocho", "nine nueve")
    )
    for word in words.split()
}  # fmt: skip
_SPELLED = re.compile(rf"(?i)\b(?:{'|'.join(_DIGITS)})\b")
# North American numbers: neither area nor exchange begins with 0 or 1.
_PHONES = (
    re.compile(
        r"(?<![\d.,/#-])(?:\+?\s?1[\s.-]{0,2})?(?:\(\s?)?[2-9]\d{2}\s?\)?[\s.\-/*_,]{0,3}"
        r"[2-9]\d{2}[\s.\-/*_,]{0,3}\d{4}(?![\d/]|[.,]\d)"
    ),
    re.compile(r"(?<![\d.,/#-])[2-9]\d{2}[-.]\d{4}(?![\d/-]|[.,]\d)"),
    re.compile(r"(?<![\d.,/#-])\d(?:[\s.\-_*,]{1,3}\d){9,10}(?![\d/])"),
    re.compile(r"(?<![\d.,/#-])(?:\d\d[\s.-]){4}\d\d(?![\d/-])"),
    re.compile(
        r"(?i)\b(?:call|phone|cell|tel|text|number is|telefono|cel|celular|llame|llamen|marque|marquen|numero es)"
        r"\b[^\d\n.]{0,20}([2-9]\d{2}[\s.-]?\d{4}|\d(?:[\s.-]?\d){9})(?![\d/-]|[.,]\d)"
    ),
)
_MIXED = re.compile(r"(?<![\d.,/#-])\d(?:[\s.\-,]{0,3}\d){6,10}")  # where some are words
_ENOUGH = re.compile(r"\d(?:[\s.\-/*_,()]{0,3}\d){6}")  # figures for any of them
_LOOK_BACK = 40  # characters
_NUMBERED_THING = re.compile(
    r"(?i)\b(?:poles?|lights?|lamps?|case|request|ticket|report|order|asset|meter|hydrant|box|sr|id"
    r"|postes?|luz|luces|lampara|caso|solicitud|reporte|folio|orden|medidor)"
    r"(?:\s(?:number|numero|num|no|n|id|with|con|the|el|de))*\s*[.:#]?\s*#?$"
)


def phones_and_emails(plain: str) -> Iterator[Span]:
    """Give the phone numbers, e-mail addresses and names of accounts of a folded text."""
    yield from _accounts(plain)
    lower = plain.lower()
    for signs, pattern in _EMAILS:
        # Most texts have none of the signs, and looking for them is much quicker than the pattern.
        if any(sign in lower for sign in signs):
            for match in pattern.finditer(plain):
                yield (Concern.EMAIL, *match.span())
    digits, starts, ends = _in_figures(plain)
    if not _ENOUGH.search(digits):
        return
    for match in _MIXED.finditer(digits):
        start, end = match.span()
        if any(ends[n] - starts[n] > 1 for n in range(start, end)):
            yield Concern.PHONE, starts[start], ends[end - 1]
    for pattern in _PHONES:
        for match in pattern.finditer(digits):
            start, end = match.span(match.lastindex or 0)
            if not _NUMBERED_THING.search(digits, max(0, start - _LOOK_BACK), start):
                yield Concern.PHONE, starts[start], ends[end - 1]


def _accounts(plain: str) -> Iterator[Span]:
    if "@" not in plain and "$" not in plain:
        return
    for account in _ACCOUNTS:
        for match in account.finditer(plain):
            yield (Concern.NAME, *match.span(match.lastindex or 0))


def _in_figures(plain: str) -> tuple[str, list[int], list[int]]:
    """Write "eight one six" in figures, and say where each character began and ended."""
    written: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    at = 0
    for match in _SPELLED.finditer(plain):
        written += [plain[at : match.start()], _DIGITS[match.group().lower()]]
        starts += range(at, match.start() + 1)
        ends += [*range(at + 1, match.start() + 1), match.end()]
        at = match.end()
    written.append(plain[at:])
    starts += range(at, len(plain))
    ends += range(at + 1, len(plain) + 1)
    return "".join(written), starts, ends

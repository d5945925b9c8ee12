"""Signed links: for one report, for some days, and made by nobody else."""

import pytest

from server import appeals

SECRET, NOW = b"s" * 32, 1_800_000_000.0
DAY = 24 * 3600


def test_a_link_holds_for_its_report_and_its_days():
    link = appeals.token(SECRET, 7, NOW)
    assert appeals.holds(SECRET, 7, link, NOW + 13 * DAY)
    assert not appeals.holds(SECRET, 7, link, NOW + 14 * DAY)
    assert not appeals.holds(SECRET, 8, link, NOW)
    assert not appeals.holds(b"t" * 32, 7, link, NOW)


@pytest.mark.parametrize("forged", ["", ".", "x", "1.é", "\u0661.aa", f"{10**30}.aa", "-1.aa"])
def test_what_is_no_link_is_none(forged):
    assert not appeals.holds(SECRET, 7, forged, NOW)
    signature = appeals.token(SECRET, 7, NOW).partition(".")[2]
    assert not appeals.holds(SECRET, 7, f"{int(NOW) + 99 * DAY}.{signature}", NOW)

import pytest

from geo.opening_hours import open_after_dark


@pytest.mark.parametrize(
    ("hours", "after_dark"),
    [
        ("Open day and night", True),
        ("24 hours", True),
        ("Mon-Sat 10 am-8 pm", True),
        ("Daily 10 am-7:30 pm", False),
        ("Mon-Fri 9-5", False),
        ("Mon-Fri 9 to 5 pm; Fri 6-11 pm", True),
        ("14:00-22:00", True),
        ("Fri 6 p.m. - 1 a.m.", True),
        ("School days 8 am-3 pm", False),
        ("Tue and Thu 10 am-4 pm", False),
        ("10 am until 9 pm", True),
        ("", None),
        ("by appointment", None),
        ("call 816-555-0100", None),
        ("99 am-88 pm", None),
    ],
)
def test_what_closes_at_eight_or_later_is_open_after_dark(hours, after_dark):
    assert open_after_dark(hours) is after_dark

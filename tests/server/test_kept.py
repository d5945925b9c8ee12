from server.kept import Kept


def test_a_result_is_made_once_and_again_when_it_is_old():
    now, made = [0.0], []
    kept = Kept(2, for_s=60, clock=lambda: now[0])

    def make():
        made.append(now[0])
        return f"made at {now[0]:g}"

    assert [kept.get("a", make), kept.get("a", make)] == ["made at 0"] * 2
    now[0] = 60
    assert kept.get("a", make) == "made at 60"
    assert made == [0, 60]


def test_what_was_not_asked_for_the_longest_is_given_up_first():
    kept, made = Kept(2), []
    for key in ("a", "b", "a", "c", "a", "b"):
        kept.get(key, lambda key=key: made.append(key) or key)
    assert made == ["a", "b", "c", "b"]

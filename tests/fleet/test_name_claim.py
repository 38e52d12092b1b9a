"""Whose a name is: pure rules, with the time as an argument."""

from tickboard.fleet.name_claim import LISTEN_S, NameClaim

PATIENCE_S = 3.0


def claim(since: float = 10.0) -> NameClaim:
    return NameClaim(since, PATIENCE_S)


def test_a_free_name_is_taken_after_listening() -> None:
    mine = claim()
    assert not mine.look(0)
    mine.connected(0)
    assert not mine.look(LISTEN_S - 0.01)
    assert mine.look(LISTEN_S)
    # An outage of NATS does not take it away.
    mine.connected(100)
    assert mine.look(100)
    assert not mine.has_rival


def test_a_name_that_another_process_has_is_taken_once_that_is_silent() -> None:
    mine = claim()
    mine.connected(0)
    mine.heard(20, 0.5, holds=True, place="web-7")
    for second in range(1, 10):
        assert not mine.look(second)
        assert mine.has_rival
        mine.heard(20, second, holds=True)
    assert mine.other == "web-7"
    assert not mine.look(9 + PATIENCE_S - 0.01)
    assert mine.look(9 + PATIENCE_S)
    assert not mine.has_rival


def test_a_goodbye_frees_the_name_at_once() -> None:
    mine = claim()
    mine.connected(0)
    mine.heard(5, 0.5, holds=True)
    mine.said_bye(0.6)
    assert mine.look(0.6)
    mine.said_bye(0.7)
    assert mine.holds


def test_of_two_that_want_a_name_the_first_one_gets_it() -> None:
    first, second = claim(10), claim(11)
    first.connected(0)
    second.connected(0)
    first.heard(11, 0.1, holds=False)
    second.heard(10, 0.1, holds=False, place="web-7")
    assert first.look(LISTEN_S)
    assert not second.look(LISTEN_S)
    second.heard(10, LISTEN_S, holds=True)
    assert not second.look(LISTEN_S + 0.2)
    assert (first.has_rival, second.other) == (True, "web-7")


def test_one_that_has_the_name_keeps_it_from_an_older_one_that_wants_it() -> None:
    mine = claim(10)
    mine.connected(0)
    assert mine.look(LISTEN_S)
    mine.heard(5, 2, holds=False, place="web-7")
    assert mine.look(2)
    assert mine.has_rival
    assert mine.look(2 + PATIENCE_S)
    assert not mine.has_rival
    assert not mine.other


def test_of_two_that_have_the_name_the_later_one_gives_it_up() -> None:
    first, second = claim(10), claim(11)
    for each in (first, second):
        each.connected(0)
        assert each.look(LISTEN_S)
    first.heard(11, 5, holds=True)
    second.heard(10, 5, holds=True)
    assert first.look(5)
    assert not second.look(5)
    assert second.look(5 + PATIENCE_S)

"""Whose a name is: pure rules, with the time as an argument."""

import pytest

from tickboard.fleet.name_claim import CLAIMED_S, LISTEN_S, MAX_ANSWERED, NameClaim

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


@pytest.mark.parametrize("later_ms", range(0, 1000, 50))
@pytest.mark.parametrize("since", [(10, 11), (11, 10)])
def test_of_two_that_begin_within_a_second_only_one_ever_has_the_name(
    later_ms: int, since: tuple[float, float]
) -> None:
    """Each looks some four times a second, and says a bit more than every second what it wants or has."""
    claims, said_ms = [claim(each) for each in since], [0, later_ms]
    on_the_way: list[tuple[int, NameClaim, NameClaim, bool]] = []
    for now_ms in range(0, 8000, 10):
        for _, receiver, sender, holds in [each for each in on_the_way if each[0] == now_ms]:
            receiver.heard(sender.since, now_ms / 1000, holds=holds)
        for number, began_ms in enumerate((0, later_ms)):
            mine, other = claims[number], claims[1 - number]
            if now_ms == began_ms:
                mine.connected(now_ms / 1000)
            if now_ms < began_ms or (now_ms - began_ms) % 260:
                continue
            mine.look(now_ms / 1000)
            if now_ms >= said_ms[number]:
                on_the_way.append((now_ms + 20, other, mine, mine.holds))
                said_ms[number] += 1000
        assert not (claims[0].holds and claims[1].holds), now_ms
    assert claims[0].holds or claims[1].holds


def test_of_two_that_wait_the_earlier_one_takes_the_name_and_not_before_it_is_free() -> None:
    earlier, later = claim(10), claim(11)
    for each in (earlier, later):
        each.connected(0)
        each.heard(5, 0.5, holds=True)
    for quarter in range(2, 14):
        now = 0.25 * quarter
        later.heard(10, now, holds=False)
        assert not later.look(now)
        assert not earlier.look(now)
    assert earlier.look(0.5 + PATIENCE_S)
    assert not later.look(0.5 + PATIENCE_S)
    later.said_bye(3.5)
    assert not later.look(3.5)
    assert later.look(3.25 + CLAIMED_S)


def test_one_that_has_the_name_answers_every_other_and_one_that_wants_it_once_each_that_came_later() -> None:
    mine = claim(10)
    for later in (True, False):
        assert [mine.answers(since) for since in (9, 10, 11)] == [False, False, later]
    assert sum(mine.answers(20 + number) for number in range(2 * MAX_ANSWERED)) == MAX_ANSWERED - 1
    mine.connected(0)
    assert mine.look(LISTEN_S)
    for _ in range(2):
        assert [mine.answers(since) for since in (9, 10, 11)] == [True, False, True]


def test_many_processes_of_one_name_answer_each_other_no_more_than_once() -> None:
    claims = [claim(number) for number in range(20)]
    sent = list(range(20))
    count = 0
    while sent:
        since = sent.pop()
        count += 1
        sent += [number for number, each in enumerate(claims) if each.answers(since)]
    assert count == 20 + 20 * 19 // 2

"""Names of hosts, and the subjects that are made of them."""

import pytest

from tickboard.errors import InputError
from tickboard.fleet.messages import check_name, gone_s, host_in, subject


@pytest.mark.parametrize("name", ["a", "web-1", "web-1.example.com", "A_b.c-9", "a" * 100])
def test_a_name_is_one_part_of_a_subject(name: str) -> None:
    assert check_name(name) == name
    beat = subject(name, "beat")
    assert len(beat.split(".")) == 4
    assert host_in(beat) == name


def test_subjects() -> None:
    assert subject("web-1.eu", "beat") == "tickboard.host.web-1%2Eeu.beat"
    assert subject("*", "ask", "viewer") == "tickboard.host.*.ask.viewer"


@pytest.mark.parametrize("name", ["", ".a", "a.", "-a", "a b", "a*", "a>", "a%2E", "é", "a\n", "a" * 101, "*"])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(InputError, match="use up to 100 letters, digits"):
        check_name(name)


def test_a_host_is_gone_after_three_intervals_and_at_least_three_seconds() -> None:
    assert [gone_s(interval_ms) for interval_ms in (0, 100, 1_000, 2_000, 60_000)] == [3, 3, 3, 6, 180]

"""A silence covers a series or a whole rule, and ends at its time or with what it covers."""

from msgspec.structs import replace

from tickboard.alerting.silences import Silences
from tickboard.wire import Silence

SERIES = Silence("disk", "2026-01-31T13:00:00Z", "moving it", "2026-01-31T12:00:00Z", {"host": "a"})
RULE = Silence("disk", "2026-01-31T13:00:00Z", "new disks", "2026-01-31T12:00:00Z", scope="rule")
A, B = ("disk", (("host", "a"),)), ("disk", (("host", "b"),))


def silences(*added: Silence) -> Silences:
    made = Silences()
    for silence in added:
        made.add(silence, 3600, 3600)
    return made


def test_a_silence_of_a_series_covers_no_other() -> None:
    made = silences(SERIES)
    assert (made.of(A), made.of(B), made.of(("load", ()))) == (SERIES, None, None)


def test_a_silence_of_a_rule_covers_the_series_without_one_of_their_own() -> None:
    made = silences(SERIES, RULE)
    assert (made.of(A), made.of(B), made.of(("load", ()))) == (SERIES, RULE, None)
    made.end(A)
    assert made.of(A) == RULE
    made.end(("disk", None))
    assert (made.of(A), made.kept()) == (None, [])


def test_a_silence_that_is_over_by_a_wrong_clock_comes_back() -> None:
    made = silences(SERIES, RULE)
    assert made.pass_time(3600, 0) == {A, ("disk", None)}
    assert (made.of(A), made.in_force(), len(made.kept())) == (None, [], 2)
    assert made.pass_time(10, 10) == {A, ("disk", None)}
    assert made.of(A) == SERIES
    assert made.pass_time(10, 3600) == {A, ("disk", None)}
    assert (made.of(A), made.kept()) == (None, [])


def test_a_silence_until_resolved_ends_when_nothing_that_it_covers_fires() -> None:
    made = silences(
        replace(SERIES, until_resolved=True), replace(RULE, until_resolved=True), replace(RULE, rule="load")
    )
    assert made.any_until_resolved()
    made.end_resolved([A, B])
    assert len(made.kept()) == 3
    made.end_resolved([B])
    assert [each.scope for _, each in made.kept()] == ["rule", "rule"]
    made.end_resolved([])
    assert [each.rule for _, each in made.kept()] == ["load"]
    assert not made.any_until_resolved()


def test_terms_are_the_same_if_their_ends_are_close_or_are_the_alerts() -> None:
    made = silences(SERIES)
    assert made.has(A, SERIES, 3600.5)
    assert not made.has(A, SERIES, 3602)
    assert not made.has(A, replace(SERIES, by="ann"), 3600)
    assert not made.has(A, replace(SERIES, until_resolved=True), 3600)
    assert made.has(B, None, 0)
    assert not made.has(A, None, 0)
    assert not made.has(B, SERIES, 3600)
    made.add(replace(SERIES, until_resolved=True), 3600, 3600)
    assert made.has(A, replace(SERIES, until_resolved=True), 9999)
    made.pass_time(3600, 0)
    assert not made.has(A, replace(SERIES, until_resolved=True), 3600)

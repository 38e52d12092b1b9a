"""Resolved alerts and marks are forgotten by the wall clock, but not while it may be wrong."""

from tickboard.alerting.keeping import SET_S, TRUST_S, Keeping

NOW = 1_769_860_800.0
"""2026-01-31T12:00:00Z."""


def test_the_retention_limit_is_known_an_hour_after_the_start() -> None:
    keeping = Keeping(3600.0)
    keeping.update(NOW, 0.0)
    keeping.update(NOW + TRUST_S - 1, TRUST_S - 1)
    assert keeping.since is None
    keeping.update(NOW + TRUST_S, TRUST_S)
    assert keeping.since == "2026-01-31T12:00:00.000Z"


def test_nothing_is_too_old_for_an_hour_after_the_clock_was_set() -> None:
    keeping = Keeping(3600.0)
    keeping.update(NOW, 0.0)
    keeping.update(NOW + 2 * TRUST_S, 2 * TRUST_S)
    years = 10 * 365 * 86_400.0
    keeping.update(NOW + years, 2 * TRUST_S + 1)
    assert keeping.since is None
    # The clock is corrected before the hour is over.
    keeping.update(NOW + 2.5 * TRUST_S, 2.5 * TRUST_S)
    keeping.update(NOW + 3.4 * TRUST_S, 3.4 * TRUST_S)
    assert keeping.since is None
    keeping.update(NOW + 3.5 * TRUST_S, 3.5 * TRUST_S)
    assert keeping.since == "2026-01-31T14:30:00.000Z"


def test_a_clock_that_drifts_is_trusted() -> None:
    keeping = Keeping(3600.0)
    for step in range(100):
        keeping.update(NOW + step * (TRUST_S + SET_S - 1), step * TRUST_S)
    assert keeping.since is not None


def test_a_clock_near_1970_deletes_nothing() -> None:
    keeping = Keeping(3600.0)
    keeping.update(0.0, 0.0)
    keeping.update(TRUST_S, TRUST_S)
    assert keeping.since == "1970-01-01T00:00:00.000Z"

"""The state table, transition by transition. Longer sequences are in test_alerts.py and tests/scenarios."""

import math

import numpy as np
import pytest

from tickboard.alerting.compiled_rules import compile_rules
from tickboard.alerting.episodes import FIRING, INACTIVE, KEEPING, PENDING, Episode, EpisodeTable, firing
from tickboard.alerting.log import AlertLog
from tickboard.alerting.rules import NoData, Rule
from tickboard.metrics.registry import Registry
from tickboard.wire import Alert


def table(*, for_s: float = 0, keep_s: float = 0, no_data: NoData = "keep", series: int = 1) -> EpisodeTable:
    registry = Registry()
    core = registry.gauge("core", labels=["n"])
    for n in range(series):
        core.labels(n=n)
    rules = [Rule("r", core > 7, "m", "info", for_s, None, keep_s, no_data)]
    return EpisodeTable(compile_rules(rules, registry.binding()), rules)


ALERT = Alert("id1", "m", "info", "T", labels={"n": "0"}, value=8.0, rule="r")
ALL = np.array([0])


@pytest.mark.parametrize(
    ("state", "condition", "cleared", "then", "fires", "ends"),
    [
        (INACTIVE, 1.0, 0.0, PENDING, True, False),
        (INACTIVE, 0.0, 1.0, INACTIVE, False, False),
        (INACTIVE, math.nan, math.nan, INACTIVE, False, False),
        (PENDING, 1.0, 0.0, PENDING, True, False),
        (PENDING, 0.0, 1.0, INACTIVE, False, False),
        (PENDING, math.nan, math.nan, PENDING, False, False),
        (FIRING, 1.0, 0.0, FIRING, False, False),
        (FIRING, 0.0, 0.0, FIRING, False, False),
        (FIRING, 0.0, 1.0, KEEPING, False, True),
        (FIRING, math.nan, math.nan, FIRING, False, False),
        (KEEPING, 1.0, 0.0, FIRING, False, False),
        (KEEPING, 0.0, 1.0, KEEPING, False, True),
        (KEEPING, math.nan, math.nan, KEEPING, False, False),
        (KEEPING, math.nan, 1.0, KEEPING, False, True),
    ],
)
def test_each_state_changes_as_the_conditions_require(
    state: int, condition: float, cleared: float, then: int, fires: bool, ends: bool
) -> None:
    episodes = table()
    episodes.state[0] = state
    began, over = episodes.move(ALL, np.array([condition]), np.array([cleared]), 5.0, 1_005.0)
    assert (int(episodes.state[0]), bool(len(began)), bool(len(over))) == (then, fires, ends)


def test_an_episode_waits_for_s_to_fire_and_keep_s_to_end() -> None:
    episodes = table(for_s=2, keep_s=3)
    breach, calm = (np.array([1.0]), np.array([0.0])), (np.array([0.0]), np.array([1.0]))
    assert [len(episodes.move(ALL, *breach, clock, clock)[0]) for clock in (0.0, 1.9, 2.0)] == [0, 0, 1]
    episodes.fire(0, ALERT)
    assert [len(episodes.move(ALL, *calm, clock, clock)[1]) for clock in (3.0, 5.9, 6.0)] == [0, 0, 1]
    episodes.resolve(0)
    assert list(episodes.episodes(6.0)) == []


def test_only_series_that_may_change_state_are_examined() -> None:
    episodes = table(series=3)
    episodes.state[1] = KEEPING
    assert episodes.moving(np.array([math.nan, 0.0, 1.0])).tolist() == [1, 2]


@pytest.mark.parametrize(("no_data", "meaning"), [("keep", None), ("alert", 1), ("resolve", 0)])
def test_no_data_decides_what_a_missing_value_means(no_data: NoData, meaning: float | None) -> None:
    found = table(no_data=no_data).interpret_missing(np.array([math.nan]))[0]
    assert (None if math.isnan(found) else found) == meaning


def test_the_episode_of_a_fresh_series_does_not_end_before_its_first_value() -> None:
    episodes = table(no_data="resolve")
    episodes.restore(0, firing(ALERT, 1.0), 0.0, fresh=True)
    nothing, something = np.array([math.nan]), np.array([1.0])
    assert math.isnan(episodes.interpret_missing(nothing)[0])
    assert episodes.fresh() == {("r", (("n", "0"),))}
    assert episodes.interpret_missing(something)[0] == 1
    assert episodes.fresh() == set()
    assert episodes.interpret_missing(nothing)[0] == 0


def test_an_episode_continues_in_another_table() -> None:
    episode = Episode("r", (("n", "0"),), KEEPING, 3.0, 2.0, 100.0, 104.0, 9.5, ALERT)
    episodes = table()
    episodes.restore(0, episode, 50.0, fresh=False)
    assert list(episodes.episodes(50.0)) == [episode]
    assert list(episodes.episodes(51.0)) == [Episode(*episode.key, KEEPING, 4.0, 3.0, 100.0, 104.0, 9.5, ALERT)]
    assert episodes.last_breach(0) == 104
    assert episodes.stale(47.9).tolist() == []
    assert episodes.stale(48.1).tolist() == [0]


def test_an_episode_is_made_from_only_an_alert() -> None:
    log = AlertLog("e")
    event = log.append("firing", ALERT, 7.0)
    episode = firing(event.alert, event.time)
    assert (episode.key, episode.state, episode.started, episode.peak) == (("r", (("n", "0"),)), FIRING, 7.0, 8.0)
    assert math.isnan(firing(Alert("id2", "m", "info", "T"), 1.0).peak)

"""A subscription asks for series by name, glob and label."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickboard.selectors import MAX_GLOBS, MAX_SELECTORS, Selectors, too_many

LABELS = {"host": "web-1", "core": "0"}


@pytest.mark.parametrize(
    "selector",
    [
        "cpu",
        "c*",
        "c?u",
        "[ab]*",
        "*",
        '{host="web-1"}',
        '{host="web-*"}',
        '*{host="web-1",core="0"}',
        'cpu{core="0"}',
        ' cpu{ host = "web-1" , core="[0-3]" }'.strip(),
        'cpu{host="web-1",}',
    ],
)
def test_a_selector_matches_the_series_it_asks_for(selector: str) -> None:
    name = "bus" if selector.startswith("[") else "cpu"
    assert Selectors([selector]).match(name, LABELS)
    assert Selectors(["nothing", selector]).match(name, LABELS)


@pytest.mark.parametrize(
    "selector",
    [
        "CPU",
        "cp",
        "",
        "cpu ",
        'cpu{core="1"}',
        'cpu{host="web"}',
        'cpu{rack="1"}',
        'mem*{core="0"}',
        "cpu{",
        "cpu{core=0}",
        'cpu{core="0"',
        'cpu{core="0"}x',
        'cpu{core="\\x"}',
        'cpu{core="0" host="web-1"}',
    ],
)
def test_a_selector_matches_nothing_else(selector: str) -> None:
    assert not Selectors([selector]).match("cpu", LABELS)


def test_without_selectors_everything_is_asked_for() -> None:
    assert Selectors().match("anything", {})
    assert Selectors([]).match("anything", LABELS)


def test_a_glob_that_is_no_pattern_matches_itself() -> None:
    assert Selectors(["["]).match("[", {})
    assert not Selectors(["["]).match("a", {})


@pytest.mark.parametrize(
    ("selectors", "asked"),
    [
        ([], True),
        (["cpu"], True),
        (["c*"], True),
        (['cpu{core="0"}', "c*"], True),
        (['cpu{core="0"}'], None),
        (['*{core="0"}', "disk"], None),
        (["disk", "d*", 'mem{core="0"}'], False),
        ([""], False),
    ],
)
def test_a_metric_is_asked_for_as_a_whole_or_by_its_labels_or_not(selectors: list[str], asked: bool | None) -> None:
    assert Selectors(selectors).metric("cpu") is asked


@given(st.lists(st.sampled_from(["cpu", "c*", "disk", 'cpu{core="0"}', '*{host="a"}', "cpu{", 'd*{core="*"}'])))
def test_what_is_said_of_a_metric_is_so_for_each_of_its_series(texts: list[str]) -> None:
    selectors = Selectors(texts)
    for name in ("cpu", "disk"):
        for labels in ({}, {"core": "0"}, {"host": "a"}, {"host": "b", "core": "1"}):
            assert selectors.metric(name) in {None, selectors.match(name, labels)}


@given(value=st.text())
def test_any_label_value_can_be_asked_for(value: str) -> None:
    selector = f"disk{{device={json.dumps(value, ensure_ascii=False)}}}"
    assert Selectors([selector]).match("disk", {"device": value})
    assert not Selectors([selector]).match("disk", {})


def test_a_subscription_has_its_bounds() -> None:
    assert not too_many(["name"] * MAX_SELECTORS)
    assert too_many(["name"] * (MAX_SELECTORS + 1))
    assert not too_many(["*"] * MAX_GLOBS)
    assert too_many(["*"] * (MAX_GLOBS + 1))

"""A subscription selects series by name, glob and label."""

import json
import re
from fnmatch import fnmatchcase

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tickboard.metrics.selectors import (
    MAX_FORMS,
    MAX_GLOB,
    MAX_GLOBS,
    MAX_SELECTOR,
    MAX_SELECTORS,
    STEP_GLOBS,
    Selectors,
    why_refused,
)

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
def test_a_selector_matches_its_series(selector: str) -> None:
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


def test_without_selectors_everything_matches() -> None:
    assert Selectors().match("anything", {})
    assert Selectors([]).match("anything", LABELS)


def test_an_incomplete_glob_matches_itself() -> None:
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
def test_a_metric_is_selected_as_a_whole_or_by_labels_or_not_at_all(selectors: list[str], asked: bool | None) -> None:
    assert Selectors(selectors).metric("cpu") is asked


@given(st.lists(st.sampled_from(["cpu", "c*", "disk", 'cpu{core="0"}', '*{host="a"}', "cpu{", 'd*{core="*"}'])))
def test_the_answer_for_a_metric_agrees_with_each_of_its_series(texts: list[str]) -> None:
    selectors = Selectors(texts)
    for name in ("cpu", "disk"):
        for labels in ({}, {"core": "0"}, {"host": "a"}, {"host": "b", "core": "1"}):
            assert selectors.metric(name) in {None, selectors.match(name, labels)}


@given(value=st.text())
def test_any_label_value_can_be_selected(value: str) -> None:
    selector = f"disk{{device={json.dumps(value, ensure_ascii=False)}}}"
    assert Selectors([selector]).match("disk", {"device": value})
    assert not Selectors([selector]).match("disk", {})


@pytest.mark.parametrize(
    ("within", "beyond", "why"),
    [
        (["name"] * MAX_SELECTORS, ["name"] * (MAX_SELECTORS + 1), "1001 selectors: send 1000 at most"),
        (["*"] * MAX_GLOBS, ["*"] * (MAX_GLOBS + 1), "101 globs"),
        (['{a="1"}'] * MAX_GLOBS, [f'{{a{n}="1"}}' for n in range(MAX_GLOBS + 1)], "labels without a name"),
        ([f'cpu{{a="{n}"}}' for n in range(1_000)], ['cpu{a="1*"}'] * 101, "101 globs"),
        (
            [f'cpu{{a{n}="1"}}' for n in range(MAX_FORMS)],
            [f'cpu{{a{n}="1"}}' for n in range(101)],
            "101 sets of labels",
        ),
        (["n" * MAX_SELECTOR], ["n" * (MAX_SELECTOR + 1)], "4097 characters: send 4096 at most"),
        (["n" * (MAX_GLOB - 1) + "*"], ["n" * MAX_GLOB + "*"], "257 characters: send 256 at most"),
        (['cpu{a="' + "n" * 255 + '*"}'], ['cpu{a="' + "n" * 256 + '*"}'], "257 characters: send 256 at most"),
        (["?" * 32], ["?" * 33], "33 question marks and brackets: send 32 at most"),
        (["[!" * 32], ["[!" * 20_000], "40000 characters"),
    ],
)
def test_a_subscription_is_bounded(within: list[str], beyond: list[str], why: str) -> None:
    assert not why_refused(within)
    assert why in why_refused(beyond)


@given(st.text("ab*?[]!-", max_size=12), st.text("ab-[]!*?", max_size=8))
def test_a_glob_matches_as_in_a_shell(glob: str, text: str) -> None:
    """Compare with the standard library, except for reversed ranges, which it reads differently."""
    assume(not re.search(r"\[[^\]]*[b\]!\-]-", glob))
    assert Selectors([glob]).match(text, {}) == (glob == text or fnmatchcase(text, glob))


def test_stars_are_matched_without_backtracking() -> None:
    """With backtracking, this would take longer than a lifetime."""
    assert not Selectors(["*a" * 127 + "*b"]).match("a" * 256, {})
    assert not Selectors(["*?a" * 32 + "*b"]).match("a" * 256, {})
    assert not Selectors(["*a" * 127 + "*b*"]).match("a" * 256, {})
    assert not Selectors(["*?a" * 31 + "*?b*"]).match("a" * 256, {})
    assert Selectors(["*a" * 127 + "*b"]).match("a" * 255 + "b", {})


@pytest.mark.parametrize(
    ("glob", "text", "matches"),
    [
        ("a*?b*c", "axxb-c", True),
        ("a*[0-9]b*c", "ab7bc", True),
        ("a*[0-9]b*c", "axbc", False),
        ("a*x*c", "abc", False),
        # Text matched by one part cannot be matched by another, from either side.
        ("ab*b*bc", "abbc", False),
        ("ab*b*bc", "abbbc", True),
        ("*?*?*?*", "ab", False),
    ],
)
def test_parts_between_stars_are_matched_in_order(glob: str, text: str, matches: bool) -> None:
    assert Selectors([glob]).match(text, {}) == fnmatchcase(text, glob) == matches


def test_plain_labels_are_looked_up_however_many_there_are() -> None:
    selectors = Selectors([f'cpu{{host="{n}"}}' for n in range(1_000)] + ['cpu{host="x",core="1"}'])
    assert selectors.cost == 1
    assert selectors.match("cpu", {"host": "999", "core": "3"})
    assert selectors.match("cpu", {"host": "x", "core": "1"})
    assert not selectors.match("cpu", {"host": "x", "core": "2"})
    assert not selectors.match("mem", {"host": "1"})


@pytest.mark.parametrize(
    ("glob", "matched", "others"),
    [
        ("[b-a]", "", "ab-"),
        ("[b-ac]", "c", "ab-"),
        ("[!b-a]", "abc-", ""),
        ("[!b-ac]", "ab-", "c"),
        ("[a-cb-a]", "abc", "d-"),
    ],
)
def test_a_reversed_range_is_empty(glob: str, matched: str, others: str) -> None:
    selectors = Selectors([glob])
    assert all(selectors.match(one, {}) for one in matched)
    assert not any(selectors.match(one, {}) for one in others)


def test_many_globs_read_in_steps_match_the_same_names() -> None:
    globs = [f"{letter}*[0-9]" for letter in "abcdefghijkl"]
    selectors = Selectors(globs)
    assert len(list(selectors.read())) == len(globs) // STEP_GLOBS
    assert all(selectors.match(f"{letter}_1", {}) for letter in "abcdefghijkl")
    assert not selectors.match("m_1", {})
    assert not selectors.match("a_x", {})


def test_a_selector_that_is_too_long_matches_nothing() -> None:
    labels = ",".join(f'label_{number}="{number}"' for number in range(1_000))
    assert len(labels) > MAX_SELECTOR
    assert not Selectors([f"*{{{labels}}}"]).match("cpu", {f"label_{number}": str(number) for number in range(1_000)})
    few = labels[: labels.index(",label_9=")]
    assert Selectors([f"*{{{few}}}"]).match("cpu", {f"label_{number}": str(number) for number in range(1_000)})

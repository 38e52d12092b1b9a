"""Subscriptions are looked up in advance, and one address may have only so many different ones."""

from collections.abc import Callable, Generator, Iterable
from itertools import count
from typing import Any

import pytest
from tests.hub.watching import (
    V2,
    Bench,
)
from tests.outlets import Inbox, seqs

from tickboard.engine import Engine
from tickboard.hub import audiences as audiences_module
from tickboard.hub import encodings
from tickboard.hub.encodings import JSON, Encoding, whole
from tickboard.hub.hub import Hub
from tickboard.metrics import selection as selection_module
from tickboard.metrics.registry import Registry
from tickboard.metrics.selection import Selection


@pytest.fixture
def bench() -> Bench:
    return Bench()


def refusal(hub: Hub, owner: str, selectors: Iterable[str], encoding: Encoding = JSON, **more: Any) -> str:
    return hub.audiences.refusal(owner, whole(hub.audiences.prepare(selectors, encoding)), selectors, encoding, **more)


def test_the_distinct_subscriptions_of_one_address_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audiences_module, "MAX_OWN_SERIES", 10)
    bench = Bench()
    for number in range(4):
        bench.registry.gauge(f"more_{number}").set(1)
    hub = bench.hub

    def ask(owner: str, *selectors: str, **more: Any) -> str:
        return refusal(hub, owner, selectors, **more)

    viewers = []
    for number in range(4):
        selectors = ("*", f"u{number}")
        assert not ask("a", *selectors)
        viewers.append(hub.join(Inbox(bench.writes), None, selectors, owner="a"))
    assert "a has 4 different subscriptions, which with this one have 30 series" in ask("a", "*", "u4")
    # Other addresses may. So may this one, for a subscription somebody has, for everything, or in place of another.
    assert not ask("b", "*", "u4")
    assert not ask("a", "*", "u0")
    assert not ask("a")
    assert not ask("a", "*", "u4", leaving=viewers[0])
    # Another encoding, or other details, must be encoded separately.
    assert "30 series" in ask("a", "*", "u0", encoding=V2)
    assert "30 series" in ask("a", "*", "u0", details=True)
    # Looking up many other subscriptions meanwhile does not change the cost.
    prepared = whole(hub.audiences.prepare(["*", "u4"]))
    for number in range(100):
        ask("b", "*", f"w{number}")
    assert "30 series" in hub.audiences.refusal("a", prepared, ["*", "u4"])
    for viewer in viewers:
        hub.leave(viewer)
    assert not ask("a", "*", "u4")


def test_the_cost_of_the_globs_of_one_address_is_bounded(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audiences_module, "MAX_OWN_COST", 6)
    hub = bench.hub
    globs = [("a*", "b*"), ("c*", '{host="d"}'), ("e*", 'f{host="g*"}')]
    viewers = []
    for selectors in globs:
        assert not refusal(hub, "a", selectors)
        viewers.append(hub.join(Inbox(bench.writes), None, selectors, owner="a"))
    assert "a has 3 different subscriptions, which with this one have too many or too long globs" in refusal(
        hub, "a", ["h*"]
    )
    # That is known before any series is looked up.
    assert "too many or too long globs" in hub.audiences.refusal("a", None, ["h*"])
    assert not hub.audiences.refusal("b", None, ["h*"])
    # Names cost nothing, nor does a subscription somebody has. Other addresses may, and a first one always may.
    assert not refusal(hub, "a", ["value", 'h{host="i"}'])
    assert not refusal(hub, "a", globs[0])
    assert not refusal(hub, "b", ["h*"])
    assert not refusal(hub, "b", [f"{number}*" for number in range(20)])
    assert not refusal(hub, "a", ["h*", "i*"], leaving=viewers[1])


def test_a_prepared_subscription_is_not_looked_up_again(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection_module, "STEP_SERIES", 1)
    monkeypatch.setattr(encodings, "STEP_SERIES", 1)
    in_binary = len(list(bench.hub.audiences.prepare(["*"], V2)))
    as_json = len(list(bench.hub.audiences.prepare(["*"])))
    # JSON also encodes its part of each series in advance. Binary has no such part.
    assert (in_binary, as_json) == (0, len(bench.registry.series) - 1)
    prepared, everything = whole(bench.hub.audiences.prepare(["*"])), whole(bench.hub.audiences.prepare([]))

    def select(*_: object, **options: bool) -> Selection:
        raise AssertionError("it was looked up again")

    monkeypatch.setattr(bench.engine, "select", select)
    viewer = Inbox(bench.writes)
    viewer.viewer = bench.hub.join(viewer, None, ["*"], prepared=prepared)
    # Later viewers share it at no cost, and a viewer with another subscription can switch to it.
    assert list(bench.hub.audiences.prepare(["*"])) == []
    bench.tick()
    other = Inbox(bench.writes)
    other.viewer = bench.hub.join(other, prepared=everything)
    bench.hub.leave(viewer.viewer)
    assert other.viewer is not None
    bench.hub.subscribe(other.viewer, ["*"], prepared)
    bench.tick()
    assert (seqs(viewer.messages()), seqs(other.messages())) == ([1], [1, 2])


def test_a_subscription_prepared_for_another_board_is_looked_up_again(bench: Bench) -> None:
    """Both boards have the same number of metrics, one under another name."""
    prepared = whole(bench.hub.audiences.prepare(["*"]))
    viewer = bench.join(selectors=["*"], encoding=V2)
    other = Bench(epoch="f")
    other.registry = Registry()
    other.engine = Engine(other.registry, [], 20, "f", str)
    for name in ("another", "other"):
        other.registry.gauge(name).set(1)
    bench.hub.switch(other.engine, other.describe)
    late = Inbox(bench.writes)
    bench.hub.join(late, None, ["*"], V2, prepared=prepared)
    for inbox in (viewer, late):
        described = [one for one in inbox.messages() if isinstance(one, dict) and one["type"] == "series"]
        assert [one["name"] for one in described[-1]["series"]] == ["another", "other"]


def count_look_ups(bench: Bench, monkeypatch: pytest.MonkeyPatch, after: Callable[[], object]) -> list[tuple[str, ...]]:
    """Return a list that collects what is looked up in steps from now on. `after` is called at the end of each."""
    looked_up: list[tuple[str, ...]] = []
    select_in_steps = bench.engine.select_in_steps

    def counted(
        patterns: tuple[str, ...], before: Selection | None = None, **options: bool
    ) -> Generator[None, None, Selection]:
        looked_up.append(patterns)
        selection = yield from select_in_steps(patterns, before, **options)
        after()
        return selection

    monkeypatch.setattr(bench.engine, "select_in_steps", counted)
    return looked_up


def test_a_look_up_ends_even_if_series_keep_appearing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    names = (f"late_{number}" for number in count())
    looked_up = count_look_ups(bench, monkeypatch, lambda: bench.registry.gauge(next(names)).set(1))
    prepared = whole(bench.hub.audiences.prepare(["late*", "value"]))
    assert len(looked_up) == audiences_module.MAX_LOOK_UPS
    # The newest series are found when the viewer joins.
    viewer = Inbox(bench.writes)
    bench.hub.join(viewer, None, ["late*", "value"], prepared=prepared)
    bench.tick()
    _, message = viewer.messages()
    assert len(message["data"]) == 1 + audiences_module.MAX_LOOK_UPS


# --- the buckets of heat maps ---


def test_only_the_second_binary_subprotocol_has_the_buckets_of_heat_maps(bench: Bench) -> None:
    took = bench.registry.histogram("took")
    bench.registry.buckets.show(took, [10])
    took.observe(5)
    bench.tick()
    plain = ["value", "other", "took", "took.p50", "took.p95", "took.p99"]
    buckets = ["took.buckets", "took.buckets"]
    for selectors in ([], ["*"], ["took.buckets", "took"]):
        in_json = whole(bench.hub.audiences.prepare(selectors))
        # A viewer in binary can join with what was prepared for JSON, which lacks the buckets.
        viewer = Inbox(bench.writes)
        bench.hub.join(viewer, None, selectors, V2, prepared=in_json)
        [described] = [one for one in viewer.messages() if isinstance(one, dict) and one["type"] == "series"]
        names = [one["name"] for one in described["series"]]
        wanted = plain if len(selectors) < 2 else ["took"]
        assert names == [*wanted, *buckets]
        assert [one.metric.name for one in in_json.series] == wanted
        old = whole(bench.hub.audiences.prepare(selectors, encodings.BINARY["tickboard.v1"]))
        assert old.series == in_json.series
        # Buckets that appear later are sent as well.
        took.observe(50)
        bench.tick()
        assert [one.metric.name for one in whole(bench.hub.audiences.prepare(selectors, V2)).series] == names

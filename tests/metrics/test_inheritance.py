"""A board that replaces another keeps the series that sources write to: values, counts, and when they leave."""

import math

import pytest

from tickboard.engine import Engine
from tickboard.metrics.distribution import Distribution
from tickboard.metrics.intake import Intake
from tickboard.metrics.registry import Registry
from tickboard.metrics.source import REFUSED, Source
from tickboard.sources.prometheus.exposition import Exposition


class Bench:
    """A board's core whose clock the test steps, and that another can replace."""

    def __init__(self, before: "Bench | None" = None, max_series: int = 1_000, **limits: float) -> None:
        self.registry = Registry(max_series)
        self.intake = Intake(self.registry, **limits)  # type: ignore[arg-type]
        self.engine = Engine(self.registry, [], 10, "epoch", lambda: "id", self.intake)
        self.time: float = 1_000.0 if before is None else before.time

    def take_the_place_of(self, before: "Bench") -> None:
        self.engine.inherit(before.engine)

    def tick(self, seconds: float = 1.0) -> None:
        self.time += seconds
        self.engine.tick(self.time, seconds)

    def window(self, key: str) -> list[float | None]:
        """Return the values of a series in the window; None where it has none."""
        [column] = [one.column for one in self.registry.series if one.key == key]
        rows = self.engine.window.all().rows[:, column].tolist()
        return [None if math.isnan(value) else value for value in rows]

    def keys(self) -> set[str]:
        return {one.key for one in self.registry.series}


def push(bench: Bench, name: str, value: float, source: str = "push", /, **labels: str) -> int:
    sender = bench.intake.sender(source)
    column = sender.gauge((name, *labels.items()), name, list(labels.items()), title=f"The {name}", unit="Cel")
    sender.set([column], [value])
    return column


def test_a_pushed_series_keeps_its_value_its_window_and_its_appearance() -> None:
    old = Bench()
    for value in (20, 21):
        push(old, "temperature", value, room="attic")
        old.tick()
    # It comes between the last tick and the change.
    push(old, "temperature", 22, room="attic")
    push(old, "pressure", 1_000)
    new = Bench(old)
    new.registry.gauge("cpu")
    new.take_the_place_of(old)
    new.tick()
    assert new.window('temperature{room="attic"}') == [20, 21, 22]
    assert new.window("pressure") == [None, None, 1_000]
    assert new.registry.metrics["temperature"] == old.registry.metrics["temperature"]
    assert list(new.intake.discovered) == ["temperature", "pressure"]
    push(new, "temperature", 23, room="attic")
    new.tick()
    assert new.window('temperature{room="attic"}') == [20, 21, 22, 23]


def test_a_series_without_samples_leaves_when_it_would_have_left() -> None:
    old = Bench(forget_s=10)
    push(old, "silent", 1, "push a")
    old.tick()
    old.tick(5)
    push(old, "later", 1, "push b")
    old.tick()
    new = Bench(old, forget_s=10)
    new.take_the_place_of(old)
    new.tick()
    new.engine.check(new.time)
    assert new.keys() == {"silent", "later"}
    new.tick(3)
    new.engine.check(new.time)
    new.tick(1)
    assert new.keys() == {"later"}
    assert "silent" not in new.registry.metrics
    new.engine.check(new.time)
    assert set(new.intake.sources) - {"others"} == {"push b"}


def count(bench: Bench, source: Source, name: str, value: float, time: float) -> None:
    source.set_totals([source.total(name, name)], [value], [time])


def test_a_count_since_its_start_continues() -> None:
    old = Bench()
    one, other = old.intake.source("one"), old.intake.source("other")
    count(old, one, "requests", 100, 1_000.5)
    count(old, other, "requests", 7_000, 1_000.6)
    count(old, one, "requests", 110, 1_000.9)
    old.tick()
    new = Bench(old)
    new.take_the_place_of(old)
    count(new, new.intake.source("one"), "requests", 130, 1_001.9)
    new.tick()
    # What another source counts is not subtracted from it.
    count(new, new.intake.source("other"), "requests", 7_005, 1_001.6 + 1)
    new.tick()
    assert [round(value or 0, 6) for value in new.window("requests")] == [25, 20, 2.5]


def test_another_count_with_the_same_name_is_not_subtracted_from_the_previous_one() -> None:
    old = Bench()
    source = old.intake.source("otlp")
    for value, time in ((100, 1_000.1), (101, 1_000.6)):
        source.set_totals([source.total("one stream", "requests")], [value], [time])
    old.tick()
    new = Bench(old)
    new.take_the_place_of(old)
    source = new.intake.source("otlp")
    for value, time in ((9_000, 1_001.6), (9_003, 1_002.6)):
        source.set_totals([source.total("another stream", "requests")], [value], [time])
        new.tick()
    assert new.window("requests") == [2, 2, 3]


@pytest.mark.parametrize("is_declared", [False, True])
def test_values_and_counts_continue_after_two_changes_in_a_row(*, is_declared: bool) -> None:
    benches: list[Bench] = []
    for _ in range(3):
        bench = Bench(benches[-1] if benches else None)
        if is_declared:
            bench.registry.counter("requests")
            bench.registry.gauge("load")
        if benches:
            bench.take_the_place_of(benches[-1])
        else:
            push(bench, "load", 7)
            count(bench, bench.intake.sender("one"), "requests", 100, 1_000.5)
            bench.tick()
        benches.append(bench)
    count(bench, bench.intake.sender("one"), "requests", 104, 1_001.5)
    bench.tick()
    assert bench.window("requests")[-1] == 4
    assert bench.window("load") == [7, 7]


def test_a_counter_and_a_histogram_continue() -> None:
    old = Bench()
    source = old.intake.source("push")
    source.add([source.counter("jobs", "jobs")], [6])
    took = source.histogram("took", "took")
    source.merge_totals(took, Distribution.of([1.0]), 1_000.2)
    source.merge_totals(took, Distribution.of([1.0, 4.0]), 1_000.4)
    old.tick()
    new = Bench(old)
    new.take_the_place_of(old)
    new.tick()
    source = new.intake.source("push")
    source.add([source.counter("jobs", "jobs")], [8])
    source.merge_totals(source.histogram("took", "took"), Distribution.of([1.0, 4.0, 9.0]), 1_002.4)
    new.tick()
    assert new.window("jobs") == [6, 0, 8]
    assert new.window("took") == [4, 4, 9]
    assert new.window("took.p99") == pytest.approx([4, 4, 9])


def test_a_late_sample_goes_to_its_tick_before_the_first_tick_of_the_new_board() -> None:
    old = Bench()
    column = push(old, "queue", 1)
    old.tick()
    old.tick()
    assert column >= 0
    new = Bench(old)
    new.take_the_place_of(old)
    source = new.intake.sender("push")
    source.set([source.gauge("queue", "queue")], [5.0], [1_001.5])
    assert source.late == 1
    new.tick()
    assert new.window("queue") == [1, 5, 5]


def test_a_metric_that_the_new_board_declares_identically_is_its_own() -> None:
    old = Bench()
    source = old.intake.source("push")
    source.set([source.gauge("t", "temperature", [("floor", "2"), ("room", "attic")])], [20])
    push(old, "load", 3)
    old.tick()
    new = Bench(old)
    new.registry.gauge("temperature", "Temperature", unit="°C", labels=["room", "floor"])
    new.registry.gauge("load", "Load")
    new.take_the_place_of(old)
    new.tick()
    assert new.window('temperature{room="attic",floor="2"}') == [20, 20]
    assert new.window("load") == [3, 3]
    assert (new.registry.metrics["temperature"].title, new.registry.metrics["load"].title) == ("Temperature", "Load")
    assert list(new.intake.discovered) == []


def test_a_metric_that_the_new_board_declares_differently_replaces_it() -> None:
    old = Bench()
    for name in ("kind", "label", "part.p50"):
        push(old, name, 1, room="attic")
    old.tick()
    new = Bench(old)
    new.registry.counter("kind", labels=["room"])
    new.registry.gauge("label", labels=["place"])
    new.registry.histogram("part")
    new.take_the_place_of(old)
    new.tick()
    assert new.keys() == {"part", "part.p50", "part.p95", "part.p99"}
    assert new.window("part.p50") == [None]


def test_a_declared_metric_that_is_pushed_keeps_its_value() -> None:
    old = Bench()
    old.registry.gauge("load")
    old.registry.gauge("room", labels=["name"])
    push(old, "load", 4)
    push(old, "room", 5, name="attic")
    old.tick()
    new = Bench(old)
    new.registry.gauge("load")
    new.registry.gauge("room", labels=["name"])
    new.take_the_place_of(old)
    new.tick()
    assert (new.window("load"), new.window('room{name="attic"}')) == ([4, 4], [5, 5])


def test_a_value_that_the_new_board_has_already_set_counts() -> None:
    old = Bench()
    old.registry.gauge("load")
    push(old, "load", 4)
    old.tick()
    new = Bench(old)
    new.registry.gauge("load").set(9)
    new.take_the_place_of(old)
    new.tick()
    assert new.window("load") == [4, 9]


def test_limits_of_the_new_board_apply() -> None:
    old = Bench()
    for host in "abc":
        push(old, "queue", 1, host=host)
    push(old, "other", 1)
    old.tick()
    new = Bench(old, max_series=2)
    new.take_the_place_of(old)
    assert new.keys() == {'queue{host="a"}', 'queue{host="b"}'}
    assert "other" not in new.registry.metrics
    new = Bench(old, max_series_per_source=4)
    new.take_the_place_of(old)
    assert push(new, "queue", 1, host="d") <= REFUSED


def test_a_series_that_has_left_stays_away() -> None:
    old = Bench()
    push(old, "queue", 1, host="a")
    push(old, "queue", 2, host="b")
    old.tick()
    lead = old.registry.handle("queue")
    old.registry.remove_child(lead, (("host", "a"),))
    new = Bench(old)
    new.take_the_place_of(old)
    assert new.keys() == {'queue{host="b"}'}


# --- targets ---


def target(bench: Bench, key: str) -> Exposition:
    source = bench.intake.source(key)
    source.key = key
    return Exposition(source, (("instance", key),))


def scrape(bench: Bench, exposition: Exposition, text: bytes) -> None:
    for _ in exposition.receive(text, bench.time + 0.5):
        pass


def test_a_series_that_its_target_no_longer_has_ends_with_the_first_scrape() -> None:
    old = Bench()
    scrape(old, target(old, "a"), b"up 1\ngone 2\n")
    old.tick()
    new = Bench(old)
    exposition = target(new, "a")
    new.take_the_place_of(old)
    new.tick()
    scrape(new, exposition, b"up 3\n")
    new.tick()
    assert new.window('up{instance="a"}') == [1, 1, 3]
    assert new.window('gone{instance="a"}') == [2, 2, None]
    exposition.clear()
    new.tick()
    assert new.window('up{instance="a"}') == [1, 1, 3, None]


def test_the_series_of_a_target_that_is_no_longer_scraped_are_gone() -> None:
    old = Bench()
    for name in ("a", "b"):
        scrape(old, target(old, name), b"up 1\n")
    old.tick()
    new = Bench(old)
    target(new, "b")
    new.take_the_place_of(old)
    assert new.keys() == {'up{instance="b"}'}


def test_a_source_with_a_key_continues_as_the_one_with_the_same_key() -> None:
    old, new = Bench(), None
    for key in ("kept", "gone"):
        source = old.intake.source(f"scrape {key}")
        source.key = key
        source.set([source.gauge(key, key, [])], [1])
    old.tick()
    new = Bench(old)
    new.intake.source("another name").key = "kept"
    new.take_the_place_of(old)
    assert new.keys() == {"kept"}


def test_a_source_that_the_new_board_already_has_is_the_same_one() -> None:
    old = Bench()
    push(old, "temperature", 20)
    old.tick()
    new = Bench(old)
    there = new.intake.sender("push")
    new.take_the_place_of(old)
    assert new.intake.sources["push"] is there
    assert new.keys() == {"temperature"}


def test_a_pushed_metric_whose_declaration_was_removed_is_gone() -> None:
    old = Bench()
    old.registry.gauge("declared", labels=["room"])
    push(old, "declared", 1, room="attic")
    old.tick()
    new = Bench(old)
    new.take_the_place_of(old)
    new.tick()
    assert new.keys() == set()


def test_a_source_of_the_file_without_series_is_not_inherited() -> None:
    old = Bench()
    old.intake.source("statsd 127.0.0.1:8125")
    old.tick()
    new = Bench(old)
    new.take_the_place_of(old)
    assert new.intake.sources == {}

"""Series of sources: declared or discovered, bounded, refused alone, and removed when nothing comes for them."""

import math
import re

import msgspec
import numpy as np
import pytest
from msgspec.structs import replace
from tests.metrics.sending import Bench, count, total

from tickboard.engine import Engine
from tickboard.errors import InputError, LimitError
from tickboard.metrics import intake as intake_module
from tickboard.metrics import source as source_module
from tickboard.metrics.distribution import Distribution
from tickboard.metrics.intake import Intake
from tickboard.metrics.registry import Registry
from tickboard.metrics.source import REFUSED, Source
from tickboard.metrics.stats import Aggregate
from tickboard.wire import MetricInfo

# --- counters, histograms ---


def test_a_counter_shows_its_rate_per_second() -> None:
    bench = Bench()
    source = bench.intake.source("test")
    column = source.counter("c", "jobs")
    bench.tick()
    source.add([column, column, column], [3, 5, -1])
    assert bench.tick(2) == {"jobs": 3.5}
    source.add([column, column, column], [-3, math.nan, math.inf])
    assert bench.tick() == {"jobs": -3}
    assert bench.tick() == {"jobs": 0}


def quantiles(row: dict[str, float | None], name: str = "t") -> list[float | None]:
    return [row[name], row[f"{name}.p50"], row[f"{name}.p95"], row[f"{name}.p99"]]


def test_a_histogram_shows_the_merged_distributions_of_a_tick_and_holds_them() -> None:
    bench = Bench()
    source = bench.intake.source("test")
    column = source.histogram("t", "t")
    bench.tick()
    source.merge(column, Distribution.explicit([10, 20], [2, 0, 0], 10))
    source.merge(column, Distribution.explicit([10, 20], [0, 2, 0], 30), bench.time + 0.5)
    source.merge(column, Distribution.explicit([10, 20], [0, 0, 0], 0))
    assert quantiles(bench.tick()) == pytest.approx([10, 10, 19, 19.8])
    assert quantiles(bench.tick()) == pytest.approx([10, 10, 19, 19.8])


def test_a_late_distribution_is_recorded_at_its_own_tick() -> None:
    bench = Bench()
    source = bench.intake.source("test")
    column = source.histogram("t", "t")
    for _ in range(3):
        bench.tick()
    source.merge(column, Distribution.of([4]), 1001.5)
    source.merge(column, Distribution.of([4]), 1.0)
    bench.tick()
    assert bench.history("t.p50") == [None, 4, 4, 4]
    assert (source.late, source.too_old) == (1, 1)


def test_observations_count_for_one_tick() -> None:
    bench = Bench()
    source = bench.intake.source("test")
    column = source.histogram("t", "t")
    source.observe(column, [1, 2, 3])
    assert quantiles(bench.tick())[:2] == [2, 2]
    assert quantiles(bench.tick()) == [None] * 4
    source.observe(column, [1])
    source.merge(column, Distribution.of([3]))
    assert quantiles(bench.tick())[0] == 2


def test_cleared_series_have_no_value_until_the_next_sample() -> None:
    bench = Bench()
    source = bench.intake.source("test")
    gauge, histogram = source.gauge("g", "g"), source.histogram("t", "t")
    source.set([gauge], [1])
    source.merge(histogram, Distribution.of([1]))
    total(bench, source, (1, 1000.0), (2, 1001.0))
    assert None not in bench.tick().values()
    source.clear([gauge, histogram, source.known["n"], REFUSED])
    assert set(bench.tick().values()) == {None}
    source.set([gauge], [3])
    total(bench, source, (9, bench.time))
    assert bench.tick() == {"g": 3, "t": None, "t.p50": None, "t.p95": None, "t.p99": None, "n_total": None}


# --- undeclared series ---


@pytest.mark.parametrize("ticks", [1, 60, 3_600])
def test_senders_cannot_create_more_series_than_the_window_has_memory_for(ticks: int) -> None:
    registry = Registry(max_window_mb=1)
    for number in range(5):
        registry.gauge(f"own{number}")
    intake = Intake(registry)
    engine = Engine(registry, [], ticks, "e", lambda: "id", intake)
    source = intake.source("test")
    for attempt in range(3):
        columns = [source.gauge((attempt, number), f"g{attempt}_{number}") for number in range(registry.room)]
        source.set(columns, [1.0] * len(columns))
        engine.tick(1_000.0 + attempt, 1.0)
    refusal = source.take_refusal()
    assert refusal is not None
    assert refusal.samples == source.refused == 2 * registry.room + 5
    assert re.fullmatch(
        rf"metric 'g0_\d+': {registry.room} series x {ticks} ticks fill the 1 MB that the window may take: use fewer "
        r"labels, a smaller --window, or a larger Board\(max_window_mb=…\)",
        refusal.reason,
    )
    taken = [engine.window, *vars(engine.window).values(), engine.stats, *vars(engine.stats).values()]
    parts = [part for one in taken for part in (msgspec.structs.astuple(one) if isinstance(one, Aggregate) else [one])]
    arrays = [part for part in parts if isinstance(part, np.ndarray)]
    # The arrays that depend on the number of ticks alone come on top.
    assert sum(array.nbytes for array in arrays) <= 2**20 + 16 * ticks


def test_declared_metrics_are_served_even_beyond_the_memory_limit() -> None:
    registry = Registry(max_window_mb=1)
    own = [registry.gauge(f"own{number}") for number in range(200)]
    engine = Engine(registry, [], 3_600, "e", lambda: "id")
    for gauge in own:
        gauge.set(1)
    assert engine.tick(1.0, 1.0).row.tolist() == [1.0] * 200
    assert (engine.fits, registry.room) == (False, 200)
    with pytest.raises(LimitError, match="200 series x 3600 ticks fill the 1 MB"):
        registry.gauge("more")


def test_the_memory_of_removed_series_is_reused() -> None:
    registry = Registry(max_window_mb=1)
    intake = Intake(registry, forget_s=10.0)
    engine = Engine(registry, [], 3_600, "e", lambda: "id", intake)
    source = intake.source("test")
    for generation in range(3):
        columns = [source.gauge((generation, number), f"g{generation}_{number}") for number in range(registry.room)]
        assert REFUSED not in columns
        engine.tick(1_000.0 + 20 * generation, 20.0)
        engine.tick(1_011.0 + 20 * generation, 11.0)
        engine.check(0.0)
        # Their columns stay unused until a tick has cleared them.
        assert source.gauge("early", "early") == REFUSED
        source.take_refusal()
        engine.tick(1_012.0 + 20 * generation, 1.0)
        source.forget_refusals()
    assert registry.width == registry.room


def test_an_undeclared_metric_gets_a_title_and_a_unit() -> None:
    bench = Bench()
    source = bench.intake.source("test")
    source.gauge(1, "process_resident_memory_bytes")
    source.total(2, "http_requests_total", [("code", "200"), ("app", "shop")], unit="{request}")
    source.gauge(3, "x y", title="Given", unit="furlongs")
    infos = bench.registry.metrics
    memory, requests, given_info = infos["process_resident_memory_bytes"], infos["http_requests_total"], infos["x_y"]
    assert (memory.title, memory.unit, memory.kind) == ("Process resident memory", "B", "gauge")
    assert (requests.title, requests.unit, requests.kind) == ("HTTP requests", "request/s", "counter")
    assert (given_info.title, given_info.unit) == ("Given", "furlongs")
    assert [series.key for series in bench.registry.series][1] == 'http_requests_total{app="shop",code="200"}'
    assert list(bench.intake.discovered) == list(infos)


def test_series_with_the_same_name_and_labels_are_the_same() -> None:
    bench = Bench()
    one, other = bench.intake.source("one"), bench.intake.source("other")
    column = one.gauge("k", "g", [("a", "1"), ("b", "2")])
    assert other.gauge("x", "g", [("b", "2"), ("a", "1")]) == column
    assert (one.series, other.series) == (1, 0)
    assert bench.intake.source("one") is one


def test_a_declared_metric_can_be_written_from_outside() -> None:
    bench = Bench()
    bench.registry.gauge("queue", "Queue", unit="jobs")
    bench.registry.gauge("disk", labels=("mount",))
    bench.registry.counter("sent")
    bench.registry.histogram("took")
    source = bench.intake.source("test")
    source.set([source.gauge(1, "queue"), source.gauge(2, "disk", [("mount", "/")])], [3, 4])
    source.merge(source.histogram(4, "took"), Distribution.of([2.0]))
    sent = source.total(3, "sent")
    source.set_totals([sent, sent], [1, 5], [1000.0, 1001.0])
    row = bench.tick()
    assert (row["queue"], row['disk{mount="/"}'], row["sent"], row["took"]) == (3, 4, 4, 2)
    assert bench.registry.metrics["queue"].title == "Queue"
    assert not list(bench.intake.discovered)


@pytest.mark.parametrize(
    ("name", "labels", "reason"),
    [
        ("queue", [("a", "1")], "declared with the labels none, not a"),
        ("disk", [], "declared with the labels mount, not none"),
        ("took", [], "is a histogram here, not a gauge"),
        ("", [], "name"),
        ("---", [], "name"),
        ("n" * 257, [], "257 characters"),
        ("g", [(f"l{i}", "v") for i in range(65)], "65 labels"),
        ("g", [("l", "v" * 1_025)], "too long"),
        ("took.p50", [], "already declared"),
    ],
)
def test_an_invalid_series_is_refused_with_the_reason(name: str, labels: list[tuple[str, str]], reason: str) -> None:
    bench = Bench()
    bench.registry.gauge("queue")
    bench.registry.gauge("disk", labels=("mount",))
    bench.registry.histogram("took")
    source = bench.intake.source("test")
    column = source.gauge("key", name, labels)
    assert column == REFUSED == source.known["key"]
    assert source.take_refusal() is None
    source.set([column, column], [1, 2], [1000.0, 1001.0])
    refusal = source.take_refusal()
    assert refusal is not None
    assert refusal.samples == 2 == source.refused
    assert reason in refusal.reason
    assert source.take_refusal() is None
    assert source.samples == 0


def test_the_reason_is_that_of_the_latest_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_module, "MAX_REASONS", 3)
    bench = Bench()
    bench.registry.gauge("queue")
    source = bench.intake.source("test")
    names = [f"m{number}" for number in range(3)]
    for name in names:
        bench.registry.gauge(name, labels=["zone"])
    columns = [source.gauge(name, name) for name in names]
    histogram = source.histogram("h", "queue")
    for _ in range(2):
        for name, column in zip(names[:2], columns, strict=False):
            source.set([column], [1])
            refusal = source.take_refusal()
            assert refusal is not None
            assert f"'{name}'" in refusal.reason
    source.observe(histogram, [1.0])
    refusal = source.take_refusal()
    assert refusal is not None
    assert "'queue' is a gauge here" in refusal.reason


def test_a_histogram_whose_percentile_names_are_in_use_is_refused() -> None:
    bench = Bench()
    source = bench.intake.source("test")
    source.gauge(1, "t.p95")
    column = source.histogram(2, "t")
    source.merge(column, Distribution.of([1.0]))
    source.merge_totals(column, Distribution.of([1.0]), 1000.0)
    source.observe(column, [1.0, 2.0])
    refusal = source.take_refusal()
    assert refusal is not None
    assert (refusal.samples, "t.p95 is taken" in refusal.reason) == (4, True)


def test_a_discovered_name_equal_to_the_key_of_another_metric_is_refused() -> None:
    bench = Bench()
    bench.registry.gauge("cpu_usage")
    assert bench.intake.source("test").gauge(1, "cpu") == REFUSED


def test_lone_surrogates_become_question_marks() -> None:
    bench = Bench()
    column = bench.intake.source("s").gauge(1, "a", [("file", "\udcff")], title="A \udcff", unit="\udcff")
    assert column != REFUSED
    assert [series.key for series in bench.registry.series] == ['a{file="?"}']
    metric = bench.registry.metrics["a"]
    assert (metric.title, metric.unit) == ("A ?", "?")


def test_names_are_made_valid() -> None:
    bench = Bench()
    source = bench.intake.source("test")
    source.gauge(1, "9 lives", [("a-b", "x"), ("9", "y")])
    assert [series.key for series in bench.registry.series] == ['_9_lives{_9="y",a_b="x"}']


def test_labels_with_the_same_cleaned_name_keep_all_values() -> None:
    bench = Bench()
    source = bench.intake.source("test")
    for key, labels in enumerate(
        [
            [("a-b", "1"), ("a_b", "2")],
            [("a_b", "2"), ("a-b", "1")],
            [("a-b", "1"), ("a_b", "3")],
            [("a/b", "9"), ("a-b", "1"), ("a_b", "2")],
            [("a", "1"), ("a", "2")],
        ]
    ):
        source.gauge(key, "g", labels)
    keys = {series.key for series in bench.registry.series}
    assert keys == {'g{a_b="1;2"}', 'g{a_b="1;3"}', 'g{a_b="1;9;2"}', 'g{a="2"}'}
    assert source.gauge("long", "g", [("a-b", "x" * 600), ("a_b", "y" * 600)]) == REFUSED


# --- limits ---


@pytest.mark.parametrize("limits", [{"max_series": 2}, {"max_series_per_source": 2}])
def test_series_beyond_the_limit_are_refused_and_existing_ones_continue(limits: dict[str, int]) -> None:
    bench = Bench(**limits)
    source = bench.intake.source("test")
    columns = [source.gauge(name, name) for name in ("a", "b", "c", "d")]
    source.set(columns, [1, 2, 3, 4])
    assert bench.tick() == {"a": 1, "b": 2}
    refusal = source.take_refusal()
    assert refusal is not None
    assert refusal.samples == 2
    assert "2 series" in refusal.reason
    assert list(bench.registry.metrics) == ["a", "b"]


def test_a_metric_with_series_stays_when_another_series_is_refused() -> None:
    bench = Bench(max_series=1)
    source = bench.intake.source("test")
    source.set([source.gauge(1, "g", [("a", "1")])], [1])
    assert source.gauge(2, "g", [("a", "2")]) == REFUSED
    assert bench.tick() == {'g{a="1"}': 1}


def test_refused_keys_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_module, "MAX_REFUSED_KEYS", 2)
    bench = Bench(max_series=0)
    source = bench.intake.source("test")
    for name in ("a", "b", "c"):
        source.gauge(name, name)
    assert list(source.known) == ["a", "b"]


def test_the_aliases_of_a_series_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake_module, "MAX_ALIASES", 0)
    bench = Bench()
    source = bench.intake.source("test")
    columns = {source.gauge(spelling, "a") for spelling in range(20)}
    assert len(columns) == 1
    assert len(source.known) == 4


def test_a_declared_histogram_accepts_values_without_room_for_aliases(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake_module, "MAX_ALIASES", 0)
    bench = Bench()
    bench.registry.histogram("t")
    source = bench.intake.source("test")
    source.merge(source.histogram("k", "t"), Distribution.of([3.0]))
    assert (bench.tick()["t"], source.refused) == (3, 0)


def test_sources_beyond_the_limit_share_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake_module, "MAX_SOURCES", 1)
    bench = Bench()
    first = bench.intake.source("a")
    assert bench.intake.source("b") is bench.intake.source("c") is not first


def counted(bench: Bench) -> tuple[int, ...]:
    names = ("samples", "late", "too_old", "refused", "malformed")
    return tuple(sum(getattr(source, name) for source in bench.intake.sources.values()) for name in names)


def test_senders_that_are_gone_are_forgotten_but_their_counts_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake_module, "MAX_SOURCES", 20)
    bench = Bench(forget_s=2.0)
    bench.intake.source("scrape")
    bench.registry.gauge("declared", labels=["zone"])
    for number in range(500):
        source = bench.intake.sender(f"push {number}")
        assert source.name == f"push {number}"
        source.set([source.gauge("k", "g", [("from", str(number))])], [number])
        source.set([source.gauge("r", "declared")], [1])
        source.malformed += 1
        bench.tick()
        bench.engine.check(bench.time)
        assert len(bench.intake.sources) <= 8
    assert counted(bench) == (500, 0, 0, 500, 500)
    for _ in range(4):
        bench.tick()
        bench.engine.check(bench.time)
    assert set(bench.intake.sources) == {"scrape", "others"}
    assert counted(bench) == (500, 0, 0, 500, 500)


def test_a_sender_that_is_active_or_still_has_series_is_not_forgotten() -> None:
    bench = Bench(forget_s=2.0)
    bench.intake.sender("malformed")
    for second in range(6):
        writing, other = bench.intake.sender("writing"), bench.intake.sender("other")
        writing.set([writing.gauge("k", "g")], [second])
        # It writes to a series that another sender created.
        other.set([other.gauge("o", "g")], [second])
        bench.tick()
        bench.engine.check(bench.time)
    assert set(bench.intake.sources) == {"writing", "other", "others"}
    for _ in range(4):
        writing.set([writing.gauge("k", "g")], [1])
        bench.tick()
        bench.engine.check(bench.time)
    # It was not asked for, as during a long request, but its series still exists.
    assert set(bench.intake.sources) == {"writing", "others"}
    assert bench.tick() == {"g": 1}
    again = bench.intake.sender("other")
    assert (again is other, again.known) == (False, {})


def test_the_totals_of_a_sender_are_forgotten_with_it() -> None:
    bench = Bench(forget_s=2.0)
    staying, leaving = bench.intake.source("staying"), bench.intake.sender("leaving")
    for second in range(12):
        for source in (staying, leaving) if second < 2 else (staying,):
            count(source, 10 * second, bench.time + 0.5)
            source.merge_totals(
                source.histogram("t", "t"), Distribution.explicit([10], [second, 0], 0), bench.time + 0.5
            )
        bench.tick()
        bench.engine.check(bench.time)
    assert set(bench.intake.sources) == {"staying", "others"}
    assert leaving.number not in {number for known in bench.intake.totals._beside.values() for number in known}
    assert leaving.number not in {number for known in bench.intake.totals._distributions.values() for number in known}
    # The first sample of each only sets the starting point.
    assert counted(bench)[0] == (11 + 12) + (1 + 2)


def test_a_sender_with_only_refused_samples_is_forgotten_but_the_shared_source_stays(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(intake_module, "MAX_SOURCES", 1)
    bench = Bench(forget_s=2.0, max_series=0)
    for name in ("refused", "beyond"):
        source = bench.intake.sender(name)
        source.set([source.gauge("k", "g")], [1])
    assert set(bench.intake.sources) == {"refused", "others"}
    for _ in range(4):
        bench.tick()
        bench.engine.check(bench.time)
    assert set(bench.intake.sources) == {"others"}
    assert counted(bench) == (0, 0, 0, 2, 0)


def test_a_sender_that_may_not_write_everything_has_a_source_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake_module, "MAX_SOURCES", 1)
    bench = Bench()
    bench.registry.gauge("declared")
    bench.registry.gauge("listed")
    source = bench.intake.sender("ci", {"listed"}.__contains__)
    assert bench.intake.sender("ci", {"listed"}.__contains__) is source
    source.set([source.gauge(name, name) for name in ("listed", "own", "declared")], [1, 2, 3])
    refusal = source.take_refusal()
    assert refusal is not None
    assert "this token does not list it" in refusal.reason
    assert bench.tick() == {"declared": None, "listed": 1, "own": 2}
    # Those who share a source may write the same.
    with pytest.raises(LimitError, match="there are 1 senders already"):
        bench.intake.sender("other", {"listed"}.__contains__)
    assert bench.intake.sender("other").name == "others"


def test_the_reader_of_a_source_is_made_once_and_forgotten_with_it() -> None:
    class Reader:
        def __init__(self, source: Source, more: str) -> None:
            self.source, self.more = source, more

    bench = Bench(forget_s=1.0)
    source = bench.intake.sender("a")
    reader = source.reader(Reader, "x")
    assert (reader.source, reader.more) == (source, "x")
    assert bench.intake.sender("a").reader(Reader, "y") is reader
    for _ in range(4):
        bench.tick()
        bench.engine.check(bench.time)
    assert bench.intake.sender("a").reader(Reader, "y") is not reader


# --- removing series ---


def test_a_series_without_samples_is_removed_and_its_column_is_reused() -> None:
    bench = Bench(forget_s=2.0)
    source = bench.intake.source("test")
    source.set([source.gauge("old", "old"), source.gauge("kept", "kept")], [1, 2])
    source.merge(source.histogram("t", "t"), Distribution.of([5.0]))
    for _ in range(3):
        bench.tick()
        source.set([source.known["kept"]], [3])
    revision = bench.registry.metrics_revision
    bench.tick()
    bench.engine.check(bench.time)
    assert list(bench.registry.metrics) == ["kept"] == list(bench.intake.discovered)
    assert bench.registry.metrics_revision > revision
    assert list(source.known) == ["kept"]
    assert source.series == 1
    assert bench.tick() == {"kept": 3}
    width = bench.registry.width
    new = source.gauge("new", "new")
    assert bench.registry.width == width
    assert bench.history("new") == [None] * 5
    assert bench.engine.stats.read("count", np.array([new]))[0] == 0
    source.set([new], [7])
    assert bench.tick() == {"kept": 3, "new": 7}


def test_a_metric_stays_while_it_has_a_series() -> None:
    bench = Bench(forget_s=2.0)
    source = bench.intake.source("test")
    first, second = (source.counter(place, "hits", [("place", place)]) for place in "ab")
    source.add([first, second], [1, 1])
    for _ in range(4):
        bench.tick()
        source.add([second], [1])
    bench.engine.check(bench.time)
    assert bench.tick() == {'hits{place="b"}': 1}
    assert list(bench.registry.metrics) == ["hits"]


def test_unwritten_series_of_a_declared_metric_are_removed() -> None:
    bench = Bench(forget_s=1.0)
    job = bench.registry.gauge("job", labels=["id"])
    for second in range(50):
        for number in range(100):
            job.labels(id=second * 100 + number).set(number)
        bench.tick()
        bench.engine.check(bench.time)
        assert len(bench.registry.series) <= 300
    assert bench.registry.width <= 400
    for _ in range(3):
        bench.tick()
        bench.engine.check(bench.time)
    assert not bench.registry.series
    assert list(bench.registry.metrics) == ["job"]
    job.labels(id="again").set(1)
    assert bench.tick() == {'job{id="again"}': 1}


def test_series_written_now_and_then_stay_and_so_do_those_with_forget_false() -> None:
    bench = Bench(forget_s=3.0)
    registry = bench.registry
    registry.gauge("plain").set(1)
    registry.counter("counted").inc()
    registry.histogram("took")
    registry.gauge("limit", labels=["queue"], forget=False).labels(queue="a").set(100)
    gauge, counter = registry.gauge("heat", labels=["host"]), registry.counter("hits", labels=["host"])
    histogram = registry.histogram("size", labels=["host"])
    often = gauge.labels(host="a"), counter.labels(host="a"), histogram.labels(host="a")
    for second in range(20):
        if second % 3 == 0:
            # Writing the same value counts too.
            often[0].set(5)
            often[1].inc(0)
            often[2].observe(math.nan)
        for metric in (gauge, counter, histogram):
            metric.labels(host=f"once {second}")
        bench.tick()
        bench.engine.check(bench.time)
    names = {key for key in bench.row() if "once" not in key}
    sizes = {f'size{part}{{host="a"}}' for part in ("", ".p50", ".p95", ".p99")}
    tooks = {f"took{part}" for part in ("", ".p50", ".p95", ".p99")}
    assert names == {"plain", "counted", 'limit{queue="a"}', 'heat{host="a"}', 'hits{host="a"}'} | sizes | tooks
    assert len(bench.row()) - len(names) <= 5 * 6


def test_stale_series_of_a_failing_sampler_stay_until_it_works_again() -> None:
    bench = Bench(forget_s=2.0)
    heat, load = (bench.registry.gauge(name, labels=["host"]) for name in ("heat", "load"))
    heat.labels(host="a").set(1)
    load.labels(host="a").set(2)
    bench.intake.stale = {"heat"}
    for _ in range(10):
        bench.tick()
        bench.engine.check(bench.time)
    assert bench.row() == {'heat{host="a"}': 1}
    bench.intake.stale = ()
    bench.engine.check(bench.time)
    assert bench.tick() == {'heat{host="a"}': 1}
    for _ in range(4):
        bench.tick()
        bench.engine.check(bench.time)
    assert bench.tick() == {}


def test_a_write_after_a_long_silence_keeps_the_series() -> None:
    bench = Bench(forget_s=1.0)
    heat = bench.registry.gauge("heat", labels=["host"]).labels(host="a")
    for _ in range(5):
        bench.tick()
    heat.set(7)
    bench.engine.check(bench.time)
    assert bench.tick() == {'heat{host="a"}': 7}


def test_a_new_series_in_a_reused_column_does_not_inherit_its_age() -> None:
    bench = Bench(forget_s=1.0)
    heat = bench.registry.gauge("heat", labels=["host"])
    heat.labels(host="a").set(1)
    for _ in range(4):
        bench.tick()
    bench.engine.check(bench.time)
    bench.tick()
    heat.labels(host="b").set(2)
    bench.engine.check(bench.time)
    assert bench.tick() == {'heat{host="b"}': 2}


@pytest.mark.parametrize("kind", ["gauge", "total", "counter", "histogram"])
def test_samples_for_a_removed_series_are_not_written_to_another(kind: str) -> None:
    bench = Bench()
    source = bench.intake.source("test")

    def column() -> int:
        known = source.known.get("key")
        made = {"gauge": source.gauge, "total": source.total, "counter": source.counter, "histogram": source.histogram}
        return made[kind]("key", "m", [("host", "a")]) if known is None else known

    def write(value: float) -> None:
        if kind == "gauge":
            source.set([column()], [value])
        elif kind == "total":
            source.set_totals([column()], [value * bench.time], [bench.time])
        elif kind == "counter":
            source.add([column()], [value])
        else:
            source.observe(column(), [value])

    for _ in range(3):
        write(4)
        bench.tick()
    assert bench.row()['m{host="a"}'] == 4
    assert source.series == 1
    bench.registry.handle("m").remove(host="a")
    bench.tick()
    assert (source.series, source.known, bench.registry.metrics, list(bench.intake.discovered)) == (0, {}, {}, [])
    bench.registry.gauge("other").set(7)
    for _ in range(3):
        write(4)
        bench.tick()
    assert (bench.row()["other"], bench.row()['m{host="a"}']) == (7, 4)


def test_a_source_forgets_a_declared_series_when_it_is_removed() -> None:
    bench = Bench()
    heat = bench.registry.gauge("heat", labels=["host"])
    heat.labels(host="a").set(1)
    source = bench.intake.source("test")
    source.set([source.gauge("key", "heat", [("host", "a")])], [2])
    assert bench.tick() == {'heat{host="a"}': 2}
    heat.remove(host="a")
    bench.tick()
    assert source.known == {}
    assert bench.tick() == {}


def test_declared_metrics_stay_but_their_series_from_senders_are_removed() -> None:
    bench = Bench(forget_s=1.0)
    bench.registry.gauge("alone")
    bench.registry.gauge("disk", labels=("mount",))
    source = bench.intake.source("test")
    source.set([source.gauge(1, "alone"), source.gauge(2, "disk", [("mount", "/")])], [1, 2])
    for _ in range(3):
        bench.tick()
    bench.engine.check(bench.time)
    assert bench.tick() == {"alone": 1}
    assert list(bench.registry.metrics) == ["alone", "disk"]


def test_refused_series_are_retried_when_there_is_room_again() -> None:
    bench = Bench(max_series=1, forget_s=1.0)
    source = bench.intake.source("test")
    source.gauge("a", "a")
    assert source.gauge("b", "b") == REFUSED
    for _ in range(3):
        bench.tick()
    bench.engine.check(bench.time)
    bench.tick()
    assert "b" not in source.known
    assert source.gauge("b", "b") >= 0


def test_a_series_can_be_removed_before_the_first_tick() -> None:
    bench = Bench()
    core = bench.registry.gauge("core", labels=["core"])
    core.labels(core=0).set(1)
    bench.registry.remove(core.labels(core=0))
    core.labels(core=1).set(2)
    assert bench.tick() == {'core{core="1"}': 2}


def test_series_with_recent_samples_are_not_removed() -> None:
    bench = Bench(forget_s=2.0)
    source = bench.intake.source("test")
    source.set([source.gauge("g", "g")], [1])
    bench.engine.check(bench.time)
    assert bench.tick() == {"g": 1}
    bench.engine.check(bench.time)
    assert bench.tick() == {"g": 1}


def test_empty_batches_have_no_effect() -> None:
    bench = Bench()
    source = bench.intake.source("test")
    source.set([], [], [])
    source.set_totals([], [], [])
    source.add([], [])
    source.clear([])
    bench.engine.check(bench.time)
    assert bench.tick() == {}


def test_a_sender_that_may_not_write_everything_leaves_places_for_the_board() -> None:
    bench = Bench(max_series=100)
    pods = bench.registry.gauge("pods", labels=["pod"])
    sender = bench.intake.sender("push as ci", lambda name: name == "pods")
    for number in range(200):
        name, labels = (f"m{number}", ()) if number % 2 else ("pods", [("pod", f"s{number}")])
        sender.set([sender.gauge(number, name, labels)], [1.0])
    refused = sender.take_refusal()
    assert refused is not None
    assert refused.samples == 110
    assert "of the 100 series that the board may have, 10 are for its own" in refused.reason
    for number in range(10):
        pods.labels(pod=f"new{number}").set(1.0)
    with pytest.raises(LimitError, match="at its limit of 100 series"):
        pods.labels(pod="one too many")


def test_a_sender_that_may_write_everything_has_all_places() -> None:
    bench = Bench(max_series=100)
    sender = bench.intake.sender("push")
    for number in range(200):
        sender.set([sender.gauge(number, f"m{number}")], [1.0])
    refused = sender.take_refusal()
    assert refused is not None
    assert refused.samples == 100


# --- series of other boards ---

CPU = MetricInfo("cpu", "CPU", "%", "gauge", ["host"], 0, 100, True)
RATE = MetricInfo("requests", "Requests", "req/s", "counter", ["host"])
HOST = (("host", "web-1"), ("a", "b"))


def test_a_series_of_another_board_keeps_its_description_and_the_order_of_its_labels() -> None:
    bench = Bench()
    source = bench.intake.source("hosts")
    columns = [source.follow("cpu", CPU, HOST), source.follow("requests", RATE, HOST)]
    source.set(columns, [5.0, 7.0])
    bench.tick(2)
    # A counter's values are rates already.
    assert bench.row() == {'cpu{host="web-1",a="b"}': 5, 'requests{host="web-1",a="b"}': 7}
    assert bench.registry.metrics == {"cpu": CPU, "requests": RATE}
    assert source.follow("again", CPU, HOST) == columns[0] == source.known["cpu"] == source.known["again"]


@pytest.mark.parametrize("other", [replace(CPU, unit=""), replace(CPU, kind="counter")])
def test_a_metric_of_another_kind_or_unit_is_refused(other: MetricInfo) -> None:
    bench = Bench()
    source = bench.intake.source("hosts")
    source.follow("cpu", CPU, HOST)
    with pytest.raises(
        InputError, match=r"metric 'cpu' is a gauge in '%' here, not a (gauge without a unit|counter in '%')"
    ):
        source.follow("other", other, (("host", "web-2"),))


def test_malformed_series_of_other_boards_are_refused() -> None:
    source = Bench().intake.source("hosts")
    for metric, labels in (
        (replace(CPU, name="c p u"), HOST),
        (replace(CPU, labels=["a b"]), HOST),
        (replace(CPU, title="x" * 300), HOST),
        (CPU, (("host", "x" * 2_000),)),
    ):
        with pytest.raises(InputError):
            source.follow("x", metric, labels)
    assert source.known == {}


def test_series_of_other_boards_are_limited_by_the_board_alone_if_the_source_says_so() -> None:
    bench = Bench(max_series=2, max_series_per_source=1)
    source = bench.intake.source("hosts")
    source.follow(1, CPU, (("host", "1"),))
    with pytest.raises(LimitError, match="hosts is at its limit of 1 series"):
        source.follow(2, CPU, (("host", "2"),))
    source.most = 10
    source.follow(2, CPU, (("host", "2"),))
    with pytest.raises(LimitError, match="the board is at its limit of 2 series"):
        source.follow(3, CPU, (("host", "3"),))
    with pytest.raises(LimitError):
        source.follow(4, RATE, (("host", "3"),))
    assert list(bench.registry.metrics) == ["cpu"]


def test_series_are_dropped_at_once_with_their_metric() -> None:
    bench = Bench()
    source = bench.intake.source("hosts")
    first, second = (source.follow(host, CPU, (("host", host),)) for host in ("1", "2"))
    own = bench.registry.gauge("own")
    bench.intake.drop([first, 99, own.columns[0]])
    assert [one.key for one in bench.registry.series] == ['cpu{host="2"}', "own"]
    bench.intake.drop([second])
    assert list(bench.registry.metrics) == ["own"]
    assert source.known == {}
    assert source.series == 0

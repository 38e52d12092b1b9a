"""StatsD: the meaning of each line, whatever else is in its packet."""

import math
from collections import defaultdict

import pytest
from benchmarks.ingest import statsd as benchmark
from hypothesis import given
from hypothesis import strategies as st

from tickboard.metrics.intake import FORGET_S, Intake
from tickboard.metrics.registry import Registry
from tickboard.sources import statsd
from tickboard.sources.statsd import MAX_LINE_BYTES, StatsD


class Host:
    """A board's intake with a StatsD source and one tick per second."""

    def __init__(self, *, relative: bool = True, max_series: int = 1_000) -> None:
        self.registry = Registry()
        self.intake = Intake(self.registry, max_series_per_source=max_series)
        self.source = self.intake.source("statsd")
        self.statsd = StatsD(self.source, relative=relative)

    def tick(self) -> dict[str, float]:
        self.statsd.flush()
        row = self.registry.collect(1.0)
        return {series.key: float(row[series.column]) for series in self.registry.series}

    def after(self, *packets: bytes) -> dict[str, float]:
        for packet in packets:
            list(self.statsd.receive(packet))
        return self.tick()


# --- types ---


def test_counters_are_summed_into_a_rate_per_second() -> None:
    host = Host()
    assert host.after(b"hits:1|c\nhits:2|c", b"hits:0.5|c") == {"hits": 3.5}
    assert host.after() == {"hits": 0}
    assert host.registry.metrics["hits"].unit == "/s"


def test_a_sampled_counter_is_scaled_up() -> None:
    assert Host().after(b"hits:3|c|@0.1\nhits:1|c|@1\nhits:1|c") == {"hits": pytest.approx(32)}


def test_a_gauge_keeps_its_newest_value() -> None:
    host = Host()
    assert host.after(b"queue:3|g\nqueue:7.25|g") == {"queue": 7.25}
    assert host.after() == {"queue": 7.25}


def test_a_signed_gauge_is_a_relative_change() -> None:
    host = Host()
    assert host.after(b"queue:10|g\nqueue:-3|g\nqueue:+1|g\nqueue:+1|g") == {"queue": 9}
    assert host.after(b"queue:-9.5|g") == {"queue": -0.5}
    assert host.after(b"other:+4|g")["other"] == 4
    assert host.after(b"queue:0|g\nqueue:-5|g|@1|c:in-1a")["queue"] == -5


def test_a_signed_gauge_is_absolute_with_relative_off() -> None:
    host = Host(relative=False)
    assert host.after(b"queue:10|g\nqueue:-3|g\nother:+4|g") == {"queue": -3, "other": 4}
    assert host.after(b"other:-4:-5|g")["other"] == -5


def test_a_relative_change_of_a_removed_gauge_starts_at_0() -> None:
    host = Host()
    host.intake.ticked(1_000.0, 1.0)
    host.after(b"queue:10|g")
    host.intake.ticked(1_001.0, 1.0)
    host.intake.ticked(1_002.0 + FORGET_S, 1.0 + FORGET_S)
    host.intake.forget()
    assert not host.registry.series
    host.registry.recycle(host.registry.take_left())
    assert host.after(b"other:+1|g\nqueue:+2|g") == {"other": 1, "queue": 2}


def test_a_counter_that_is_removed_and_returns_gets_its_own_column() -> None:
    host = Host()
    host.intake.ticked(1_000.0, 1.0)
    host.after(b"hits:1|c\nhits:1|c")
    host.intake.ticked(1_001.0, 1.0)
    host.intake.ticked(1_002.0 + FORGET_S, 1.0 + FORGET_S)
    host.intake.forget()
    host.registry.recycle(host.registry.take_left())
    assert host.after(b"queue:5|g\nhits:1|c\nhits:1|c") == {"queue": 5, "hits": 2}


def test_the_cache_of_lines_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statsd, "MAX_LINES", 3)
    host = Host()
    long = b"hits:1|c|#a:" + b"x" * 300
    packet = b"\n".join([*(b"hits:%d|c" % number for number in range(5)), long])
    seen = host.after(packet, packet, packet)
    assert seen["hits"] == 30
    assert list(seen.values()) == [30, 3]
    assert len(host.statsd._lines) <= 3
    assert long not in host.statsd._lines


def test_a_counter_may_decrease() -> None:
    host = Host()
    assert host.after(b"open:5|c\nopen:-2|c") == {"open": 3}
    assert host.after(b"open:1|c\nopen:-4|c|@0.5", b"open:-2|c") == {"open": -9}
    assert host.after(b"open:-1:3:-5|c") == {"open": -3}
    assert host.after() == {"open": 0}
    assert host.source.malformed == 0


@pytest.mark.parametrize("kind", ["ms", "h", "d"])
def test_timers_histograms_and_distributions_are_observed(kind: str) -> None:
    host = Host()
    values = "\n".join(f"took:{value}|{kind}" for value in range(1, 102))
    seen = host.after(values.encode())
    assert (seen["took"], seen["took.p50"], seen["took.p95"]) == (51, 51, 96)
    assert host.registry.metrics["took"].unit == ("ms" if kind == "ms" else "")


def test_a_sampled_timer_is_weighted() -> None:
    host = Host()
    # Nine out of ten values are 100.
    seen = host.after(b"took:100|ms|@0.1\ntook:100|ms|@0.125\ntook:0|ms|@0.5")
    assert seen["took"] == pytest.approx(90)
    assert seen["took.p50"] == 100


def test_a_set_counts_the_distinct_values_of_a_tick() -> None:
    host = Host()
    assert host.after(b"users:ann|s\nusers:bob|s", b"users:ann|s\nusers:1:2|s") == {"users": 3}
    assert host.after(b"users:ann|s\nusers:cy|s|@0.5") == {"users": 2}
    assert host.after() == {"users": 0}
    before = host.source.samples
    assert host.after() == {"users": 0}
    assert host.source.samples == before, "nothing came, and yet it keeps its series from leaving"


def test_the_size_of_sets_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statsd, "MAX_DISTINCT", 3)
    host = Host()
    packet = b"\n".join(b"users:%d|s" % number for number in range(10))
    assert host.after(packet) == {"users": 3}
    assert host.after(packet) == {"users": 3}


# --- DogStatsD ---


def test_packed_values_count_as_separate_lines() -> None:
    seen = Host().after(b"took:1:2:6|d\nhits:1:2|c|@0.5\nqueue:5:+1:-2|g")
    assert (seen["took"], seen["hits"], seen["queue"]) == (3, 6, 4)


def test_tags_are_labels_in_any_order() -> None:
    host = Host()
    seen = host.after(b"hits:1|c|#b:2,a:1\nhits:1|c|#a:1,b:2\nhits:1|c|@1|#a:1,b:2|c:x\nhits:1|c")
    assert seen == {'hits{a="1",b="2"}': 3, "hits": 1}


def test_a_tag_without_a_value_is_true_and_values_keep_their_colons() -> None:
    seen = Host().after("hits:1|c|#canary,url:http://a/b,empty:,,who:ü".encode())
    assert seen == {'hits{canary="true",empty="",url="http://a/b",who="ü"}': 1}


def test_the_last_of_two_tags_with_one_name_counts() -> None:
    assert Host().after(b"hits:1|c|#a:1,a:2") == {'hits{a="2"}': 1}


def test_container_ids_and_unknown_fields_are_ignored() -> None:
    host = Host()
    assert host.after(b"hits:1|c|c:ci-1f|#a:1|e:it-false|card:low|?:new\nhits:1|c|#a:1") == {'hits{a="1"}': 2}
    assert host.source.malformed == 0
    assert len(host.source.known) == 1


def test_a_gauge_with_a_timestamp_belongs_to_its_tick() -> None:
    host = Host()
    list(host.statsd.receive(b"queue:3|g|T1700000005\nqueue:9|g|T1700000001\nhits:2|c|T1700000001"))
    assert host.tick() == {"queue": 3, "hits": 2}
    assert host.source.samples == 3


def test_events_and_service_checks_are_not_malformed() -> None:
    host = Host()
    assert host.after(b"_e{5,4}:title|text|#a:1\n_sc|db|0|#a:1\nhits:1|c\n_sc|Redis connection:x|2|m:no") == {"hits": 1}
    assert host.source.malformed == 0


# --- malformed lines ---


@pytest.mark.parametrize(
    "line",
    [
        b"hits",
        b"hits:",
        b"hits:1",
        b"hits:1|",
        b":1|c",
        b"hits:|c",
        b"hits:1|x",
        b"hits:1|cc",
        b"hits:a|c",
        b"hits:1_0|c",
        b"hits:nan|g",
        b"hits:-inf|g",
        b"hits:1e999|g",
        b"hits:1e308|c|@0.1",
        b"hits:1:|d",
        b"hits:1::2|d",
        b"hits:1|c|@0",
        b"hits:1|c|@2",
        b"hits:1|c|@x",
        b"hits:1|c|@nan",
        b"hits:1|c|@1e-300",
        b"hits:1|g|T",
        b"hits:1|g|T-1",
        b"hits:1|g|T1e3",
        b"hits:1|g|T" + b"9" * 30,
        b"hits:1|c|#" + b"a" * MAX_LINE_BYTES,
        b"\x00\xff",
        b"hits:\xd9\xa1|c",
    ],
)
def test_a_malformed_line_is_counted_and_the_others_are_recorded(line: bytes) -> None:
    host = Host()
    # Once as the first line of its series, and once when it is known.
    seen = host.after(b"hits:1|c\n" + line + b"\nqueue:1|g", line + b"\nhits:1|c")
    assert {key: value for key, value in seen.items() if value} == {"hits": 2, "queue": 1}
    assert host.source.malformed == 2


def test_an_invalid_value_of_a_known_series_is_malformed() -> None:
    host = Host()
    bad = (b"", b"x", b"nan", b"inf", b"1_0", b"1::2", b"1:nan")
    host.after(b"queue:1|g\ntook:1|ms\nhits:1|c")
    list(host.statsd.receive(b"\n".join(b"queue:%b|g\ntook:%b|ms\nhits:%b|c" % (one, one, one) for one in bad)))
    assert host.source.malformed == 3 * len(bad)
    assert host.tick()["queue"] == 1


def test_the_first_malformed_line_is_named_with_the_fix() -> None:
    host = Host()
    assert not host.statsd.take_complaint()
    host.after(b"hits:one|c\nhits|c")
    assert host.statsd.take_complaint().startswith("'hits:one|c' is not a line of StatsD: send name:value|type")
    assert not host.statsd.take_complaint()


def test_empty_lines_and_any_line_breaks_are_ignored() -> None:
    host = Host()
    assert host.after(b"\n\nhits:1|c\r\n\r\nhits:1|c\n", b"", b"\n") == {"hits": 2}
    assert host.source.malformed == 0


def test_series_beyond_the_limit_are_refused_and_the_others_continue() -> None:
    host = Host(max_series=2)
    seen = host.after(b"a:1|c\nb:1|g\nc:1|c\nd:1|g\ne:1|ms\nf:x|s\ng:1|ms|@0.5\na:1|c")
    assert seen == {"a": 2, "b": 1}
    refusal = host.source.take_refusal()
    assert refusal is not None
    assert (refusal.samples, host.source.refused) == (5, 5)
    assert "statsd is at its limit of 2 series" in refusal.reason


def test_a_metric_of_another_type_is_refused_and_reported() -> None:
    host = Host()
    assert host.after(b"a:1|c\na:5|g\na:1|c") == {"a": 2}
    assert host.statsd.take_complaint().startswith("metric 'a' is a counter here, not a gauge")
    assert not host.statsd.take_complaint()
    host.after(b"a:5|g\na|g")
    assert host.statsd.take_complaint().startswith("'a|g' is not a line of StatsD")


def test_the_caches_are_bounded_however_series_are_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tickboard.metrics.source.MAX_REFUSED_KEYS", 10)
    monkeypatch.setattr(statsd, "MAX_SPELLINGS", 10)
    monkeypatch.setattr(statsd, "MAX_SHAPES", 10)
    host = Host()
    for number in range(100):
        list(host.statsd.receive(b"hits:1|c|#a:%d,a:1\nhits:1|c|@0.5|c:%d" % (number, number)))
    assert len(host.source.known) < 50
    seen = host.tick()
    assert seen["hits"] == 200
    assert 0 < seen['hits{a="1"}'] < 100
    assert host.source.refused == 100 - seen['hits{a="1"}']


# --- against a plain reading ---

NUMBERS = st.one_of(
    st.integers(-20, 20).map(str),
    st.decimals(-100, 100, places=3).map(str),
    st.sampled_from(["+1", "-2", "+0", "1e2", "", "x", "1_0", "nan", "inf"]),
)
TAGS = st.lists(st.sampled_from(["a:1", "a:2", "b:x", "b:x:y", "c", ""]), max_size=3).map(",".join)
FIELDS = st.one_of(
    st.sampled_from(["@0.5", "@1", "@0.25", "@0", "@x", "c:id", "e:x", "", "T17", "Tx"]),
    TAGS.map(lambda tags: f"#{tags}"),
)


@st.composite
def lines(draw: st.DrawFn) -> str:
    kind = draw(st.sampled_from(["c", "g", "ms", "h", "d", "s", "q", ""]))
    name = draw(st.sampled_from(["", "one", "two"])) and f"{draw(st.sampled_from(['one', 'two']))}_{kind or 'x'}"
    values = ":".join(draw(st.lists(NUMBERS, min_size=1, max_size=3)))
    return "|".join([f"{name}:{values}", kind, *draw(st.lists(FIELDS, max_size=3))])


class Plain:
    """A reference reader of the format, line by line."""

    def __init__(self) -> None:
        self.counters: dict[str, float] = defaultdict(float)
        self.gauges: dict[str, float] = defaultdict(float)
        self.seen: dict[str, list[tuple[float, float]]] = defaultdict(list)
        self.sets: dict[str, set[str]] = defaultdict(set)
        self.malformed = 0

    def read(self, line: str) -> None:
        name, text = line.split(":", 1)
        value, kind, *fields = text.split("|")
        weight, tags = 1.0, ""
        try:
            for one in fields:
                if one.startswith("@"):
                    rate = float(one[1:])
                    assert 0 < rate <= 1
                    weight = 1 / rate
                elif one.startswith("#"):
                    tags = one[1:]
                elif one.startswith("T"):
                    int(one[1:])
            assert name
            assert kind in {"c", "g", "ms", "h", "d", "s"}
            texts = value.split(":")
            numbers = [] if kind == "s" else [float(one) for one in texts]
            assert all(math.isfinite(one) for one in numbers)
            assert "_" not in value or kind == "s"
        except (ValueError, AssertionError):
            self.malformed += 1
            return
        labels: dict[str, str] = {}
        for tag in tags.split(","):
            if tag:
                label, colon, of = tag.partition(":")
                labels[label] = of if colon else "true"
        inner = ",".join(f'{label}="{of}"' for label, of in sorted(labels.items()))
        key = f"{name}{{{inner}}}" if inner else name
        if kind == "s":
            self.sets[key].add(value)
        for number, one in zip(numbers, texts, strict=False):
            if kind == "c":
                self.counters[key] += number * weight
            elif kind == "g":
                self.gauges[key] = number + self.gauges[key] if one[0] in "+-" else number
            else:
                self.seen[key].append((number, weight))


@given(st.lists(st.lists(lines(), max_size=6), max_size=4))
def test_the_decoder_matches_a_plain_reading(packets: list[list[str]]) -> None:
    host, plain = Host(), Plain()
    for packet in packets:
        # Times of gauges have their own test: here the newest line counts.
        kept = [line.replace("|T17", "") if "_g:" in line else line for line in packet]
        list(host.statsd.receive("\n".join(kept).encode()))
        for line in kept:
            plain.read(line)
    seen = {key: value for key, value in host.tick().items() if ".p" not in key}
    means = {
        key: sum(value * weight for value, weight in pairs) / sum(weight for _, weight in pairs)
        for key, pairs in plain.seen.items()
    }
    wanted = plain.counters | plain.gauges | {key: len(values) for key, values in plain.sets.items()} | means
    assert seen == {key: pytest.approx(value, abs=1e-9) for key, value in wanted.items()}
    assert host.source.malformed == plain.malformed


@given(st.lists(st.one_of(st.binary(), lines().map(str.encode))))
def test_any_bytes_raise_nothing(packets: list[bytes]) -> None:
    host = Host()
    host.after(b"\n".join(packets), *packets)


def test_all_lines_of_the_benchmark_are_accepted() -> None:
    packets = benchmark.payload(2_000)
    assert max(map(len, packets)) <= 1_432
    host = Host()
    host.after(*packets)
    assert (host.source.samples, host.source.malformed, host.source.refused) == (2_000, 0, 0)
    assert len(list(benchmark.read(packets[0].split(b"\n")[0]))) == 5

"""The Prometheus text formats, compared with prometheus_client's own parsers."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Enum, Gauge, Histogram, Info, Summary, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.parser import text_string_to_metric_families

from tickboard.engine import Engine
from tickboard.metrics.intake import Intake
from tickboard.metrics.registry import Registry
from tickboard.sources.prometheus import exposition as module
from tickboard.sources.prometheus.exposition import Exposition

NOW = 1_000.0


class Bench:
    def __init__(self, *labels: tuple[str, str], max_series: int = 1_000) -> None:
        self.registry = Registry(max_series)
        self.intake = Intake(self.registry)
        self.engine = Engine(self.registry, [], 60, "e", lambda: "id", self.intake)
        self.source = self.intake.source("scrape")
        self.exposition = Exposition(self.source, labels)
        self.time = NOW

    def says(self, text: str | bytes, *, openmetrics: bool = False) -> int:
        data = text.encode() if isinstance(text, str) else text
        return sum(1 for _ in self.exposition.receive(data, self.time, openmetrics=openmetrics))

    def tick(self, after_s: float = 1.0) -> dict[str, float]:
        self.time += after_s
        row = self.engine.tick(self.time - 0.5, after_s).row
        return {one.key: float(row[one.column]) for one in self.registry.series if not math.isnan(row[one.column])}

    def twice(self, text: str, **more: bool) -> dict[str, float]:
        """Receive a text twice: first on the slow path, and then from the cache."""
        self.says(text, **more)
        self.tick()
        self.says(text, **more)
        return self.tick()


def test_a_text_sets_the_values_of_its_series() -> None:
    bench = Bench()
    text = """# HELP heat How hot it is.
# TYPE heat gauge
heat{room="attic",floor="3"} 31.5
heat{room="cellar", floor="0",}  4
# TYPE up untyped
up 1
no_type 3e2 \r
"""
    expected = {'heat{floor="3",room="attic"}': 31.5, 'heat{floor="0",room="cellar"}': 4, "up": 1, "no_type": 300}
    assert bench.twice(text) == expected
    assert bench.exposition.problem == ""
    assert bench.exposition.samples == 4


def test_labels_are_unescaped_and_may_contain_anything() -> None:
    bench = Bench()
    bench.says('g{path="C:\\\\a\\"b\\n{}# =,",é="ü"} 1\n')
    [series] = bench.registry.series
    assert dict(series.labels) == {"path": 'C:\\a"b\n{}# =,', "_": "ü"}


@pytest.mark.parametrize(
    ("written", "label"),
    [
        (r"\d+", r"\d+"),
        (r"C:\temp\new", "C:\\temp\new"),
        (r"\\d", r"\d"),
        (r"\\n", r"\n"),
        (r"\\\n", "\\\n"),
        (r"a\"b", 'a"b'),
        (r"\x41\u00e9\0", r"\x41\u00e9\0"),
    ],
)
@pytest.mark.parametrize("openmetrics", [False, True])
def test_only_three_escapes_exist_and_other_backslashes_are_literal(
    written: str, label: str, openmetrics: bool
) -> None:
    bench = Bench()
    bench.says(f'g{{p="{written}"}} 1\n# EOF\n', openmetrics=openmetrics)
    [series] = bench.registry.series
    assert dict(series.labels) == {"p": label}
    assert bench.exposition.problem == ""


@pytest.mark.parametrize(
    "line",
    [
        'a{b="c"}6',
        'a{b="c",}6',
        'a{b="c"}\t6',
        'a{b="c"}  6',
        'a\t{b="c"} 6',
        ' a { b = "c" , } 6 ',
        '\ta{b="c"} 6\r',
        'a{b="c"} +6.0e0',
        'a{b="c"}6 1000000',
        'a{b="c"}\t6\t1000000\t',
        '{"a",b="c"}6',
        '{"a", "b"="c"} 6',
        '{b="c","a"} 6',
    ],
)
def test_optional_spaces_are_accepted(line: str) -> None:
    bench = Bench()
    assert bench.twice(f"{line}\n") == {'a{b="c"}': 6}
    assert (bench.exposition.problem, bench.source.malformed) == ("", 0)


@pytest.mark.parametrize(
    ("written", "value"),
    [("+Inf", math.inf), ("-inf", -math.inf), ("INF", math.inf), ("1e3", 1000), ("-0", 0), (".5", 0.5)],
)
def test_numbers_are_read_as_prometheus_reads_them(written: str, value: float) -> None:
    bench = Bench()
    for _ in range(2):
        bench.says(f"a {written}\n")
        assert bench.registry.values[bench.source.known[b"a"]] == value
        assert bench.exposition.problem == ""


@pytest.mark.parametrize("written", ["1_000", "0x1p3", "0x10", "1e", "\N{FULLWIDTH DIGIT ONE}", "1,5", "0b1"])
def test_numbers_that_only_python_accepts_are_refused(written: str) -> None:
    bench = Bench()
    for _ in range(2):
        bench.says(f"a {written}\nb 1\n")
        assert bench.tick() == {"b": 1}
        assert f"'{written}'" in bench.exposition.problem
        assert "is not a number" in bench.exposition.problem
    bench.says("a 1\nb 1\n")
    bench.says(f"a {written}\nb 2\n")
    assert bench.tick() == {"b": 2}
    assert f"has the value '{written}', which is not a number" in bench.exposition.problem
    assert bench.source.malformed == 3
    for said in ("NaN", "nan", "-NAN", "+NaN"):
        bench.says(f"a {said}\nb 3\n")
        assert bench.exposition.problem == ""


@pytest.mark.parametrize("openmetrics", [False, True])
def test_a_byte_order_mark_at_the_beginning_is_ignored(openmetrics: bool) -> None:
    bench = Bench()
    assert bench.twice("\ufeffa 1\nb 2\n# EOF\n", openmetrics=openmetrics) == {"a": 1, "b": 2}
    bench.says("\ufeff# TYPE c counter\nc 1\n# EOF\n", openmetrics=openmetrics)
    assert bench.registry.metrics["c"].kind == "counter"
    assert bench.exposition.problem == ""


def test_a_duplicate_series_is_reported() -> None:
    bench = Bench()
    bench.says('a{x="1",y="2"} 1\na{y="2",x="1"} 2\nb 3\n')
    assert "occurs more than once: the last line was used" in bench.exposition.problem
    assert bench.tick() == {'a{x="1",y="2"}': 2, "b": 3}
    bench.says("a 1\nb 3\n")
    assert bench.exposition.problem == ""
    bench.says("h 1 999.5\nh 2 999.6\n# EOF\n", openmetrics=True)
    assert bench.exposition.problem == ""


def test_a_label_of_the_target_never_overwrites_another() -> None:
    bench = Bench(("instance", "a:80"))
    assert bench.twice('up{instance="own",exported_instance="its"} 1\n') == {
        'up{exported_exported_instance="own",exported_instance="its",instance="a:80"}': 1
    }


def test_an_unknown_type_is_reported_and_an_upper_case_one_is_accepted() -> None:
    bench = Bench()
    for _ in range(2):
        bench.says("# TYPE a strange\na 1\n# TYPE b COUNTER\nb 1\n")
        assert "line 1, '# TYPE a strange': there is no type 'strange'" in bench.exposition.problem
    assert bench.registry.metrics["b"].kind == "counter"
    assert bench.tick()["a"] == 1


def test_metric_names_may_be_inside_the_braces() -> None:
    assert Bench().twice('# TYPE "my.metric" gauge\n{"my.metric",a="b"} 1\n{"other"} 2\n') == {
        'my.metric{a="b"}': 1,
        "other": 2,
    }


def test_counters_become_rates() -> None:
    bench = Bench()
    for value in (10, 30):
        bench.says(f"# TYPE a_total counter\na_total {value}\nb_total {value}\n# TYPE c counter\nc {value}\n")
        found = bench.tick()
    assert found == {"a_total": 20, "b_total": 20, "c": 20}
    assert bench.registry.metrics["a_total"].kind == "counter"


def test_in_openmetrics_families_have_units_and_samples_suffixes() -> None:
    bench = Bench()
    for value in (10, 30):
        bench.says(
            "# TYPE bytes_sent counter\n# UNIT bytes_sent bytes\n"
            f'bytes_sent_total {value} # {{trace_id="abc"}} 3 1.5\nbytes_sent_created 1.5\n'
            '# TYPE build info\nbuild_info{version="1"} 1\n'
            '# TYPE state stateset\nstate{state="on"} 1\nstate{state="off"} 0\n# EOF\n',
            openmetrics=True,
        )
        found = bench.tick()
    assert found == {"bytes_sent_total": 20, 'state{state="on"}': 1, 'state{state="off"}': 0}
    assert bench.registry.metrics["bytes_sent_total"].unit == "B/s"
    assert bench.exposition.problem == ""


@pytest.mark.parametrize(("stamp", "openmetrics"), [("999700", False), ("999.7", True)])
def test_a_timestamp_places_the_sample_in_the_window(stamp: str, openmetrics: bool) -> None:
    bench = Bench()
    bench.tick()
    bench.tick()
    bench.says(f"g 5 {stamp}\n# EOF\n", openmetrics=openmetrics)
    bench.tick()
    column = bench.source.known[b"g"]
    assert [bench.engine.window.row(seq)[column] for seq in (1, 2)] == [5, 5]


def test_histograms_become_distributions() -> None:
    bench = Bench()
    for counts in ((0, 0, 0), (2, 4, 4)):
        bench.says(
            "# TYPE took_seconds histogram\n"
            + "".join(
                f'took_seconds_bucket{{le="{le}"}} {n}\n' for le, n in zip(("1", "2", "+Inf"), counts, strict=True)
            )
            + f"took_seconds_sum {counts[2] * 1.25}\ntook_seconds_count {counts[2]}\n"
        )
        found = bench.tick()
    assert found == {
        "took_seconds": 1.25,
        "took_seconds.p50": 1.0,
        "took_seconds.p95": pytest.approx(1.9),
        "took_seconds.p99": pytest.approx(1.98),
        "took_seconds_count": 4,
    }
    assert bench.registry.metrics["took_seconds"].unit == "s"


def histogram(*buckets: tuple[str, int]) -> str:
    lines = [f'took_bucket{{le="{le}"}} {count}' for le, count in buckets]
    return "\n".join(["# TYPE took histogram", *lines, f"took_sum {buckets[-1][1]}", ""])


def text(*buckets: tuple[str, int], more: str = "", kind: str = "histogram") -> str:
    lines = [f'took_bucket{{le="{le}"}} {count}' for le, count in buckets]
    return "\n".join([f"# TYPE took {kind}", *lines, more, ""])


def test_the_count_replaces_a_missing_last_bucket() -> None:
    bench = Bench()
    for count in (0, 4, 8):
        after = f"took_count {count}\ntook_sum {2 * count}\n"
        bench.says(text(("1", count // 2), ("2", count), more=after))
        found = bench.tick()
    assert bench.exposition.problem == ""
    assert (found["took"], found["took.p50"], found["took_count"]) == (2, 1, 4)
    # Observations above all bounds count too.
    bench.says(text(("1", 4), ("2", 8), more="took_count 16\ntook_sum 16\n"))
    assert bench.tick()["took.p50"] == 2
    # If the bucket appears later, it is used.
    for count in (20, 24):
        after = f"took_count {count}\ntook_sum {2 * count}\n"
        bench.says(text(("1", 4), ("2", 8), ("+Inf", count), more=after))
        found = bench.tick()
    assert bench.exposition.problem == ""
    assert found["took.p50"] == 2


def test_an_unusable_histogram_is_reported() -> None:
    bench = Bench()
    for count in (0, 4):
        bench.says(text(("1", count), ("2", count)) + "up 1\n")
        assert bench.exposition.problem == (
            "histogram 'took' has neither a bucket with le=\"+Inf\" nor a _count: it was left out; send one of them"
        )
        assert bench.tick() == {"up": 1}
    bench.says(text(("1", 0), ("2", 0), ("+Inf", 0)))
    assert bench.exposition.problem == ""


def test_buckets_that_decrease_are_raised_and_reported() -> None:
    bench = Bench()
    for count in (0, 4):
        bench.says(text(("1", 2 * count), ("2", count), ("+Inf", 2 * count)))
        found = bench.tick()
    assert "histogram 'took' has buckets that decrease" in bench.exposition.problem
    assert found["took.p50"] == 0.5


@pytest.mark.parametrize(
    ("value", "why"), [("+Inf", "infinitely many"), ("NaN", "is not a number"), ("x", "is not a number")]
)
def test_a_bucket_without_a_valid_count_is_reported(value: str, why: str) -> None:
    bench = Bench()
    for count in (0, 4):
        bench.says(text(("1", count), ("+Inf", count)))
        assert bench.exposition.problem == ""
        bench.tick()
    for _ in range(2):
        bench.says(f'# TYPE took histogram\ntook_bucket{{le="1"}} {value}\ntook_bucket{{le="+Inf"}} 5\nup 1\n')
        assert why in bench.exposition.problem
        assert bench.tick() == {"up": 1}
    for count in (0, 4):
        bench.says(text(("1", count), ("+Inf", count), more="took_sum NaN"))
        assert bench.exposition.problem == ""
        assert bench.tick().get("took.p50") == (0.5 if count else None)


def test_one_bound_written_in_two_ways_is_one_bucket() -> None:
    bench = Bench()
    for count in (0, 4):
        bench.says(text(("1", count), ("1.0", count), ("+Inf", count), ("Inf", count)))
        found = bench.tick()
    assert found["took.p50"] == 0.5
    assert bench.exposition.problem == ""
    bench.says(text(("1", 5), ("1.0", 6), ("+Inf", 6), ("Inf", 6)))
    assert "has two buckets up to 1: the last one was used" in bench.exposition.problem


def test_buckets_may_be_in_any_order_and_the_sum_may_be_missing() -> None:
    bench = Bench()
    for count in (0, 4):
        bench.says(text(("+Inf", count), ("2", count), ("0.5", 0)))
        found = bench.tick()
    assert "took" in bench.registry.metrics
    assert found["took.p50"] == 1.25
    assert bench.exposition.problem == ""


@pytest.mark.parametrize(
    ("line", "why"),
    [('took_bucket{le="big"} 1', 'le="big" is not a number'), ("took_bucket 1", "a bucket has no label le")],
)
def test_a_bucket_without_a_bound_is_reported(line: str, why: str) -> None:
    bench = Bench()
    bench.says(f"# TYPE took histogram\n{line}\nup 1\n")
    assert why in bench.exposition.problem
    assert bench.tick() == {"up": 1}


@pytest.mark.parametrize("suffix", ["g", ""])
def test_a_gauge_histogram_shows_the_current_observations(suffix: str) -> None:
    bench = Bench()
    for count in (8, 4):
        more = f"took_{suffix}count {count}\ntook_{suffix}sum {count * 3}"
        bench.says(text(("2", 0), ("4", count), ("+Inf", count), more=more, kind="gaugehistogram"))
        found = bench.tick()
        assert (found["took"], found["took.p50"], found[f"took_{suffix}count"]) == (3, 3, count)
    bench.says(text(("2", 0), ("4", 0), ("+Inf", 0), kind="gaugehistogram"))
    assert bench.tick() == {}
    assert bench.exposition.problem == ""


def test_a_summary_without_quantiles_has_a_count_and_a_sum() -> None:
    bench = Bench()
    for count in (0, 4):
        bench.says(f"# TYPE s summary\ns_sum {count}\ns_count {count}\n")
        found = bench.tick()
    assert found == {"s_sum": 4, "s_count": 4}
    assert bench.exposition.problem == ""


def test_a_histogram_that_restarts_with_other_buckets_continues() -> None:
    bench = Bench()
    for count in (0, 4):
        bench.says(histogram(("1", count), ("+Inf", count)))
        found = bench.tick()
    assert found["took"] == 1
    for count in (0, 0, 6):
        bench.says(histogram(("2", count), ("+Inf", count)))
        found = bench.tick()
    assert found["took.p50"] == 1


def test_a_removed_series_does_not_clear_its_reused_column() -> None:
    bench = Bench()
    bench.says("a 1\n")
    bench.tick()
    bench.tick(1_000 + 1)
    bench.intake.forget()
    bench.tick()
    other = bench.intake.source("other")
    column = other.gauge("b", "b")
    assert column in bench.exposition._before
    other.set([column], [2.0])
    bench.tick()
    bench.says("")
    assert bench.tick() == {"b": 2}


def test_summaries_become_quantiles_and_totals() -> None:
    bench = Bench()
    for count in (0, 4):
        bench.says(f'# TYPE s summary\ns{{quantile="0.5"}} 1.5\ns_sum {count * 2}\ns_count {count}\n')
        found = bench.tick()
    assert found == {'s{quantile="0.5"}': 1.5, "s_sum": 8, "s_count": 4}


def test_labels_of_the_scrape_override_those_of_the_target() -> None:
    bench = Bench(("instance", "a:80"), ("job", "j"))
    assert bench.twice('up{instance="own",x="1"} 1\n') == {
        'up{exported_instance="own",instance="a:80",job="j",x="1"}': 1
    }


def test_a_series_missing_from_the_next_text_has_no_value() -> None:
    bench = Bench()
    bench.says("a 1\nb 2\n")
    assert bench.tick() == {"a": 1, "b": 2}
    bench.says("b 3\n")
    assert bench.tick() == {"b": 3}
    bench.exposition.clear()
    assert bench.tick() == {}
    bench.says("a 4\n")
    assert bench.tick() == {"a": 4}


def test_a_histogram_missing_from_the_next_text_has_no_values() -> None:
    bench = Bench()
    for count in (0, 4):
        bench.says(histogram(("1", count), ("+Inf", count)))
        found = bench.tick()
    assert found["took"] == 1
    bench.says("a 1\n")
    assert bench.tick() == {"a": 1}


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("<html>", "write a name"),
        ("g", "write a name"),
        ("g{a=b} 1", "write a name|labels"),
        ('g{a="b" c="d"} 1', "labels"),
        ('g{"a"} 1 2 3', "write a name"),
        ('{a="b"} 1', "it has no name"),
        ('g{"x","y"} 1', "has no value"),
        ('g{a="b",a="c"} 1', "label 'a' occurs twice"),
        ('g{__name__="b"} 1', "cannot be called __name__"),
        ("g one", "is not a number"),
        ("g 1 soon", "is not a number"),
        ("g 1 inf", "is not a time"),
        ("g\xff 1", "not UTF-8"),
    ],
)
def test_an_unreadable_line_is_reported_and_the_others_are_recorded(line: str, why: str) -> None:
    bench = Bench()
    bench.says(b"a 1\n" + line.encode("latin-1") + b"\nb 2\n" + line.encode("latin-1"))
    assert bench.tick() == {"a": 1, "b": 2}
    assert bench.exposition.problem.startswith("line 2, ")
    assert any(part in bench.exposition.problem for part in why.split("|"))
    assert bench.source.malformed == 2
    bench.says("a 1\n")
    assert bench.exposition.problem == ""


def test_a_known_series_with_an_invalid_value_has_no_value() -> None:
    bench = Bench()
    bench.says("a 1\nb 2\n")
    bench.says("a one\nb 3\n")
    assert bench.tick() == {"b": 3}
    assert bench.source.malformed == 1


def test_an_openmetrics_text_without_eof_is_reported_as_incomplete() -> None:
    bench = Bench()
    bench.says("# TYPE a gauge\na 1\n", openmetrics=True)
    assert "incomplete" in bench.exposition.problem
    assert bench.tick() == {"a": 1}


def test_other_tasks_run_while_a_large_text_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SLICE", 100)
    bench = Bench()
    text = "".join(f"g{index} 1\n" for index in range(500))
    assert bench.says(text) >= 100
    assert bench.says(text) == 6
    assert len(bench.tick()) == 500


def test_the_caches_of_names_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_KNOWN", 5)
    bench = Bench()
    for index in range(50):
        bench.says(f"# TYPE i{index} info\n# UNIT i{index} bytes\ni{index}_info 1\n")
    assert len(bench.exposition._declared) <= 6
    assert len(bench.exposition._skipped) <= 6


# --- against the real library ---

LABEL_VALUES = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=6)
VALUES = st.floats(-1e9, 1e9)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["one", "two:x", "three_total"]),
            st.dictionaries(st.sampled_from(["a", "b_c"]), LABEL_VALUES, max_size=2),
            VALUES,
        ),
        max_size=12,
    )
)
def test_gauges_match_the_library(samples: list[tuple[str, dict[str, str], float]]) -> None:
    lines = []
    for name, labels, value in samples:
        pairs = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
        lines.append(f"{name}{{{pairs}}} {value!r}\n" if labels else f"{name} {value!r}\n")
    text = "".join(f"# TYPE {name} gauge\n" for name in ("one", "two:x", "three_total")) + "".join(lines)
    bench = Bench()
    found = bench.twice(text)
    expected: dict[tuple[str, tuple[tuple[str, str], ...]], float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            expected[sample.name, tuple(sorted(sample.labels.items()))] = sample.value
    keys = {(one.metric.name, one.labels): one.key for one in bench.registry.series}
    assert {identity: found[keys[identity]] for identity in expected} == expected
    assert len(found) == len(expected)


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


@pytest.mark.parametrize("openmetrics", [False, True])
def test_every_metric_type_of_the_library_is_read(openmetrics: bool) -> None:
    registry = CollectorRegistry()
    counter = Counter("jobs", "h", ["kind"], registry=registry)
    Gauge("heat", "h", registry=registry).set(21.5)
    histogram = Histogram("took_seconds", "h", registry=registry)
    summary = Summary("size_bytes", "h", registry=registry)
    Info("build", "h", registry=registry).info({"version": "1"})
    Enum("state", "h", states=["on", "off"], registry=registry).state("on")
    bench = Bench()
    found: dict[str, float] = {}
    for _ in range(2):
        counter.labels('a\n"b\\').inc(5)
        histogram.observe(0.3)
        summary.observe(100)
        text = (generate_openmetrics if openmetrics else generate_latest)(registry)
        bench.says(text, openmetrics=openmetrics)
        found = bench.tick()
    assert bench.exposition.problem == ""
    assert found['jobs_total{kind="a\\n\\"b\\\\"}'] == 5
    assert [found["heat"], found["took_seconds"], found["size_bytes_count"]] == pytest.approx([21.5, 0.3, 1])
    assert found['state{state="on"}'] == 1


@given(st.one_of(st.text(max_size=200).map(str.encode), st.binary(max_size=200)), st.booleans())
def test_no_bytes_raise_an_exception(text: bytes, openmetrics: bool) -> None:
    bench = Bench()
    for _ in range(2):
        bench.says(text, openmetrics=openmetrics)
        bench.tick()


@given(
    st.lists(
        st.sampled_from(
            ["a", "{", "}", '"', "=", ",", "1", " ", "\n", "# ", "TYPE ", "histogram", "_bucket", "le", "\\"]
        )
    )
)
def test_no_text_of_plausible_parts_raises_an_exception(parts: list[str]) -> None:
    bench = Bench()
    for _ in range(2):
        bench.says("".join(parts))
        bench.tick()


def test_many_different_refusals_do_not_affect_other_series() -> None:
    bench = Bench()
    names = [f"m{number}" for number in range(100)]
    for name in names:
        bench.registry.gauge(name, labels=["zone"])
    text = "".join(f"{name} 1\n" for name in [*names, "taken"])
    for _ in range(3):
        bench.says(text)
        assert bench.tick() == {"taken": 1}
        refusal = bench.source.take_refusal()
        assert refusal is not None
        assert refusal.samples == 100
        assert refusal.reason.startswith("metric 'm0' was declared with the labels zone")

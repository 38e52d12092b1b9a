"""A condition written as text equals the same one in Python, or raises one error that says where it is wrong."""

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tickboard.configuration.formula import MAX_DEPTH, MAX_LENGTH, parse_condition
from tickboard.errors import InputError
from tickboard.expressions.expr import Condition, Constant, Expression, Operand
from tickboard.expressions.functions import absent, anomaly, metric, total
from tickboard.metrics.registry import Registry

REGISTRY = Registry()
cpu = REGISTRY.gauge("cpu")
load = REGISTRY.gauge("load")
load_last = REGISTRY.gauge("load.last")
requests = REGISTRY.counter("requests")
latency = REGISTRY.histogram("latency")
disk_in = REGISTRY.gauge("disk.in", labels=["host"])
REGISTRY.gauge("queue-depth")
REGISTRY.gauge("class")


def text_of(text: str) -> str:
    return parse_condition(text, REGISTRY).text()


def error_of(text: str) -> str:
    with pytest.raises(InputError) as caught:
        parse_condition(text, REGISTRY)
    message = str(caught.value)
    assert message.isprintable()
    assert len(message) < 500
    return message


# --- valid conditions ---


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("cpu > 90", cpu > 90),
        ("cpu>=90", cpu >= 90),
        ("cpu < 9e-1", cpu < 0.9),
        ("cpu <= .5", cpu <= 0.5),
        ("90 < cpu", cpu > 90),
        ("cpu > -5", cpu > -5),
        ("cpu > +5", cpu > 5),
        ("cpu > 60 * 60 / 2 - 1", cpu > 1799),
        ("cpu.avg > 90", cpu.avg > 90),
        ('cpu.p95("30s") > 80', cpu.p95("30s") > 80),
        ("cpu . max ( '1m' ) > 80", cpu.max("1m") > 80),
        ("cpu - load * 2 + 1 > load / cpu", cpu - load * 2 + 1 > load / cpu),
        ("(cpu - load) * 2 > 1", (cpu - load) * 2 > 1),
        ("(cpu > 80) & (load > 4)", (cpu > 80) & (load > 4)),
        ("(cpu > 80) | (load > 4) & ~(cpu < 1)", (cpu > 80) | (load > 4) & ~(cpu < 1)),
        ("absent(cpu)", absent(cpu)),
        ("~absent(cpu + load)", ~absent(cpu + load)),
        ('absent(metric("queue.depth"))', absent(metric("queue.depth"))),
        ("anomaly(cpu) > 5", anomaly(cpu) > 5),
        ('anomaly(cpu, "5m") > 5', anomaly(cpu, "5m") > 5),
        ('metric("queue-depth") > 1', metric("queue-depth") > 1),
        ('metric("q", host="a", zone = \'b\').p99("1m") > 1', metric("q", host="a", zone="b").p99("1m") > 1),
        ('metric("q", class="a") > 1', metric("q", **{"class": "a"}) > 1),
        ('metric("q", service.name="a") > 1', metric("q", **{"service.name": "a"}) > 1),
        (r'metric("q", a="\"\\\n\r\t\'é") > 1', metric("q", a="\"\\\n\r\t'é") > 1),
        ('metric("q", host="web-*", zone="[ab]?") > 1', metric("q", host="web-*", zone="[ab]?") > 1),
        ("total(requests) > 1", total(requests) > 1),
        ('total(disk.in, by="host") > 1', total(disk_in, by="host") > 1),
        ('total(metric("q").avg("1m"), by=("a", "b.c")) > 1', total(metric("q").avg("1m"), by=("a", "b.c")) > 1),
        ('total(cpu / load, by = ("a",)) > 1', total(cpu / load, by="a") > 1),
        ('total(total(cpu, by="a"), by=()) > 1', total(total(cpu, by="a")) > 1),
        ('cpu / total(cpu, by="host") > .5', cpu / total(cpu, by="host") > 0.5),
        ('absent(total(metric("q", host="a"), by="host"))', absent(total(metric("q", host="a"), by="host"))),
        ("  cpu\n >\t90\r\n", cpu > 90),
    ],
)
def test_a_text_gives_the_same_condition_as_python(text: str, meant: Condition) -> None:
    found = parse_condition(text, REGISTRY)
    assert (found.text(), found.shape()) == (meant.text(), meant.shape())


@pytest.mark.parametrize(
    ("text", "metric_name"),
    [
        ("load > 1", "load"),
        ("load.last > 1", "load.last"),
        ("load.last.avg > 1", "load.last"),
        ("load.max > 1", "load"),
        ("disk.in > 1", "disk.in"),
        ("disk.in.avg > 1", "disk.in"),
        ("class > 1", "class"),
        ("latency > 1", "latency"),
        ("latency.p95 > 1", "latency.p95"),
        ("latency.p95.max > 1", "latency.p95"),
    ],
)
def test_a_dotted_name_matches_the_longest_metric(text: str, metric_name: str) -> None:
    assert parse_condition(text, REGISTRY).metric_name() == metric_name


def test_the_rate_of_a_counter_is_its_value_and_over_a_span_its_average() -> None:
    assert text_of("requests.rate > 1") == (requests.rate > 1).text() == "requests > 1"
    assert text_of('requests.rate("10s") > 1') == 'requests.avg("10s") > 1'


def test_a_number_keeps_all_its_digits() -> None:
    right = parse_condition("cpu > 0.1234567890123456", REGISTRY).first()
    assert right is not None
    assert isinstance(right.right, Constant)
    assert right.right.number == 0.1234567890123456


# --- invalid conditions ---

AND, OR, NOT = (
    "write & with each side in parentheses, as (a > 1) & (b > 2)",
    "write | with each side in parentheses, as (a > 1) | (b > 2)",
    "write ~ before a condition in parentheses, as ~(a > 1)",
)
SIDES = "each side of & and | is a condition in parentheses: write (cpu_usage > 80) & (load > 4)"
EQUAL = "compare with >, >=, < or <="
EXAMPLE = "this is not a condition: write one as cpu_usage > 90"


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        ("", 1, "it is empty: write a condition, as cpu_usage > 90"),
        (" \n", 1, "it is empty"),
        (
            "cpuu > 90",
            1,
            'cpuu is not a metric of this board: write cpu, or metric("cpuu") for one that does not exist yet',
        ),
        ("1 > cpuu", 5, "cpuu is not a metric"),
        ("queue > 1", 1, 'queue is not a metric of this board: write metric("queue-depth"), or'),
        (
            "nothing.like.it.avg > 1",
            1,
            "nothing.like.it is not a metric of this board: write a metric's name, or metric(",
        ),
        ("if > 1", 1, "if is not a metric of this board"),
        ("metric > 1", 1, "metric is not a metric of this board"),
        ("cpu.p42 > 90", 1, "cpu has no p42: its stats are last, avg, min"),
        ("cpu.set > 90", 1, "cpu has no set: its stats are"),
        ("cpu._registry > 90", 1, "cpu has no _registry: its stats are"),
        ("cpu.avg.max > 1", 1, "cpu.avg is already a stat: it has no max"),
        ("(cpu + 1).avg > 1", 1, "cpu + 1 has no stats: write one after the name of a metric"),
        ("(1).avg > 1", 2, "a number has no stats"),
        ("cpu", 1, "cpu is not a condition: compare it with something, as in cpu > 90"),
        ("cpu + 1", 1, "cpu + 1 is not a condition"),
        ("5", 1, "5 is not a condition"),
        ("1 > 2", 1, "this compares two numbers: compare a metric with something"),
        ("(cpu > 1) and (load > 1)", 11, AND),
        ("(cpu > 1) && (load > 1)", 11, AND),
        ("(cpu > 1) or (load > 1)", 11, OR),
        ("(cpu > 1) || (load > 1)", 11, OR),
        ("not cpu > 1", 1, NOT),
        ("!(cpu > 1)", 1, NOT),
        ("cpu = 90", 5, EQUAL),
        ("cpu == 90", 5, EQUAL),
        ("cpu != 90", 5, EQUAL),
        ("(cpu = 90)", 6, EQUAL),
        ("cpu > 80 & load > 4", 7, SIDES),
        ("(cpu > 80) & load", 14, SIDES),
        ("cpu | (load > 1)", 1, SIDES),
        ("1 < cpu < 2", 11, "comparisons cannot be chained: write (1 < x) & (x < 2)"),
        ("~cpu > 1", 1, "~ negates a condition: put one in parentheses"),
        ("~1 > cpu", 1, "~ negates a condition"),
        ("-cpu > 1", 1, "a sign can only come before a number: write 0 - x"),
        ("cpu ** 2 > 1", 8, "use +, -, * and /"),
        ("cpu // 2 > 1", 8, "use +, -, * and /"),
        ("cpu % 2 > 1", 5, "% is not allowed here: write names, numbers"),
        ("cpu > é", 7, "é is not allowed here"),
        ("cpu >\x00 1", 6, r"\x00 is not allowed here"),
        ("cpu[0] > 1", 4, "[ is not allowed here"),
        ("cpu > 1 # high", 9, "comments are not allowed here"),
        ("cpu > 1.2.3", 7, "this is not a number"),
        ("cpu > 0x10", 7, "this is not a number"),
        ("cpu > .", 7, EXAMPLE),
        ("cpu > 1or", 7, "this is not a number"),
        ("cpu > 1e999", 7, "this is not a finite number"),
        ("cpu > 1" + "0" * 400, 7, "this is not a finite number"),
        ("cpu > 1 / 0", 7, "this is not a finite number"),
        ("cpu > 1e308 * 10", 7, "this is not a finite number"),
        ("cpu > 007", 7, EXAMPLE),
        ("cpu >", 6, EXAMPLE),
        ("cpu > 90 +  ", 11, EXAMPLE),
        ("> 90", 1, EXAMPLE),
        ("... > 90", 1, EXAMPLE),
        ("  cpu cpu", 7, EXAMPLE),
        ("(cpu > 1", 1, "'(' was never closed"),
        ("cpu > 1)", 8, "unmatched ')'"),
        ("(cpu, 1) > 1", 1, "this is not allowed in a condition"),
        ("cpu > 'x", 7, "a text begins with ' and does not end"),
        ("cpu > 'x'", 7, "a text is not allowed here: write a name without quotes"),
        ("cpu > f'x'", 8, "'x' follows another word directly: put an operator"),
        ("metric('a' 'b') > 1", 12, "'b' follows another word directly"),
        (r"metric('\d') > 1", 9, r"there is no \d: write \\ for a backslash"),
        ("metric(cpu) > 1", 8, 'text is needed here: put it in quotes, as "30s"'),
        ("metric(1) > 1", 8, "text is needed here"),
        ("metric('') > 1", 1, "give a metric's name"),
        ("metric() > 1", 1, "these arguments are not valid: write metric("),
        ("metric('a', 'b') > 1", 1, "these arguments are not valid: write metric("),
        ("metric('a', a=1) > 1", 15, "text is needed here"),
        ("metric('a', a='1', a='2') > 1", 20, "give each label once"),
        ("metric('a', **cpu) > 1", 13, "give each label once, by name"),
        ("absent()", 1, "these arguments are not valid: write absent("),
        ("absent(*cpu)", 1, "these arguments are not valid: write absent("),
        ("absent(cpu, load)", 1, "these arguments are not valid: write absent("),
        ("absent(1)", 8, "a number is not enough here: write the name of a metric"),
        ("total() > 1", 1, "these arguments are not valid: write total("),
        ("total(cpu, load) > 1", 1, "these arguments are not valid: write total("),
        ("total(1) > 1", 7, "a number is not enough here"),
        ("total(cpu > 1) > 1", 1, "give a metric, as total(requests)"),
        ("total(cpu).avg > 1", 1, "total(cpu) has no stats: write one after the name of a metric"),
        ("total(cpu)('1m') > 1", 1, "only the stat of a metric takes a span"),
        ("total(cpu, env='a') > 1", 12, "total(…) takes a metric and by: write total("),
        ("total(cpu, by='a', by='b') > 1", 12, "total(…) takes a metric and by"),
        ("total(cpu, **load) > 1", 12, "total(…) takes a metric and by"),
        ("total(cpu, by=load) > 1", 15, "text is needed here"),
        ("total(cpu, by=('a', 1)) > 1", 21, "text is needed here"),
        ("total(cpu, by='') > 1", 1, "give the name of a label"),
        ("total(cpu, by='a')", 1, 'total(cpu, by="a") is not a condition'),
        ("absent(cpu > 1)", 1, "give a metric, as absent(cpu)"),
        ("absent(host='a')", 8, "only metric(…) takes labels"),
        ("anomaly(cpu.avg) > 1", 1, "give a metric, as anomaly(cpu)"),
        ("anomaly(cpu + 1) > 1", 9, "it takes one metric"),
        ("anomaly(cpu, 5) > 1", 14, "text is needed here"),
        ("anomaly(cpu, '5') > 1", 1, "write a number and its unit"),
        ("max(cpu) > 1", 1, "there is no max(…): there are metric(…), absent(…), anomaly(…) and total(…), and"),
        ("cpu('10s') > 1", 1, "name a stat"),
        ("cpu.avg() > 1", 1, "these arguments are not valid: write a span of the window after a stat"),
        ("cpu.avg(10) > 1", 9, "text is needed here"),
        ("cpu.avg('soon') > 1", 1, "write a number and its unit"),
        ("cpu.avg('0s') > 1", 1, "give a span above 0"),
        ("(cpu + 1)('10s') > 1", 1, "only the stat of a metric takes a span"),
        ("5('10s') > 1", 1, "only the stat of a metric takes a span"),
    ],
)
def test_an_error_names_the_text_the_column_and_how_to_fix_it(text: str, column: int, message: str) -> None:
    error = error_of(text)
    assert message in error
    assert f", column {column}: " in error
    assert error.startswith(f"condition {text!r}" if len(text) < 60 else "condition 'cpu")


def test_an_error_in_a_long_text_shows_the_part_around_it() -> None:
    error = error_of("(cpu > 1) & " * 20 + "(cpuu > 1)" + " & (cpu > 1)" * 20)
    assert "(cpuu > 1)" in error
    assert "condition …'" in error
    assert "'…, column 242: " in error


@pytest.mark.parametrize(
    "text",
    [
        "~" * 3_000 + "(cpu > 1)",
        "-" * 3_000 + "1 > cpu",
        "(" * 1_000 + "cpu > 1" + ")" * 1_000,
        "+".join(["cpu"] * 900) + " > 1",
        "~(" * 150 + "cpu > 1" + ")" * 150,
        "absent(" * 150 + "cpu" + ")" * 150,
        "cpu" + "('1s')" * 600 + " > 1",
    ],
)
def test_conditions_nested_too_deeply_are_refused(text: str) -> None:
    assert f"more than {MAX_DEPTH} expressions are nested in each other" in error_of(text)


def test_conditions_nested_less_deeply_are_accepted() -> None:
    chain = " & ".join(["(cpu > 1)"] * 90)
    assert text_of(chain) == text_of(text_of(chain))
    assert text_of("~" * 90 + "(cpu > 1)").count("~") == 90
    assert text_of("(" * 90 + "cpu > 1" + ")" * 90) == "cpu > 1"


def test_a_text_longer_than_the_limit_is_refused() -> None:
    assert text_of("cpu > 1" + " " * (MAX_LENGTH - 7)) == "cpu > 1"
    assert f"longer than {MAX_LENGTH} characters" in error_of("cpu > 1" + " " * (MAX_LENGTH - 6))


# --- any text ---

WORDS = (
    *(
        "cpu",
        "load",
        "load.last",
        "requests",
        "latency.p95",
        "disk.in",
        "class",
        "nothing",
        "metric",
        "absent",
        "anomaly",
    ),
    *(
        ".avg",
        ".p95",
        ".rate",
        ".",
        "0",
        "1",
        "2.5",
        "1e3",
        "'10s'",
        '"a"',
        "host=",
        "and",
        "not",
        "if",
        "lambda",
        "in",
    ),
    *("+", "-", "*", "/", ">", ">=", "<", "<=", "=", "&", "|", "~", "(", ")", "(", ")", ",", " ", "\n", "#", "\\", ":"),
)


@given(st.text(max_size=40) | st.lists(st.sampled_from(WORDS), max_size=14).map("".join))
@example("metric('a', **{})")
@example("cpu.avg('10s')('10s') > 1")
@example("\ud800")
@example("(cpu > 1) > 1")
def test_any_text_gives_a_condition_or_one_error(text: str) -> None:
    try:
        found = parse_condition(text, REGISTRY)
    except InputError:
        error_of(text)
        return
    assert parse_condition(found.text(), REGISTRY).text() == found.text()


numbers = st.floats(-1e9, 1e9).map(repr) | st.integers(0, 1_000).map(str)
names = st.sampled_from(["cpu", "load_last", "requests", "latency", "disk_in"])
spans = st.sampled_from(["", "", '("10s")', "('5m')"])
stats = st.sampled_from(["avg", "min", "max", "last", "count", "p50", "p99", "stddev", "change", "rate"])
readings = (
    names
    | st.tuples(names.filter(lambda name: name != "latency"), stats, spans).map(lambda made: "{}.{}{}".format(*made))
    | st.just('metric("queue-depth", host="a\\"b").max("1m")')
    | names.map("anomaly({})".format)
)
operands = st.recursive(
    readings,
    lambda inner: st.tuples(inner | numbers, st.sampled_from("+-*/"), inner).map(
        lambda made: "({} {} {})".format(*made)
    ),
    max_leaves=4,
)
conditions = st.recursive(
    st.tuples(operands | numbers, st.sampled_from([">", ">=", "<", "<="]), operands).map(" ".join)
    | operands.map("absent({})".format),
    lambda inner: (
        st.tuples(inner, st.sampled_from("&|"), inner).map(lambda made: "({}) {} ({})".format(*made))
        | inner.map("~({})".format)
    ),
    max_leaves=4,
)
PYTHON: dict[str, Any] = {
    "cpu": cpu,
    "load_last": load_last,
    "requests": requests,
    "latency": latency,
    "disk_in": disk_in,
    "metric": metric,
    "absent": absent,
    "anomaly": anomaly,
}


def python(text: str) -> Expression | None:
    """Return the expression that a text means in a dashboard file, or None if it is refused."""
    try:
        made: Operand = eval(text, PYTHON)
    except InputError:
        return None
    return made.expression()


@given(conditions)
def test_a_text_means_the_same_as_in_a_dashboard_file(text: str) -> None:
    meant = python(text)
    written = text.replace("load_last", "load.last").replace("disk_in", "disk.in")
    if meant is None:
        error_of(written)
        return
    found = parse_condition(written, REGISTRY)
    assert (found.text(), found.shape()) == (meant.text(), meant.shape())
    again = parse_condition(found.text(), REGISTRY)
    assert (again.text(), again.shape()) == (found.text(), found.shape())

"""A configuration overrides parts of rules, adds rules and disables others, or raises one error with its line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickboard import Board
from tickboard.alerting.rules import Rule
from tickboard.configuration.config import parse_config
from tickboard.errors import BoardError


def board() -> Board:
    board = Board()
    cpu = board.gauge("cpu_usage")
    load = board.gauge("load.last", labels=["host"])
    board.alert(
        cpu > 90, "CPU: {value:.1f}%", severity="critical", for_="10s", clear=cpu < 80, keep="5s", no_data="resolve"
    )
    board.alert((load.avg > 4) & (cpu > 50), "Load of {host}: {value:.1f}", name="load")
    board.alert(cpu.max > board.metric("cpu_usage").avg, "no number", name="spread")
    return board


def applied(text: str) -> dict[str, Rule]:
    declared = board()
    declared.apply_config(parse_config(text.encode(), "tickboard.toml"))
    return {rule.name: rule for rule in declared._rules}


def fields_of(rules: dict[str, Rule]) -> dict[str, tuple[object, ...]]:
    return {
        name: (
            rule.condition.text(),
            rule.message,
            rule.severity,
            rule.for_s,
            rule.clear.text() if rule.clear is not None else None,
            rule.keep_s,
            rule.no_data,
        )
        for name, rule in rules.items()
    }


def error_of(text: str) -> BoardError:
    declared = board()
    before = list(declared._rules)
    with pytest.raises(BoardError) as caught:
        declared.apply_config(parse_config(text.encode(), "tickboard.toml"))
    assert declared._rules == before
    assert "\n" not in str(caught.value)
    return caught.value


# --- overriding ---


def test_an_empty_file_changes_nothing() -> None:
    assert fields_of(applied("")) == fields_of(applied("[rules]\n[rules.cpu_usage]\n[rules.load]"))
    assert list(applied("")) == ["cpu_usage", "load", "spread"]


@pytest.mark.parametrize(
    ("line", "place", "value"),
    [
        ("when = 'cpu_usage.avg(\"10s\") > 70'", 0, 'cpu_usage.avg("10s") > 70'),
        ("threshold = 95", 0, "cpu_usage > 95"),
        ("threshold = -0.5", 0, "cpu_usage > -0.5"),
        ("message = 'high'", 1, "high"),
        ("severity = 'info'", 2, "info"),
        ("for = '1m'", 3, 60.0),
        ("for = '0s'", 3, 0.0),
        ("clear = 'cpu_usage < 50'", 4, "cpu_usage < 50"),
        ("keep = '250ms'", 5, 0.25),
        ("no_data = 'alert'", 6, "alert"),
    ],
)
def test_only_the_given_keys_of_a_rule_are_overridden(line: str, place: int, value: object) -> None:
    before, after = fields_of(applied("")), fields_of(applied(f"[rules.cpu_usage]\n{line}\n"))
    assert after["cpu_usage"] == (*before["cpu_usage"][:place], value, *before["cpu_usage"][place + 1 :])
    assert after["load"] == before["load"]
    assert list(after) == list(before)


def test_a_threshold_replaces_that_of_the_first_comparison() -> None:
    rules = applied("[rules.load]\nthreshold = 8\n")
    assert rules["load"].condition.text() == "(load.last.avg > 8) & (cpu_usage > 50)"
    assert rules["load"].threshold == 8


def test_a_threshold_also_replaces_that_of_a_new_condition() -> None:
    assert applied("[rules.load]\nwhen = 'load.last > 1'\nthreshold = 8\n")["load"].condition.text() == "load.last > 8"


def test_a_disabled_rule_is_removed() -> None:
    assert list(applied("[rules.load]\nenabled = false\n")) == ["cpu_usage", "spread"]
    assert list(applied("[rules.load]\nenabled = true\n")) == ["cpu_usage", "load", "spread"]
    new = "[rules.new]\nwhen = 'cpu_usage > 1'\nmessage = 'm'\nenabled = false\n"
    assert list(applied(new)) == ["cpu_usage", "load", "spread"]


def test_a_new_rule_has_the_same_defaults_as_in_python() -> None:
    rules = applied("[rules.idle]\nwhen = 'cpu_usage < 1'\nmessage = 'idle'\n")
    python = board()
    python.alert(python.metric("cpu_usage") < 1, "idle", name="idle")
    assert list(rules) == ["cpu_usage", "load", "spread", "idle"]
    assert fields_of(rules)["idle"] == fields_of({"idle": python._rules[-1]})["idle"]


def test_a_new_rule_may_watch_an_undeclared_metric() -> None:
    text = """
    [rules."queue.depth"]
    when = 'absent(metric("queue.depth", zone="a"))'
    message = "{zone} is silent"
    severity = "critical"
    """
    assert applied(text)["queue.depth"].condition.text() == 'absent(metric("queue.depth", zone="a"))'


def test_a_rule_records_the_file_and_line_of_its_condition() -> None:
    rules = applied("[rules.cpu_usage]\nthreshold = 1\n\n[rules.load]\nfor = '1s'\nclear = 'cpu_usage < 1'\n")
    assert rules["cpu_usage"].file == __file__
    assert (rules["load"].file, rules["load"].line) == ("tickboard.toml", 6)


def test_a_span_longer_than_the_window_is_reported_with_its_line() -> None:
    declared = board()
    declared.apply_config(parse_config(b"[rules.cpu_usage]\n\nwhen = 'cpu_usage.avg(\"2h\") > 1'\n", "tickboard.toml"))
    with pytest.raises(BoardError, match=r"tickboard\.toml:3: .*the window is 60 s long"):
        declared.prepare()


# --- errors ---


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "[rules.cpu_usag]\nthreshold = 9",
            "and a new one needs when and message: add it, or write rules.cpu_usage, which exists",
        ),
        (
            "[rules.other]\nwhen = 'cpu_usage > 1'",
            "tickboard.toml:1: rules.other: no rule of this board has this name, ",
        ),
        ("[rules.other]\nmessage = 'm'", "and a new one needs when: add it"),
        (
            "[rules.load]\n\nwhen = 'cpu_usag > 1'",
            ":3: rules.load.when: condition 'cpu_usag > 1', column 1: cpu_usag is not a metric of this board: write",
        ),
        ("[rules.load]\nclear = 'cpu_usage'", "tickboard.toml:2: rules.load.clear: condition 'cpu_usage', column 1: "),
        ("[rules.load]\nmessage = '{hots}'", "tickboard.toml:2: rules.load.message: alert message '{hots}': {hots} is"),
        ("[rules.load]\nmessage = '{value'", "tickboard.toml:2: rules.load.message: alert message '{value'"),
        ("[rules.load]\nwhen = 'cpu_usage > 1'", "tickboard.toml:2: rules.load.when: alert message 'Load of {host}"),
        ("[rules.spread]\nthreshold = 1", "tickboard.toml:2: rules.spread.threshold: cpu_usage.max > cpu_usage.avg"),
        ("[rules.new]\nwhen = 'x > 1'\nmessage = 'm'\nenabled = false", "tickboard.toml:2: rules.new.when: condition"),
        ("[rules.cpu_usage]\nthreshold = 1\n[rules.load]\nwhen = ''", "rules.load.when: '' is invalid"),
        (
            "[rules.cpu_usage]\nthreshold = 1\n[rules.load]\nwhen = '('",
            "tickboard.toml:4: rules.load.when: condition '('",
        ),
    ],
)
def test_an_invalid_override_is_reported_with_its_line_and_changes_nothing(text: str, message: str) -> None:
    assert message in str(error_of(text))


@given(st.text(max_size=20))
def test_any_condition_is_accepted_or_refused_with_its_line(text: str) -> None:
    escaped = "".join(f"\\U{ord(one):08x}" for one in text.encode("utf-8", "replace").decode())
    try:
        applied(f'[rules.load]\nmessage = "m"\nwhen = "{escaped}"\n')
    except BoardError as error:
        assert error.line == 3  # noqa: PT017  # either may happen

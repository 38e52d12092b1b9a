"""An invalid rule is refused where it is declared."""

from typing import Any

import pytest

from tickboard.alerting import rules
from tickboard.alerting.rules import Rule, check_rule, unused_name
from tickboard.errors import InputError
from tickboard.expressions.functions import absent, metric, total
from tickboard.metrics.registry import Registry


@pytest.fixture
def registry() -> Registry:
    registry = Registry()
    registry.gauge("cpu")
    registry.gauge("disk", labels=["mount"])
    return registry


def rule(registry: Registry, message: Any = "m", **more: Any) -> Rule:
    made = Rule("r", more.pop("condition", registry.handle("cpu") > 90), message, more.pop("severity", "info"), **more)
    check_rule(made, registry.metrics, 60.0)
    return made


@pytest.mark.parametrize(
    ("invalid", "hint"),
    [
        ({"severity": "fatal"}, "severity 'fatal' is unknown: use one of info, warning, critical"),
        ({"no_data": "ok"}, "no_data 'ok' is unknown: use one of keep, alert, resolve"),
        ({"message": "{host}: x"}, "{host} is unknown; it may use {value}, {metric}, {threshold}"),
        ({"message": "{mount}"}, "{mount} is unknown"),
        ({"message": "{}"}, "{} is unknown"),
        ({"message": "{value.real}"}, "{value.real} is unknown"),
        ({"message": "{value:.1q}"}, "write the value as"),
        ({"message": "{value"}, "write the value as"),
        ({"message": 5}, "is not text"),
        ({"message": "a\udcff"}, "'a\\udcff' contains a lone surrogate"),
        ({"condition": metric("q\udcff") > 1}, "condition 'metric(\"q\\udcff\") > 1' contains a lone surrogate"),
        (
            {"message": "{value:1000000000000}"},
            "'{value:1000000000000}': the format '1000000000000' asks for more than 100",
        ),
        ({"message": "{value:.101f}"}, "asks for more than 100 characters or digits: use 100 at most"),
        ({"message": f"{{value:{'9' * 5000}}}"}, "asks for more than 100"),
        ({"message": "{metric:0>101}"}, "asks for more than 100"),
        ({"message": "{value:c}"}, "write the value as"),
    ],
)
def test_the_error_names_the_mistake_or_how_to_fix_it(registry: Registry, invalid: dict[str, Any], hint: str) -> None:
    with pytest.raises(InputError) as refused:
        rule(registry, **invalid)
    assert hint in str(refused.value)


def test_a_rule_name_with_a_lone_surrogate_is_refused() -> None:
    with pytest.raises(InputError, match=r"rule name '\\udcff' contains a lone surrogate, .*: remove it"):
        check_rule(Rule("\udcff", metric("q") > 1, "m", "info"), {})


def test_a_message_format_may_have_a_width_or_precision_of_100(registry: Registry) -> None:
    assert rule(registry, "{value:9>100.1f}").format_message(5, {}) == "5.0".rjust(100, "9")
    assert len(rule(registry, "{value:.100f}").format_message(5, {})) == 102
    assert rule(registry, "{value:0100.1f}").format_message(5, {}) == "5.0".zfill(100)


def test_any_exception_while_formatting_a_message_becomes_an_input_error(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    def exhausted(parts: object, words: object) -> str:
        raise MemoryError

    monkeypatch.setattr(rules, "_worded", exhausted)
    with pytest.raises(InputError, match=r"alert message '\{value\}': MemoryError; write the value as"):
        rule(registry, "{value}")


def test_a_message_may_use_only_the_labels_of_its_metrics(registry: Registry) -> None:
    disk = registry.handle("disk")
    assert rule(registry, "{mount}: {value:.0f}", condition=disk > 1).format_message(5.4, {"mount": "/"}) == "/: 5"
    with pytest.raises(InputError, match=r"\{host\} is unknown; it may use .*\{mount\}"):
        rule(registry, "{host}", condition=disk > 1)
    with pytest.raises(InputError, match="write the value as"):
        rule(registry, "{mount:.1f}", condition=disk > 1)


def test_the_message_for_an_undeclared_metric_may_use_any_label(registry: Registry) -> None:
    made = rule(registry, "{host.name} {{{value:.1f}}} of {metric}", condition=metric("queue.depth") > 5)
    assert made.format_message(7, {"host.name": "a"}) == "a {7.0} of queue.depth"
    assert made.format_message(7, {}) == " {7.0} of queue.depth"


def test_a_message_may_use_only_the_labels_that_a_total_is_by(registry: Registry) -> None:
    disk, cpu = registry.gauge("used", labels=["host", "env"]), registry.handle("cpu")
    made = rule(registry, "{env}: {value:.0f}", condition=total(disk, by="env") > 1)
    assert made.format_message(5.4, {"env": "prod"}) == "prod: 5"
    with pytest.raises(InputError, match=r"\{host\} is unknown; it may use .*\{env\}"):
        rule(registry, "{host}", condition=total(disk, by="env") > 1)
    with pytest.raises(InputError, match=r'total\(used, by="zone"\): used has no label "zone": use one of env'):
        rule(registry, condition=total(disk, by="zone") > 1)
    with pytest.raises(InputError, match='cpu has no label "env": leave by out'):
        rule(registry, condition=cpu > 1, clear=total(cpu, by="env") < 1)


def test_a_message_shows_the_label_that_the_condition_selects_where_its_series_has_none(registry: Registry) -> None:
    gone = rule(registry, "{host} sends nothing", condition=absent(metric("beat", host="web-*")))
    assert gone.format_message(float("nan"), {"host": "web-1"}) == "web-1 sends nothing"
    assert gone.format_message(float("nan"), {}) == "web-* sends nothing"
    disk = registry.gauge("used", labels=["host", "env"])
    made = rule(registry, "{env}: {value:.0f} {host}", condition=total(metric("used", env="prod"), by="host") > 1)
    assert made.format_message(5, {"host": "a"}) == "prod: 5 a"
    assert rule(registry, "{value:.0f}", condition=disk > 1).selected == {}


def test_a_label_does_not_replace_a_built_in_placeholder(registry: Registry) -> None:
    labels = {"value": "a", "metric": "b", "threshold": "c"}
    made = rule(registry, "{metric} is {value:.1f}, over {threshold:.0f}", condition=metric("q") > 1)
    assert made.format_message(5, labels) == "q is 5.0, over 1"
    registry.gauge("q", labels=list(labels))
    assert rule(registry, made.message, condition=metric("q") > 1).format_message(5, labels) == "q is 5.0, over 1"


def test_a_message_that_cannot_be_formatted_is_sent_unformatted(registry: Registry) -> None:
    # These are not checked: `check_rule` would have refused them.
    for message in ("{host:.1f} has {value}", "{value:d}", "{value"):
        assert Rule("r", metric("q") > 1, message, "info").format_message(5.0, {"host": "a"}) == message


def test_a_missing_number_is_shown_as_a_question_mark(registry: Registry) -> None:
    made = rule(registry, "{value:.1f}% of {threshold:.0f}", condition=absent(registry.handle("cpu")))
    assert made.format_message(float("nan"), {}) == "?% of ?"
    assert made.threshold is None


def test_a_span_longer_than_the_window_is_refused(registry: Registry) -> None:
    cpu = registry.handle("cpu")
    rule(registry, condition=cpu.avg("60s") > 1)
    for condition, clear in ((cpu.avg("61s") > 1, None), (cpu > 1, cpu.max("2m") < 1)):
        with pytest.raises(InputError, match=r"the window is 60 s long: give a shorter span"):
            rule(registry, condition=condition, clear=clear)
        check_rule(Rule("r", condition, "m", "info", clear=clear), registry.metrics)


def test_a_rule_describes_itself_for_the_page(registry: Registry) -> None:
    cpu = registry.handle("cpu")
    info = rule(registry, condition=(cpu.avg > 90) & (cpu > 1)).describe()
    assert (info.name, info.condition, info.metric, info.threshold) == ("r", "(cpu.avg > 90) & (cpu > 1)", "cpu", 90)
    odd = rule(registry, condition=100 - cpu > cpu).describe()
    assert (odd.metric, odd.threshold) == ("cpu", None)
    assert rule(registry, condition=metric("cpu") * 0 + 5 > 1).metric_name == "cpu"


def test_a_name_in_use_gets_a_number() -> None:
    assert unused_name("cpu", {"disk"}) == "cpu"
    assert unused_name("cpu", {"cpu", "cpu_2"}) == "cpu_3"
    assert unused_name("", ()) == "rule"
    assert unused_name("", {"rule"}) == "rule_2"

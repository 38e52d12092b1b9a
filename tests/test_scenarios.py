"""The scenarios in tests/scenarios: the events of a rule for given values, through the whole engine."""

import math
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tickboard import schedule
from tickboard.alerting.rules import Rule, check_rule
from tickboard.engine import Engine
from tickboard.expressions.functions import absent, anomaly
from tickboard.metrics.registry import Registry

SCENARIOS = Path(__file__).parent / "scenarios" / "alerts.txt"
METRICS = ("cpu", "load")


@dataclass
class Scenario:
    """A rule, values of metrics, and the expected events."""

    title: str
    given: dict[str, str] = field(default_factory=dict)

    def row(self, name: str) -> list[str]:
        return self.given.get(name, "").split()


def read() -> list[Scenario]:
    found: list[Scenario] = []
    for block in SCENARIOS.read_text(encoding="utf-8-sig").split("\n\n"):
        lines = [line for line in block.splitlines() if line and not line.startswith("#")]
        if lines:
            given = (line.split(maxsplit=1) for line in lines[1:])
            found.append(Scenario(lines[0], dict(given)))
    return found


def play(scenario: Scenario) -> list[str]:
    """Return the events of each tick in the notation of the scenarios."""
    registry = Registry()
    metrics = {name: registry.gauge(name) for name in METRICS}
    names = {**metrics, "absent": absent, "anomaly": anomaly}
    given = scenario.given
    rule = Rule(
        "rule",
        eval(given["when"], names),
        "m",
        "info",
        schedule.duration(given.get("for", "0s")),
        eval(given["clear"], names) if "clear" in given else None,
        schedule.duration(given.get("keep", "0s")),
        given.get("no_data", "keep"),  # type: ignore[arg-type]  # it is checked below
    )
    check_rule(rule, registry.metrics)
    ids = iter(range(1_000))
    engine = Engine(registry, [rule], 60, "e", lambda: str(next(ids)))
    told = []
    for tick in range(len(scenario.row("told"))):
        for name, metric in metrics.items():
            if row := scenario.row(name):
                metric.set(math.nan if row[tick] == "-" else float(row[tick]))
        events = engine.tick(1_000.0 + tick, 1.0).events
        told.append("".join({"firing": "F", "resolved": "R"}[event.kind] for event in events) or ".")
    return told


@pytest.mark.parametrize("scenario", read(), ids=lambda scenario: scenario.title)
def test_a_rule_makes_the_expected_events(scenario: Scenario) -> None:
    assert {"when", "told"} <= scenario.given.keys() <= {"when", "told", "for", "keep", "clear", "no_data", *METRICS}
    assert all(len(scenario.row(name)) in {0, len(scenario.row("told"))} for name in METRICS)
    assert play(scenario) == scenario.row("told")

"""Rules of a real wall on real hosts: one that is gone, one that never came, and the sum of all."""

import math
import signal
from pathlib import Path
from typing import Any

import httpx
from tests.fleet.comparing import milliseconds
from tests.fleet.real_walls import INTERVAL_MS, Walls, running
from tests.serving import wait_for

SILENT_MS = 3_000
"""A host that has been silent for longer is gone: its interval is less than a second."""

CONFIG = """
[rules.gone]
when = 'metric("host_up", host="[ab]") < 1'
message = "{host} in {env} is gone"
severity = "critical"

[rules.silent]
when = 'absent(metric("value", host="a*"))'
message = "{host} sends nothing"
for = "2s"

[rules.missing]
when = 'absent(metric("value", host="c*"))'
message = "{host} sends nothing"

[rules.sum]
when = 'total(metric("value"), by="env") / total(metric("value") * 0 + 1, by="env") > -1'
message = "{env}: {value:g}"
"""


def alerts(walls: Walls, rule: str, state: str = "all") -> list[dict[str, Any]]:
    """Return the alerts of a rule of the wall, newest first."""
    found: list[dict[str, Any]] = walls.wall.json(f"/api/alerts?rule={rule}&state={state}")["alerts"]
    return found


def messages(walls: Walls, rule: str, state: str = "active") -> list[str]:
    return [alert["message"] for alert in alerts(walls, rule, state)]


def test_a_host_that_is_killed_has_an_alert_until_it_is_back_and_a_goodbye_is_none(tmp_path: Path) -> None:
    with running(tmp_path, "a", "b", config=CONFIG) as walls:
        for name in ("a", "b"):
            walls.wait_for_ticks(name, 1)
        wait_for(lambda: messages(walls, "sum"))
        assert messages(walls, "gone", "all") == messages(walls, "silent", "all") == []
        # Both hosts have the same value in a tick.
        [average] = alerts(walls, "sum")
        assert (average["labels"], average["metric"]) == ({"env": "prod"}, "value")
        assert math.isclose(average["value"], round(average["value"]))
        assert messages(walls, "missing") == ["c* sends nothing"]

        walls.hosts["a"].end(signal.SIGKILL)
        wait_for(lambda: messages(walls, "gone"))
        [alert] = alerts(walls, "gone")
        assert (alert["message"], alert["labels"]) == ("a in prod is gone", {"host": "a", "env": "prod"})
        [host] = [each for each in walls.wall.json("/api/hosts")["hosts"] if each["name"] == "a"]
        assert (host["state"], host["since"]) == ("gone", host["seen"])
        # It fires in the first tick in which the host is gone.
        fired_ms = milliseconds(alert["timestamp"])
        up = walls.wall.served().window()["host_up", (("env", "prod"), ("host", "a"))]
        assert min(time for time, value in up.items() if value == 0) == fired_ms
        assert {value for time, value in up.items() if time < fired_ms} == {1}
        # The wall checks at its ticks, just after their instants.
        assert fired_ms >= milliseconds(host["seen"]) + SILENT_MS - INTERVAL_MS
        wait_for(lambda: messages(walls, "silent") == ["a sends nothing"])

        walls.hosts["a"].start()
        wait_for(lambda: not messages(walls, "gone") and not messages(walls, "silent"))
        [again] = alerts(walls, "gone")
        assert (again["id"], again.get("ended", "")) == (alert["id"], "")

        walls.hosts["b"].end(signal.SIGTERM)
        walls.wait_for_state("b", "left")
        walls.wait_for_ticks("a", 2 * SILENT_MS // INTERVAL_MS)
        assert walls.state("b") == "left"
        assert [each["id"] for each in alerts(walls, "gone")] == [alert["id"]]


def test_the_alerts_on_a_host_that_is_forgotten_end(tmp_path: Path) -> None:
    with running(tmp_path, "a", config=CONFIG) as walls:
        walls.wait_for_ticks("a", 1)
        walls.hosts["a"].end(signal.SIGKILL)
        wait_for(lambda: messages(walls, "gone") and messages(walls, "silent"))
        httpx.delete(f"{walls.wall.url}/api/hosts/a").raise_for_status()
        wait_for(lambda: not messages(walls, "gone") and messages(walls, "silent") == ["a* sends nothing"])
        assert [alert["ended"] for alert in alerts(walls, "gone")] == ["forgotten"]

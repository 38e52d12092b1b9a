"""A wall of simulated hosts, as `tickboard follow` makes it of real ones: HOSTS of them, some of which are in trouble.

The file `STATE` names hosts that are gone, one in each line; it may change.
"""

import math
import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tickboard import Board
from tickboard.wire import HostInfo, HostList, HostState, RuleInfo, TimeRange

HOSTS = int(os.environ.get("HOSTS", "48"))
STATE = Path(os.environ["STATE"]) if "STATE" in os.environ else None
FIRING = os.environ.get("FIRING", "1") == "1"
HOT = {1, *range(3, 2 + int(os.environ.get("HOT", "1")))}
"""The hosts whose CPU is over its limit."""

LABELS = ["host", "env"]
PARTS = [("prod", 0.62, ""), ("staging", 0.24, "s-"), ("edge", 0.14, "")]
ROLES = {
    "prod": [("web", 12), ("api", 8), ("worker", 6), ("db", 2), ("cache", 2), ("search", 1)],
    "staging": [("web", 8), ("api", 6), ("worker", 5), ("db", 2), ("cache", 2), ("search", 1)],
    "edge": [("fra", 9), ("ams", 9), ("nyc", 6), ("sin", 6), ("lhr", 5)],
}


def _names() -> list[tuple[str, str, str]]:
    """Return the name, the environment and the role of each host."""
    found: list[tuple[str, str, str]] = []
    for env, share, prefix in PARTS:
        count = round(share * HOSTS) if env != "edge" else HOSTS - len(found)
        roles = ROLES[env]
        whole = sum(weight for _, weight in roles)
        left = count
        for role, weight in roles:
            own = min(left, max(1, round(count * weight / whole))) if role != roles[-1][0] else left
            width = max(2, len(str(own)))
            found += [(f"{prefix}{role}-{number:0{width}}", env, role) for number in range(1, own + 1)]
            left -= own
    return found


hosts = _names()
STARTED = datetime.now(UTC)


def _stamp(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class _Known:
    """What the wall knows of its hosts.

    Attributes:
        revision: counts changes.
        infos: the descriptions, each with the revision of its last change.
    """

    def __init__(self) -> None:
        self.revision = 1
        self.infos: dict[str, tuple[int, HostInfo]] = {}
        for number, (name, env, role) in enumerate(hosts):
            info = HostInfo(
                name,
                "live",
                _stamp(STARTED),
                seen=_stamp(STARTED),
                labels={"env": env, "role": role},
                title=name,
                interval_ms=1000,
                started=_stamp(STARTED - timedelta(days=3)),
                booted=_stamp(STARTED - timedelta(days=3 + number * 7 % 90)),
                clock_s=4.2 if number == 5 else 0.0,
                filling=TimeRange(_stamp(STARTED - timedelta(minutes=30)), _stamp(STARTED - timedelta(minutes=23)))
                if number == 4
                else None,
            )
            if number == 6:
                info = msgspec.structs.replace(info, started=_stamp(STARTED - timedelta(minutes=3)))
            self.infos[name] = (1, info)

    def set(self, name: str, state: HostState) -> None:
        known = self.infos[name][1]
        if known.state != state:
            self.revision += 1
            changed = msgspec.structs.replace(known, state=state, since=_stamp(datetime.now(UTC)))
            self.infos[name] = (self.revision, changed)


known = _Known()
RULES = [
    RuleInfo("cpu_usage > 85", "CPU over 85 %", "warning", "cpu_usage", 85, "cpu_high"),
    RuleInfo("memory_usage > 90", "memory over 90 %", "warning", "memory_usage", 90, "memory_high"),
    RuleInfo("disk_space_usage > 95", "disk full", "critical", "disk_space_usage", 95, "disk_full"),
    RuleInfo("load_per_core > 1", "load over 1", "warning", "load_per_core", 1, "load_high"),
]


async def list_hosts(request: Request) -> Response:
    since = int(request.query_params.get("since", "-1"))
    changed = [info for revision, info in known.infos.values() if revision > since]
    answer = HostList(known.revision, changed, rules=RULES, whole=since < 0)
    return Response(msgspec.json.encode(answer), media_type="application/json")


board = Board("Hosts · eu.example.net", routes=[Route("/api/hosts", list_hosts)])
up = board.gauge("host_up", "Host is there", labels=LABELS)
cpu = board.gauge("cpu_usage", "CPU Usage", unit="%", min=0, max=100, labels=LABELS)
memory = board.gauge("memory_usage", "Memory", unit="%", min=0, max=100, labels=LABELS)
disk = board.gauge("disk_space_usage", "Disk", unit="%", min=0, max=100, labels=[*LABELS, "mount"])
received = board.gauge("net_received_rate", "Network Received", unit="B/s", labels=LABELS)
sent = board.gauge("net_sent_rate", "Network Sent", unit="B/s", labels=LABELS)
load = board.gauge("load_per_core", "Load", labels=LABELS)
handles = [
    (
        up.labels(host=name, env=env),
        cpu.labels(host=name, env=env),
        memory.labels(host=name, env=env),
        disk.labels(host=name, env=env, mount="/"),
        disk.labels(host=name, env=env, mount="/var"),
        received.labels(host=name, env=env),
        sent.labels(host=name, env=env),
        load.labels(host=name, env=env),
    )
    for name, env, _ in hosts
]


def _wave(number: int, kind: int, period: float) -> float:
    """Return a value from 0 to 1 that changes slowly, other for each host and kind."""
    seed = math.sin(number * 12.9898 + kind * 78.233) * 43758.5453
    return (seed % 1) * 0.8 + 0.1 + 0.1 * math.sin(time.time() / period + number)


@board.every()
def simulate() -> None:
    gone = set(STATE.read_text(encoding="utf-8").split()) if STATE is not None and STATE.exists() else set[str]()
    for number, ((name, _, _), own) in enumerate(zip(hosts, handles, strict=True)):
        known.set(name, "gone" if name in gone else "live")
        own[0].set(0 if name in gone else 1)
        if name in gone:
            for handle in own[1:]:
                handle.set(math.nan)
            continue
        own[1].set(91.0 + math.sin(time.time()) if FIRING and number in HOT else 10 + 60 * _wave(number, 1, 9))
        own[2].set(25 + 55 * _wave(number, 2, 60))
        own[3].set(20 + 40 * _wave(number, 3, 900))
        own[4].set(96.1 if FIRING and number == 2 else 25 + 50 * _wave(number, 4, 900))
        own[5].set(2e6 + 3e7 * _wave(number, 5, 5))
        own[6].set(1e6 + 1e7 * _wave(number, 6, 5))
        own[7].set(0.1 + 0.6 * _wave(number, 7, 20))


board.hosts()
board.alert(cpu > 85, "{host}: CPU over 85 % for 5 min", severity="warning", name="cpu_high")
board.alert(disk > 95, "{host}: {mount} is {value:.1f} % full", severity="critical", name="disk_full")

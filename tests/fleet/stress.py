"""The stress run: hosts and walls whose programs and network fail at random; in the end they must agree.

    python -m tests.fleet.stress --seed 7 --minutes 30

Everything runs in network namespaces of its own, which disappear with the run. The schedule is made from the seed. Once
everything works again, the run waits until every wall has the ticks, the window and the alerts of every host. If they
do not become equal, it prints the seed, the schedule and the first differences, and ends with 1.
"""

import argparse
import contextlib
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import httpx
from tests.fleet import namespaces, schedule
from tests.fleet.comparing import Case, Found, Served, repeated
from tests.fleet.lab import INTERVAL_MS, LABELS, Lab, host_names, wall_names
from tests.fleet.people import Person
from tests.fleet.schedule import SILENT_KINDS, Fault, Schedule

ROOT = Path(__file__).parents[2]

OVERVIEW = frozenset({"instance", "uptime", "load", "requests", "latency", "moved", "other"})
"""The overview series of both editions of a host's board."""

CLOCK = "uptime"
"""A series that has another value in each tick, by which one finds a tick again."""

AGREE_S = 90.0
"""The longest that walls may take to agree with hosts after everything works again."""

KILL_LOSES_MS = 3000
"""How much of the end of its history a host may lose when it is killed: what was not yet written."""

GONE_S = 6.0
"""How long after the last sign of life a wall may show a host as live: three seconds, and what a busy machine takes."""

ALLOWED = re.compile(r"[^;]*: it is shown as moved:\w+(; )?|its ticks come late, and are shown \d+ s later: [^;]*(; )?")
"""What a wall may say of a host: that its metric has another unit than that of other hosts, and that it is shown later.

That ends after 60 ticks in a row that were in time, which may not come on a machine that is busy with other things.
Values are compared all the same."""

SHOWN = 40
"""How many differences are printed."""


class Run:
    """A stress run.

    Args:
        lab: what it runs on.
        plan: what goes wrong.
    """

    def __init__(self, lab: Lab, plan: Schedule) -> None:
        self._lab = lab
        self._plan = plan
        self._start_ms = self._end_ms = 0
        self._person = Person([*lab.walls.values()], plan.seed)

    def run(self) -> list[str]:
        """Start everything, let it fail, and return the differences in the end."""
        self._lab.start()
        _say("all boards answer")
        if problems := self._until_none(self._unseen):
            return problems
        self._start_ms = _now_ms() + 2 * INTERVAL_MS
        _say("every wall shows every host")
        # A wall that is killed within a second of the first tick of a host does not know the host afterwards.
        time.sleep(3 * INTERVAL_MS / 1000)
        self._person.start()
        self._fail()
        self._person.stop()
        self._end_ms = _now_ms()
        _say(
            f"everything works again; {len(self._person.acknowledged)} alerts were acknowledged on walls, "
            f"{self._person.failed.total()} tries failed: {dict(self._person.failed)}"
        )
        return self._until_none(self._differences)

    def _fail(self) -> None:
        """Begin and end all faults when they are due."""
        steps: list[tuple[float, bool, Fault]] = [(fault.at_s, True, fault) for fault in self._plan.faults]
        steps += [(fault.until_s, False, fault) for fault in self._plan.faults]
        began = time.monotonic()
        for due_s, begins, fault in sorted(steps, key=lambda step: step[:2]):
            while (left_s := due_s - (time.monotonic() - began)) > 0:
                self._lab.check()
                time.sleep(min(left_s, 1.0))
            _say(f"{due_s:6.1f} s  {'begin' if begins else 'end':5}  {fault.kind:7}  {fault.target}")
            (self._lab.begin if begins else self._lab.end)(fault)

    def _until_none(self, differences: Callable[[], Iterator[str]]) -> list[str]:
        """Return the differences that there still are when time is up; empty as soon as there are none."""
        end = time.monotonic() + AGREE_S
        while True:
            self._lab.check()
            began = time.monotonic()
            is_last = began > end
            try:
                # Everything is read of all boards, but no more is compared than has to be, so that they are in time.
                found = list(islice(differences(), SHOWN if is_last else 1))
            except httpx.HTTPError as error:
                found = [f"{error!r}"]
            if not found or is_last:
                return found
            _say(f"not yet: {found[0]:.150}")
            time.sleep(max(1.0, time.monotonic() - began))

    def _unseen(self) -> Iterator[str]:
        """Yield what a wall does not show of the hosts as it should."""
        for wall in self._lab.walls.values():
            shown = {host["name"]: host for host in wall.get("/api/hosts").json()["hosts"]}
            for name in self._lab.hosts.keys() | shown.keys():
                host = shown.get(name, {})
                problem = ALLOWED.sub("", host.get("problem", ""))
                if host.get("state") != "live" or host.get("filling") or problem:
                    yield f"{wall.name} shows {name} as {host}"

    def _differences(self) -> Iterator[str]:
        """Yield how walls differ from hosts."""
        yield from self._unseen()
        for board in (*self._lab.hosts.values(), *self._lab.walls.values()):
            if (health := board.get("/api/health").json())["status"] != "ok":
                yield f"{board.name} is {health['status']}: {health['reasons']}"
        hosts = {name: self._answers(host) for name, host in self._lab.hosts.items()}
        for each in sorted(self._person.acknowledged):
            name, _, alert = each.partition(":")
            if "acknowledged" not in hosts[name].alerts.get(alert, {}):
                yield f"{name}: alert {alert} was acknowledged on a wall, and not on the host"
        for wall in self._lab.walls.values():
            found = self._answers(wall)
            for each in repeated(wall.events()):
                yield f"{wall.name}: {each}"
            for name, host in hosts.items():
                for each in self._of_host(name, host, wall.name, found):
                    yield f"{wall.name}, {name}: {each}"

    def _of_host(self, name: str, host: Found, wall_name: str, wall: Found) -> Iterator[str]:
        ahead_ms = round(self._lab.ahead_s(name) * 1000)
        start_ms, end_ms = self._start_ms + ahead_ms, self._end_ms + ahead_ms
        kills = [
            round(began * 1000) + ahead_ms
            for fault, (began, _) in self._lab.happened.items()
            if fault.target == name and fault.kind in {"kill", "change"}
        ]

        def lost(at: int) -> bool:
            return any(kill - KILL_LOSES_MS <= at <= kill + INTERVAL_MS for kill in kills)

        off_ms = round((self._lab.ahead_s(name) - self._lab.ahead_s(wall_name)) * 1000)
        shifts = {off_ms // INTERVAL_MS * INTERVAL_MS, -(-off_ms // INTERVAL_MS) * INTERVAL_MS}
        cases = [Case(name, LABELS, OVERVIEW, shift, start_ms, end_ms, lost, CLOCK, INTERVAL_MS) for shift in shifts]
        case = min(cases, key=lambda each: len(list(each.at_once().of_history(host, wall))))
        case = case.known_to(host, wall)
        yield from case.of_history(host, wall)
        yield from case.of_window(host, wall)
        yield from case.of_alerts(host, wall)
        yield from self._of_state(name, wall_name, wall)

    def _of_state(self, name: str, wall_name: str, wall: Found) -> Iterator[str]:
        """Yield when a wall showed a silent host as live, or shows it as gone now."""
        [up] = [values for key, values in wall.history.items() if key[0] == "host_up" and ("host", name) in key[1]]
        if up[max(up)] != 1:
            yield f"host_up is {up[max(up)]}"
        ahead_s = self._lab.ahead_s(wall_name)
        for fault, (began, ended) in self._lab.happened.items():
            if fault.target == name and fault.kind in SILENT_KINDS:
                for at_ms, value in up.items():
                    at_s = at_ms / 1000 - ahead_s
                    if (
                        began < at_s < ended
                        and value == 1
                        and at_s > self._heard_until(wall_name, began, at_s) + GONE_S
                    ):
                        yield f"host_up is 1 {at_s - began:.1f} s after the beginning of {fault}"

    def _heard_until(self, wall_name: str, began_s: float, at_s: float) -> float:
        """Return until when a wall may have heard of a host that has fallen silent.

        What was under way may come once the wall or NATS works again, or now and then while it is slow; and a wall that
        was stopped itself counts no host's silence in that time.
        """
        until_s = began_s
        for fault, (start_s, end_s) in self._lab.happened.items():
            if fault.target in {wall_name, "nats"} and start_s < at_s and end_s > began_s:
                if end_s < at_s:
                    until_s = max(until_s, end_s)
                elif fault.kind in {"pause", "slow", "lossy"}:
                    until_s = at_s
        return until_s

    def _answers(self, board: Served) -> Found:
        window = board.window()
        # A wall's ticks of a host may be an interval earlier or later; and windows go on.
        ahead_ms = round(self._lab.ahead_s(board.name) * 1000)
        start_ms, end_ms = self._start_ms + ahead_ms - 2 * INTERVAL_MS, _now_ms() + ahead_ms + 2 * INTERVAL_MS
        history = board.history(start_ms, end_ms, INTERVAL_MS)
        return Found(history, window, board.alerts())


def _now_ms() -> int:
    return round(time.time() * 1000)


def _say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')}  {text}", flush=True)


def run(seed: int, seconds: float, hosts: int, walls: int, *, nats: bool, longest_s: float, folder: Path) -> int:
    """Make a run in this process' namespaces, and return its exit status."""
    plan = schedule.make(
        seed, seconds, host_names(hosts), wall_names(walls), ["nats"] if nats else [], longest_s=longest_s
    )
    print(plan, flush=True)
    differences = Run(Lab(folder, hosts, walls, nats=nats, clocks=plan.clocks), plan).run()
    if not differences:
        _say("every wall agrees with every host")
        return 0
    print(f"{AGREE_S:.0f} s after everything works again, they still differ:", *differences, plan, sep="\n", flush=True)
    return 1


def main() -> int:
    """Make a run in namespaces of its own, and return its exit status."""
    parser = argparse.ArgumentParser(description="Hosts and walls fail at random, and must agree in the end.")
    parser.add_argument("--seed", type=int, default=None, help="of the schedule; by default another each time")
    parser.add_argument("--minutes", type=float, default=10.0, help="for how long faults begin")
    parser.add_argument("--hosts", type=int, default=20)
    parser.add_argument("--walls", type=int, default=3)
    parser.add_argument("--longest", type=float, default=180.0, help="the longest fault, in seconds")
    parser.add_argument("--http", action="store_true", help="walls follow the hosts over HTTP, without NATS")
    parser.add_argument("--folder", type=Path, help="where files are kept; by default, they are removed")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.inside:
        seconds, nats = given.minutes * 60, not given.http
        return run(
            given.seed, seconds, given.hosts, given.walls, nats=nats, longest_s=given.longest, folder=given.folder
        )
    if why := namespaces.missing():
        print(f"stress: {why}", file=sys.stderr)
        return 2
    with contextlib.ExitStack() as stack:
        folder = given.folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.mkdir(parents=True, exist_ok=True)
        seed = int(time.time()) if given.seed is None else given.seed
        command = [sys.executable, "-m", "tests.fleet.stress", *sys.argv[1:], "--inside", "--seed", str(seed)]
        done = subprocess.run(namespaces.isolated([*command, "--folder", str(folder.resolve())]), cwd=ROOT, check=False)
        return done.returncode


if __name__ == "__main__":
    sys.exit(main())

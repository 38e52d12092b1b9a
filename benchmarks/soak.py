"""The soak: what days of use leave behind: simulated days of the core, and a real server at 10 ms for ten minutes.

Both have churn without end: viewers who come, subscribe and go, label sets that come and leave, alerts that fire and
are resolved, and for the server reloads of its file. The server's alerts are so many that its log is full after about
half a minute: until then it grows, as it should. What is looked at is the slope: memory, descriptors, threads and files
at the end beside those at the beginning. The choices are seeded, so that a run can be repeated.
"""

import contextlib
import gc
import json
import random
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import httpx
import numpy as np
import psutil
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from benchmarks.report import Table
from tickboard import Board
from tickboard.hub.encodings import BINARY, JSON
from tickboard.hub.frames import Frame
from tickboard.hub.viewer import Viewer
from tickboard.settings import Settings

DAYS = 2.0
MINUTES = 10.0
SEED = 1

DAY_S = 86_400
START_S = 1_796_000_000.0
"""When the simulation begins, POSIX seconds: a day in November 2026."""

JOBS = 40
"""Label sets that there are at one time."""

FORGET = "30s"

TICK = 2
"""The kind of a tick in the binary subprotocols."""


# --- simulated days ---


class Inbox:
    """A simulated viewer's outlet, which takes everything, and keeps count of the ticks alone."""

    descriptor = -1
    copies = False

    def __init__(self) -> None:
        self.frames = 0

    def send(self, frame: Frame) -> bool:
        """Take a frame."""
        self.frames += 1
        return True

    def cut(self) -> None:
        """Be cut."""

    def close(self, code: int) -> None:
        """Be closed."""

    def rest(self, wire: bytes, written: int) -> bool:
        """Take the rest of a frame."""
        return True

    def unsent(self) -> int:
        """Return how many bytes wait."""
        return 0


class Simulation:
    """A board whose time is an argument, with churn.

    Args:
        seed: of its choices.

    Attributes:
        now: its time, POSIX seconds.
        came: label sets that have come.
        fired: alerts that have fired.
        watched: viewers who have come.
    """

    def __init__(self, seed: int = SEED) -> None:
        self.now = START_S
        self.came = self.fired = self.watched = 0
        self._random = random.Random(seed)  # a repeatable one is wanted
        self.board = Board("Soak", forget=FORGET)
        self._load = self.board.gauge("load", unit="%")
        self._jobs = self.board.gauge("job", labels=("id",))
        self._requests = self.board.counter("requests")
        self._latency = self.board.histogram("latency", unit="ms")
        self.board.alert(self._load > 90, "load {value:.0f} %")
        self.board.alert(self._jobs > 0.999, "job {id} {value:.2f}", severity="critical", keep="10s")
        self.board.prepare(Settings())
        self._ids: list[int] = []
        self._viewers: list[Viewer] = []

    def tick(self) -> None:
        """Go on by a second."""
        self.now += 1
        choose, hub = self._random, self.board.hub
        self._load.set(choose.uniform(0, 100) if choose.random() < 0.01 else 50)
        self._requests.inc(choose.randrange(100))
        self._latency.observe(choose.expovariate(0.1))
        self._churn_jobs()
        if choose.random() < 0.1:
            self._churn_viewers()
        happened = hub.engine.tick(self.now, 1.0)
        self.fired += sum(event.kind == "firing" for event in happened.events)
        hub.announce(happened.events)
        for _ in hub.publish(happened):
            pass
        if not self.now % 10:
            hub.announce(hub.engine.check(self.now))
        hub.check(self.now)

    def _churn_jobs(self) -> None:
        if self._random.random() < 0.2:
            self.came += 1
            self._ids = [*self._ids, self.came][-JOBS:]
        for number in self._ids:
            self._jobs.labels(id=number).set(self._random.random())

    def _churn_viewers(self) -> None:
        hub = self.board.hub
        if len(self._viewers) < 20:
            self.watched += 1
            encoding = self._random.choice([JSON, *BINARY.values()])
            selectors = self._random.choice([[], ["load"], ["job*"], ['job{id="1"}']])
            self._viewers.append(hub.join(Inbox(), None, selectors, encoding))
        else:
            hub.leave(self._viewers.pop(self._random.randrange(len(self._viewers))))


def simulate(days: float = DAYS, seed: int = SEED, looks: int = 40) -> tuple[Simulation, "Slopes"]:
    """Run simulated days; return the simulation at their end, and the memory on the way, by simulated hours."""
    simulation = Simulation(seed)
    slopes = Slopes()
    process = psutil.Process()
    seconds = int(days * DAY_S)
    for second in range(seconds):
        simulation.tick()
        if second % max(1, seconds // looks) == 0:
            gc.collect()
            slopes.add(Sample(second / 3600, process.memory_info().rss, process.num_fds(), process.num_threads(), 0))
    return simulation, slopes


# --- a real server ---

BOARD = '''"""Edition {edition}."""
import random
from tickboard import Board

board = Board("Soak", forget="2s")
load = board.gauge("load", unit="%", labels=("core",))
jobs = board.gauge("job", labels=("id",))
board.alert(load > 80, "load {{value:.0f}} %")


@board.every("10ms")
def simulate():
    for core in range(60):
        load.labels(core=core).set(random.uniform(0, 100))
    jobs.labels(id=random.randrange(10_000)).set(1)


@board.every("100ms")
async def fails():
    if random.random() < 0.1:
        raise ValueError("now and then")
'''


@dataclass(frozen=True)
class Sample:
    """What a process uses at one time, in hours since the start."""

    hours: float
    rss: int
    descriptors: int
    threads: int
    files: int


@dataclass
class Slopes:
    """Samples of one process, in the order of time."""

    samples: list[Sample] = field(default_factory=list)

    def add(self, sample: Sample) -> None:
        """Add a sample."""
        self.samples.append(sample)

    def quarter(self, name: str, which: int) -> float:
        """Return the median of a figure over a quarter of the time, 0 to 3."""
        values = [getattr(sample, name) for sample in self.samples]
        return float(np.median(values[len(values) * which // 4 : len(values) * (which + 1) // 4]))

    def per_hour(self, name: str) -> float:
        """Return how much a figure grows an hour: the line nearest to it after the first quarter."""
        later = self.samples[len(self.samples) // 4 :]
        hours = [sample.hours for sample in later]
        return float(np.polyfit(hours, [getattr(sample, name) for sample in later], 1)[0])


class Soak:
    """A real server under `tickboard dev` at 10 ms, with clients that come and go.

    Args:
        folder: for its file and its log of alerts.
        seed: of what the clients choose.

    Attributes:
        process: the server's.
        url: where it is.
        errors: what went wrong that must not: a hole in a viewer's ticks, an answer that is none.
        counts: how often each kind of client came.
    """

    def __init__(self, folder: Path, seed: int = SEED) -> None:
        self.errors: list[str] = []
        self.counts = {"viewers": 0, "alert readers": 0, "pushes": 0, "reloads": 0}
        self._folder = folder
        self._file = folder / "board.py"
        self._random = random.Random(seed)  # a repeatable one is wanted
        self._over = threading.Event()
        self._threads: list[threading.Thread] = []
        self.edit()
        state = str(folder / "alerts.sqlite")
        flags = ["--port", "0", "--interval", "10", "--state", state, "--max-per-address", "0"]
        self._running = subprocess.Popen(
            [sys.executable, "-m", "tickboard", "dev", str(self._file), *flags],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._running.stdout is not None
        found = re.search(r"http://(\S+)", self._running.stdout.readline())
        assert found is not None
        self.url = found[0]
        self._where = found[1]
        threading.Thread(target=self._running.stdout.read, daemon=True).start()
        self.process = psutil.Process(self._running.pid)

    def edit(self) -> None:
        """Change the dashboard file, so that it is loaded again."""
        self.counts["reloads"] += 1
        self._file.write_text(BOARD.format(edition=self.counts["reloads"]), encoding="utf-8")

    def begin(self, clients: int = 6) -> None:
        """Let clients come and go."""
        self._over.clear()
        jobs: list[Callable[[random.Random], None]] = [self._push, self._read_alerts, self._read_alerts]
        jobs += [self._watch for _ in range(clients)]
        for job in jobs:
            own = random.Random(self._random.random())
            self._threads.append(threading.Thread(target=self._again, args=(job, own), daemon=True))
            self._threads[-1].start()

    def end(self) -> None:
        """See all clients go."""
        self._over.set()
        for thread in self._threads:
            thread.join(30)
        self._threads.clear()

    def look(self, began: float) -> Sample:
        """Return what the server uses now."""
        files = sum(1 for _ in self._folder.iterdir())
        process = self.process
        hours = (time.monotonic() - began) / 3600
        return Sample(hours, process.memory_info().rss, process.num_fds(), process.num_threads(), files)

    def stop(self) -> int:
        """End the server as Ctrl-C does; return its status."""
        self._running.send_signal(2)
        try:
            return self._running.wait(20)
        finally:
            self._running.kill()
            self._running.wait()
            if self._running.stdout is not None:
                self._running.stdout.close()

    def _again(self, job: Callable[[random.Random], None], choose: random.Random) -> None:
        while not self._over.is_set():
            job(choose)

    def _watch(self, choose: random.Random) -> None:
        self.counts["viewers"] += 1
        offers = choose.choice([None, [Subprotocol("tickboard.v2")], [Subprotocol("tickboard.v1")]])
        epoch = ""
        ticks: list[tuple[str, int]] = []
        try:
            with connect(f"ws://{self._where}/ws/metrics", subprotocols=offers, max_size=None) as viewer:
                end = time.monotonic() + choose.uniform(0.1, 2)
                while time.monotonic() < end and not self._over.is_set():
                    message = viewer.recv(10)
                    if isinstance(message, bytes):
                        if message[0] == TICK:
                            ticks.append((epoch, int.from_bytes(message[8:16], "little")))
                        continue
                    said = json.loads(message)
                    epoch = said.get("epoch", epoch)
                    if said["type"] == "metrics":
                        ticks.append((epoch, said["seq"]))
        except (OSError, WebSocketException) as error:
            self.errors.append(f"viewer: {type(error).__name__}: {error}")
        # A slow viewer skips some: what may not be is a tick twice, or one before another that is older.
        if any(later <= earlier for (one, earlier), (other, later) in pairwise(ticks) if one == other):
            self.errors.append(f"viewer: a tick came twice: {ticks}")

    def _read_alerts(self, choose: random.Random) -> None:
        self.counts["alert readers"] += 1
        end = time.monotonic() + choose.uniform(0.1, 3)
        try:
            with httpx.stream("GET", f"{self.url}/events/alerts", timeout=10) as answer:
                for _ in answer.iter_raw():
                    if time.monotonic() > end or self._over.is_set():
                        break
        except httpx.HTTPError as error:
            self.errors.append(f"alert reader: {type(error).__name__}: {error}")

    def _push(self, choose: random.Random) -> None:
        self.counts["pushes"] += 1
        body = [{"name": "pushed", "value": 1, "labels": {"id": str(choose.randrange(10**6))}} for _ in range(5)]
        try:
            answer = httpx.post(f"{self.url}/api/metrics", json=body, timeout=10)
        except httpx.HTTPError as error:
            self.errors.append(f"push: {type(error).__name__}: {error}")
        else:
            if answer.status_code not in {200, 202, 429}:
                self.errors.append(f"push: {answer.status_code}: {answer.text[:200]}")
        self._over.wait(0.05)


@contextlib.contextmanager
def soaking(seed: int = SEED) -> Iterator[Soak]:
    """Run a server for as long as the context is open."""
    with tempfile.TemporaryDirectory() as folder:
        soak = Soak(Path(folder), seed)
        try:
            yield soak
        finally:
            soak.end()
            soak.stop()


def run(soak: Soak, seconds: float, look_s: float = 2.0, edit_s: float = 10.0) -> Slopes:
    """Let clients come and go, and the file change, for a while; return what the server used meanwhile."""
    slopes = Slopes()
    began = edited = time.monotonic()
    soak.begin()
    while (now := time.monotonic()) - began < seconds:
        slopes.add(soak.look(began))
        if now - edited >= edit_s:
            edited = now
            soak.edit()
        time.sleep(look_s)
    soak.end()
    return slopes


def tables() -> list[Table]:
    """Return the tables of this benchmark."""
    simulation, days = simulate()
    header = ["what", "first quarter", "last quarter", "an hour, after the first quarter"]
    core = Table(
        "Soak: simulated days",
        f"The core with its time as an argument, {DAYS:g} simulated days of a tick a second: {simulation.came:,} label "
        f"sets came and left, {simulation.fired:,} alerts fired, {simulation.watched:,} viewers came. Medians of a "
        "quarter of the time each, and the slope after the first.",
        header,
    )
    _add(core, days, "memory")
    with soaking() as soak:
        slopes = run(soak, MINUTES * 60)
        viewers, readers, pushes, reloads = soak.counts.values()
        if soak.errors:
            raise RuntimeError(f"{len(soak.errors)} errors, the first: {soak.errors[0]}")
    real = Table(
        "Soak: a server at 10 ms",
        f"`tickboard dev` at 10 ms for {MINUTES:g} minutes: {viewers:,} viewers, {readers:,} readers of alerts and "
        f"{pushes:,} pushes of new label sets came and went, the file was loaded {reloads:,} times.",
        header,
    )
    for what in ("memory", "descriptors", "threads", "files"):
        _add(real, slopes, what)
    return [core, real]


def _add(table: Table, slopes: Slopes, what: str) -> None:
    name, unit, scale = ("rss", " MB", 1e6) if what == "memory" else (what, "", 1.0)
    digits = ".1f" if unit else ".0f"
    first, last = (slopes.quarter(name, which) / scale for which in (0, 3))
    table.add(what, f"{first:{digits}}{unit}", f"{last:{digits}}{unit}", f"{slopes.per_hour(name) / scale:+.2f}{unit}")


if __name__ == "__main__":
    for one in tables():
        print(one.markdown())

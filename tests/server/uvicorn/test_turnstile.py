"""Fair reading of connections: one request per turn of the loop, those with the fewest requests first."""

import asyncio
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace

import pytest

from tickboard.server.uvicorn.turnstile import CREDIT, MOST_ROUNDS, ROUND_BYTES, Share, Turnstile


@pytest.fixture(autouse=True)
def one_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tickboard.server.uvicorn.turnstile.MOST_AT_ONCE", 1)


class Visitor:
    """A connection that has pipelined requests: once one is read, it arrives again for the next.

    Args:
        name: the entry in the log when it is read.
        turnstile: the turnstile where it arrives.
        log: the list of reads.
        requests: the number of requests that it has sent.
        shares: the shares that it has with others, besides its own.
    """

    ahead = True

    def __init__(self, name: str, turnstile: Turnstile, log: list[str], requests: int, *shares: Share) -> None:
        self.shares = (turnstile.share(), *shares)
        self._name = name
        self._turnstile = turnstile
        self._log = log
        self._requests = requests

    def arrive(self, *, ahead: bool = False) -> None:
        self._turnstile.arrive(self, ahead=ahead)

    def read_on(self, until: float) -> bool:
        self._log.append(self._name)
        self._requests -= 1
        if self._requests > 0:
            self.arrive(ahead=self.ahead)
        return True

    def give_way(self) -> None:
        self._log.append(f"{self._name} ends")


class Hammers(Visitor):
    """A connection that sends the next request as soon as it has its answer."""

    ahead = False


class Body(Visitor):
    """A connection that sends a body: no request begins."""

    def read_on(self, until: float) -> bool:
        super().read_on(until)
        return False


def run(scenario: Callable[[Turnstile, list[str]], None], turns: int = 2_000) -> list[str]:
    """Return the names in the order read, with a bar after each turn of the loop in which something was read."""
    log: list[str] = []

    async def main() -> None:
        scenario(Turnstile(), log)
        for _ in range(turns):
            if log and log[-1] != "|":
                log.append("|")
            await asyncio.sleep(0)

    asyncio.run(main())
    return log


def test_one_request_begins_in_each_turn() -> None:
    def scenario(turnstile: Turnstile, log: list[str]) -> None:
        for name in "abc":
            Visitor(name, turnstile, log, 3).arrive()

    log = "".join(run(scenario))
    assert sorted(log.replace("|", "")) == sorted("abc" * 3)
    assert max(map(len, log.split("|"))) == 1


def test_bodies_are_read_in_the_same_turn_as_a_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tickboard.server.uvicorn.turnstile.SLICE_S", 60.0)

    def scenario(turnstile: Turnstile, log: list[str]) -> None:
        Visitor("a", turnstile, log, 1).arrive()
        for name in "bcd":
            Body(name, turnstile, log, 1).arrive()
        Visitor("e", turnstile, log, 1).arrive()
        Visitor("f", turnstile, log, 1).arrive()

    assert "".join(run(scenario)) == "a|bcde|f|"


def test_bodies_are_read_for_a_limited_time_in_each_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tickboard.server.uvicorn.turnstile.SLICE_S", 0.0)

    def scenario(turnstile: Turnstile, log: list[str]) -> None:
        for name in "abc":
            Body(name, turnstile, log, 1).arrive()

    assert "".join(run(scenario)) == "a|b|c|"


def place(log: list[str], name: str) -> int:
    """Return the number of reads before the first one of a name."""
    return [each for each in log if each != "|"].index(name)


@pytest.mark.parametrize("kind", [Visitor, Hammers])
def test_an_occasional_client_does_not_wait_for_busy_ones(kind: type[Visitor]) -> None:
    def scenario(turnstile: Turnstile, log: list[str]) -> None:
        seldom = Visitor("seldom", turnstile, log, 1)
        for _ in range(100):
            kind("often", turnstile, log, 10).arrive()
        asyncio.get_running_loop().call_later(0, partial(later, seldom, log, 300))

    def later(seldom: Visitor, log: list[str], count: int) -> None:
        if log.count("often") < count:
            asyncio.get_running_loop().call_soon(later, seldom, log, count)
        else:
            seldom.arrive()

    log = run(scenario)
    assert log.count("often") == 1_000
    assert 300 <= place(log, "seldom") <= 302


@pytest.mark.parametrize("kind", [Visitor, Hammers])
def test_a_new_connection_does_not_wait_for_busy_ones(kind: type[Visitor]) -> None:
    def scenario(turnstile: Turnstile, log: list[str]) -> None:
        for _ in range(100):
            kind("often", turnstile, log, 10).arrive()
        asyncio.get_running_loop().call_soon(come, turnstile, log)

    def come(turnstile: Turnstile, log: list[str]) -> None:
        if log.count("often") < 500:
            asyncio.get_running_loop().call_soon(come, turnstile, log)
        else:
            Visitor("new", turnstile, log, 1).arrive()

    assert 500 <= place(run(scenario), "new") <= 502


def test_a_stream_of_new_connections_does_not_starve_others() -> None:
    def scenario(turnstile: Turnstile, log: list[str]) -> None:
        for _ in range(20):
            come(turnstile, log)
        Visitor("stays", turnstile, log, 5).arrive()

    def come(turnstile: Turnstile, log: list[str]) -> None:
        if log.count("new") < 1_000:
            New("new", turnstile, log, 1).arrive()

    class New(Visitor):
        def read_on(self, until: float) -> bool:
            super().read_on(until)
            come(self._turnstile, self._log)
            return True

    log = [each for each in run(scenario) if each != "|"]
    assert log.count("stays") == 5
    assert len(log) - log[::-1].index("stays") < 500


def test_the_connections_of_one_address_share_their_turns() -> None:
    def scenario(turnstile: Turnstile, log: list[str]) -> None:
        crowd, alone = Share(), Share()
        for _ in range(50):
            Visitor("crowd", turnstile, log, 10, crowd).arrive()
        Visitor("alone", turnstile, log, 10, alone).arrive()

    log = [each for each in run(scenario) if each != "|"]
    assert log.count("crowd") == 500
    assert len(log) - log[::-1].index("alone") <= 80


def test_pipelined_requests_go_last_but_are_not_starved() -> None:
    def scenario(turnstile: Turnstile, log: list[str]) -> None:
        Visitor("ahead", turnstile, log, 4).arrive()
        for _ in range(10):
            Hammers("asks", turnstile, log, 10).arrive()

    log = [each for each in run(scenario) if each != "|"]
    places = [place for place, name in enumerate(log) if name == "ahead"]
    assert len(places) == 4
    assert 7 <= places[1] <= 9
    assert places[-1] < 50


def test_the_number_of_requests_per_turn_adapts_to_their_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    clock = SimpleNamespace(monotonic=lambda: now)
    monkeypatch.setattr("tickboard.server.uvicorn.turnstile.MOST_AT_ONCE", 4)
    monkeypatch.setattr("tickboard.server.uvicorn.turnstile.time", clock)

    class Costs(Visitor):
        def read_on(self, until: float) -> bool:
            asyncio.get_running_loop().call_soon(self.work)
            return super().read_on(until)

        def work(self) -> None:
            nonlocal now
            now += 0.0015 if self._log.count("cheap") < 40 else 0.009

    def scenario(turnstile: Turnstile, log: list[str]) -> None:
        for _ in range(20):
            Costs("cheap", turnstile, log, 5).arrive()

    begun = [turn.count("cheap") for turn in " ".join(run(scenario)).split("|")]
    assert (begun[0], max(begun)) == (1, 4)
    assert sum(begun) == 100
    assert set(begun[-20:-1]) == {1}


def test_a_connection_that_sends_much_has_fewer_turns() -> None:
    class Says(Hammers):
        def read_on(self, until: float) -> bool:
            self.shares[0].charge(9 * ROUND_BYTES)
            return super().read_on(until)

    def scenario(turnstile: Turnstile, log: list[str]) -> None:
        for _ in range(5):
            Says("much", turnstile, log, 100).arrive()
            Hammers("little", turnstile, log, 100).arrive()

    first = [each for each in run(scenario) if each != "|"][:400]
    assert first.count("little") > 5 * first.count("much")


def test_a_large_upload_is_not_starved() -> None:
    pieces, busy = 5, 20

    class Uploads(Hammers):
        def read_on(self, until: float) -> bool:
            for _ in range(4):
                self.shares[0].charge(1 << 14)
            return super().read_on(until)

    def scenario(turnstile: Turnstile, log: list[str]) -> None:
        Uploads("large", turnstile, log, pieces).arrive()
        for _ in range(busy):
            Hammers("often", turnstile, log, 100).arrive()

    log = [each for each in run(scenario, 5_000) if each != "|"]
    assert log.count("large") == pieces
    assert log.count("often") == 100 * busy
    assert len(log) - log[::-1].index("large") <= pieces * busy * (MOST_ROUNDS + 2)


def test_saved_up_credit_is_bounded() -> None:
    def scenario(turnstile: Turnstile, log: list[str]) -> None:
        idle = Visitor("idle", turnstile, log, 1_000)
        turnstile._round = 1_000_000.0
        for _ in range(3):
            Visitor("often", turnstile, log, 100).arrive()
        idle.arrive()

    log = [each for each in run(scenario) if each != "|"]
    before = log.index("idle")
    assert before <= 2
    assert log[: 3 * int(CREDIT)].count("often") > 2


def test_a_connection_that_raises_is_closed_and_delays_nobody(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tickboard.server.uvicorn.turnstile.SLICE_S", 60.0)

    class Raises(Visitor):
        def read_on(self, until: float) -> bool:
            raise RuntimeError("a test's")

    def scenario(turnstile: Turnstile, log: list[str]) -> None:
        Visitor("a", turnstile, log, 1).arrive()
        Raises("b", turnstile, log, 1).arrive()
        Visitor("c", turnstile, log, 1).arrive()

    assert "".join(run(scenario)) == "a|b endsc|"
    assert "a connection failed and is cut" in caplog.text
    assert "a test's" in caplog.text

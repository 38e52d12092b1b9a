"""``GET /api/about``: a board as one of the hosts that a wall follows."""

import asyncio
import datetime as dt

import httpx
import msgspec
import psutil
import pytest
from tests.serving import serve

import tickboard
from tickboard import Board
from tickboard.wire import About


def about_of(board: Board, *, lifespan: bool = True) -> About:
    async def ask() -> bytes:
        transport = httpx.ASGITransport(board)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            if not lifespan:
                return (await client.get("/api/about")).content
            async with board.lifespan():
                answer = await client.get("/api/about")
                assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
                return answer.content

    return msgspec.json.decode(asyncio.run(ask()), type=About)


def test_a_board_as_a_host() -> None:
    board = Board("Shop")
    orders = board.gauge("orders", unit="/s", overview=True)
    board.gauge("other")
    board.alert(orders > 5, "many")
    board.alert(board.metric("other") > 5, "others")
    about = about_of(board)
    assert (about.title, about.version, about.protocol, about.interval_ms) == ("Shop", tickboard.__version__, 1, 1000)
    assert [(info.name, info.unit, info.overview) for info in about.metrics] == [("orders", "/s", True)]
    assert [(rule.metric, rule.threshold) for rule in about.rules] == [("orders", 5.0)]
    assert about.id == board.hub.engine.alerts.log.epoch
    assert not about.keeps_history
    started, booted = (dt.datetime.fromisoformat(text) for text in (about.started, about.booted))
    assert booted < started <= dt.datetime.now(dt.UTC)


def test_a_machine_that_hides_when_it_started(monkeypatch: pytest.MonkeyPatch) -> None:
    def hidden() -> float:
        raise PermissionError("/proc/stat")

    monkeypatch.setattr(psutil, "boot_time", hidden)
    assert not about_of(Board()).booted


def test_the_board_of_a_machine() -> None:
    with serve() as server:
        about = msgspec.convert(server.json("/api/about"), About)
    names = [info.name for info in about.metrics]
    assert names[:2] == ["cpu_usage", "memory_usage"]
    assert set(names) == {"cpu_usage", "memory_usage", "load_per_core", "disk_space_usage", "net_rate"}

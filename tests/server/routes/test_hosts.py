"""``/api/hosts``: the hosts of a wall, and forgetting those that are gone."""

from collections.abc import Generator

import httpx
import msgspec
import pytest
from tests.fleet.following import FakeLink
from tests.outlets import Writes, shows

from tickboard.engine import Engine
from tickboard.fleet.fleet import Fleet
from tickboard.fleet.follow_options import FollowOptions
from tickboard.hub.health import Vitals
from tickboard.hub.hub import Hub
from tickboard.metrics.intake import Intake
from tickboard.metrics.registry import Registry
from tickboard.problems import Problems
from tickboard.running.announcer import Announcer
from tickboard.server.app import create_app
from tickboard.server.routes import hosts as routes
from tickboard.server.routes.hosts import ListAnswers
from tickboard.wire import About, BoardInfo, HostList


def unasked() -> Generator[None, None, About]:
    raise NotImplementedError
    yield


class Bench:
    """A wall's application, which follows two hosts."""

    def __init__(self) -> None:
        registry = Registry()
        intake = Intake(registry)
        engine = Engine(registry, [], 10, "e", lambda: "id", intake)
        hub = Hub(engine, shows(BoardInfo("B", "e", 1, 1, "0", [], [])), Writes())
        self.fleet = Fleet(FollowOptions(), intake, Problems(), 1000, lambda: engine.alerts, Announcer(hub))
        self.app = create_app(hub, intake, Announcer(hub), Vitals, lambda: None, unasked, fleet=self.fleet)
        self.alone = create_app(hub, intake, Announcer(hub), Vitals, lambda: None, unasked)
        self.links = {name: FakeLink(f"http://{name}:3000") for name in ("b", "a.example.com")}
        for name, link in self.links.items():
            self.fleet.follower.introduced(link, About(name, "id", "1.2", 1, f"Board {name}", 1000))

    async def ask(self, path: str, method: str = "GET", *, alone: bool = False) -> httpx.Response:
        transport = httpx.ASGITransport(self.alone if alone else self.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://wall") as client:
            return await client.request(method, path)

    async def listed(self, query: str = "") -> HostList:
        answer = await self.ask(f"/api/hosts{query}")
        assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
        return msgspec.json.decode(answer.content, type=HostList)


async def test_hosts_are_listed_by_name_and_then_only_what_has_changed() -> None:
    bench = Bench()
    every = await bench.listed()
    assert [(each.name, each.state, each.title) for each in every.hosts] == [
        ("a.example.com", "live", "Board a.example.com"),
        ("b", "live", "Board b"),
    ]
    assert every.whole
    bench.fleet.follower.said_bye(bench.links["b"])
    changed = await bench.listed(f"?since={every.revision}")
    assert ([(each.name, each.state) for each in changed.hosts], changed.whole) == ([("b", "left")], False)


async def test_an_answer_is_encoded_once_until_a_host_changes_or_a_second_is_over() -> None:
    bench = Bench()
    answers = ListAnswers(bench.fleet)
    first = answers.answer(None, 10.0)
    assert answers.answer(None, 10.9) is first
    assert answers.answer(bench.fleet.revision, 10.9) != first
    later = answers.answer(None, 11.1)
    assert later is not first
    bench.fleet.follower.said_bye(bench.links["b"])
    assert b'"left"' in answers.answer(None, 11.1)


async def test_few_answers_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routes, "MAX_KEPT", 2)
    answers = ListAnswers(Bench().fleet)
    first = answers.answer(None, 0.0)
    for since in (1, 2):
        answers.answer(since, 0.0)
    assert answers.answer(None, 0.0) is not first


@pytest.mark.parametrize("since", ["x", "-1", "1.5", "1e99"])
async def test_a_revision_that_is_no_number_is_refused(since: str) -> None:
    answer = await Bench().ask(f"/api/hosts?since={since}")
    assert answer.status_code == 422
    assert "since" in answer.json()["error"]


async def test_a_host_that_is_not_live_is_forgotten() -> None:
    bench = Bench()
    live = await bench.ask("/api/hosts/a.example.com", "DELETE")
    assert (live.status_code, live.json()["error"].split(":")[0]) == (409, "host 'a.example.com' is live")
    bench.fleet.follower.said_bye(bench.links["a.example.com"])
    before = (await bench.listed()).revision
    assert (await bench.ask("/api/hosts/a.example.com", "DELETE")).status_code == 204
    after = await bench.listed(f"?since={before}")
    assert (after.hosts, after.removed) == ([], ["a.example.com"])
    assert (await bench.ask("/api/hosts/a.example.com", "DELETE")).status_code == 404


async def test_a_board_that_follows_nobody_has_no_hosts() -> None:
    bench = Bench()
    answer = await bench.ask("/api/hosts", alone=True)
    assert answer.json() == {"revision": 0, "hosts": [], "whole": True}
    assert (await bench.ask("/api/hosts/b", "DELETE", alone=True)).status_code == 404

"""What changes while a login is under way counts, and a login that cannot succeed changes nothing."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from tests.security.access import PASSWORD, Accounts

from tickboard.access.authority import Authority
from tickboard.access.credentials import new_secret
from tickboard.access.file import AccessFile
from tickboard.access.links import new_link
from tickboard.access.passwords import hashed
from tickboard.access.records import Records
from tickboard.problems import Problems
from tickboard.server.access import login
from tickboard.server.access.access_gate import AccessGate
from tickboard.server.access.keeper import Keeper


async def nothing(*_: object) -> None: ...


@pytest.fixture
def accounts(tmp_path: Path) -> Accounts:
    accounts = Accounts(tmp_path / "access.json")
    accounts.person("Ann", "operator")
    return accounts


@asynccontextmanager
async def browser(accounts: Accounts) -> AsyncIterator[httpx.AsyncClient]:
    """Open a browser at a board that does not look at its access file again."""
    keeper = Keeper(AccessFile(accounts.file.path), Authority("host"), Problems)
    gate = AccessGate(nothing, keeper, Problems)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(gate), base_url="http://board") as client:
        yield client


@pytest.mark.parametrize(
    "change",
    [
        lambda records: records.with_password("Ann", hashed("another password")),
        lambda records: records.without_person("Ann"),
    ],
)
async def test_a_password_that_is_changed_while_it_is_compared_opens_nothing(
    accounts: Accounts, monkeypatch: pytest.MonkeyPatch, change: "type[Records]"
) -> None:
    def matches(*_: object) -> bool:
        accounts.file.change(change)
        return True

    monkeypatch.setattr(login, "matches", matches)
    async with browser(accounts) as client:
        answer = await client.post("/login", data={"name": "Ann", "password": PASSWORD})
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers
    assert accounts.file.read().sessions == ()


async def test_a_link_that_ended_before_the_server_knew_opens_nothing(accounts: Accounts) -> None:
    link = new_link(accounts.file, "Ann")
    async with browser(accounts) as client:
        accounts.file.change(lambda records: records.without_sessions_of("Ann"))
        answer = await client.post("/login", data={"once": link})
    assert answer.status_code == 401
    assert accounts.file.read().sessions == ()


async def test_a_link_that_nobody_made_costs_no_work_on_the_disk(
    accounts: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with browser(accounts) as client:
        monkeypatch.setattr(AccessFile, "change", lambda *_: pytest.fail("the file was changed"))
        assert (await client.post("/login", data={"once": new_secret()})).status_code == 401
        assert (await client.post("/logout", headers={"cookie": "a=b"})).status_code == 303

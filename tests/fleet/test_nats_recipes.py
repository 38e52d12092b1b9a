"""The configurations of NATS in docs/publishing.md, on real servers: what they allow, and what they refuse."""

import asyncio
import base64
import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import nkeys  # type: ignore[import-untyped]
import pytest
import trustme
from tests.docs.blocks import ROOT, blocks_of
from tests.fleet.nats_listener import Listener, listening
from tests.fleet.publishing import problem, serving
from tests.nats_servers import NatsServer, nats_server
from tests.servers import free_port

from tickboard import Board
from tickboard.fleet.messages import Beat, subject

PASSWORD = "pass-word-of-a-test"


def recipe(word: str) -> str:
    """Return the configuration that contains a word."""
    found = [block.code for block in blocks_of(ROOT / "docs" / "publishing.md") if block.language == "nats"]
    [code] = [code for code in found if word in code]
    return code


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WEB_1", "WALL", "DISPLAY", "SHOP", "BANK", "SITE"):
        monkeypatch.setenv(f"{name}_PASSWORD", PASSWORD)
    monkeypatch.setenv("NATS_TOKEN", PASSWORD)


def board_on(url: str, name: str = "web-1", **files: Path) -> Board:
    board = Board(interval_ms=50)
    board.gauge("orders").set(1)
    board.publish(
        url,
        name=name,
        credentials=files.get("credentials"),
        ca=files.get("ca"),
        certificate=files.get("certificate"),
        key=files.get("key"),
    )
    return board


async def shown(walls: Listener, name: str = "web-1") -> None:
    """Wait until a host's ticks and beats arrive."""
    await walls.until(lambda: walls.ticks(name) and walls.beats(name))


async def test_one_token_for_all() -> None:
    with nats_server(recipe("$NATS_TOKEN")) as server:
        board, other = board_on(server.with_login("${NATS_TOKEN}")), board_on(server.with_login("wrong"), "web-2")
        async with listening(server.with_login(PASSWORD)) as walls, serving(board, other):
            await shown(walls)
            await walls.until(lambda: "refuses the login" in problem(other, "NATS"))
            assert not walls.beats("web-2")
            assert not board.hub.problems


@pytest.fixture
def fenced() -> Iterator[NatsServer]:
    with nats_server(recipe("user: display")) as server:
        yield server


async def test_a_host_is_fenced_off_from_other_hosts(fenced: NatsServer) -> None:
    login = fenced.with_login("web-1:${WEB_1_PASSWORD}")
    board, rogue = board_on(login), board_on(login, "web-2")
    async with listening(fenced.with_login(f"wall:{PASSWORD}")) as walls, serving(board, rogue):
        await shown(walls)
        assert not board.hub.problems
        await walls.until(lambda: problem(rogue, "NATS: permissions"))
        assert "tickboard.host.web-2." in problem(rogue, "NATS: permissions")
        async with listening(login.replace("${WEB_1_PASSWORD}", PASSWORD), "tickboard.host.web-1.>") as host:
            await host.until(lambda: host.beats("web-1"))
            with pytest.raises(asyncio.TimeoutError):
                await until_refused(host, "tickboard.host.web-1.beat", 0.5)
            await until_refused(host, "tickboard.host.wall.beat")
        async with listening(login.replace("${WEB_1_PASSWORD}", PASSWORD), "tickboard.host.>") as nosy:
            await nosy.until(lambda: nosy.refused)
            assert not nosy.heard
    assert not any(where.startswith("web-2") for where, _ in walls.heard)


async def until_refused(client: Listener, where: str, seconds: float = 30.0) -> None:
    """Publish, and wait until the server refuses it."""
    await client.client.publish(where, b"{}")
    async with asyncio.timeout(seconds):
        while not any(where in text for text in client.refused):
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("user", ["wall", "display"])
async def test_a_wall_asks_and_does_not_speak_for_hosts(fenced: NatsServer, user: str) -> None:
    board = board_on(fenced.with_login("web-1:${WEB_1_PASSWORD}"))
    async with listening(fenced.with_login(f"{user}:{PASSWORD}")) as walls, serving(board):
        await shown(walls)
        abouts = len(walls.abouts("web-1"))
        await walls.ask()
        await walls.until(lambda: len(walls.abouts("web-1")) > abouts)
        for kind in ("about", "overview", "ticks", "beat", "claim", "bye", "answer.w.1"):
            await until_refused(walls, subject("web-1", *kind.split(".")))
        await walls.client.publish(subject("web-1", "ask", "viewer", "w", "1"), b"")
        operator = subject("web-1", "ask", "operator", "w", "1")
        if user == "display":
            await until_refused(walls, operator)
        else:
            await walls.client.publish(operator, b"")
        await walls.client.flush()
        assert not any("ask.viewer" in text for text in walls.refused)
        assert any("ask.operator" in text for text in walls.refused) == (user == "display")


async def test_teams_with_accounts_do_not_see_each_other() -> None:
    with nats_server(recipe("accounts {")) as server:
        logins = [server.with_login(f"{team}:{PASSWORD}") for team in ("shop", "bank")]
        boards = [board_on(login) for login in logins]
        async with listening(logins[0]) as shop, listening(logins[1]) as bank, serving(*boards):
            await shown(shop)
            await shown(bank)
            assert not any(board.hub.problems for board in boards)
            ids = [{beat.id for beat in walls.of("web-1.beat", Beat)} for walls in (shop, bank)]
            assert ids == [{board.hub.engine.alerts.log.epoch} for board in boards]


async def test_a_leaf_node_passes_a_site_on_and_serves_it_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    middle = recipe("$SITE_PASSWORD").replace("0.0.0.0:7422", f"127.0.0.1:{port}")
    monkeypatch.setenv("HUB_URL", f"nats-leaf://site:{PASSWORD}@127.0.0.1:{port}")
    with nats_server(middle) as hub, nats_server(recipe("$HUB_URL")) as site:
        board = board_on(site.url)
        async with listening(hub.url) as walls, listening(site.url) as local, serving(board):
            await shown(walls)
            # A wall's question reaches the site.
            abouts = len(walls.abouts("web-1"))
            await walls.ask()
            await walls.until(lambda: len(walls.abouts("web-1")) > abouts)
            hub.kill()
            seq = board.hub.engine.seq
            await local.until(lambda: local.ticks("web-1")[-1].seq > seq + 5)
            assert not board.hub.problems
            hub.start()
            seq = board.hub.engine.seq
            await walls.until(lambda: walls.ticks("web-1")[-1].seq > seq)


async def test_tls_with_certificates_of_both(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    for name, identity in (("server", "127.0.0.1"), ("web-1", "web-1@example.com")):
        made = authority.issue_cert(identity)
        made.cert_chain_pems[0].write_to_path(str(tmp_path / f"{name}.pem"))
        made.private_key_pem.write_to_path(str(tmp_path / f"{name}-key.pem"))
    with nats_server(recipe("verify: true"), tmp_path) as server:
        url = server.url.replace("nats:", "tls:")
        ca, own, key = (tmp_path / name for name in ("ca.pem", "web-1.pem", "web-1-key.pem"))
        good = board_on(url, ca=ca, certificate=own, key=key)
        unknown, nobody = board_on(url, "web-2"), board_on(url, "web-3", ca=ca)
        async with serving(good, unknown, nobody):
            async with asyncio.timeout(60):
                while not (good.hub.traffic.published and good.hub.traffic.published.sent > 5):
                    await asyncio.sleep(0.01)
                while "certificate" not in problem(unknown, "NATS").lower() or not problem(nobody, "NATS"):
                    await asyncio.sleep(0.01)
            assert not good.hub.problems


# --- a credentials file, as an operator's tools make it ---


def encoded(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


def key_pair(prefix: int) -> tuple[nkeys.KeyPair, str, str]:
    """Return a new key pair, its public key, and its seed."""
    seed = nkeys.encode_seed(os.urandom(32), prefix)
    pair = nkeys.from_seed(seed)
    return pair, pair.public_key.decode(), bytes(seed).decode()


def token(issuer: nkeys.KeyPair, subject: str, claims: dict[str, object]) -> str:
    head = encoded(json.dumps({"typ": "JWT", "alg": "ed25519-nkey"}).encode())
    body = {"jti": subject, "iat": int(time.time()), "iss": issuer.public_key.decode(), "name": "test", "sub": subject}
    signed = f"{head}.{encoded(json.dumps(body | {'nats': claims | {'version': 2}}).encode())}"
    return f"{signed}.{encoded(issuer.sign(signed.encode()))}"


async def test_a_credentials_file(tmp_path: Path) -> None:
    operator, operator_key, _ = key_pair(nkeys.PREFIX_BYTE_OPERATOR)
    account, account_key, _ = key_pair(nkeys.PREFIX_BYTE_ACCOUNT)
    _, user_key, user_seed = key_pair(nkeys.PREFIX_BYTE_USER)
    unlimited = dict.fromkeys(("subs", "data", "payload", "imports", "exports", "conn", "leaf"), -1)
    limits = {**unlimited, "wildcards": True}
    account_token = token(operator, account_key, {"type": "account", "limits": limits})
    user = token(account, user_key, {"type": "user", "subs": -1, "data": -1, "payload": -1})
    credentials = tmp_path / "web-1.creds"
    text = (
        f"-----BEGIN NATS USER JWT-----\n{user}\n------END NATS USER JWT------\n\n"
        f"-----BEGIN USER NKEY SEED-----\n{user_seed}\n------END USER NKEY SEED------\n"
    )
    credentials.write_text(text)
    config = (
        f"operator: {token(operator, operator_key, {'type': 'operator'})}\n"
        f"resolver: MEMORY\nresolver_preload {{ {account_key}: {account_token} }}\n"
    )
    with nats_server(config) as server:
        board, other = board_on(server.url, credentials=credentials), board_on(server.url, "web-2")
        seedless = tmp_path / "seedless.creds"
        seedless.write_text(text.replace(user_seed, ""))
        third = board_on(server.url, "web-3", credentials=seedless)
        async with listening(server.url, credentials=text) as walls, serving(board, other, third):
            await shown(walls)
            await walls.until(lambda: "refuses the login" in problem(other, "NATS"))
            await walls.until(lambda: "the seed in the credentials file cannot be used" in problem(third, "NATS"))
            # It is read again for each connection.
            shutil.move(credentials, tmp_path / "moved")
            server.restart()
            await walls.until(lambda: f"{credentials} cannot be used" in problem(board, "NATS"))
            shutil.move(tmp_path / "moved", credentials)
            await walls.until(lambda: not board.hub.problems)

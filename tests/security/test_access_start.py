"""What a server says and does about access when it starts."""

import os
import socket
import subprocess
import sys
from functools import partial
from pathlib import Path

import httpx
import psutil
import pytest
from tests.security.access import PASSWORD, Accounts
from tests.security.test_access_routes import BOARD
from tests.serving import Server, serve

NETWORK = ("--host", "0.0.0.0")


@pytest.fixture
def accounts(tmp_path: Path) -> Accounts:
    return Accounts(tmp_path / "access.json")


def logs_in(server: Server, name: str, password: str) -> bool:
    answer = httpx.post(f"{server.url}login", data={"name": name, "password": password}, trust_env=False, timeout=30)
    return answer.status_code == 303


def test_off_loopback_a_link_is_printed_that_works_from_elsewhere(accounts: Accounts) -> None:
    with serve("run", BOARD, *NETWORK, *accounts.flags) as server:
        assert "passwords travel in clear text" in server.output()
        [link] = [line.strip() for line in server.output().splitlines() if "/login/" in line]
        address, _, secret = link.rpartition("/login/")
        host = httpx.URL(address).host
        assert host != "0.0.0.0"
        assert not host.startswith("127.") or socket.gethostbyname(socket.gethostname()).startswith("127.")
        answer = httpx.post(f"{server.url}login", data={"once": secret}, trust_env=False)
        assert answer.status_code == 303


def test_on_loopback_nothing_is_said(accounts: Accounts) -> None:
    with serve("run", BOARD, *accounts.flags) as server:
        assert "log" not in server.output().partition("Ctrl-C")[0]
    assert not accounts.file.path.exists()


def test_a_service_that_has_an_admin_prints_no_link(accounts: Accounts) -> None:
    accounts.person("root", "admin")
    with serve("run", BOARD, *NETWORK, *accounts.flags) as server:
        assert "/login/" not in server.output()
        assert "tickboard login prints a link" in server.output()
    assert accounts.file.read().links == ()


def test_a_container_is_given_the_password_of_its_admin_in_a_file(accounts: Accounts, tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text(f"{PASSWORD}\n")
    env = {"TICKBOARD_PASSWORD_FILE": str(secret)}
    with serve("run", BOARD, *NETWORK, *accounts.flags, env=env) as server:
        assert "/login/" not in server.output()
        assert PASSWORD not in server.output()
        assert f"The user admin has the password in {secret}" in server.output()
        assert logs_in(server, "admin", PASSWORD)
        assert not logs_in(server, "admin", "another password")
    assert len(accounts.file.read().sessions) == 1
    # A restart logs nobody out.
    with serve("run", BOARD, *NETWORK, *accounts.flags, env=env) as server:
        assert logs_in(server, "admin", PASSWORD)
    assert len(accounts.file.read().sessions) == 2
    # Another password does.
    secret.write_text("quite another password")
    with serve("run", BOARD, *NETWORK, *accounts.flags, env=env) as server:
        assert accounts.file.read().sessions == ()
        assert logs_in(server, "admin", "quite another password")


def test_a_board_on_loopback_takes_it_for_those_who_come_through_a_proxy(accounts: Accounts, tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text(f"{PASSWORD}\n")
    with serve("run", BOARD, *accounts.flags, env={"TICKBOARD_PASSWORD_FILE": str(secret)}) as server:
        assert f"The user admin has the password in {secret}" in server.output()
        data, proxied = {"name": "admin", "password": PASSWORD}, {"X-Forwarded-For": "192.0.2.7"}
        answer = httpx.post(f"{server.url}login", data=data, headers=proxied, trust_env=False, timeout=30)
        assert answer.status_code == 303


def refusal(accounts: Accounts, **environ: str) -> str:
    """Return what is printed by a start that is refused."""
    command = [sys.executable, "-m", "tickboard", "run", BOARD, *NETWORK, *accounts.flags, "--port", "0"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, env=os.environ | environ, check=False)
    assert (ran.returncode, ran.stdout) == (2, "")
    return ran.stderr


@pytest.mark.parametrize(
    ("content", "why"), [(b"short", "use 12 or more"), (None, "No such file"), (b"\xff" * 20, "not text")]
)
def test_a_password_file_that_cannot_be_used_stops_the_start(
    accounts: Accounts, tmp_path: Path, content: bytes | None, why: str
) -> None:
    secret = tmp_path / "password"
    if content is not None:
        secret.write_bytes(content)
    said = refusal(accounts, TICKBOARD_PASSWORD_FILE=str(secret))
    assert "TICKBOARD_PASSWORD_FILE" in said
    assert why in said


def test_an_access_file_that_cannot_be_used_stops_the_start_of_a_closed_board(accounts: Accounts) -> None:
    accounts.file.path.write_text("junk")
    assert "is not an access file" in refusal(accounts)
    with serve("run", BOARD, *accounts.flags) as server:
        assert server.json("/api/board")


@pytest.mark.parametrize("command", [("dev", BOARD), ("pipe",), ()], ids=["dev", "pipe", "host"])
def test_every_command_that_serves_is_closed(accounts: Accounts, command: tuple[str, ...]) -> None:
    token = {"Authorization": f"Bearer {accounts.token('viewer')}"}
    with serve(*command, *NETWORK, *accounts.flags) as server:
        assert httpx.get(f"{server.url}api/board").status_code == 401
        assert httpx.get(f"{server.url}api/board", headers=token).status_code == 200
        accounts.file.change(lambda records: records.without_token("a viewer"))
        server.wait_for(lambda: httpx.get(f"{server.url}api/board", headers=token).status_code == 401)


def test_statsd_stays_on_loopback_unless_an_address_is_named(accounts: Accounts) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    for text, bound in ((str(port), "127.0.0.1"), (f"0.0.0.0:{port}", "0.0.0.0")):
        with serve("--statsd", text, *NETWORK, *accounts.flags) as server:
            process = psutil.Process(server.process.pid)
            server.wait_for(partial(process.net_connections, "udp"))
            assert [each.laddr for each in process.net_connections("udp")] == [(bound, port)]

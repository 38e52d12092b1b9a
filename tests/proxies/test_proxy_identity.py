"""The recipes of docs/deploy.md for a proxy that logs people in, run unchanged by the real proxies."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.proxies.test_proxies import NAME, PROXIES, free_port, recipe, running, with_ports
from tests.security.access import PASSWORD, Accounts
from tests.security.test_access_routes import BOARD
from tests.serving import Server, serve

IDENTITY = 3
"""The number of the recipe among those of its proxy."""


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    accounts = Accounts(tmp_path_factory.mktemp("access") / "access.json")
    accounts.person("ann", "operator")
    flags = ("--allow-host", NAME, "--trusted-proxy", "127.0.0.1", "--proxy-user-header", "Remote-User")
    with serve("run", BOARD, *flags, *accounts.flags) as server:
        yield server


@pytest.mark.parametrize("name", ["nginx", "Caddy"])
def test_the_proxy_passes_on_who_has_logged_in(name: str, board: Server, tmp_path: Path) -> None:
    port = free_port()
    text = with_ports(recipe(PROXIES[name].language, IDENTITY), port, board.port)
    passwords = tmp_path / "board.htpasswd"
    passwords.write_text(f"ann:{{PLAIN}}{PASSWORD}\n")
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    text = text.replace("/etc/nginx/board.htpasswd", str(passwords))

    def get(path: str, password: str | None, **headers: str) -> httpx.Response:
        sent = {"Host": f"{NAME}:{port}", "Origin": f"http://{NAME}:{port}", **headers}
        auth = None if password is None else ("ann", password)
        return httpx.get(f"http://127.0.0.1:{port}{path}", headers=sent, auth=auth, trust_env=False, timeout=60)

    with running(name, text, port):
        assert get("/api/me", PASSWORD).json() == {"name": "ann", "role": "operator"}
        # A browser cannot say who it is.
        for header in ("Remote-User", "remote-user", "REMOTE_USER"):
            assert get("/api/me", PASSWORD, **{header: "root"}).json()["name"] == "ann"
            assert get("/api/me", None, **{header: "root"}).status_code == 401
        assert get("/api/me", "wrong").status_code == 401

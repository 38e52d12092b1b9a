"""The recipes of docs/deploy.md, run unchanged by the real proxies.

The proxies are fetched by tools/proxies.py. Tests of a missing one are skipped, unless CI is set.
"""

import json
import os
import re
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from tests.serving import Server, serve, wait_for
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin

import proxies
from tickboard.access.file import AccessFile
from tickboard.access.links import new_link

ROOT = Path(__file__).parents[2]
BOARD = ROOT / "tests" / "boards" / "alarms.py"
NAME = "board.example.com"
RECIPES = ("a name", "a path that is stripped", "a path that is not")

MODULES = ("mpm_event", "authz_core", "proxy", "proxy_http", "alias")


def recipe(language: str, number: int) -> str:
    """Return a code block of docs/deploy.md verbatim."""
    text = (ROOT / "docs" / "deploy.md").read_text()
    found: list[str] = re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return found[number]


@dataclass(frozen=True)
class Proxy:
    """How to run a proxy.

    Attributes:
        language: the language of its blocks in the docs.
        program: the name of its program.
        wrap: returns the whole configuration for a recipe and a folder.
        arguments: returns the program's arguments for the folder; the configuration is in ``proxy.conf``.
    """

    language: str
    program: str
    wrap: Callable[[str, Path], str]
    arguments: Callable[[Path], list[str]]


def nginx(recipe: str, folder: Path) -> str:
    paths = "".join(
        f"{kind}_temp_path {folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    return (
        f"daemon off;\nmaster_process off;\npid {folder}/pid;\nerror_log stderr;\nevents {{}}\n"
        f"http {{\naccess_log off;\n{paths}{recipe}}}\n"
    )


def caddy(recipe: str, folder: Path) -> str:
    return f"{{\n admin off\n storage file_system {folder}/caddy\n}}\n{recipe}"


def apache(recipe: str, folder: Path) -> str:
    program = proxies.program("apache2")
    assert program is not None
    modules = Path(program).parents[1] / "lib" / "apache2" / "modules"
    port = re.findall(r"<VirtualHost \*:(\d+)>", recipe)[0]
    loaded = "".join(f"LoadModule {name}_module {modules}/mod_{name}.so\n" for name in MODULES)
    return (
        f'ServerRoot "{folder}"\nPidFile "{folder}/pid"\nDefaultRuntimeDir "{folder}"\nServerName localhost\n'
        f"ErrorLog /dev/stderr\n{loaded}Listen 127.0.0.1:{port}\n{recipe}"
    )


def haproxy(recipe: str, folder: Path) -> str:
    return recipe


PROXIES = {
    "nginx": Proxy("nginx", "nginx", nginx, lambda folder: ["-p", str(folder), "-c", f"{folder}/proxy.conf"]),
    "Caddy": Proxy(
        "caddyfile",
        "caddy",
        caddy,
        lambda folder: ["run", "--adapter", "caddyfile", "--config", f"{folder}/proxy.conf"],
    ),
    "Apache": Proxy("apache", "apache2", apache, lambda folder: ["-X", "-f", f"{folder}/proxy.conf"]),
    "HAProxy": Proxy("haproxy", "haproxy", haproxy, lambda folder: ["-f", f"{folder}/proxy.conf"]),
}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@contextmanager
def running(name: str, text: str, port: int) -> Iterator[None]:
    """Run a proxy with a recipe that already has the ports of the test."""
    proxy = PROXIES[name]
    program = proxies.program(proxy.program)
    if program is None:
        reason = f"{proxy.program} is not here: python tools/proxies.py"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    # Not pytest's own folder: some proxies drop their privileges, and it is closed to other users.
    with tempfile.TemporaryDirectory(prefix="proxy") as made:
        folder = Path(made)
        (folder / "proxy.conf").write_text(proxy.wrap(text, folder))
        with (folder / "output").open("w+") as output:
            process = subprocess.Popen(
                [program, *proxy.arguments(folder)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=proxies.environment() | {"HOME": made, "XDG_DATA_HOME": made, "XDG_CONFIG_HOME": made},
            )
            try:
                wait_for(lambda: listens(port) or process.poll() is not None, (folder / "output").read_text)
                assert process.poll() is None, (folder / "output").read_text()
                yield
            finally:
                # Asked to end, Apache takes more than ten seconds.
                process.kill()
                process.wait()


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module")
def board() -> Iterator[Server]:
    with serve("run", str(BOARD), "--interval", "100", "--allow-host", NAME, "--auth", "none") as server:
        yield server


@pytest.fixture(scope="module")
def prefixed() -> Iterator[Server]:
    flags = ("--allow-host", NAME, "--auth", "none", "--root-path", "/team/board")
    with serve("run", str(BOARD), "--interval", "100", *flags) as server:
        yield server


def with_ports(text: str, port: int, board: int) -> str:
    assert "8080" in text
    assert "127.0.0.1:3000" in text
    return text.replace("8080", str(port)).replace("127.0.0.1:3000", f"127.0.0.1:{board}")


class Browser:
    """Sends requests to a proxy like a browser that has resolved the board's name to it."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.host = f"{NAME}:{port}"
        self.origin = f"http://{self.host}"

    def get(self, path: str, method: str = "GET") -> httpx.Response:
        headers = {"Host": self.host, "Origin": self.origin}
        return httpx.request(
            method, f"http://127.0.0.1:{self.port}{path}", headers=headers, trust_env=False, timeout=20
        )

    def first_event(self, path: str) -> str:
        """Return the first data line of the alert stream, which stays open."""
        with httpx.stream(
            "GET", f"http://127.0.0.1:{self.port}{path}", headers={"Host": self.host}, trust_env=False, timeout=20
        ) as stream:
            assert stream.headers["content-type"].startswith("text/event-stream")
            return next(line for line in stream.iter_lines() if line.startswith("data:"))

    def ticks(self, path: str, count: int) -> list[str]:
        """Return the types of the first messages of the WebSocket."""
        with (
            socket.create_connection(("127.0.0.1", self.port), 20) as connected,
            connect(f"ws://{self.host}{path}", sock=connected, origin=Origin(self.origin), proxy=None) as viewer,
        ):
            return [json.loads(viewer.recv(20))["type"] for _ in range(count)]


@pytest.mark.parametrize("number", range(len(RECIPES)), ids=RECIPES)
@pytest.mark.parametrize("name", PROXIES)
def test_every_recipe_passes_on_pages_websockets_and_streams(
    name: str, number: int, board: Server, prefixed: Server
) -> None:
    port = free_port()
    text = with_ports(recipe(PROXIES[name].language, number), port, (prefixed if number == 2 else board).port)
    prefix = "" if number == 0 else "/team/board"
    browser = Browser(port)
    with running(name, text, port):
        # HAProxy checks the board's health first.
        wait_for(lambda: browser.get(f"{prefix}/").status_code == 200)
        page = browser.get(f"{prefix}/")
        assert page.headers["content-type"].startswith("text/html")
        parts = [part.partition('"')[0] for part in page.text.split('"./')[1:]]
        assert parts
        for path in [*parts, "api/board", "api/openapi.json"]:
            assert browser.get(f"{prefix}/{path}").status_code == 200, path
        assert browser.ticks(f"{prefix}/ws/metrics", 4)[:1] == ["initial"]
        assert set(browser.ticks(f"{prefix}/ws/metrics?metrics=cpu", 5)[1:]) <= {"metrics", "problems"}
        assert browser.first_event(f"{prefix}/events/alerts")
        assert browser.get(f"{prefix}/api/alerts/nothing/ack", "POST").status_code == 404
        diagnosis = browser.get(f"{prefix}/ws/metrics", "POST")
        assert diagnosis.status_code == 426
        if prefix:
            for query in ("", "?a=1&b=2"):
                bare = browser.get(f"{prefix}{query}")
                assert bare.status_code in {301, 302, 307, 308}
                # Caddy keeps the question mark of an empty query.
                assert str(bare.url.join(bare.headers["location"])).rstrip("?").endswith(f"{prefix}/{query}")


@pytest.mark.parametrize("name", PROXIES)
def test_whoever_comes_through_a_proxy_has_to_log_in_unless_told_otherwise(name: str, tmp_path: Path) -> None:
    port, access = free_port(), AccessFile(tmp_path / "access.json")
    once = new_link(access, None)
    with serve("run", str(BOARD), "--allow-host", NAME, "--access", str(access.path)) as server:
        browser = Browser(port)
        with running(name, with_ports(recipe(PROXIES[name].language, 0), port, server.port), port):
            wait_for(lambda: browser.get("/api/health").status_code == 200)
            assert browser.get("/api/board").status_code == 401
            with pytest.raises(InvalidStatus) as refused:
                browser.ticks("/ws/metrics", 1)
            assert refused.value.response.status_code == 401
            assert server.json("/api/board")["title"]
            headers = {"Host": browser.host, "Origin": browser.origin}
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, trust_env=False) as client:
                answer = client.post("/login", data={"once": once}, timeout=60)
                cookie = answer.headers["set-cookie"].partition(";")[0]
                assert answer.status_code == 303
                assert client.get("/api/board", headers={"Cookie": cookie}, timeout=60).status_code == 200


def test_the_error_behind_a_proxy_that_drops_the_port_names_the_fix(board: Server) -> None:
    port = free_port()
    text = with_ports(recipe("nginx", 0), port, board.port)
    with running("nginx", text.replace("$http_host", "$host"), port):
        browser = Browser(port)
        assert browser.get("/").status_code == 200
        for _ in range(2):
            with pytest.raises(InvalidStatus) as refused:
                browser.ticks("/ws/metrics", 1)
            assert refused.value.response.status_code == 403
            assert b"proxy_set_header Host $http_host;" in refused.value.response.body
        answer = browser.get("/ws/metrics", "POST")
        assert (answer.status_code, "proxy_set_header Host $http_host;" in answer.json()["error"]) == (403, True)
    board.wait_for(lambda: f"a page of http://{NAME}:{port} may not watch {NAME}" in board.output())
    assert board.output().count(f"a page of http://{NAME}:{port} may not watch {NAME}") == 1


def test_the_error_behind_a_proxy_without_upgrade_names_the_fix(board: Server) -> None:
    port = free_port()
    text = with_ports(recipe("nginx", 0), port, board.port)
    without = "".join(line for line in text.splitlines(keepends=True) if "pgrade" not in line)
    with running("nginx", without, port):
        browser = Browser(port)
        for _ in range(2):
            with pytest.raises(InvalidStatus) as refused:
                browser.ticks("/ws/metrics", 1)
            assert refused.value.response.status_code == 426
            assert b"proxy_set_header Upgrade $http_upgrade;" in refused.value.response.body
    board.wait_for(lambda: "a handshake arrived as a plain request" in board.output())
    assert board.output().count("a handshake arrived as a plain request") == 1


@pytest.mark.parametrize("name", ["nginx", "HAProxy"])
def test_the_error_behind_a_proxy_with_an_unknown_host_names_the_flag(name: str) -> None:
    port = free_port()
    with serve("run", str(BOARD)) as server:
        text = with_ports(recipe(PROXIES[name].language, 0), port, server.port)
        with running(name, text, port):
            wait_for(lambda: Browser(port).get("/").status_code == 421)
            assert f"--allow-host {NAME}" in Browser(port).get("/").json()["error"]
        server.wait_for(lambda: f"--allow-host {NAME}" in server.output())


def test_every_recipe_is_tested() -> None:
    text = (ROOT / "docs" / "deploy.md").read_text()
    languages = [proxy.language for proxy in PROXIES.values() for _ in RECIPES]
    # Those that log people in are at the end, and tested in test_proxy_identity.
    languages += [PROXIES[name].language for name in ("nginx", "Caddy")]
    assert [each for each in re.findall(r"^```(\w+)$", text, re.MULTILINE) if each in languages] == languages

"""The examples of boards whose applications say who may do what, run as a user would."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.examples.test_apps import EXAMPLES, free_port, running
from tests.serving import wait_for
from websockets.exceptions import ConnectionClosedError
from websockets.sync.client import connect

ANN = {"name": "ann", "password": "correct horse battery"}
BOB = {"name": "bob", "password": "staple of the horse"}


@pytest.fixture(params=["fastapi", "django"])
def port(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    monkeypatch.setenv("DATABASE", str(tmp_path / "database.sqlite"))
    if request.param == "django":
        subprocess.run([sys.executable, "django_login.py"], cwd=EXAMPLES, check=True, timeout=120)
    port, log = free_port(), tmp_path / "log"
    with running(["uvicorn", f"{request.param}_login:app", "--port", str(port)], log, 0):
        wait_for(lambda: answers(port), log.read_text)
        yield port


def answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/live/api/health", timeout=60).status_code == 200
    except httpx.TransportError:
        return False


def test_people_see_the_board_from_their_login_to_their_logout(port: int) -> None:
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False) as browser:
        assert browser.get("/live/api/board").status_code == 401
        assert browser.post("/login", json=ANN | {"password": "wrong"}).status_code == 401
        assert browser.get("/live/api/board").status_code == 401
        assert browser.post("/login", json=ANN).status_code == 200
        assert browser.get("/live/api/me").json() == {"name": "ann", "role": "operator"}
        assert browser.post("/live/api/marks", json={"text": "released"}).json()["by"] == "ann"
        cookie = {"Cookie": "; ".join(f"{name}={value}" for name, value in browser.cookies.items())}
        with connect(f"ws://127.0.0.1:{port}/live/ws/metrics", additional_headers=cookie) as viewer:
            viewer.recv(60)
            assert browser.post("/logout").status_code == 200
            assert browser.get("/live/api/board").status_code == 401
            with pytest.raises(ConnectionClosedError) as closed:
                list(viewer)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4401


def test_somebody_else_only_watches(port: int) -> None:
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False) as browser:
        browser.post("/login", json=BOB)
        assert browser.get("/live/api/me").json() == {"name": "bob", "role": "viewer"}
        assert browser.post("/live/api/marks", json={"text": "released"}).status_code == 403

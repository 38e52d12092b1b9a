"""A board that a program serves from a thread is closed off loopback, too."""

from pathlib import Path
from typing import Literal

import httpx
import pytest
from tests.security.access import PASSWORD, Accounts
from tests.serving import wait_for

from tickboard import Board, serve_in_background
from tickboard.errors import InputError


def status(port: int, headers: dict[str, str] | None = None) -> int:
    return httpx.get(f"http://127.0.0.1:{port}/api/board", headers=headers, trust_env=False).status_code


@pytest.fixture
def accounts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Accounts:
    monkeypatch.setenv("TICKBOARD_ACCESS", str(tmp_path / "access.json"))
    return Accounts(tmp_path / "access.json")


OPEN, CLOSED, CLEAR = "may see and change everything", "tickboard login prints a link", "clear text"


@pytest.mark.parametrize(
    ("host", "auth", "expected", "said"),
    [
        ("127.0.0.1", None, 200, set()),
        ("127.0.0.1", "none", 200, set()),
        ("127.0.0.1", "required", 401, {CLOSED}),
        ("0.0.0.0", None, 401, {CLOSED, CLEAR}),
        ("0.0.0.0", "required", 401, {CLOSED, CLEAR}),
        ("0.0.0.0", "none", 200, {OPEN}),
    ],
)
def test_it_is_open_on_loopback_and_closed_elsewhere_and_says_so(
    accounts: Accounts,
    caplog: pytest.LogCaptureFixture,
    host: str,
    auth: Literal["none", "required"] | None,
    expected: int,
    said: set[str],
) -> None:
    with serve_in_background(Board(), host, 0, auth=auth) as background:
        assert status(background.port) == expected
    assert {each for each in (OPEN, CLOSED, CLEAR) if each in caplog.text} == said
    assert not accounts.file.path.exists()


def test_the_password_file_of_a_container_sets_the_password_of_its_admin(
    accounts: Accounts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = tmp_path / "password"
    monkeypatch.setenv("TICKBOARD_PASSWORD_FILE", str(secret))
    with pytest.raises(InputError, match=r"TICKBOARD_PASSWORD_FILE=.*: it cannot be read"):
        serve_in_background(Board(), "0.0.0.0", 0)
    assert not accounts.file.path.exists()
    secret.write_text(f"{PASSWORD}\n")
    with serve_in_background(Board(), "0.0.0.0", 0) as background:
        address = f"http://127.0.0.1:{background.port}/login"
        answer = httpx.post(address, data={"name": "admin", "password": PASSWORD}, trust_env=False)
        assert answer.status_code == 303
    [admin] = accounts.file.read().people
    assert (admin.name, admin.role) == ("admin", "admin")


def test_a_token_of_its_user_is_valid(accounts: Accounts) -> None:
    with serve_in_background(Board(), "0.0.0.0", 0) as background:
        token = {"Authorization": f"Bearer {accounts.token('viewer', board='program')}"}
        other = {"Authorization": f"Bearer {accounts.token('viewer', board='host')}"}
        # The gate watches the file in the thread's own loop.
        wait_for(lambda: status(background.port, token) == 200)
        assert status(background.port, other) == 401

"""``tickboard hosts``, with a real wall and real hosts, a board that needs a login, and servers that are no walls."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.fleet.real_walls import running
from tests.hostile import HTTP, answering, body, redirect
from tests.security.access import Accounts
from tests.serving import serve, wait_for

from tickboard.client.hosts import forget_host, list_hosts
from tickboard.errors import RefusedError

EMPTY = str(Path(__file__).parents[1] / "boards" / "empty.py")

QUICK = ["nested deeply", "no UTF-8", "half a pair", "a wrong type", "junk", "nothing", "a bomb", "a loop"]

HOST = {
    "name": "db-1",
    "state": "live",
    "since": "2026-01-31T12:00:00.250Z",
    "seen": "2026-01-31T12:30:00Z",
    "labels": {"env": "prod", "rack": "b 2"},
    "version": "0.1.0",
    "clock_s": -2.34,
    "filling": {"from": "2026-01-31T12:00:00.000Z", "to": "2026-01-31T12:01:00.000Z"},
    "address": "nats://bus",
    "problem": "it has\na \x1b[31mproblem",
}


def hosts(*arguments: str, **environ: str) -> tuple[int, list[str], str]:
    """Run ``tickboard hosts``, and return its status, the lines of its output, and its errors."""
    ran = subprocess.run(
        [sys.executable, "-m", "tickboard", "hosts", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=os.environ | environ,
    )
    return ran.returncode, ran.stdout.splitlines(), ran.stderr


def test_the_hosts_of_a_wall_are_listed_and_one_that_is_gone_is_forgotten(tmp_path: Path) -> None:
    with running(tmp_path, "a", "b") as walls:
        url = walls.wall.url
        for name in ("a", "b"):
            walls.wait_for_state(name, "live")
        status, [head, *rows], errors = hosts("list", "--url", url)
        assert (status, errors, head.split()) == (
            0,
            "",
            ["NAME", "STATE", "SINCE", "SEEN", "LABELS", "VERSION", "ADDRESS", "NOTE"],
        )
        time = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
        for name, row in zip(("a", "b"), rows, strict=True):
            address = re.escape(walls.hosts[name].url)
            assert re.fullmatch(rf"{name} +live +{time}  {time}  env=prod  \S+ +{address}  -", row), row

        status, printed, errors = hosts("forget", "a", "--url", url)
        assert (status, printed) == (1, [])
        assert errors == (
            f"tickboard: cannot forget a on {url}: the server answered 409: "
            "host 'a' is live: end it first, since it would come back at once\n"
        )

        walls.hosts["a"].end(signal.SIGKILL)
        walls.wait_for_state("a", "gone")
        _, [_, row, _], _ = hosts("list", "--url", url)
        assert row.split()[:2] == ["a", "gone"]
        assert hosts("forget", "a", "--url", "http://${WALL}", WALL=url.removeprefix("http://")) == (
            0,
            ["host a: forgotten"],
            "",
        )
        wait_for(lambda: not walls.state("a"))
        status, _, errors = hosts("forget", "a", "--url", url)
        assert (status, "the server answered 404: there is no host 'a': GET /api/hosts lists" in errors) == (1, True)


def test_a_token_is_taken_from_the_environment_and_only_an_operator_forgets(tmp_path: Path) -> None:
    accounts = Accounts(tmp_path / "access.json")
    viewer, operator = accounts.token("viewer"), accounts.token("operator")
    with serve("run", EMPTY, "--auth", "required", *accounts.flags, "--state", "none") as server:
        status, _, errors = hosts("list", "--url", server.url)
        assert (status, "cannot list the hosts of http://127.0.0.1" in errors, "401" in errors) == (1, True, True)
        nothing = ["there are no hosts: the board follows none, or none has answered yet"]
        assert hosts("list", "--url", server.url, TICKBOARD_TOKEN=viewer) == (0, nothing, "")
        status, _, errors = hosts("forget", "a", "--url", server.url, TICKBOARD_TOKEN=viewer)
        assert (status, "the server answered 403: " in errors, "operator" in errors) == (1, True, True)
        status, _, errors = hosts("forget", "a", "--url", server.url, TICKBOARD_TOKEN=operator)
        assert (status, "the server answered 404: there is no host 'a'" in errors) == (1, True)


def test_what_a_host_says_is_one_safe_line() -> None:
    listed = json.dumps({"revision": 1, "hosts": [HOST, {**HOST, "clock_s": 3, "filling": None, "problem": ""}]})
    with answering(body(listed.encode())) as port:
        status, [_, first, second], _ = hosts("list", "--url", f"http://127.0.0.1:{port}")
    start = "db-1  live   2026-01-31T12:00:00Z  2026-01-31T12:30:00Z  env=prod,rack=b 2  0.1.0    nats://bus  "
    assert (status, first.startswith(start), second) == (0, True, f"{start}its clock is 3.0 s ahead")
    assert first.removeprefix(start).endswith("; its clock is 2.3 s behind; filling a hole")
    assert first.isprintable()


def test_what_a_host_has_not_said_is_a_dash() -> None:
    unknown = {"name": "http://a:3000", "state": "waiting", "since": "2026-01-31T12:00:00.000Z"}
    with answering(body(json.dumps({"revision": 1, "hosts": [unknown]}).encode())) as port:
        _, [_, row], _ = hosts("list", "--url", f"http://127.0.0.1:{port}")
    assert row.split() == ["http://a:3000", "waiting", "2026-01-31T12:00:00Z", "-", "-", "-", "-", "-"]


@pytest.mark.parametrize("name", QUICK)
def test_a_hostile_server_causes_a_short_error(name: str) -> None:
    with answering(HTTP[name]) as port, pytest.raises(RefusedError) as refused:
        list_hosts(f"http://127.0.0.1:{port}")
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 1_000


def test_a_request_to_forget_keeps_its_method_through_a_redirect_and_has_no_content() -> None:
    asked: list[bytes] = []
    with answering(body(b"", status="204 No Content"), asked) as port:
        moved = body(b"", f"Location: http://127.0.0.1:{port}/api/hosts/a.b", status="307 Temporary Redirect")
        with answering(moved) as first:
            forget_host(f"http://127.0.0.1:{first}", "a.b")
    assert asked[0].startswith(b"DELETE /api/hosts/a.b HTTP/1.1\r\n")
    with answering(redirect("/api/hosts")) as port, pytest.raises(RefusedError, match="it redirects to http"):
        forget_host(f"http://127.0.0.1:{port}", "a")


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("list", "--url", "localhost:3000"), "--url 'localhost:3000' is not the address of a board"),
        (("forget", "a", "--url", "ftp://a"), "--url 'ftp://a' is not the address of a board"),
        (("forget", "a/b"), "host name 'a/b': use up to 100 letters"),
        (("forget",), "Missing argument 'NAME'"),
        (("list", "--url", "http://${NO_WALL}"), "NO_WALL"),
    ],
)
def test_a_mistake_exits_with_2_and_one_line(arguments: tuple[str, ...], why: str) -> None:
    status, printed, errors = hosts(*arguments)
    assert (status, printed, errors.count("\n")) == (2, [], 1)
    assert why in errors


def test_a_wall_that_does_not_answer_exits_with_1() -> None:
    for arguments in (("list",), ("forget", "a")):
        status, printed, errors = hosts(*arguments, "--url", "http://127.0.0.1:1")
        assert (status, printed, errors.count("\n")) == (1, [], 1)
        assert "start the board, or give the address" in errors


def test_a_secret_in_the_address_is_warned_of_and_never_shown() -> None:
    status, _, errors = hosts("list", "--url", "http://anna:some-secret@127.0.0.1:1")
    assert (status, "some-secret" in errors, "every user of this machine can read" in errors) == (1, False, True)

"""Making a mark on a board that runs elsewhere, from Python and with ``tickboard mark``."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.hostile import HTTP, answering, body, redirect
from tests.serving import Server, serve

import tickboard
from tickboard import InputError, Mark, RefusedError

EMPTY = Path(__file__).parents[1] / "boards" / "empty.py"

MARKED = b'{"id":"m","text":"deployed","timestamp":"2026-01-31T12:00:00.000Z","by":""}'


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serve("run", str(EMPTY), "--state", "none") as running:
        yield running


def command(*arguments: str) -> tuple[int, str, str]:
    """Run ``tickboard mark``, and return its status, its output and its errors."""
    ran = subprocess.run(
        [sys.executable, "-m", "tickboard", "mark", *arguments],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return ran.returncode, ran.stdout, ran.stderr


# --- from Python ---


def test_a_mark_is_made_on_the_board(server: Server) -> None:
    mark = tickboard.mark(server.url, "deployed 1.4", by="ci")
    assert isinstance(mark, Mark)
    assert (mark.text, mark.by, mark.until) == ("deployed 1.4", "ci", None)
    span = tickboard.mark(server.url, "backup", at="-10m", until="now")
    assert [each["id"] for each in server.json("/api/marks")] == [span.id, mark.id]
    assert tickboard.mark(server.url, "again", at=mark.timestamp) == tickboard.mark(
        server.url, "again", at=mark.timestamp
    )


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"url": "host:3000"}, "is not the address of a board"),
        ({"text": 7}, "text=7 is not a text"),
        ({"by": None}, "by=None is not a text"),
        ({"at": "yesterday"}, "at=yesterday: give a time such as"),
        ({"until": "soon"}, "until=soon: give a time such as"),
        ({"headers": {"a": "b\nc"}}, "a line break"),
        ({"timeout": "soon"}, "soon"),
    ],
)
def test_the_error_names_an_invalid_argument(arguments: dict[str, Any], why: str) -> None:
    given = {"url": "http://127.0.0.1:1", "text": "x"} | arguments
    with pytest.raises(InputError, match=re.escape(why)):
        tickboard.mark(given.pop("url"), given.pop("text"), **given)


def test_a_refusal_repeats_the_error_of_the_board(server: Server) -> None:
    with pytest.raises(RefusedError) as refused:
        tickboard.mark(server.url, " ")
    assert str(refused.value) == (
        f'cannot mark {server.url}: the server answered 422: text is empty: say what happened, as "deployed 1.4"'
    )


def test_an_unreachable_server_raises_a_refused_error() -> None:
    with pytest.raises(
        RefusedError, match=r"cannot mark http://127\.0\.0\.1:1: .*: start the board, or give the address"
    ):
        tickboard.mark("http://127.0.0.1:1", "x")


@pytest.mark.parametrize("name", HTTP)
def test_a_hostile_server_causes_a_short_error(name: str) -> None:
    with answering(HTTP[name]) as port, pytest.raises(RefusedError) as refused:
        tickboard.mark(f"http://127.0.0.1:{port}", "x", timeout=1.5)
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 1_000


def test_a_redirect_that_would_lose_the_mark_is_an_error() -> None:
    with answering(redirect("/elsewhere")) as port, pytest.raises(RefusedError, match="it redirects to http"):
        tickboard.mark(f"http://127.0.0.1:{port}", "x")


def test_a_redirect_that_keeps_the_method_is_followed(server: Server) -> None:
    moved = body(b"", f"Location: {server.url}api/marks", status="307 Temporary Redirect")
    with answering(moved) as port:
        assert tickboard.mark(f"http://127.0.0.1:{port}", "redirected").text == "redirected"


def test_a_mark_that_is_not_on_disk_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with answering(body(MARKED[:-1] + b',"kept":false}', status="202 Accepted")) as port:
        assert tickboard.mark(f"http://127.0.0.1:{port}", "deployed").id == "m"
    assert "cannot write the mark to its disk: a restart may forget it" in caplog.text


def test_the_client_imports_neither_the_server_nor_numpy() -> None:
    program = (
        "import sys; before = set(sys.modules); import tickboard\n"
        "try: tickboard.mark('http://127.0.0.1:1', 'x')\n"
        "except tickboard.RefusedError: pass\n"
        "heavy = {'numpy', 'starlette', 'uvicorn', 'sqlite3'}\n"
        "print(sorted(heavy & (set(sys.modules) - before)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


# --- from a shell ---


def test_the_command_prints_the_mark(server: Server) -> None:
    status, printed, errors = command("deployed 1.5", "--url", server.url, "--by", "ci")
    assert (status, errors) == (0, "")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z: deployed 1\.5\n", printed)
    status, printed, _ = command("--url", server.url, "--at", "-15m", "--until", "-5m", "moved")
    assert status == 0
    assert re.fullmatch(r"\S{24} to \S{24}: moved\n", printed)
    made = {mark["text"]: mark for mark in server.json("/api/marks")}
    assert made["deployed 1.5"]["by"] == "ci"
    assert made["moved"]["until"] > made["moved"]["timestamp"]


def test_the_command_exits_with_1_and_one_line_if_the_mark_cannot_be_made(server: Server) -> None:
    status, printed, errors = command("x", "--url", "http://127.0.0.1:1")
    assert (status, printed, errors.count("\n")) == (1, "", 1)
    assert errors.startswith("tickboard: cannot mark http://127.0.0.1:1: ")
    status, printed, errors = command("x" * 201, "--url", server.url)
    assert (status, printed) == (1, "")
    assert errors.endswith("the server answered 422: text=xxxxxxxxxxxxxxxxxxx… has 201 characters: give 200 at most\n")


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("x", "--url", "localhost:3000"), "--url 'localhost:3000' is not the address of a board"),
        (("x", "--at", "yesterday"), "--at=yesterday: give a time such as"),
        (("x", "--until", "soon"), "--until=soon: give a time such as"),
        ((), "Missing argument 'TEXT'"),
    ],
)
def test_a_mistake_exits_with_2_and_one_line_that_names_the_flag(arguments: tuple[str, ...], why: str) -> None:
    status, printed, errors = command(*arguments)
    assert (status, printed, errors.count("\n")) == (2, "", 1)
    assert errors.startswith(f"tickboard: {why}")


def test_an_error_of_the_board_names_the_flags(server: Server) -> None:
    _, _, errors = command("x", "--url", server.url, "--until", "-1h")
    assert errors.endswith("the server answered 422: --until=-1h is before --at=now: give a later time\n")
    _, _, errors = command("x", "--url", server.url, "--by", "y" * 201)
    assert "the server answered 422: --by=yyy" in errors
    with pytest.raises(RefusedError, match="answered 422: at=-9y is longer ago than"):
        tickboard.mark(server.url, "x", at="-9y")


def test_the_command_warns_of_a_mark_that_is_not_on_disk_and_prints_foreign_text_safely() -> None:
    answer = json.dumps({**json.loads(MARKED), "text": "a\x1b[31m", "kept": False}).encode()
    with answering(body(answer, status="202 Accepted")) as port:
        status, printed, errors = command("deployed", "--url", f"http://127.0.0.1:{port}")
    assert (status, printed) == (0, "2026-01-31T12:00:00.000Z: a\\x1b[31m\n")
    assert errors.count("\n") == 1
    assert "cannot write the mark to its disk: a restart may forget it" in errors


def test_the_example_marks_a_release_from_its_beginning_to_its_end(server: Server) -> None:
    example = Path(__file__).parents[2] / "examples" / "release.py"
    command = [sys.executable, str(example), "1.6", server.url]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    [made] = [mark for mark in server.json("/api/marks") if mark["text"] == "deployed 1.6"]
    assert done.stdout == f"deployed 1.6: {made['timestamp']} to {made['until']}\n"
    assert made["until"] > made["timestamp"]

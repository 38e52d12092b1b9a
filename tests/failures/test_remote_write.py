"""Whatever a receiver of remote write answers or does not, it is one failure of that request, and ticks go on."""

import asyncio
import socket
from pathlib import Path

import pytest
from tests.raw import GUARD_S
from tests.raw_server import Answer, hangs, raw_server, says, trickles
from tests.serving import serve, wait_for

from tickboard.history.layout import Retention
from tickboard.history.store import History
from tickboard.hub.traffic import Traffic
from tickboard.output.secrets import Secret
from tickboard.problems import Problems
from tickboard.sending.options import RemoteWriteOptions
from tickboard.sending.receiver import Receiver, WriteAnswer
from tickboard.sending.remote_writing import RemoteWriting
from tickboard.sending.sender import Sender


def answers(reply: Answer, timeout_s: float = GUARD_S) -> WriteAnswer:
    async def send(url: str) -> WriteAnswer:
        receiver = Receiver(Secret(url), {}, timeout_s)
        try:
            async with asyncio.timeout(GUARD_S):
                return await receiver.send(b"body", "1.0")
        finally:
            await receiver.close()

    with raw_server(reply, "/write") as receiver:
        return asyncio.run(send(receiver.url))


FAILURES: dict[str, tuple[Answer, str]] = {
    "closes at once": (says(), "its answer cannot be read"),
    "does not answer HTTP": (says(b"220 smtp ready\r\n"), "its answer cannot be read"),
    "answers in TLS": (says(b"\x15\x03\x01\x00\x02\x02\x46"), "its answer cannot be read"),
    "has endless headers": (says(b"HTTP/1.1 200 OK\r\nX: ", b"x" * 200_000), "the head of its answer has more than"),
    "continues forever": (says(b"HTTP/1.1 100 Continue\r\n\r\n" * 10_000), "the head of its answer has more than"),
    "has a status that is none": (says(b"HTTP/1.1 999 Oh\r\nContent-Length: 0\r\n\r\n"), "it answers 999 Oh"),
    "has a status that is no number": (says(b"HTTP/1.1 abc Oh\r\n\r\n"), "its answer cannot be read"),
    "ends before its size": (says(b"HTTP/1.1 500 Oh\r\nContent-Length: 100\r\n\r\nx"), "its answer cannot be read"),
    "sends nothing": (hangs(), "it has not answered within 0.5 s"),
    "hangs in its head": (hangs(b"HTTP/1.1 200 OK\r\n"), "it has not answered within 0.5 s"),
    "hangs in its body": (hangs(b"HTTP/1.1 500 Oh\r\nContent-Length: 9\r\n\r\n"), "it has not answered within"),
    "trickles": (trickles(b"HTTP/1.1 200 OK\r\nX: "), "it has not answered within 0.5 s"),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_a_failure_names_its_cause(failure: str) -> None:
    reply, why = FAILURES[failure]
    answer = answers(reply, 0.5 if "within" in why else GUARD_S)
    assert answer.kind == "failed"
    assert why in answer.why
    assert len(answer.why) < 500


@pytest.mark.parametrize("failure", ["closes at once", "sends nothing", "ends before its size"])
def test_a_request_without_a_whole_answer_may_have_been_accepted(failure: str) -> None:
    assert answers(FAILURES[failure][0], 0.5).in_doubt


def test_an_unreachable_receiver_has_accepted_nothing() -> None:
    async def send(port: int) -> WriteAnswer:
        return await Receiver(Secret(f"http://127.0.0.1:{port}/"), {}).send(b"body", "1.0")

    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    answer = asyncio.run(send(port))
    assert (answer.kind, answer.in_doubt) == ("failed", False)
    assert answer.why.startswith("it cannot be reached")


def test_an_endless_body_is_read_to_a_limit() -> None:
    def endless(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 400 No\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            connection.sendall(b"1000\r\n" + b"x" * 0x1000 + b"\r\n")

    answer = answers(endless)
    assert (answer.kind, answer.status) == ("refused", 400)
    assert len(answer.why) < 300


def test_an_answer_that_is_compressed_harms_nothing() -> None:
    head = b"HTTP/1.1 400 No\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n"
    assert answers(says(head, b"\x1f\x8b\x08\x00")).kind == "refused"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [(b"5", 5), (b"100000000", 600), (b"-1", None), (b"soon", None), (b"1.5", None), (b"9" * 1000, None)],
)
def test_the_pause_of_retry_after_is_bounded(text: bytes, seconds: float | None) -> None:
    head = b"HTTP/1.1 503 Oh\r\nContent-Length: 0\r\nRetry-After: " + text + b"\r\n\r\n"
    assert answers(says(head)).retry_after_s == seconds


@pytest.mark.parametrize(
    ("date", "low", "high"),
    [
        (b"Fri, 31 Dec 2100 23:59:59 GMT", 600, 600),
        (b"Sun, 06 Nov 1994 08:49:37 GMT", 0, 0),
        (b"Sun, 06 Nov 9999999999 08:49:37 GMT", None, None),
    ],
)
def test_retry_after_may_be_a_date(date: bytes, low: float | None, high: float | None) -> None:
    head = b"HTTP/1.1 503 Oh\r\nContent-Length: 0\r\nRetry-After: " + date + b"\r\n\r\n"
    found = answers(says(head)).retry_after_s
    assert found == low == high


def test_a_sender_that_fails_is_reported_and_restarted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = 0

    async def run(self: Sender) -> None:
        nonlocal runs
        runs += 1
        raise RuntimeError("a bug")

    async def fail() -> str:
        options = RemoteWriteOptions(url=Secret("http://127.0.0.1:9/"))
        writing = RemoteWriting(options, history, Traffic(), problems)
        writing.start()
        async with asyncio.timeout(GUARD_S):
            while runs < 2:
                await asyncio.sleep(0.01)
        await writing.stop()
        return problems["remote write: sender"].message

    monkeypatch.setattr(Sender, "run", run)
    problems = Problems()
    history = History(tmp_path / "h.sqlite", Retention(), lambda problem: None)
    assert asyncio.run(fail()) == "RuntimeError: a bug; it will be restarted"
    history.close()


def test_ticks_continue_while_a_receiver_hangs(tmp_path: Path) -> None:
    board = tmp_path / "board.py"
    board.write_text("from tickboard import Board\nboard = Board(interval_ms=50)\nboard.gauge('a').set(1)\n")
    with raw_server(hangs(), "/write") as receiver:
        arguments = ("--history", str(tmp_path / "h.sqlite"), "--remote-write", receiver.url)
        with serve("run", str(board), *arguments) as server:
            server.wait_for(lambda: server.json("/api/health")["seq"] > 60)
            health = server.json("/api/health")
            assert health["status"] == "ok"
            assert health["remote_write"]["waiting"] > 0
            # Ctrl-C waits for no answer.
            assert server.stop() == 0


def test_a_receiver_that_cannot_be_reached_is_a_problem_of_the_board(tmp_path: Path) -> None:
    board = tmp_path / "board.py"
    board.write_text("from tickboard import Board\nboard = Board(interval_ms=50)\nboard.gauge('a').set(1)\n")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://me:${{PASSWORD}}@127.0.0.1:{listening.getsockname()[1]}/write?token=${{KEY}}"
    arguments = ("--history", str(tmp_path / "h.sqlite"), "--remote-write", url)
    with serve("run", str(board), *arguments, env={"PASSWORD": "hunter22hunter", "KEY": "abcdefgh"}) as server:
        server.wait_for(lambda: server.json("/api/health")["status"] == "degraded")
        [reason] = server.json("/api/health")["reasons"]
        assert reason["source"] == "remote write"
        assert "cannot be sent to: it cannot be reached" in reason["message"]
        wait_for(lambda: "remote write: " in server.output(), server.output)
        assert "hunter22" not in server.output() + str(server.json("/api/health"))
        assert "abcdefgh" not in server.output() + str(server.json("/api/health"))

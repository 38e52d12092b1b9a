"""One side of a call: what it sends, what it takes, how much, and when it gives up. Nothing here needs a server."""

import asyncio
import struct

import pytest
from tests.fleet.listening import until

from tickboard.fleet import calls
from tickboard.fleet.calls import (
    ALIVE,
    CLOSE,
    CREDIT,
    DATA,
    END,
    HEADER,
    MORE,
    OPEN,
    START,
    WINDOW,
    CallOverError,
    Side,
    code_in,
    raw,
    texts,
)


class Post:
    """Takes what a side publishes.

    Attributes:
        frames: kind, flags, number and content of each.
        takes: whether it takes more.
    """

    def __init__(self) -> None:
        self.connected = True
        self.max_payload = 2**20
        self.waiting_bytes = 0
        self.frames: list[tuple[int, int, int, bytes]] = []
        self.takes = True

    def publish(self, subject: str, content: bytes, reply: str = "") -> bool:
        assert (subject, reply) == ("to", "from")
        if self.takes:
            kind, flags, _, number = HEADER.unpack_from(content)
            self.frames.append((kind, flags, number, content[HEADER.size :]))
        return self.takes

    def kinds(self) -> list[int]:
        return [kind for kind, *_ in self.frames]


def side_of(post: Post) -> Side:
    return Side(post, "to", "from", 0.0)


def frame(kind: int, number: int, content: bytes = b"", flags: int = 0) -> bytes:
    return HEADER.pack(kind, flags, 0, number) + content


async def test_frames_are_numbered_and_long_messages_are_sent_in_pieces() -> None:
    post = Post()
    side = side_of(post)
    await side.put(OPEN, b"head")
    await side.put(DATA, b"x" * 70_000, flags=2)
    await side.put(DATA, b"", flags=MORE)
    assert [(kind, flags, number, len(content)) for kind, flags, number, content in post.frames] == [
        (OPEN, 0, 1, 4),
        (DATA, MORE | 2, 2, 32_768),
        (DATA, MORE | 2, 3, 32_768),
        (DATA, 2, 4, 70_000 - 65_536),
        (DATA, MORE, 5, 0),
    ]


async def test_pieces_are_no_larger_than_the_server_takes() -> None:
    post = Post()
    post.max_payload = 1_000
    await side_of(post).put(DATA, b"x" * 2_000)
    assert [len(content) for *_, content in post.frames] == [992, 992, 16]
    with pytest.raises(CallOverError, match="its head has 993 bytes, and may have 992"):
        await side_of(post).put(OPEN, b"x" * 993)


async def test_no_more_is_sent_than_the_other_side_has_room_for() -> None:
    post = Post()
    side = side_of(post)
    sending = asyncio.create_task(side.put(DATA, b"x" * 1_000_000))
    await asyncio.sleep(0)
    sent = sum(HEADER.size + len(content) for *_, content in post.frames)
    assert WINDOW - 40_000 < sent <= WINDOW
    side.take(frame(CREDIT, 1, struct.pack("<Q", sent + 40_000)), 0.0)
    await asyncio.sleep(0)
    assert sum(HEADER.size + len(content) for *_, content in post.frames) > sent
    # Nobody gets more than the window at once, whatever they say.
    side.take(frame(CREDIT, 2, struct.pack("<Q", 2**63)), 0.0)
    for _ in range(5):
        await asyncio.sleep(0)
    assert not sending.done()
    side.lost("enough")
    with pytest.raises(CallOverError, match="enough"):
        await sending


@pytest.mark.parametrize("full", ["share", "dropped"])
async def test_a_side_waits_while_the_nats_server_takes_nothing(full: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "AGAIN_S", 0.001)
    post = Post()
    side = side_of(post)
    post.takes, post.waiting_bytes = full != "dropped", 2**21 if full == "share" else 0
    sending = asyncio.create_task(side.put(DATA, b"x"))
    await asyncio.sleep(0.02)
    assert not post.frames
    post.takes, post.waiting_bytes = True, 0
    await sending
    assert post.frames == [(DATA, 0, 1, b"x")]


async def test_room_is_given_for_what_was_processed() -> None:
    post = Post()
    side = side_of(post)
    content = b"x" * 32_768
    for number in range(1, 8):
        side.take(frame(DATA, number, content), 0.0)
    for _ in range(4):
        await side.next()
    assert post.frames == [], "more than half of the window is not processed yet"
    for _ in range(2):
        await side.next()
    granted = [struct.unpack("<Q", content)[0] for *_, content in post.frames]
    assert granted == [WINDOW + 4 * (32_768 + 8)]


@pytest.mark.parametrize(
    ("frames", "why"),
    [
        ([b"short"], "a frame is too short"),
        ([frame(DATA, 2)], "a frame was lost"),
        ([frame(DATA, 1), frame(DATA, 1)], "a frame was lost"),
        ([frame(CREDIT, 1, b"1234")], "a credit is too short"),
        ([frame(CLOSE, 1), frame(DATA, 2)], "more was sent than may be"),
        ([frame(DATA, number, b"x" * 65_000) for number in range(1, 6)], "more was sent than may be"),
    ],
)
async def test_what_the_protocol_does_not_allow_ends_the_call(frames: list[bytes], why: str) -> None:
    post = Post()
    side = side_of(post)
    for each in frames:
        side.take(each, 0.0)
    assert (side.over.is_set(), side.why) == (True, why)
    assert post.frames[-1][0] == END
    assert post.frames[-1][3] == why.encode()
    side.take(frame(DATA, 1), 0.0)
    assert len(post.frames) == 1, "nothing more is said"


async def test_unknown_kinds_are_ignored_and_so_is_a_sign_of_life() -> None:
    side = side_of(Post())
    side.take(frame(99, 1, b"new"), 0.0)
    side.take(frame(ALIVE, 2), 0.0)
    side.take(frame(DATA, 3, b"x"), 0.0)
    assert (await side.next()).content == b"x"


@pytest.mark.parametrize(
    ("content", "why"), [(b"tired\n\x1b", "tired \\x1b"), (b"", "the other side has ended it"), (b"\xff", "\ufffd")]
)
async def test_the_other_side_ends_the_call_with_any_number(content: bytes, why: str) -> None:
    post = Post()
    side = side_of(post)
    side.take(frame(DATA, 1, b"x"), 0.0)
    side.take(frame(END, 0, content), 0.0)
    assert side.why == why
    assert (await side.next()).content == b"x", "what came before can be read"
    with pytest.raises(CallOverError):
        await side.next()
    with pytest.raises(CallOverError):
        await side.put(DATA, b"x")
    side.end("again")
    side.close_websocket(1000, "")
    assert post.frames == []


async def test_an_empty_message_says_that_nobody_has_received_a_frame() -> None:
    side = side_of(Post())
    waiting = asyncio.create_task(side.next())
    await asyncio.sleep(0)
    side.take(b"", 0.0)
    with pytest.raises(CallOverError, match="nobody is there"):
        await waiting


async def test_a_side_says_that_it_is_there_and_gives_up_one_that_is_silent() -> None:
    post = Post()
    side = side_of(post)
    side.look(4.0)
    assert post.kinds() == []
    side.look(6.0)
    side.look(7.0)
    side.look(12.0)
    assert post.kinds() == [ALIVE, ALIVE]
    side.take(frame(ALIVE, 1), 25.0)
    side.look(54.0)
    assert not side.over.is_set()
    side.look(56.0)
    assert side.why == "nothing was heard for 30 s"
    side.look(99.0)
    assert post.kinds() == [ALIVE, ALIVE, ALIVE, END]


async def test_a_credit_that_could_not_be_sent_is_sent_later() -> None:
    post = Post()
    side = side_of(post)
    for number in range(1, 8):
        side.take(frame(DATA, number, b"x" * 32_000), 0.0)
    post.takes = False
    for _ in range(7):
        await side.next()
    assert post.frames == []
    post.takes = True
    side.look(1.0)
    assert post.kinds() == [CREDIT]


async def test_all_calls_are_looked_after(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "LOOK_S", 0.001)
    monkeypatch.setattr(calls, "SILENT_S", 0.01)
    sides = [Side(Post(), "to", "from", asyncio.get_running_loop().time()) for _ in range(3)]
    task = asyncio.create_task(calls.look_after(lambda: sides))
    await until(lambda: all(side.over.is_set() for side in sides))
    task.cancel()


def test_a_close_frame_without_a_code_has_none() -> None:
    assert code_in(calls.CallFrame(CLOSE, 0, b"")) == (1005, "")
    assert code_in(calls.CallFrame(CLOSE, 0, struct.pack("<H", 4401) + b"over\xff")) == (4401, "over")
    # A longer reason could not be sent to the viewer, and half a character neither.
    content = struct.pack("<H", 1000) + "é".encode() * 200
    assert code_in(calls.CallFrame(CLOSE, 0, content)) == (1000, "é" * 61)


def test_headers_are_sent_as_texts() -> None:
    headers = [(b"etag", b"\xe9")]
    assert texts(headers) == [("etag", "é")]
    assert raw([("etag", "é"), ("bad", "\u20ac"), ("\u20ac", "bad")]) == headers
    assert START == 2

"""Untrusted text stays plain text in a message, whatever markup the service understands."""

import html
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec
import pytest
from tests.receivers import mailbox

from tickboard.notify.destinations import make_destination
from tickboard.notify.message_text import MAX_TEXT, Message, Notice, compose_message
from tickboard.notify.neutral import NOTHING, neutral
from tickboard.notify.notifier import Service
from tickboard.wire import Alert

HOSTILE = (
    "@everyone @here <!channel> <@U012AB3CD> <@&42> [click](http://evil.example) <http://evil.example|click> "
    '![x](http://evil.example/x.png) **bold** `code` || spoiler || <at user_id="all">x</at> [CQ:at,qq=all] '
    "<script>alert(1)</script> &lt;b&gt;\r\nBcc: all@example.org\x03\x02"
)
PLAIN = " ".join(HOSTILE.replace("\x03", "").replace("\x02", "").split())

ALERT = Alert("i", HOSTILE, "critical", "2026-01-31T12:00:00.000Z", "cpu", {"host": HOSTILE}, rule="cpu")


def message(text: str = HOSTILE) -> Message:
    alert = msgspec.structs.replace(ALERT, message=text)
    return compose_message("Shop", [Notice(alert, fired=True)], 1_769_860_800.0)


class Receiver:
    """An HTTP server that accepts whatever a service sends.

    Attributes:
        port: the port it listens on.
        taken: the path, the headers and the body of each request.
    """

    def __init__(self) -> None:
        self.port = 0
        self.taken: list[tuple[str, dict[str, str], bytes]] = []

    def payload(self) -> Any:
        """Return the JSON of the last request that has a body."""
        return msgspec.json.decode(next(body for _, _, body in reversed(self.taken) if body.startswith(b"{")))


@contextmanager
def receiving() -> Iterator[Receiver]:
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            receiver.taken.append((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
            # One answer that every one of these services accepts as success.
            answer = (
                b'{"success":true,"ok":true,"room_id":"!r:h","access_token":"t","user_id":"@u:h","joined_rooms":[]}'
            )
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_POST = do_PUT = do_GET = answer  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    receiver.port = server.server_port
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()


def sent(url: str) -> Receiver:
    """Send a hostile message and return what was received."""
    with receiving() as receiver:
        service = Service(make_destination("ops", url.replace("PORT", str(receiver.port)), {}))
        assert service.send(message()) == ""
    return receiver


def notifies_nobody(text: str) -> bool:
    """Return whether a text has no mention, tag or link that a chat would act on."""
    return not re.search(r"@\w|<[!@#/\w]|\]\(|\[CQ:", text)


# --- chats, with real requests ---


def test_mattermost_shows_plain_text() -> None:
    text = sent("mmost://127.0.0.1:PORT/token").payload()["text"]
    assert notifies_nobody(text), text
    assert "\\*\\*bold\\*\\* \\`code\\`" in text
    assert "\\[click\\]" in text
    assert text.replace(NOTHING, "").replace("\\", "").count(PLAIN[:100]) == 2


def test_rocket_chat_shows_plain_text() -> None:
    text = sent("rocket://127.0.0.1:PORT/#ops?avatar=no&mode=webhook".replace("127", "a/b@127")).payload()["text"]
    assert notifies_nobody(text), text
    assert "\\*\\*bold\\*\\*" in text
    assert "\\\\*" not in text, "it is escaped once"


def test_matrix_shows_plain_text() -> None:
    receiver = sent("matrix://user:token@127.0.0.1:PORT/!room:host?mode=off")
    bodies = [body for _, _, body in receiver.taken if b"CRITICAL" in body]
    for body in bodies:
        text = msgspec.json.decode(body)
        assert text["msgtype"] == "m.text"
        assert notifies_nobody(text["body"]), text
        assert "\\*" not in text["body"], "a plain text is shown as it is"
    assert bodies


# --- services that show text as it is ---


def test_webhooks_get_the_unchanged_text_encoded() -> None:
    assert sent("json://127.0.0.1:PORT/").payload()["title"].endswith(PLAIN[: MAX_TEXT - 1] + "…")
    form = sent("form://127.0.0.1:PORT/").taken[-1][2].decode()
    assert "title=Shop%3A+CRITICAL+%40everyone" in form
    xml = sent("xml://127.0.0.1:PORT/").taken[-1][2].decode()
    assert "<script>" not in xml
    assert "CRITICAL @everyone @here &lt;!channel&gt;" in xml


def test_ntfy_and_gotify_get_the_unchanged_text() -> None:
    ntfy = sent("ntfy://127.0.0.1:PORT/topic?mode=private")
    _, headers, body = ntfy.taken[-1]
    assert "x-markdown" not in headers
    assert "x-click" not in headers
    assert "@everyone @here" in body.decode() + str(headers)
    gotify = sent("gotify://127.0.0.1:PORT/token").payload()
    assert "CRITICAL @everyone @here" in gotify["message"] or "CRITICAL @everyone @here" in gotify["title"]
    assert "markdown" not in str(gotify.get("extras", "")).lower()


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS:UserWarning")
@pytest.mark.parametrize("form", ["", "&format=html", "&format=text"])
def test_a_mail_has_one_subject_and_a_plain_text_body(form: str) -> None:
    with mailbox() as box:
        url = f"mailto://me:pw@127.0.0.1:{box.port}/?from=a@example.org&to=ops@example.org&mode=insecure{form}"
        service = Service(make_destination("ops", url, {}))
        assert service.send(message()) == ""
        [mail] = box.mails
    assert box.recipients == [["ops@example.org"]]
    assert mail["bcc"] is None
    assert str(mail["subject"]).startswith("Shop: CRITICAL @everyone @here <!channel>")
    for part in mail.walk():
        if part.get_content_type() == "text/html":
            shown = part.get_content()
            assert "<script>" not in shown
            assert "href" not in shown
            assert "<!channel>" in html.unescape(shown)
        elif part.get_content_type() == "text/plain":
            assert "<!channel>" in part.get_content()


# --- services with a fixed host: what Apprise would send ---


@pytest.mark.parametrize(
    ("url", "markdown"),
    [
        ("discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js", True),
        ("discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js?format=markdown", True),
        ("https://discord.com/api/webhooks/4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js", True),
        ("guilded://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js", True),
        ("slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/", False),
        ("slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/?format=markdown", False),
        ("tgram://123456789:abcdefg_hijklmnop/12315544/", False),
        ("tgram://123456789:abcdefg_hijklmnop/12315544/?format=markdown", False),
        ("gchat://workspace/key/token", False),
        ("workflow://prod-00.westus.logic.azure.com:443/643e69f83c8944/4e2mT0/", False),
        ("wxteams://" + "a" * 80, False),
        ("zulip://bot@org/" + "a" * 32, True),
        ("irc://user:pw@host/#channel", False),
        ("mastodon://token@host", False),
    ],
)
def test_every_chat_gets_plain_text(url: str, markdown: bool) -> None:
    service = Service(make_destination("ops", url, {}))
    title, body = service._neutral(message())
    calls = list(
        service._plugin._build_send_calls(
            body=body, title=title, notify_type="failure", overflow="truncate", body_format="text"
        )
    )
    assert calls
    for call in calls:
        assert notifies_nobody(call["title"]), call
        # Ignore the tags that Apprise itself puts around a title.
        shown = html.unescape(re.sub(r"</?(?:b|br) ?/?>", "", call["body"]))
        assert notifies_nobody(shown), call
        if markdown:
            assert "\\*\\*bold" in call["body"]
            assert "\\\\*" not in call["body"], "it is escaped once"
    assert any("@" + NOTHING + "everyone" in html.unescape(call["body"]) for call in calls)


def test_neutral_text_looks_the_same() -> None:
    assert neutral(HOSTILE, markdown=False).replace(NOTHING, "") == HOSTILE
    assert (
        neutral("95.0 % of a-b (c) at 12:00, x < 5 @ 3 °C", markdown=True) == "95.0 % of a-b (c) at 12:00, x < 5 @ 3 °C"
    )

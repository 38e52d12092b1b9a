"""Those who are told of alerts, as a test wants them: real servers on loopback that take, refuse, hang or are away."""

import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session


class Webhook:
    """An HTTP server that takes JSON.

    Attributes:
        port: where it listens; the same after it was away.
        status: what it answers.
        hangs: whether it answers at all.
        taken: the bodies that it has answered with 200, in order.
        asked: the paths that it was asked for.
    """

    def __init__(self) -> None:
        self.port = 0
        self.status = 200
        self.hangs = False
        self.taken: list[dict[str, Any]] = []
        self.asked: list[str] = []
        self._go_on = threading.Event()
        self._server: ThreadingHTTPServer | None = None

    def come(self) -> None:
        """Begin to listen."""
        webhook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:  # http.server wants it so
                body = self.rfile.read(int(self.headers["content-length"]))
                webhook.asked.append(self.path)
                if webhook.hangs:
                    # A byte now and then keeps the other side waiting: its own time-outs are between two of them.
                    self.wfile.write(b"HTTP/1.0 200 OK\r\nx-slow: ")
                    while not webhook._go_on.wait(0.2):
                        with contextlib.suppress(OSError):
                            self.wfile.write(b"x")
                    return
                if webhook.status == 200:
                    webhook.taken.append(json.loads(body))
                self.send_response(webhook.status)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            allow_reuse_address = True
            daemon_threads = True

        self._server = Server(("127.0.0.1", self.port), Handler)
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def go(self) -> None:
        """End listening: who connects is refused."""
        self._go_on.set()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    @property
    def titles(self) -> list[str]:
        """The titles of the messages taken."""
        return [body["title"] for body in self.taken]

    @property
    def text(self) -> str:
        """All that was said in the messages taken."""
        return "\n".join(f"{body['title']}\n{body['message']}" for body in self.taken)


@contextlib.contextmanager
def webhook() -> Iterator[Webhook]:
    """Run a webhook for as long as the context is open."""
    receiver = Webhook()
    receiver.come()
    try:
        yield receiver
    finally:
        receiver.go()


class Mailbox:
    """What an SMTP server has taken.

    Attributes:
        port: where it listens.
        mails: those that it took.
        recipients: of each.
        logins: who logged in, and with which password.
    """

    def __init__(self) -> None:
        self.port = 0
        self.mails: list[EmailMessage] = []
        self.recipients: list[list[str]] = []
        self.logins: list[tuple[str, str]] = []

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Take a mail; aiosmtpd calls it."""
        assert isinstance(envelope.content, bytes)
        mail = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        self.recipients.append(list(envelope.rcpt_tos))
        return "250 taken"

    def authenticate(self, server: object, session: object, envelope: object, how: str, given: object) -> AuthResult:
        """Let everyone in, and take down who it was."""
        assert isinstance(given, LoginPassword)
        self.logins.append((given.login.decode(), given.password.decode()))
        return AuthResult(success=True)


@contextlib.contextmanager
def mailbox() -> Iterator[Mailbox]:
    """Run an SMTP server for as long as the context is open."""
    box = Mailbox()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = Controller(
        box, hostname="127.0.0.1", port=port, authenticator=box.authenticate, auth_require_tls=False, auth_required=True
    )
    server.start()
    box.port = port
    try:
        yield box
    finally:
        server.stop()

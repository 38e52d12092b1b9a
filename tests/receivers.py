"""Receivers of notifications: real servers on loopback that accept, refuse, hang or are down, as a test wants."""

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
    """An HTTP server that accepts JSON.

    Attributes:
        port: the port that it listens on; the same after a restart.
        status: the status of its answers.
        hangs: whether it never completes an answer.
        taken: the bodies answered with 200, in order.
        asked: the requested paths.
    """

    def __init__(self) -> None:
        self.port = 0
        self.status = 200
        self.hangs = False
        self.taken: list[dict[str, Any]] = []
        self.asked: list[str] = []
        self._go_on = threading.Event()
        self._server: ThreadingHTTPServer | None = None

    def start_listening(self) -> None:
        """Start listening."""
        webhook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:  # the name that http.server requires
                body = self.rfile.read(int(self.headers["content-length"]))
                webhook.asked.append(self.path)
                if webhook.hangs:
                    # Bytes now and then keep the client waiting, since its time-outs apply between two of them.
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

    def stop_listening(self) -> None:
        """Stop listening, so that connections are refused."""
        self._go_on.set()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    @property
    def titles(self) -> list[str]:
        """The titles of the accepted messages."""
        return [body["title"] for body in self.taken]

    @property
    def text(self) -> str:
        """The text of all accepted messages."""
        return "\n".join(f"{body['title']}\n{body['message']}" for body in self.taken)


@contextlib.contextmanager
def webhook() -> Iterator[Webhook]:
    """Run a webhook while the context is open."""
    receiver = Webhook()
    receiver.start_listening()
    try:
        yield receiver
    finally:
        receiver.stop_listening()


class Mailbox:
    """The mails accepted by an SMTP server.

    Attributes:
        port: the port that it listens on.
        mails: the accepted mails.
        recipients: the recipients of each mail.
        logins: the names and passwords that clients logged in with.
    """

    def __init__(self) -> None:
        self.port = 0
        self.mails: list[EmailMessage] = []
        self.recipients: list[list[str]] = []
        self.logins: list[tuple[str, str]] = []

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Accept a mail; called by aiosmtpd."""
        assert isinstance(envelope.content, bytes)
        mail = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        self.recipients.append(list(envelope.rcpt_tos))
        return "250 taken"

    def authenticate(self, server: object, session: object, envelope: object, how: str, given: object) -> AuthResult:
        """Accept and record any login."""
        assert isinstance(given, LoginPassword)
        self.logins.append((given.login.decode(), given.password.decode()))
        return AuthResult(success=True)


@contextlib.contextmanager
def mailbox() -> Iterator[Mailbox]:
    """Run an SMTP server while the context is open."""
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

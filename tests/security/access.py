"""Users and tokens for tests of access, and who may do what."""

import time
from pathlib import Path

from msgspec.structs import replace

from tickboard.access.credentials import fingerprint, new_secret, new_token
from tickboard.access.file import AccessFile
from tickboard.access.passwords import hashed
from tickboard.access.records import Person, Session, Token
from tickboard.access.roles import Role
from tickboard.server.access.login import cookie_name

PASSWORD = "correct horse battery"

INCLUDES: dict[str, set[str]] = {
    "nobody": set(),
    "viewer": {"viewer"},
    "operator": {"viewer", "operator"},
    "sender": {"sender"},
    "admin": {"viewer", "operator", "admin"},
}

READ: dict[str, str] = {
    "/": "viewer",
    "/assets/none.js": "viewer",
    "/events/alerts": "viewer",
    "/metrics": "viewer",
    "/ws/metrics": "viewer",
    "/api/about": "viewer",
    "/api/alerts": "viewer",
    "/api/alerts/spans": "viewer",
    "/api/board": "viewer",
    "/api/changes": "viewer",
    "/api/config-schema.json": "viewer",
    "/api/history": "viewer",
    "/api/hosts": "viewer",
    "/api/marks": "viewer",
    "/api/me": "viewer",
    "/api/metrics/recent": "viewer",
    "/api/openapi.json": "viewer",
    "/api/silences": "viewer",
    "/api/stats": "viewer",
    "/api/health": "nobody",
    "/login": "nobody",
    "/api/audit": "admin",
    "/api/hosts/web-1": "admin",
    "/api/metrics": "admin",
    "/api/alerts/1/ack": "admin",
    "/api/v1/write": "admin",
    "/v1/metrics": "admin",
    "/api/stats/": "admin",
    "/own": "admin",
    "/own/": "admin",
    "/nothing": "admin",
    "//api/board": "admin",
    "/api/health/../board": "admin",
    "/api%2Fboard": "viewer",
}
"""The least role for a GET of each path. The last one is decoded by the server."""

WRITE: dict[str, str] = {
    "/ws/metrics": "viewer",
    "/api/alerts/ack": "operator",
    "/api/alerts/silence": "operator",
    "/api/alerts/1/ack": "operator",
    "/api/alerts/1/silence": "operator",
    "/api/hosts/web-1": "operator",
    "/api/marks": "operator",
    "/api/metrics": "sender",
    "/api/v1/write": "sender",
    "/v1/metrics": "sender",
    "/api/health": "admin",
    "/api/board": "admin",
    "/": "admin",
    "/own": "admin",
    "/nothing": "admin",
}
"""The same for a POST."""


_NOT_OF_HOSTS = ("/assets", "/login", "//", "/api/health/..", "/api%2F")


def _on_host(table: dict[str, str]) -> dict[str, str]:
    """Return what the same paths need on the board of a host that a wall follows."""
    found = {"/hosts/web-1": "viewer"} if table is READ else {}
    for path, needed in table.items():
        if not path.startswith(_NOT_OF_HOSTS):
            found[f"/hosts/web-1{path}"] = {"nobody": "viewer", "sender": "admin"}.get(needed, needed)
    return found


READ |= {**_on_host(READ), "/hosts/web-1/assets/none.js": "admin", "/hosts/web-1/login": "admin", "/hosts": "admin"}
WRITE |= {**_on_host(WRITE), "/hosts/web-1/logout": "admin", "/hosts/web-1": "admin"}


def allowed(role: str, needed: str) -> bool:
    """Return whether somebody may make a request that needs a role."""
    return needed == "nobody" or needed in INCLUDES[role]


class Accounts:
    """The access file of a test.

    Args:
        path: where it is.
    """

    def __init__(self, path: Path) -> None:
        self.file = AccessFile(path)
        self.flags = ("--access", str(path))

    def token(self, role: Role, *metrics: str, board: str = "*", name: str = "") -> str:
        """Return a new token."""
        token, now = new_token(), time.time()
        made = Token(name or f"a {role}", role, fingerprint(token), now, now + 3_600.0, board, metrics)
        self.file.change(lambda records: records.with_token(made))
        return token

    def expire(self, token: str) -> None:
        """Have a token that a server knows end a second from now, however long the server took to know it."""
        ends = time.time() + 1

        def expiring(each: Token) -> Token:
            return replace(each, expires=ends) if each.fingerprint == fingerprint(token) else each

        self.file.change(lambda records: replace(records, tokens=tuple(map(expiring, records.tokens))))

    def person(self, name: str, role: Role) -> None:
        """Add a person, with the password `PASSWORD`."""
        self.file.change(lambda records: records.with_person(Person(name, role, hashed(PASSWORD))))

    def session(self, name: str, role: Role | None = None) -> str:
        """Return the header Cookie of a browser in which somebody is logged in."""
        secret, now = new_secret(), time.time()
        self.file.change(lambda records: records.with_session(Session(fingerprint(secret), name, now, now, role)))
        return f"{cookie_name(self.file.path)}={secret}"

    def headers(self, role: str) -> dict[str, str]:
        """Return the headers of a request by somebody with a role."""
        if role == "nobody":
            return {}
        if role == "admin":
            cookie = self.session("root", "admin")
            # Under TLS it has another name.
            return {"Cookie": f"{cookie}; __Host-{cookie}"}
        return {"Authorization": f"Bearer {self.token(role)}"}  # type: ignore[arg-type]

"""Credentials: random secrets that a program or a browser presents, of which only a fingerprint is stored.

A secret has 256 random bits, so a plain SHA-256 is enough: there is nothing to guess. Passwords are another matter; see
`tickboard.access.passwords`.
"""

import hashlib
import re
import secrets

TOKEN = "tickboard_"  # noqa: S105  # a prefix, which people and scanners recognise
"""How a token begins."""

ID_LENGTH = 8
"""The characters of an id, which names a token in lists and messages. It is not secret."""

MAX_LENGTH = 100
"""The longest text that is looked up."""

_TOKEN = re.compile(r"tickboard_[A-Za-z0-9_-]{43}")


def new_token() -> str:
    """Return a new token."""
    return TOKEN + new_secret()


def new_secret() -> str:
    """Return a new secret of 43 characters that may stand in a URL and in a cookie."""
    return secrets.token_urlsafe(32)


def fingerprint(secret: str) -> str:
    """Return what is stored of a secret."""
    return hashlib.sha256(secret.encode()).hexdigest()


def id_of(fingerprint: str) -> str:
    """Return the id of a token."""
    return fingerprint[:ID_LENGTH]


def is_token(text: str) -> bool:
    """Return whether a text has the form of a token."""
    return _TOKEN.fullmatch(text) is not None

"""One-time links: make one in an access file."""

import time

from tickboard.access.credentials import fingerprint, new_secret
from tickboard.access.file import AccessFile
from tickboard.access.records import LINK_S, SOMEBODY, LoginLink


def new_link(file: AccessFile, name: str | None) -> str:
    """Add a one-time link to an access file, and return its secret.

    Args:
        file: the access file.
        name: whom it logs in; None: an admin.

    Raises:
        InputError: there is no such person.
        AccessError: the file cannot be changed.
    """
    secret = new_secret()
    known, expires = fingerprint(secret), time.time() + LINK_S
    link = LoginLink(known, SOMEBODY, expires, "admin") if name is None else LoginLink(known, name, expires)
    file.change(lambda records: records.with_link(link))
    return secret

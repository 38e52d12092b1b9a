"""The credential that a client sends: a token, from an argument or from ``TICKBOARD_TOKEN``."""

import os
import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from tickboard.errors import InputError
from tickboard.output.secrets import remember

VARIABLE = "TICKBOARD_TOKEN"

_VALID = re.compile(r"[\x21-\x7e]{1,1000}")


def authorized(url: str, headers: Mapping[str, str], token: str | None) -> dict[str, str]:
    """Return the headers of requests to a board, with its token.

    Args:
        url: the board's address. A user in it is sent, and the environment is not read then.
        headers: as given. An Authorization among them is sent, and the environment is not read then.
        token: as given; None: that of the environment, if there is one.

    Raises:
        InputError: the token is not one, or there is another credential.
    """
    has_other = any(name.lower() == "authorization" for name in headers) or names_a_user(url)
    if token is not None and has_other:
        raise InputError("there are two credentials: give token=, or an Authorization header, or a user in the URL")
    if token is None:
        token = "" if has_other else os.environ.get(VARIABLE, "").strip()
        if not token:
            return dict(headers)
    if type(token) is not str or not is_token(token):
        raise InputError("token= is not a token: tickboard token create prints one")
    remember(token)
    return {**headers, "Authorization": f"Bearer {token}"}


def is_token(text: str) -> bool:
    """Return whether a text has the form of a token, which an HTTP header can hold."""
    return _VALID.fullmatch(text) is not None


def may_follow(here: tuple[bool, int], there: tuple[bool, int]) -> bool:
    """Return whether headers for one server may be sent to another one on the same host, to which it redirects.

    Another port is another program, which somebody else may run. Only from HTTP to HTTPS, each on its own port, is it
    the same site.

    Args:
        here: whether it has TLS, and its port.
        there: the same of the other one.
    """
    return there == here or (here, there) == ((False, 80), (True, 443))


def names_a_user(url: str) -> bool:
    """Return whether a URL has a user, who is sent as a credential."""
    try:
        return urlsplit(url).username is not None
    except (ValueError, AttributeError, TypeError):
        return False

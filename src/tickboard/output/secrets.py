"""Secrets: reads them, hides them in text, and determines which parts of a URL may be shown.

URLs, headers and the environment contain tokens and passwords. Code that reads one calls `remember`; `redacted` then
hides it in every text that is logged, printed or reported, since an exception from foreign code may repeat what it was
passed. Nothing here reads the environment or shows text.
"""

import re
from base64 import b64encode
from collections.abc import Iterable, Mapping
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from tickboard.errors import InputError

HIDDEN = "[secret]"
"""Replaces a secret."""

SHORTEST = 6
"""Characters of the shortest secret that is searched for: shorter ones occur in any text."""

MOST = 1_000
"""How many secrets are remembered; beyond that, the oldest is forgotten."""

MAX_PART = 2_000
"""Characters of a URL's user and password that are searched for in text."""

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9]{0,23})://")
_WHOLE = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]*)")
_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")

# A password may contain a slash that should have been encoded. Digits between a colon and a slash are a port.
_URL = re.compile(
    r"://"
    rf'(?P<user>[^\s/?#"]{{0,{MAX_PART}}}@'
    rf'|[^\s/?#@:"]{{0,{MAX_PART}}}:(?![0-9]{{1,5}}(?:[/?#\s"\']|$))[^\s"@]{{0,{MAX_PART}}}@)?'
    r"(?P<place>(?:(?!://)[^\s?#\"'<>])*)"
    r"(?P<asked>[?#][^\s\"'<>]*[^\s\"'<>.,:;)\]])?"
)

_SECRET_NAME = re.compile(
    r"(?:PASSWORD|PASSWD|PASSPHRASE|SECRET|TOKEN|API_?KEY|PRIVATE_?KEY|CREDENTIALS?)$", re.IGNORECASE
)
"""Matches the names of environment variables that contain a secret."""

_PLAIN_PARAMETERS = frozenset({"collect[]", "format", "match", "match[]", "module", "name[]", "target"})
"""Query parameters of exporters and Prometheus that are not secret."""

_PLAIN_HEADERS = frozenset(
    {"accept", "accept-encoding", "accept-language", "cache-control", "content-type", "host", "user-agent"}
)

_TOKEN_START = "tickboard_"  # noqa: S105  # how a token of `tickboard token create` begins

_TOKEN = re.compile(rf"{_TOKEN_START}[A-Za-z0-9_-]{{43}}(?![A-Za-z0-9_-])")

_known: dict[str, None] = {}
_longest_first: list[str] = []


class Secret:
    """Text that is never shown; only `reveal` returns it.

    Args:
        text: the text.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text, to send with it."""
        return self._text

    @property
    def scheme(self) -> str:
        """The part before ``://``, in lower case, which is not secret; empty if there is none."""
        found = _SCHEME.match(self._text)
        return found[1].lower() if found else ""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return f"Secret({self.scheme}://…)"


# --- where they come from ---


def read_secret(text: str, environ: Mapping[str, str]) -> Secret:
    """Return a URL with each ``${NAME}``, or ``$NAME`` as the whole text, replaced by that environment variable.

    A variable in the user, the password or the query is percent-encoded, so that a password may contain anything. At
    the beginning and in the path it is inserted as it is. Any other ``$`` is a ``$``.

    Raises:
        InputError: a variable is not set; the error contains only its name.
    """
    given = text.strip()
    if whole := _WHOLE.fullmatch(given):
        given = f"${{{whole[1]}}}"

    def value(reference: re.Match[str]) -> str:
        found = _value(reference[1], environ, "its URL")
        return _encoded(found, given[: reference.start()], given[reference.end() :])

    url = _REFERENCE.sub(value, given)
    remember_url(url)
    return Secret(url)


def read_headers(headers: Mapping[str, str], environ: Mapping[str, str]) -> dict[str, str]:
    """Return headers with each ``${NAME}`` in their values replaced by that environment variable.

    Raises:
        InputError: a variable is not set, and the error contains only its name; or a value is not text.
    """
    found: dict[str, str] = {}
    for name, value in headers.items():
        if not isinstance(value, str):
            raise InputError(f"headers: {name} is a {type(value).__name__}: give a string")
        found[name] = _REFERENCE.sub(lambda reference: _value(reference[1], environ, "a header"), value)
    remember_headers(found)
    return found


def _value(name: str, environ: Mapping[str, str], of: str) -> str:
    if not (value := environ.get(name)):
        raise InputError(f"the environment variable {name} of {of} is not set: set it")
    remember(value)
    if "://" in value:
        remember_url(value)
    return value


def _encoded(value: str, before: str, after: str) -> str:
    """Return a value as it must be written between two parts of a URL."""
    _, scheme, begun = before.partition("://")
    if not scheme:
        return value
    if "?" in begun:
        return quote(value, safe="")
    if "/" in begun or "@" not in re.split(r"[/?#]", after, maxsplit=1)[0]:
        return value
    if ":" in begun:
        return quote(value, safe="")
    # In place of the user there may be a user and a password, separated by the first colon.
    return ":".join(quote(part, safe="") for part in value.split(":", 1))


# --- what may be shown ---


def public(url: str) -> str:
    """Return a URL as it may be shown: without user, password, query and fragment."""
    if "://" not in url:
        # Most likely a URL whose scheme was forgotten.
        return re.split(r"[?#]", url, maxsplit=1)[0].rpartition("@")[2]
    return re.split(r"[?#]", _URL.sub(lambda found: f"://{found['place']}", url), maxsplit=1)[0]


def is_exposed(url: str) -> bool:
    """Return whether a URL, as a person wrote it, contains a secret other than a ``${NAME}``."""
    return any(len(secret) >= SHORTEST for secret in _secrets_of(_REFERENCE.sub("", url)))


def redacted(text: str) -> str:
    """Return text without the known secrets and tokens, and with its URLs stripped of user, password and query."""
    for secret in _longest_first:
        text = text.replace(secret, HIDDEN)
    if _TOKEN_START in text:
        text = _TOKEN.sub(HIDDEN, text)
    return _URL.sub(_shown, text) if "://" in text else text


def _shown(found: re.Match[str]) -> str:
    user = "…@" if found["user"] else ""
    asked = f"{found['asked'][0]}…" if found["asked"] else ""
    return f"://{user}{found['place']}{asked}"


# --- known secrets ---


def remember(*secrets: str) -> None:
    """Hide these secrets in every text from now on, as they are and percent-encoded."""
    global _longest_first  # noqa: PLW0603  # replaced as a whole: other threads read it
    forms = {form for secret in secrets for form in (secret.strip(), quote(secret, safe=""), unquote(secret))}
    new = [form for form in forms if len(form) >= SHORTEST and form not in _known]
    if not new:
        return
    _known.update(dict.fromkeys(new))
    while len(_known) > MOST:
        del _known[next(iter(_known))]
    # Longest first, since one secret may be the beginning of another.
    _longest_first = sorted(_known, key=len, reverse=True)


def remember_url(url: str) -> None:
    """Hide the user, the password and the query of a URL in every text."""
    remember(*_secrets_of(url))


def remember_headers(headers: Mapping[str, str]) -> None:
    """Hide the values of headers, except those that say nothing about the client."""
    for name, value in headers.items():
        if name.lower() not in _PLAIN_HEADERS:
            # Of "Bearer abc", "abc" alone is hidden as well.
            remember(value, value.rpartition(" ")[2])


def remember_environment(environ: Mapping[str, str]) -> None:
    """Hide the values of environment variables whose names say that they contain a secret."""
    remember(*(value for name, value in environ.items() if _SECRET_NAME.search(name)))


def _secrets_of(url: str) -> list[str]:
    try:
        parts = urlsplit(url)
        asked = parse_qsl(parts.query)
    except ValueError:
        return [found["user"][:-1] for found in _URL.finditer(url) if found["user"]]
    return [*_login(parts.netloc), *(value for name, value in asked if name not in _PLAIN_PARAMETERS)]


def _login(place: str) -> Iterable[str]:
    """Return the secrets of a URL's authority: user and password, the password alone, and both as Basic credentials."""
    user, _, _ = place.rpartition("@")
    name, both, password = user.partition(":")
    if not (password if both else name):
        return []
    sent = f"{unquote(name)}:{unquote(password)}"
    return [user, password or name, b64encode(sent.encode(errors="replace")).decode()]

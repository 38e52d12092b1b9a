"""Secrets: where they come from, what of a URL may be shown, and how a text is freed of those that are known.

A URL, a header and the environment hold what nobody may see: tokens, passwords. Code that reads one calls `remember`,
and `redacted` then hides it in every text that is logged, printed or reported: an exception's text is foreign code's,
and repeats what it was given. It knows neither the environment itself nor who shows a text.
"""

import re
from base64 import b64encode
from collections.abc import Iterable, Mapping
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from tickboard.errors import InputError

HIDDEN = "[secret]"
"""In place of a secret."""

SHORTEST = 6
"""Characters of a secret that is looked for: shorter ones are parts of any text."""

MOST = 1_000
"""Secrets that are known; the oldest is forgotten then."""

MAX_PART = 2_000
"""Characters of the user and password of a URL that are looked for in a text."""

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9]{0,23})://")
_WHOLE = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]*)")
_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")

# A password may hold a slash that should have been encoded; digits after a colon, up to a slash, are a port.
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
"""What a variable of the environment is called that holds a secret."""

_PLAIN_PARAMETERS = frozenset({"collect[]", "format", "match", "match[]", "module", "name[]", "target"})
"""What exporters and Prometheus are asked for; it is no secret."""

_PLAIN_HEADERS = frozenset(
    {"accept", "accept-encoding", "accept-language", "cache-control", "content-type", "host", "user-agent"}
)

_known: dict[str, None] = {}
_longest_first: list[str] = []


class Secret:
    """A text that is shown nowhere: `reveal` gives it, and nothing else does.

    Args:
        text: what must not be seen.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text, for who sends with it."""
        return self._text

    @property
    def scheme(self) -> str:
        """What stands before ``://``, in lower case, which is no secret; empty where there is none."""
        found = _SCHEME.match(self._text)
        return found[1].lower() if found else ""

    def __repr__(self) -> str:
        return f"Secret({self.scheme}://…)"


# --- where they come from ---


def read_secret(text: str, environ: Mapping[str, str]) -> Secret:
    """Return a URL with what the environment holds in place of ``${NAME}``, or of ``$NAME`` that is all of it.

    A variable that stands in the user, the password or the query is percent-encoded, so that a password may be
    anything; at the beginning and in a path it is taken as it is. A ``$`` elsewhere is a ``$``.

    Raises:
        InputError: a variable is not set; the error has its name alone.
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
    """Return headers with what the environment holds in place of each ``${NAME}`` in their values.

    Raises:
        InputError: a variable is not set, and the error has its name alone; or a value is no text.
    """
    found: dict[str, str] = {}
    for name, value in headers.items():
        if not isinstance(value, str):
            raise InputError(f"headers: {name} is a {type(value).__name__}: give a text")
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
    """Return a value as it has to be written between two parts of a URL."""
    _, scheme, begun = before.partition("://")
    if not scheme:
        return value
    if "?" in begun:
        return quote(value, safe="")
    if "/" in begun or "@" not in re.split(r"[/?#]", after, maxsplit=1)[0]:
        return value
    if ":" in begun:
        return quote(value, safe="")
    # Where a user stands there may be a password with it, after the first colon.
    return ":".join(quote(part, safe="") for part in value.split(":", 1))


# --- what is shown ---


def public(url: str) -> str:
    """Return a URL as it may be shown: without user, password, what is asked for, and fragment."""
    if "://" not in url:
        # Most likely one whose scheme was forgotten.
        return re.split(r"[?#]", url, maxsplit=1)[0].rpartition("@")[2]
    return re.split(r"[?#]", _URL.sub(lambda found: f"://{found['place']}", url), maxsplit=1)[0]


def is_exposed(url: str) -> bool:
    """Return whether a URL as a person has written it holds a secret, other than by ``${NAME}``."""
    return any(len(secret) >= SHORTEST for secret in _secrets_of(_REFERENCE.sub("", url)))


def redacted(text: str) -> str:
    """Return a text without the secrets that are known, and its URLs without user, password and what is asked for."""
    for secret in _longest_first:
        text = text.replace(secret, HIDDEN)
    return _URL.sub(_shown, text) if "://" in text else text


def _shown(found: re.Match[str]) -> str:
    user = "…@" if found["user"] else ""
    asked = f"{found['asked'][0]}…" if found["asked"] else ""
    return f"://{user}{found['place']}{asked}"


# --- what is known ---


def remember(*secrets: str) -> None:
    """Hide these in every text from now on, as they are and as a URL has them."""
    global _longest_first  # noqa: PLW0603  # replaced as a whole: other threads read it
    forms = {form for secret in secrets for form in (secret.strip(), quote(secret, safe=""), unquote(secret))}
    new = [form for form in forms if len(form) >= SHORTEST and form not in _known]
    if not new:
        return
    _known.update(dict.fromkeys(new))
    while len(_known) > MOST:
        del _known[next(iter(_known))]
    # One secret may be the beginning of another.
    _longest_first = sorted(_known, key=len, reverse=True)


def remember_url(url: str) -> None:
    """Hide the user, the password and what is asked for of a URL."""
    remember(*_secrets_of(url))


def remember_headers(headers: Mapping[str, str]) -> None:
    """Hide the values of headers, but for those that say nothing about who asks."""
    for name, value in headers.items():
        if name.lower() not in _PLAIN_HEADERS:
            # Of "Bearer abc" the word alone is repeated, too.
            remember(value, value.rpartition(" ")[2])


def remember_environment(environ: Mapping[str, str]) -> None:
    """Hide the values of the variables whose names say that they hold a secret."""
    remember(*(value for name, value in environ.items() if _SECRET_NAME.search(name)))


def _secrets_of(url: str) -> list[str]:
    try:
        parts = urlsplit(url)
        asked = parse_qsl(parts.query)
    except ValueError:
        return [found["user"][:-1] for found in _URL.finditer(url) if found["user"]]
    return [*_login(parts.netloc), *(value for name, value in asked if name not in _PLAIN_PARAMETERS)]


def _login(place: str) -> Iterable[str]:
    """Return the secrets in the place of a URL: its password, or its user where that is all, and both as sent."""
    user, _, _ = place.rpartition("@")
    name, both, password = user.partition(":")
    if not (password if both else name):
        return []
    sent = f"{unquote(name)}:{unquote(password)}"
    return [user, password or name, b64encode(sent.encode(errors="replace")).decode()]

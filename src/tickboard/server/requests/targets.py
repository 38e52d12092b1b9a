"""Request targets (RFC 9112, section 3.2), in the only form that routes accept: a path, and perhaps a query."""

import httptools

from tickboard.server.uvicorn.gate import Refusal


def origin_form(method: bytes, target: bytes, host: bytes) -> bytes:
    """Return a target that begins with a slash.

    Args:
        method: the request's.
        target: the target as sent. Clients of a proxy send a whole URL; its host must be the one in Host, so that the
            checked host and the requested one cannot differ.
        host: the Host header; empty if there is none.

    Raises:
        Refusal: it is for a tunnel or for the whole server, or is malformed.
    """
    if method == b"CONNECT":
        raise _malformed("this server is not a proxy: it does not support CONNECT")
    if target.startswith(b"/"):
        return target
    scheme, separator, rest = target.partition(b"://")
    if not separator or scheme.lower() not in {b"http", b"https"}:
        raise _malformed("ask for a path that begins with a slash, as in GET /api/stats")
    try:
        asked = httptools.parse_url(target)
    except httptools.HttpParserInvalidURLError as error:
        raise _malformed("the URL cannot be read") from error
    place = rest[: min((at for at in map(rest.find, (b"/", b"?", b"#")) if at >= 0), default=len(rest))]
    if host and place.lower() != host.strip().lower():
        raise _malformed("the URL and the Host header name different hosts: send the same in both")
    query = b"?" + asked.query if asked.query else b""
    path: bytes = asked.path or b"/"
    return path + query


def _malformed(message: str) -> Refusal:
    return Refusal(400, "malformed", message)

"""What a request asks for (RFC 9112, section 3.2), in the one form that routes know: a path, and perhaps a query."""

import httptools

from tickboard.server.uvicorn.gate import Refusal


def origin_form(method: bytes, target: bytes, host: bytes) -> bytes:
    """Return a target that begins with a slash.

    Args:
        method: the request's.
        target: as it was sent. Clients of a proxy send a whole URL, whose place has to be the one in Host: the one that
            is judged and the one that is meant cannot differ.
        host: the Host header; empty: there is none.

    Raises:
        Refusal: it is that of a tunnel, asks for all of the server, or is none.
    """
    if method == b"CONNECT":
        raise _malformed("this server is no proxy: CONNECT is not answered")
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
        raise _malformed("the URL and the Host header name two places: send the same in both")
    query = b"?" + asked.query if asked.query else b""
    path: bytes = asked.path or b"/"
    return path + query


def _malformed(message: str) -> Refusal:
    return Refusal(400, "malformed", message)

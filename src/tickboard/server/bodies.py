"""Bodies of requests: read up to a bound, and undone of their compression up to the same bound.

No more than the bound is ever in memory, however large the body or what it unfolds to.
"""

import zlib

from starlette.requests import Request

from tickboard.errors import PayloadError

# zlib's windows: gzip's header and trailer; either of gzip's and zlib's.
_GZIP, _EITHER = 16 + zlib.MAX_WBITS, 32 + zlib.MAX_WBITS

_CODINGS = {"gzip": _GZIP, "x-gzip": _GZIP, "deflate": _EITHER}


async def read_body(request: Request, limit: int) -> bytes:
    """Return the body of a request, undone of gzip or deflate.

    Args:
        request: whose body.
        limit: bytes that it may have, as sent and as undone.

    Raises:
        PayloadError: it is too large (413), its coding is unknown (415), or it isn't what its coding says (400).
    """
    coding = request.headers.get("content-encoding", "identity").strip().lower() or "identity"
    if coding not in {"identity", *_CODINGS}:
        raise PayloadError(f"Content-Encoding {coding!r}: send gzip, deflate or none", 415)
    parts: list[bytes] = []
    size = 0
    unfold = zlib.decompressobj(_CODINGS[coding]) if coding in _CODINGS else None
    async for chunk in request.stream():
        try:
            part = unfold.decompress(chunk, limit - size + 1) if unfold is not None else chunk
        except zlib.error as error:
            raise PayloadError(f"the body is not {coding}: {error}", 400) from error
        size += len(part)
        if size > limit:
            raise PayloadError(f"the body is more than {limit} bytes: send less at a time", 413)
        parts.append(part)
    if unfold is not None and not unfold.eof:
        raise PayloadError(f"the body ends in the middle of its {coding}: send it whole", 400)
    return b"".join(parts)

"""What a request asks to be done, as a JSON object in its body."""

from typing import TypeVar

import msgspec
from starlette.requests import Request

from tickboard.errors import InputError, PayloadError
from tickboard.output.text import without_mark
from tickboard.server.requests.bodies import read_body
from tickboard.sources.json_mistakes import explain_mistake

MAX_BODY_BYTES = 64 * 2**10
"""Of a body: it says a few words."""

T = TypeVar("T")


async def read_asked(request: Request, kind: type[T], example: str) -> T:
    """Return the body of a request; an empty one is an empty object.

    Any page may make a browser post plain text, a form or bytes of no type. The guard refuses those of other sites, and
    what is not said to be JSON is refused here.

    Args:
        request: the request.
        kind: the type of the body.
        example: of a body, for errors.

    Raises:
        PayloadError: it is not JSON, or not said to be, or too large.
        InputError: a field is missing, unknown or of another type.
    """
    body = without_mark(await read_body(request, MAX_BODY_BYTES))
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type != "application/json" and (body or content_type):
        given = repr(content_type[:80]) if content_type else "is missing"
        raise PayloadError(f"Content-Type {given}: send application/json, as in {example}", 415)
    body = body or b"{}"
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        raise InputError(f"{error}: send JSON as in {example}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise PayloadError(f"the body is not JSON: {explain_mistake(error, body)}: send it as in {example}") from error

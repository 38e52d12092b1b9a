"""JSON bodies: reads a request's body as a JSON object of a known type."""

from typing import TypeVar

import msgspec
from starlette.requests import Request

from tickboard.errors import InputError, PayloadError
from tickboard.output.text import without_mark
from tickboard.server.requests.bodies import read_body
from tickboard.sources.json_mistakes import explain_mistake

MAX_BODY_BYTES = 64 * 2**10
"""The most bytes of a body: it has a few words of text."""

T = TypeVar("T")


async def read_json(request: Request, kind: type[T], example: str) -> T:
    """Return the body of a request; an empty one is an empty object.

    Any page may make a browser post plain text, a form or bytes without a type. The guard refuses those of other sites,
    and a body that is not declared as JSON is refused here.

    Args:
        request: the request.
        kind: the type of the body.
        example: an example of a body, for messages.

    Raises:
        PayloadError: it is not JSON, not declared as JSON, or too large.
        InputError: a field is missing, unknown or of another type.
    """
    body = without_mark(await read_body(request, MAX_BODY_BYTES))
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type != "application/json" and (body or content_type):
        shown = repr(content_type[:80]) if content_type else "is missing"
        raise PayloadError(f"Content-Type {shown}: send application/json, as in {example}", 415)
    body = body or b"{}"
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        raise InputError(f"{error}: send JSON as in {example}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise PayloadError(f"the body is not JSON: {explain_mistake(error, body)}: send it as in {example}") from error

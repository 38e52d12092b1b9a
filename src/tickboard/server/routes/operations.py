"""Operations of the OpenAPI document: functions with which a module describes its routes."""

from collections.abc import Callable
from typing import Any

from tickboard.wire import ErrorBody

Schema = dict[str, Any]
"""A JSON Schema, or an object of OpenAPI 3.1."""

Paths = dict[str, Schema]
"""The operations of some paths, in OpenAPI's form."""

Ref = Callable[[type], Schema]
"""Returns the reference to the schema of a wire type, and adds the schema to the document."""

BYTES: Schema = {"schema": {"type": "string", "format": "binary"}}


def get(
    operation: str,
    summary: str,
    schema: Schema,
    parameters: list[Schema] | None = None,
    errors: Schema | None = None,
) -> Schema:
    """Describe a GET that answers with JSON; `errors` has the schema of each error status."""
    responses = {"200": response("the answer", schema)}
    responses |= {status: response("what is wrong, and how to fix it", body) for status, body in (errors or {}).items()}
    described = {"operationId": operation, "summary": summary, "parameters": parameters or [], "responses": responses}
    return {"get": described}


def query(name: str, description: str, schema: Schema) -> Schema:
    """Describe a parameter of the query."""
    return {"name": name, "in": "query", "description": description, "schema": schema}


def time_query(name: str, description: str, default: str | None = None) -> Schema:
    """Describe a parameter that is a time; None: it has no default."""
    schema = {"type": "string"} if default is None else {"type": "string", "default": default}
    return query(name, f'{description}: RFC 3339, an age such as "-15m", or "now"', schema)


def post(operation: str, summary: str, content: Schema, responses: Schema) -> Schema:
    """Describe a POST; `content` has the schema of each media type of its body."""
    body = {"required": True, "content": content}
    return {"post": {"operationId": operation, "summary": summary, "requestBody": body, "responses": responses}}


def response(description: str, schema: Schema) -> Schema:
    """Describe an answer in JSON."""
    return {"description": description, "content": json(schema)}


def json(schema: Schema) -> Schema:
    """Describe a body in JSON."""
    return {"application/json": {"schema": schema}}


def failures(content: Schema, statuses: tuple[str, ...]) -> Schema:
    """Describe errors that all have the same body."""
    return {status: {"description": "what is wrong, and how to fix it", "content": content} for status in statuses}


def body_failures(ref: Ref) -> Schema:
    """Describe the errors for the body of a POST."""
    reasons = {
        "400": "the body is malformed; nothing was accepted",
        "403": "the request comes from a page of another site",
        "408": "the body arrived too slowly",
        "413": "the body is too large",
        "415": "the body has another type or coding",
        "503": "too many bodies at once: Retry-After says when to send it again",
    }
    return {status: response(reason, ref(ErrorBody)) for status, reason in reasons.items()}

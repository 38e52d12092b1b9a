"""``GET /api/openapi.json``: the OpenAPI 3.1 document of the REST API.

Each module of routes describes its own. This combines them, with the schemas of the wire types that they refer to.
"""

from typing import Any

import msgspec
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

import tickboard
from tickboard.server.routes import (
    about,
    alert_spans,
    alerts,
    audit,
    changes,
    history,
    hosts,
    marks,
    metrics_endpoint,
    opentelemetry,
    push,
    remote_write,
    rest,
)
from tickboard.server.routes.documents import Documents, static_json
from tickboard.server.routes.operations import Paths, Schema

_MODULES = (
    rest,
    about,
    audit,
    alerts,
    alert_spans,
    marks,
    history,
    changes,
    hosts,
    metrics_endpoint,
    push,
    opentelemetry,
    remote_write,
)


def openapi_route() -> Route:
    """Return the route."""

    async def openapi(request: Request) -> Response:
        return static_json(document(request.scope.get("root_path", "")))

    return Route("/api/openapi.json", openapi, methods=["GET"], middleware=[Middleware(Documents)])


def document(root_path: str = "") -> dict[str, Any]:
    """Return the document.

    Args:
        root_path: where the board is mounted, for the server's URL.
    """
    named: dict[type, Schema] = {}

    def ref(kind: type) -> Schema:
        return named.setdefault(kind, {"$ref": f"#/components/schemas/{kind.__name__}"})

    paths: Paths = {}
    for module in _MODULES:
        paths |= module.describe(ref)
    _, components = msgspec.json.schema_components(list(named), ref_template="#/components/schemas/{name}")
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Tickboard",
            "version": tickboard.__version__,
            "description": "The contents of a live dashboard as documents. The live part is WS /ws/metrics and "
            "SSE /events/alerts, described in docs/protocol.md.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": root_path or "/"}],
        "paths": paths,
        "components": {"schemas": components},
    }

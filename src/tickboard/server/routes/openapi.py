"""The OpenAPI 3.1 document of the REST part, made from the wire types."""

from typing import Any, get_args

import msgspec

import tickboard
from tickboard.server.routes.alerts import MAX_PAGE_ALERTS, PAGE_ALERTS
from tickboard.wire import (
    AcknowledgeAlert,
    Alert,
    AlertPage,
    BoardInfo,
    ErrorBody,
    Health,
    Metric,
    PushAccepted,
    PushedMetric,
    PushRefused,
    Severity,
    Silence,
    SilenceAlert,
    Stats,
)

_TYPES = (
    AcknowledgeAlert,
    Alert,
    AlertPage,
    BoardInfo,
    ErrorBody,
    Health,
    Metric,
    PushAccepted,
    PushedMetric,
    PushRefused,
    Silence,
    SilenceAlert,
    Stats,
)


def document(root_path: str = "") -> dict[str, Any]:
    """Return the document.

    Args:
        root_path: where the board is mounted, for the server's URL.
    """
    schemas, components = msgspec.json.schema_components(_TYPES, ref_template="#/components/schemas/{name}")
    ref = dict(zip(_TYPES, schemas, strict=True))
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Tickboard",
            "version": tickboard.__version__,
            "description": "What a live dashboard shows, as documents. The live part is WS /ws/metrics and "
            "SSE /events/alerts, described in docs/protocol.md.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": root_path or "/"}],
        "paths": {
            "/api/stats": _get(
                "stats",
                "The stats of every series over the window, by key",
                {"type": "object", "additionalProperties": ref[Stats]},
            ),
            "/api/metrics/recent": _get(
                "recentMetrics",
                "The newest Metrics of the window, oldest first",
                {"type": "array", "items": ref[Metric]},
                parameters=[
                    {
                        "name": "count",
                        "in": "query",
                        "description": "how many; all there are when that is fewer",
                        "schema": {"type": "integer", "minimum": 0, "default": 60},
                    }
                ],
                errors={"422": ref[ErrorBody]},
            ),
            "/api/board": _get("board", "The board's title, metrics, panels, rules and problems", ref[BoardInfo]),
            "/api/alerts": _get(
                "alerts",
                "What fires and what fired in the last 24 hours, newest first by when it began",
                ref[AlertPage],
                parameters=[
                    _query("state", "which of them", {"enum": ["all", "active", "resolved"], "default": "all"}),
                    _query("severity", "any of these", {"type": "array", "items": {"enum": list(get_args(Severity))}}),
                    _query("rule", "of any of these", {"type": "array", "items": {"type": "string"}}),
                    _query("metric", "of any of these", {"type": "array", "items": {"type": "string"}}),
                    _query(
                        "limit",
                        "how many",
                        {"type": "integer", "minimum": 1, "maximum": MAX_PAGE_ALERTS, "default": PAGE_ALERTS},
                    ),
                    _query(
                        "before",
                        "the `next` of the page before this",
                        {"type": "integer", "minimum": 1, "maximum": 10**15},
                    ),
                ],
                errors={"422": ref[ErrorBody]},
            ),
            "/api/alerts/{id}/ack": _alert_post(
                "acknowledgeAlert", "Says that somebody looks after an alert", ref, ref[AcknowledgeAlert], ("409",)
            ),
            "/api/alerts/{id}/silence": _alert_post(
                "silenceAlert", "Tells nobody of an alert's rule and series for a while", ref, ref[SilenceAlert]
            ),
            "/api/silences": _get(
                "silences", "The silences in force, the first to end first", {"type": "array", "items": ref[Silence]}
            ),
            "/api/health": _get(
                "health",
                "Whether ticks are published, what is wrong, and who watches",
                ref[Health],
                errors={"503": ref[Health]},
            ),
            "/metrics": {
                "get": {
                    "operationId": "metrics",
                    "summary": "Tickboard's own metrics for Prometheus, in the format that Accept prefers",
                    "responses": {
                        "200": {
                            "description": "as asked",
                            "content": {
                                "text/plain": {"schema": {"type": "string"}},
                                "application/openmetrics-text": {"schema": {"type": "string"}},
                            },
                        }
                    },
                }
            },
            "/api/config-schema.json": _get("configSchema", "The JSON Schema of tickboard.toml", {"type": "object"}),
            "/api/metrics": _post(
                "pushMetrics",
                "Takes metrics that a program pushes",
                {
                    "application/json": {
                        "schema": {"anyOf": [ref[PushedMetric], {"type": "array", "items": ref[PushedMetric]}]}
                    },
                    "application/x-ndjson": {"schema": {"type": "string"}},
                },
                {
                    "200": _response("all were taken", ref[PushAccepted]),
                    "400": _response("the body is malformed; nothing was taken", ref[ErrorBody]),
                    "403": _response("a page of another site asks", ref[ErrorBody]),
                    "408": _response("the body came too slowly", ref[ErrorBody]),
                    "413": _response("the body is too large", ref[ErrorBody]),
                    "415": _response("the body has another type or coding", ref[ErrorBody]),
                    "422": _response(
                        "a value cannot be used, and nothing was taken; or series were refused, and the others taken",
                        {"anyOf": [ref[PushRefused], ref[ErrorBody]]},
                    ),
                    "503": _response("too many bodies at once: Retry-After says when to send it again", ref[ErrorBody]),
                },
            ),
            "/v1/metrics": _post(
                "exportMetrics",
                "Takes OpenTelemetry's metrics: OTLP over HTTP, an ExportMetricsServiceRequest",
                {"application/x-protobuf": _BYTES, "application/json": {"schema": {"type": "object"}}},
                {
                    "200": {
                        "description": "taken; a partial success says what was refused",
                        "content": {
                            "application/x-protobuf": _BYTES,
                            "application/json": {"schema": {"type": "object"}},
                        },
                    },
                    **_failures(
                        {"application/x-protobuf": _BYTES, "application/json": {"schema": ref[ErrorBody]}},
                        ("400", "403", "408", "413", "415", "503"),
                    ),
                },
            ),
            "/api/v1/write": _post(
                "remoteWrite",
                "Takes what Prometheus writes: a WriteRequest of version 1 or a Request of version 2, in Snappy",
                {"application/x-protobuf": _BYTES},
                {
                    "204": {"description": "taken"},
                    **_failures(
                        {"application/json": {"schema": ref[ErrorBody]}}, ("400", "403", "408", "413", "415", "503")
                    ),
                },
            ),
        },
        "components": {"schemas": components},
    }


def _get(
    operation: str,
    summary: str,
    schema: Any,
    parameters: list[dict[str, Any]] | None = None,
    errors: dict[str, Any] | None = None,
) -> dict[str, Any]:
    responses = {"200": _response("as asked", schema)}
    responses |= {status: _response("what is wrong and how to fix it", body) for status, body in (errors or {}).items()}
    return {
        "get": {
            "operationId": operation,
            "summary": summary,
            "parameters": parameters or [],
            "responses": responses,
        }
    }


def _query(name: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "description": description, "schema": schema}


_BYTES: dict[str, Any] = {"schema": {"type": "string", "format": "binary"}}


def _post(operation: str, summary: str, content: dict[str, Any], responses: dict[str, Any]) -> dict[str, Any]:
    body = {"required": True, "content": content}
    return {"post": {"operationId": operation, "summary": summary, "requestBody": body, "responses": responses}}


def _alert_post(
    operation: str, summary: str, ref: dict[Any, Any], body: Any, also: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Return what is done to one alert; an empty body is an empty object."""
    content = {"application/json": {"schema": body}}
    failures = _failures(
        {"application/json": {"schema": ref[ErrorBody]}},
        ("400", "403", "404", "408", "413", "415", "422", "429", "503", *also),
    )
    unkept = {"type": "object", "properties": {"kept": {"const": False}}, "required": ["kept"]}
    responses = {
        "200": _response("done, and kept: the alert as it is now", ref[Alert]),
        "202": _response(
            "in force until a restart; the log of alerts can't be written", {"allOf": [ref[Alert], unkept]}
        ),
        **failures,
    }
    found = _post(operation, summary, content, responses)
    found["post"]["parameters"] = [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}]
    return found


def _failures(content: dict[str, Any], statuses: tuple[str, ...]) -> dict[str, Any]:
    return {status: {"description": "what is wrong and how to fix it", "content": content} for status in statuses}


def _response(description: str, schema: Any) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}

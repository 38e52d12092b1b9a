"""``GET /api/audit``: who logged in, who failed to, and who changed what, for admins. Empty where nobody logs in."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tickboard.access.audit import Audit
from tickboard.access.route_table import AUDIT
from tickboard.server.requests.identity import AUDITED
from tickboard.server.routes.operations import Paths, Ref, get
from tickboard.wire import AuditEntry, AuditLog, encode, timestamp


def audit_route() -> Route:
    """Return the route."""

    async def audit(request: Request) -> Response:
        kept: Audit | None = request.scope.get(AUDITED)
        entries = [
            AuditEntry(
                timestamp(each.first), timestamp(each.last), each.what, each.who, each.address, each.detail, each.count
            )
            for each in ([] if kept is None else kept.entries())
        ]
        return Response(encode(AuditLog(entries)), 200, {"cache-control": "no-store"}, "application/json")

    return Route(AUDIT, audit, methods=["GET"])


def describe(ref: Ref) -> Paths:
    """Describe this route."""
    return {AUDIT: get("audit", "Logins, failures and changes since the start, the newest first", ref(AuditLog))}

r"""Routes: the route template of an ASGI request, read from what routing has stored in its scope.

    who routes                     what it stores                          the template
    anyone who knows Tickboard     scope["tickboard.route"]                that
    Litestar                       scope["path_template"]                  that
    Starlette, FastAPI             scope["endpoint"], scope["route"],      its path in the tree of routes, after those
                                   scope["router"]                         of mounts and included routers
    others, as scope["route"]      an object with a path                   its path
    nobody                         nothing                                 None

The template of a request below a mount begins with the mount's template. A mount's path may have parameters, so it is
looked up and not taken from the URL. No framework is imported, and a request's own path is never returned.
"""

import re
import sys
from collections.abc import Iterable, Iterator, MutableMapping
from typing import Any

from msgspec import Struct

from tickboard.sources.middleware.requests import ROUTE_KEY

Scope = MutableMapping[str, Any]

MAX_KNOWN = 1_000
"""How many routes and prefixes are cached, in case a framework makes new objects for each request."""

MAX_DEPTH = 10
"""How deep applications may be nested; one may be mounted in itself."""

_PARAMETER = re.compile(r"\{\w+(?::(\w+))?\}")


class Place(Struct, frozen=True):
    """A route at one place of the tree.

    Attributes:
        template: its path, after those of the mounts above it.
        pattern: matches the paths that lead to it.
        route: the object that routing stores in the scope.
        endpoint: the route's endpoint.
        mount: whether it is a mount, whose template ends in ``/{path:path}``.
    """

    template: str
    pattern: re.Pattern[str]
    route: object
    endpoint: object
    mount: bool


class Known(Struct, frozen=True):
    """The cached result for a route and an endpoint.

    Attributes:
        places: the places of the route; several if it was included or mounted more than once.
        own: its path below its mounts, if the tree does not have it.
        kept: both objects, kept alive so that no others can have their ids.
    """

    places: list[Place]
    own: str | None
    kept: tuple[object, object]


class Routes:
    """Finds templates, and caches them by the objects that routing stores."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, int], Known] = {}
        # Of routes with one place, as nearly all have.
        self._templates: dict[tuple[int, int], str] = {}
        self._mounts: dict[str, re.Pattern[str]] = {}
        self._prefixes: dict[str, str | None] = {}

    def template(self, scope: Scope) -> str | None:
        """Return the route template of a request that has been routed; None if it is unknown."""
        if ROUTE_KEY not in scope:
            # By identity: Starlette's routes can't be hashed.
            template = self._templates.get((id(scope.get("route")), id(scope.get("endpoint"))))
            if template is not None:
                return template
        return self._find(scope)

    def _find(self, scope: Scope) -> str | None:
        own: object = scope.get(ROUTE_KEY) or scope.get("path_template")
        if own is None:
            route, endpoint = scope.get("route"), scope.get("endpoint")
            if route is None and endpoint is None:
                return None
            known = self._known.get((id(route), id(endpoint))) or self._learn(scope, route, endpoint)
            if known.places:
                path = _path(scope)
                return next((place.template for place in known.places if place.pattern.fullmatch(path)), None)
            own = known.own
        if not isinstance(own, str):
            return None
        prefix = self._prefix(scope)
        return None if prefix is None else prefix + own

    def _learn(self, scope: Scope, route: object, endpoint: object) -> Known:
        if len(self._known) >= MAX_KNOWN:
            return Known([], None, (None, None))
        tree = self._walk(scope)
        # A mounted application may store only an endpoint, beside the route that led to the mount.
        found = (
            [place for place in tree if place.route is route and place.endpoint is endpoint]
            or [place for place in tree if place.endpoint is endpoint and endpoint is not None]
            or [place for place in tree if place.route is route and route is not None]
        )
        own = None if found or hasattr(route, "routes") else _text(route, "path_format") or _text(route, "path") or None
        self._known[id(route), id(endpoint)] = known = Known(found, own, (route, endpoint))
        # A mount's application may route differently, and store its routes elsewhere.
        if len({place.template for place in found}) == 1 and not found[0].mount:
            self._templates[id(route), id(endpoint)] = found[0].template
        return known

    def _walk(self, scope: Scope) -> list[Place]:
        """Return the tree of routes, and cache the templates of its mounts."""
        tree = list(_tree(getattr(scope.get("router"), "routes", ())))
        for place in tree:
            if place.mount:
                prefix = place.template.removesuffix(_REST)
                self._mounts[prefix] = _pattern(prefix)
        return tree

    def _prefix(self, scope: Scope) -> str | None:
        """Return the template of the mounts above; None if they are unknown."""
        base = scope.get("app_root_path")
        prefix = "" if base is None else scope.get("root_path", "")[len(base) :]
        if not prefix:
            return ""
        if prefix in self._prefixes:
            return self._prefixes[prefix]
        found = self._mount_of(prefix)
        if len(self._prefixes) < MAX_KNOWN:
            if found is None:
                self._walk(scope)
                found = self._mount_of(prefix)
            self._prefixes[prefix] = found
        return found

    def _mount_of(self, prefix: str) -> str | None:
        return next((template for template, pattern in self._mounts.items() if pattern.fullmatch(prefix)), None)


_REST = "/{path:path}"


def _tree(routes: Iterable[object], above: str = "", depth: int = 0) -> Iterator[Place]:
    if depth > MAX_DEPTH:
        return
    for route in _unfolded(routes):
        path = above + _text(route, "path")
        original = getattr(route, "original_route", route)
        if hasattr(route, "routes"):
            app = getattr(route, "app", None)
            # A mount at the root leads everything to its application, and says nothing about the request.
            if path:
                yield Place(path + _REST, _pattern(path + _REST), original, app, mount=True)
            yield from _tree(_routes_of(app), path, depth + 1)
        else:
            yield Place(path, _pattern(path), original, getattr(route, "endpoint", None), mount=False)


def _unfolded(routes: Iterable[object]) -> Iterable[object]:
    """Replace included routers among routes by their routes, which only FastAPI can do."""
    fastapi = sys.modules.get("fastapi.routing")
    unfold = getattr(fastapi, "iter_route_contexts", None)
    unfolded: Iterable[object] = unfold(routes) if unfold is not None else routes
    return unfolded


def _routes_of(app: object) -> Iterable[object]:
    """Return the routes of an application, which may be wrapped in middleware."""
    for _ in range(MAX_DEPTH):
        if routes := getattr(app, "routes", None):
            found: Iterable[object] = routes
            return found
        app = getattr(app, "app", None)
    return ()


def _text(thing: object, name: str) -> str:
    text = getattr(thing, name, None)
    return text if isinstance(text, str) else ""


def _path(scope: Scope) -> str:
    """Return the path below the application's root path."""
    path: str = scope.get("path", "")
    base: str = scope.get("app_root_path", scope.get("root_path", ""))
    return path[len(base) :] if base and path.startswith(base) else path


def _pattern(path: str) -> re.Pattern[str]:
    parts, end = [], 0
    for found in _PARAMETER.finditer(path):
        parts += [re.escape(path[end : found.start()]), ".*" if found[1] == "path" else "[^/]+"]
        end = found.end()
    return re.compile("".join([*parts, re.escape(path[end:])]), re.DOTALL)

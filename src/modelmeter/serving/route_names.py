"""The template of the route that answered a request, such as ``/items/{id}``.

Starlette and FastAPI leave the matched route in the scope, and mostly that is all there is
to it. Three cases take a look at the application's routes, as the router does: routes of
mounted apps (the scope has only their own part of the path), plain Starlette routes in a
FastAPI app, and a middleware between here and the router that passes on a copy of the scope.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

UNMATCHED: Final = "unmatched"
"""The name of all paths that no route matches: one series, whatever clients ask for."""

_CACHED: Final = 1_024


class RouteNames:
    """Names the routes of one application.

    Parameters
    ----------
    app
        A Starlette or FastAPI application; any other has one name for everything, unless it
        leaves an object with a ``path`` in ``scope["route"]`` as they do.
    """

    def __init__(self, app: Any) -> None:
        self._app = app
        self._mounted: dict[tuple[int, str], tuple[Any, str]] = {}

    def name(self, scope: Mapping[str, Any], root: str) -> str:
        """Return the template of the route that answered.

        Parameters
        ----------
        scope
            The request's scope, after it was answered.
        root
            The scope's ``root_path`` before it was answered.

        Returns
        -------
        str
            ``UNMATCHED`` when no route matches.
        """
        route = scope.get("route")
        if route is None:
            return self._search(scope, root)
        extra = scope.get("fastapi")
        if extra is not None:
            # From 0.13x on a router that is included with a prefix keeps its own routes;
            # the whole path is in the context that FastAPI selected for the request.
            context = extra.get("effective_route_context")
            if context is not None and context.original_route is route:
                route = context
        if "app_root_path" not in scope:  # nothing is mounted on the way
            return getattr(route, "path", None) or UNMATCHED
        # Sub-applications may be mounted under a parameter, so the cache has to be bounded.
        key = (id(route), scope["root_path"])
        known = self._mounted.get(key)
        if known is None:
            if len(self._mounted) >= _CACHED:
                self._mounted.clear()
            known = self._mounted[key] = (route, self._search(scope, root))
            if _is_mount(route):  # the same object for all that is mounted there
                del self._mounted[key]
        return known[1]

    def _search(self, scope: Mapping[str, Any], root: str) -> str:
        # Whichever is longer: a parent application mounted us, or FastAPI set its root path
        # after we saw the scope.
        base = max(root, scope.get("app_root_path", scope.get("root_path", "")), key=len)
        path = scope["path"]
        if base and path.startswith(base):
            path = path[len(base) :]
        routes = getattr(self._app, "routes", ())
        return template(routes, path, scope["method"]) or UNMATCHED


def template(routes: Iterable[Any], path: str, method: str) -> str | None:
    """Return the path of the first route that matches, as Starlette's router finds it."""
    partial = None
    for route in routes:
        if hasattr(route, "effective_candidates"):  # a router included in a FastAPI app
            found = template(route.effective_candidates(), path, method)
            if found is not None:
                return found
            continue
        route = getattr(route, "starlette_route", None) or route
        pattern = getattr(route, "path_regex", None)
        match = pattern.match(path) if pattern is not None else None
        if match is None:
            continue
        if _is_mount(route):
            inner = template(route.routes, "/" + match.group("path"), method)
            return str(route.path) + (inner or "/{path}")
        if not hasattr(route, "methods"):  # a WebSocket's
            continue
        if not route.methods or method in route.methods:
            return str(route.path)
        partial = partial or str(route.path)
    return partial


def _is_mount(route: Any) -> bool:
    return hasattr(route, "routes")

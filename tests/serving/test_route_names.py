"""Every request is named by its route's template, and by nothing that a client chose."""

import pytest
from fastapi import APIRouter, FastAPI
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Host, Mount, Route, Router, WebSocketRoute

from modelmeter.serving.route_names import UNMATCHED, RouteNames
from real.web import call


class Names:
    """A middleware that notes the name of each request."""

    seen = ""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        owner, root = scope.get("app", self.app), scope["root_path"]
        try:
            await self.app(scope, receive, send)
        finally:
            if scope["type"] == "http":
                Names.seen = RouteNames(owner).name(scope, root)


class Copies:
    """A middleware that hands on a copy of the scope, as some do."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        await self.app(dict(scope), receive, send)


async def answer(request):
    return PlainTextResponse("ok")


async def raw(scope, receive, send):
    await PlainTextResponse("raw")(scope, receive, send)


def starlette(*middleware):
    """Return a Starlette application with a bit of everything."""
    inner = Starlette(
        routes=[
            Route("/a/{b}", answer),
            Mount("/deep/{x}", routes=[Route("/{y:int}", answer, methods=["POST"])]),
        ]
    )
    return Starlette(
        routes=[
            WebSocketRoute("/items/{ws}", raw),
            Route("/", answer),
            Route("/items/{key}", answer),
            Route("/items/{key}", answer, methods=["DELETE"]),
            Route("/files/{rest:path}", answer),
            Route("/only/{delete}", answer, methods=["DELETE"]),
            Route("/only/get", answer),
            Mount("/sub", app=inner),
            Mount("/t/{tenant}", app=inner),
            Mount("/raw", app=raw),
            Host("api.example.org", Router([Route("/hosted/{h}", answer)])),
        ],
        middleware=[Middleware(m) for m in middleware],
    )


def fastapi(*middleware, **settings):
    """Return a FastAPI application with a bit of everything."""
    app = FastAPI(middleware=[Middleware(m) for m in middleware], **settings)
    app.router.routes.insert(0, WebSocketRoute("/items/{ws}", raw))

    @app.get("/")
    def root():
        return 1

    @app.get("/items/{key}")
    async def item(key: int):
        return key

    @app.delete("/items/{key}")
    async def remove(key: int):
        return key

    @app.get("/files/{rest:path}")
    def file(rest: str):
        return rest

    router, inner = APIRouter(), APIRouter()

    @router.get("/inc/{x}")
    def included(x: str):
        return x

    @inner.get("/deep/{y:path}")
    def deep(y: str):
        return y

    inner.add_route("/plain/{z}", answer)
    router.include_router(inner, prefix="/inner")
    app.include_router(router, prefix="/api/{tenant}")
    app.include_router(router, prefix="/again")
    if settings.get("title") != "inner":
        app.mount("/fast/{t}", fastapi(title="inner"))
        for route in starlette().routes[5:10]:
            app.router.routes.append(route)
    return app


COMMON = [
    ("GET", "/", "/"),
    ("GET", "/items/7", "/items/{key}"),
    ("DELETE", "/items/7", "/items/{key}"),
    ("PUT", "/items/7", "/items/{key}"),
    ("GET", "/files/a/b/c", "/files/{rest:path}"),
    ("GET", "/only/get", "/only/get"),
    ("GET", "/only/else", "/only/{delete}"),
    ("GET", "/sub/a/7", "/sub/a/{b}"),
    ("GET", "/sub/a/8", "/sub/a/{b}"),
    ("GET", "/t/sub/a/7", "/t/{tenant}/a/{b}"),
    ("GET", "/t/other/a/7", "/t/{tenant}/a/{b}"),
    ("POST", "/sub/deep/t/7", "/sub/deep/{x}/{y:int}"),
    ("GET", "/sub/deep/t/7", "/sub/deep/{x}/{y:int}"),
    ("GET", "/sub/deep/t/x", "/sub/deep/{x}/{path}"),
    ("GET", "/sub/nothing", "/sub/{path}"),
    ("GET", "/raw/anything", "/raw/{path}"),
    ("GET", "/items/7/", UNMATCHED),
    ("GET", "/nothing", UNMATCHED),
    ("GET", "/%00'\"{}", UNMATCHED),
    ("GET", "", UNMATCHED),
]
FASTAPI = [
    ("GET", "/items/x", "/items/{key}"),
    ("GET", "/docs", "/docs"),
    ("GET", "/api/t/inc/7", "/api/{tenant}/inc/{x}"),
    ("POST", "/api/t/inc/7", "/api/{tenant}/inc/{x}"),
    ("GET", "/again/inc/7", "/again/inc/{x}"),
    ("GET", "/api/t/inner/deep/a/b", "/api/{tenant}/inner/deep/{y:path}"),
    ("GET", "/api/t/inner/plain/a", "/api/{tenant}/inner/plain/{z}"),
    ("GET", "/api/t/nothing", UNMATCHED),
    ("GET", "/fast/1/items/7", "/fast/{t}/items/{key}"),
    ("GET", "/fast/1/api/t/inc/7", "/fast/{t}/api/{tenant}/inc/{x}"),
    ("GET", "/fast/1/nothing", "/fast/{t}/{path}"),
]
ROOTS = [{}, {"root_path": "/proxy"}]


def named(app, method, path, more):
    """Return the name that a request is given; the server puts the root path in front."""
    root = more.get("root_path", "")
    call(app, root + path, method, **more)
    return Names.seen


@pytest.mark.parametrize("more", ROOTS, ids=str)
@pytest.mark.parametrize("middleware", [[Names], [Names, Copies]], ids=["scope", "copy"])
@pytest.mark.parametrize(("method", "path", "name"), COMMON)
def test_starlette(method, path, name, more, middleware):
    """A Starlette application's requests have their template, mounts and all."""
    assert named(starlette(*middleware), method, path, more) == name


@pytest.mark.parametrize("more", ROOTS, ids=str)
@pytest.mark.parametrize("middleware", [[Names], [Names, Copies]], ids=["scope", "copy"])
@pytest.mark.parametrize(("method", "path", "name"), COMMON + FASTAPI)
def test_fastapi(method, path, name, more, middleware):
    """A FastAPI application's requests have their template, included routers and all."""
    assert named(fastapi(*middleware), method, path, more) == name


@pytest.mark.parametrize("wrapped", [starlette, fastapi])
@pytest.mark.parametrize("more", ROOTS, ids=str)
def test_wrapped_from_outside(wrapped, more):
    """The names are right as well when the middleware is around the application."""
    app = Names(wrapped())
    for method, path, name in COMMON:
        assert named(app, method, path, more) == name


def test_a_root_path_of_fastapis_own():
    """FastAPI's own root path, set after the middleware saw the scope, is no mount."""
    app = fastapi()
    app.root_path = "/proxy"
    for method, path, name in COMMON:
        assert named(Names(app), method, "/proxy" + path, {}) == name


def test_mounted_routes_that_leave_no_trace_are_told_apart():
    """Plain routes of a FastAPI application inside a Starlette one have names of their own."""
    inner = FastAPI()
    inner.add_route("/plain/{x}", answer)
    app = Starlette(routes=[Mount("/fast", app=inner)])
    names, seen = RouteNames(app), []

    async def notes(scope, receive, send):
        await app(scope, receive, send)
        seen.append(names.name(scope, ""))

    for path in ("/fast/plain/7", "/fast/docs", "/fast/nothing"):
        call(notes, path)
    assert seen == ["/fast/plain/{x}", "/fast/docs", "/fast/{path}"]


def test_an_application_inside_another():
    """An application names its own routes when another one mounts it."""
    outer = Starlette(routes=[Mount("/outer/{v}", app=starlette(Names))])
    for method, path, name in COMMON[1:-1]:
        assert named(outer, method, "/outer/1" + path, {}) == name


def test_routes_of_a_host():
    """A route that depends on the host name is named like any other."""
    assert call(starlette(Names), "/hosted/7", headers={"host": "api.example.org"}).status == 200
    assert Names.seen == "/hosted/{h}"


def test_an_application_without_routes():
    """What is neither Starlette nor FastAPI has one name for all paths."""
    assert named(Names(raw), "GET", "/anything", {}) == UNMATCHED


def test_the_cache_of_mounted_routes_is_bounded():
    """Tenants without number do not fill the memory, and are named right."""
    app = starlette()
    names = RouteNames(app)
    route = app.routes[7].routes[0]
    for i in range(3_000):
        scope = {
            "type": "http",
            "method": "GET",
            "path": f"/t/{i}/a/7",
            "root_path": f"/t/{i}",
            "app_root_path": "",
            "route": route,
        }
        assert names.name(scope, "") == "/t/{tenant}/a/{b}"
    assert len(names._mounted) <= 1_024

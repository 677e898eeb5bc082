"""One call gives an application its signals and its /metrics, and takes nothing from it."""

import asyncio
import gzip
import threading
from contextlib import asynccontextmanager

import pytest
from fastapi import APIRouter, FastAPI
from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from modelmeter import names
from modelmeter._errors import ConfigurationError
from modelmeter.live.counts import Counts
from modelmeter.live.request import current_request
from modelmeter.serving.asgi import GoldenSignals
from modelmeter.serving.routes import Instrumentation, MetricsEndpoint, instrument
from real.web import call, check_metrics, free_port, get, request, samples, served, until

MODEL = ("late", "3")


async def answer(request):
    """Answer in a word."""
    return PlainTextResponse("ok")


def starlette(*routes):
    """Return a Starlette application."""
    return Starlette(routes=[Route("/hello/{name}", answer), *routes])


def fastapi():
    """Return a FastAPI application."""
    app = FastAPI()
    app.add_route("/hello/{name}", answer)
    return app


def counted(model="late"):
    """Return a table with one prediction in it."""
    counts = Counts()
    counts.block(names.PREDICTIONS, [(model, "3", "ok")]).cells[0] = 1
    return counts


@pytest.mark.parametrize("make", [starlette, fastapi])
def test_metrics(make):
    """The application's requests, the models' counts and the process are all on /metrics."""
    app = make()
    made = instrument(app, [counted()], registry=CollectorRegistry())
    assert isinstance(made, Instrumentation)
    for name in "abc":
        assert call(app, f"/hello/{name}").body == b"ok"
    scraped = call(app, "/metrics")
    assert scraped.status == 200
    assert samples(scraped.body, "http_requests_total")["GET", "/hello/{name}", "200"] == 3
    assert samples(scraped.body, "model_predictions_total") == {(*MODEL, "ok"): 1}
    assert samples(scraped.body, "process_threads")[()] >= 1
    assert int(scraped.headers["content-length"]) == len(scraped.body)
    assert check_metrics(scraped.body) == ""


def test_scrapes_are_no_requests():
    """A scrape is neither counted nor in progress: it is not what the service is for."""
    app = starlette()
    instrument(app, [Counts()], registry=None)
    call(app, "/metrics")
    scraped = call(app, "/metrics").body
    assert samples(scraped, "http_requests_total") == {}
    assert samples(scraped, "http_requests_in_progress") == {(): 0}


def test_formats_packing_and_head():
    """Accept, Accept-Encoding and HEAD are heeded."""
    app = starlette()
    instrument(app, [counted()])
    headers = {"Accept": "application/openmetrics-text; version=1.0.0", "Accept-Encoding": "gzip"}
    scraped = call(app, "/metrics", headers=headers)
    assert scraped.headers["content-encoding"] == "gzip"
    text = gzip.decompress(scraped.body).decode()
    assert "model_predictions" in {family.name for family in parse_openmetrics(text)}
    head = call(app, "/metrics", "HEAD")
    assert (head.status, head.body) == (200, b"")
    assert int(head.headers["content-length"]) > 0
    assert call(app, "/metrics", "POST").status == 405


def test_the_users_metrics_are_there_too():
    """What the user registered is exported beside ours, without a name twice."""
    mine = Counter("test_routes_mine", "Of the user.")
    try:
        mine.inc(3)
        app = fastapi()
        instrument(app, [counted()])
        call(app, "/hello/a")
        text = call(app, "/metrics").body
    finally:
        REGISTRY.unregister(mine)
    assert samples(text, "test_routes_mine_total") == {(): 3}
    assert len(samples(text, "process_cpu_seconds_total")) == 1
    assert check_metrics(text) == ""


def test_the_token_guards_metrics_alone():
    """With a token /metrics asks for it, and the application does not."""
    app = starlette()
    instrument(app, [Counts()], token="s3cret")
    assert call(app, "/metrics").status == 401
    assert call(app, "/metrics", headers={"Authorization": "Bearer s3cret"}).status == 200
    assert call(app, "/hello/a").status == 200


def test_a_token_is_not_told(tmp_path):
    """Errors about settings do not repeat the token."""
    app = starlette()
    instrument(app, [Counts()], token="s3cret")
    with pytest.raises(ConfigurationError) as caught:
        instrument(app, [Counts()], token="other")
    assert "s3cret" not in str(caught.value)
    assert "other" not in str(caught.value).replace("another", "")


def test_metrics_is_not_in_the_schema():
    """The OpenAPI schema is the application's own."""
    app = fastapi()
    instrument(app, [Counts()])
    assert b"metrics" not in call(app, "/openapi.json").body
    assert call(app, "/docs").status == 200


def test_another_path():
    """The path can be chosen."""
    app = starlette()
    instrument(app, [Counts()], metrics_path="/-/internal")
    assert call(app, "/-/internal").status == 200
    assert call(app, "/metrics").status == 404


@pytest.mark.parametrize("path", ["metrics", "", "/{path}"])
def test_a_path_that_cannot_work_is_refused(path):
    """A path that is none, or that is a pattern, is refused."""
    with pytest.raises(ConfigurationError, match="plain path"):
        instrument(starlette(), [], metrics_path=path)


def catch_all(app):
    """Add a route that matches everything."""
    app.router.routes.append(Route("/{path:path}", answer))


def mounted_at_root(app):
    """Mount an application at the root."""
    app.mount("/", Starlette(routes=[Route("/x", answer)]))


@pytest.mark.parametrize("make", [starlette, fastapi])
@pytest.mark.parametrize("swallow", [catch_all, mounted_at_root])
def test_metrics_is_reached_though_something_matches_everything(make, swallow):
    """A route or mount that would swallow /metrics does not."""
    app = make()
    swallow(app)
    instrument(app, [counted()])
    assert b"model_predictions_total" in call(app, "/metrics").body
    assert call(app, "/hello/a").body == b"ok"


def test_a_metrics_route_of_the_applications_own_is_not_hidden():
    """When the application answers the path already, that is an error at start-up."""
    router = APIRouter()
    router.add_route("/metrics", answer)
    included = FastAPI()
    included.include_router(router)
    for app in (starlette(Route("/metrics", answer)), included):
        with pytest.raises(ConfigurationError, match="answers GET /metrics already"):
            instrument(app, [])


def test_several_monitors_on_one_application():
    """A second call adds its counts to the same /metrics, and counts no request twice."""
    app = fastapi()
    first = instrument(app, [counted("late")], metrics_path="/m")
    assert instrument(app, [counted("price")]) is first
    call(app, "/hello/a")
    again = counted("after the start")
    assert instrument(app, [again, again], metrics_path="/m") is first
    text = call(app, "/m").body
    assert {labels[0] for labels in samples(text, "model_predictions_total")} == {
        "late",
        "price",
        "after the start",
    }
    assert samples(text, "http_requests_total")["GET", "/hello/{name}", "200"] == 1
    assert len([m for m in app.user_middleware if m.cls == first.middleware]) == 1


def test_other_settings_for_the_same_application_are_refused():
    """A second call that contradicts the first is an error."""
    app = starlette()
    instrument(app, [])
    with pytest.raises(ConfigurationError, match=r"metrics_path='/m'"):
        instrument(app, [], metrics_path="/m")


def test_prediction_routes_reach_the_middleware():
    """Routes given in any call, before or after the start, are labelled."""
    app = fastapi()
    app.add_route("/price", answer)
    instrument(app, [Counts()], prediction_routes={"/hello/{name}": MODEL})
    call(app, "/hello/a")
    instrument(app, [], prediction_routes={"/price": ("price", "1")})
    call(app, "/price")
    found = samples(call(app, "/metrics").body, "http_requests_total")
    assert found["GET", "/hello/{name}", "200", *MODEL] == 1
    assert found["GET", "/price", "200", "price", "1"] == 1


def test_an_application_that_has_started_is_refused():
    """Too late is said clearly, instead of Starlette's error deep down."""
    app = fastapi()
    call(app, "/hello/a")
    with pytest.raises(ConfigurationError, match="has started"):
        instrument(app, [])


@pytest.mark.parametrize("app", [GoldenSignals(answer), None, object()])
def test_other_applications_are_told_what_to_do(app):
    """What is no Starlette application is refused, with the other way."""
    with pytest.raises(ConfigurationError, match=r"GoldenSignals\(app\)"):
        instrument(app, [])


def test_the_endpoint_can_be_mounted_anywhere():
    """The endpoint is an ASGI application of its own."""
    made = Instrumentation(counted(), instrument(starlette(), []).settings)
    app = Starlette(routes=[Mount("/deep", app=MetricsEndpoint(made.scrape))])
    assert b"model_predictions_total" in call(app, "/deep/anything").body


def test_a_full_thread_pool_does_not_hold_up_a_scrape():
    """A scrape is answered while every worker thread is busy, and says so."""
    app = fastapi()
    release = threading.Event()

    @app.get("/slow")
    def slow():
        release.wait(30)

    instrument(app, [Counts()])

    async def main():
        tasks = [asyncio.create_task(request(app, "/slow")) for _ in range(45)]
        try:
            while True:
                async with asyncio.timeout(20):
                    text = (await request(app, "/metrics")).body
                if samples(text, "modelmeter_threadpool_busy_ratio").get((), 0) > 0.3:
                    break
                await asyncio.sleep(0.05)
            assert samples(text, "http_requests_in_progress") == {(): 45}
        finally:
            release.set()
            await asyncio.gather(*tasks)

    asyncio.run(main())


@pytest.mark.parametrize("make", [starlette, fastapi])
def test_on_a_port_of_its_own(make):
    """With a port, scrapes are answered there while the application runs, and only there."""
    app = make()
    port = free_port()
    made = instrument(app, [counted()], port=port, host="127.0.0.1", registry=None)
    assert made.server.port is None  # nothing is opened before the application starts
    with served(app) as on:
        assert get(on, "/hello/a").status == 200
        assert get(on, "/metrics").status == 404
        text = get(port, "/metrics").body
    assert samples(text, "model_predictions_total") == {(*MODEL, "ok"): 1}
    assert samples(text, "http_requests_total")["GET", "/hello/{name}", "200"] == 1
    with pytest.raises(OSError, match="refused"):
        get(port, "/metrics")


def test_without_lifespan_the_port_opens_with_the_first_request():
    """A server that sends no lifespan events gets the port as well."""
    app = starlette()
    made = instrument(app, [Counts()], port=0, host="127.0.0.1")
    with served(app, lifespan="off") as on:
        get(on, "/hello/a")
        assert get(made.server.port, "/metrics").status == 200
    made.server.stop()


def test_a_port_in_use_stops_the_start(caplog):
    """When the port is taken the application does not start, and the reason is logged."""
    first = starlette()
    port = free_port()
    instrument(first, [Counts()], port=port, host="127.0.0.1")
    second = starlette()
    instrument(second, [Counts()], port=port, host="127.0.0.1")
    messages = []

    async def main():
        async def receive():
            return {"type": "lifespan.startup"}

        async def send(message):
            messages.append(message)

        await second({"type": "lifespan", "state": {}}, receive, send)

    with served(first):
        asyncio.run(main())
    assert messages[0]["type"] == "lifespan.startup.failed"
    assert f"127.0.0.1:{port}" in messages[0]["message"]


def test_lifespan_runs_as_ever():
    """The application's own lifespan starts and ends under a real server."""
    seen = []

    async def lifespan(app):
        seen.append("started")
        yield {"a": 1}
        seen.append("ended")

    app = Starlette(routes=[Route("/", answer)], lifespan=asynccontextmanager(lifespan))
    instrument(app, [Counts()])
    with served(app, lifespan="on") as on:
        assert seen == ["started"]
        text = get(on, "/metrics").body
        assert samples(text, "modelmeter_event_loop_lag_seconds")
        assert until(lambda: get(on, "/").status == 200)
    assert seen == ["started", "ended"]


def test_models_are_learned_from_the_request():
    """A synchronous FastAPI route is labelled by the model that predicted in its thread."""
    app = FastAPI()

    @app.post("/predict")
    def predict():
        current_request.get().model = MODEL

    instrument(app, [Counts()])
    call(app, "/predict", "POST")
    found = samples(call(app, "/metrics").body, "http_requests_total")
    assert found["POST", "/predict", "200", *MODEL] == 1


def test_requests_are_counted_where_the_first_source_counts(tmp_path):
    """The signals go to the same directory as the model's counts."""
    counts = Counts(tmp_path)
    app = starlette()
    instrument(app, [counts])
    call(app, "/hello/a")
    assert names.HTTP_REQUESTS in {block.metric for block in counts.blocks}


def test_gauges_of_the_user_with_a_name_of_ours():
    """The documented choice: of two metrics with one name modelmeter's is exported."""
    registry = CollectorRegistry()
    Counter("http_requests", "Of another instrumentator.", ["handler"], registry=registry)
    Gauge("free", "Of the user.", registry=registry)
    app = starlette()
    instrument(app, [Counts()], registry=registry)
    call(app, "/hello/a")
    text = call(app, "/metrics").body
    assert samples(text, "http_requests_total")["GET", "/hello/{name}", "200"] == 1
    assert samples(text, "free") == {(): 0}
    assert check_metrics(text) == ""

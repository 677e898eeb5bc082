"""The golden signals say what happened to each request, and change nothing about it."""

import asyncio
import contextvars
import errno
import logging
from concurrent.futures import ThreadPoolExecutor

import pytest
from fastapi import FastAPI
from prometheus_client.parser import text_string_to_metric_families
from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Mount, Route

from modelmeter import names
from modelmeter.live.counts import Counts, merged
from modelmeter.live.exposition import render
from modelmeter.live.request import current_request
from modelmeter.serving import asgi
from modelmeter.serving.asgi import GoldenSignals, leave_out
from real.web import call, get, http_scope, request, samples, served

MODEL = ("late", "3")


@pytest.fixture(autouse=True)
def _no_failure(caplog):
    """Fail when monitoring failed where the test did not mean it to."""
    yield
    if not any(record.name == "modelmeter.expected" for record in caplog.records):
        assert [r.getMessage() for r in caplog.records if "monitoring failed" in r.msg] == []


def expect_failures():
    """Tell the fixture above that monitoring is made to fail."""
    logging.getLogger("modelmeter.expected").warning("expected")


def value(signals, metric, *labels):
    """Return one value of a metric; 0 for a series that is not there."""
    return samples(render([signals.counts]), metric.name).get(labels, 0)


def requests(signals):
    """Return the number of requests by labels, without the series that are at zero."""
    found = samples(render([signals.counts]), names.HTTP_REQUESTS.name)
    return {labels: count for labels, count in found.items() if count}


def seconds(signals):
    """Return the time observed by labels."""
    return samples(render([signals.counts]), names.HTTP_DURATION.name + "_sum")


class Clock:
    """A clock that goes only when told to."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    """Return the clock that the middleware reads."""
    clock = Clock()
    monkeypatch.setattr(asgi, "perf_counter", clock)
    return clock


async def answer(request):
    """Answer in a word."""
    return PlainTextResponse("ok")


def test_requests_by_method_route_and_status():
    """Each request is counted under its method, route template and status."""
    app = Starlette(routes=[Route("/items/{key}", answer, methods=["GET", "POST"])])
    signals = GoldenSignals(app)
    for path in ("/items/1", "/items/2"):
        assert call(signals, path).body == b"ok"
    call(signals, "/items/1", "POST")
    call(signals, "/items/1", "DELETE")
    call(signals, "/nothing")
    assert requests(signals) == {
        ("GET", "/items/{key}", "200"): 2,
        ("POST", "/items/{key}", "200"): 1,
        ("DELETE", "/items/{key}", "405"): 1,
        ("GET", "unmatched", "404"): 1,
    }
    histogram = samples(render([signals.counts]), names.HTTP_DURATION.name + "_count")
    assert histogram == requests(signals)


def test_hostile_clients_make_no_series():
    """Whatever methods and paths clients make up, there is one series for them."""
    signals = GoldenSignals(Starlette(routes=[Route("/", answer)]))
    for i in range(50):
        call(signals, f"/{i}'\"\n{{}}", f"X{i}")
    assert requests(signals) == {("OTHER", "unmatched", "404"): 50}
    assert len(signals.series.known) == 0


def test_errors_have_a_series_from_the_first_request_on():
    """A route's series of errors and exceptions are there at zero before there are any."""
    signals = GoldenSignals(Starlette(routes=[Route("/", answer)]))
    call(signals, "/")
    text = render([signals.counts])
    assert samples(text, names.HTTP_REQUESTS.name)["GET", "/", "500"] == 0
    assert samples(text, names.HTTP_EXCEPTIONS.name)["GET", "/"] == 0


def test_the_time_of_a_request(clock):
    """The time from the request to the last byte goes into the right bucket."""

    async def slow(request):
        clock.now += 0.3
        return PlainTextResponse("ok")

    signals = GoldenSignals(Starlette(routes=[Route("/", slow)]))
    call(signals, "/")
    (family,) = (f for f in merged([signals.counts]) if f.metric is names.HTTP_DURATION)
    buckets = dict(zip(family.metric.buckets, family.values[0, :-2].tolist(), strict=True))
    assert buckets == {bound: float(bound == 0.5) for bound in family.metric.buckets}
    assert family.values[0, -1] == pytest.approx(0.3)


def test_streaming_is_timed_to_its_last_byte_and_background_tasks_are_not(clock):
    """A stream counts until its end; what is done after the response does not."""

    async def chunks():
        for _ in range(3):
            clock.now += 1
            yield b"x"

    def background():
        clock.now += 10

    async def stream(request):
        return StreamingResponse(chunks(), background=BackgroundTask(background))

    signals = GoldenSignals(Starlette(routes=[Route("/", stream)]))
    assert call(signals, "/").body == b"xxx"
    assert seconds(signals) == {("GET", "/", "200"): 3}


def test_sending_a_stream_counts_until_the_server_took_it(clock):
    """A client that is slow to take the end of a stream is waited for."""

    async def stream(scope, receive, send):
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"x", "more_body": True})
        await send({"type": "http.response.body", "body": b"x"})

    async def slow(message):
        clock.now += 1

    signals = GoldenSignals(stream)
    asyncio.run(signals(http_scope(), None, slow))
    assert seconds(signals) == {("GET", "unmatched", "200"): 3}


def test_pathsend_ends_a_response():
    """A file sent by the server, on its path alone, is a whole response."""

    async def file(scope, receive, send):
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.pathsend", "path": "/tmp/file"})
        assert value(signals, names.HTTP_REQUESTS, "GET", "unmatched", "200") == 1

    signals = GoldenSignals(file)
    call(signals)


def test_in_progress():
    """Requests are in progress until their response is complete."""

    async def app(scope, receive, send):
        assert value(signals, names.HTTP_IN_PROGRESS) == 1
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "more_body": True})
        assert value(signals, names.HTTP_IN_PROGRESS) == 1
        await send({"type": "http.response.body"})
        assert value(signals, names.HTTP_IN_PROGRESS) == 0

    signals = GoldenSignals(app)
    call(signals)
    assert value(signals, names.HTTP_IN_PROGRESS) == 0
    assert value(signals, names.HTTP_REQUESTS, "GET", "unmatched", "200") == 1


def test_an_exception_is_a_500_and_comes_through_untouched():
    """An unhandled exception is counted, and is the same object outside."""
    raised = ValueError("mine")

    async def broken(request):
        raise raised

    signals = GoldenSignals(Starlette(routes=[Route("/", broken)]))
    with pytest.raises(ValueError, match="mine") as caught:
        call(signals, "/")
    assert caught.value is raised
    assert requests(signals) == {("GET", "/", "500"): 1}
    assert value(signals, names.HTTP_EXCEPTIONS, "GET", "/") == 1
    assert value(signals, names.HTTP_IN_PROGRESS) == 0


@pytest.mark.parametrize("inside", [True, False], ids=["as middleware", "around"])
def test_an_exception_that_the_application_handles_is_its_answer(inside):
    """A status that an exception handler gives is the status, and no exception is counted."""

    async def broken(request):
        raise LookupError

    async def handle(request, error):
        return PlainTextResponse("gone", 410)

    app = Starlette(routes=[Route("/", broken)], exception_handlers={LookupError: handle})
    signals = []
    if inside:
        app.add_middleware(lambda inner: signals.append(GoldenSignals(inner)) or signals[0])
    else:
        signals.append(GoldenSignals(app))
    assert call(app if inside else signals[0], "/").status == 410
    assert requests(signals[0]) == {("GET", "/", "410"): 1}
    assert value(signals[0], names.HTTP_EXCEPTIONS, "GET", "/") == 0


def test_an_exception_halfway_is_a_500():
    """A response that breaks off by an exception is an error, whatever it began with."""

    async def chunks():
        yield b"x"
        raise ValueError("halfway")

    async def stream(request):
        return StreamingResponse(chunks())

    signals = GoldenSignals(Starlette(routes=[Route("/", stream)]))
    with pytest.raises(ValueError, match="halfway"):
        call(signals, "/")
    assert requests(signals) == {("GET", "/", "500"): 1}


def test_an_exception_after_the_response_is_counted_apart():
    """A background task that fails is an exception, but the request was answered."""

    def background():
        raise ValueError("later")

    async def app(request):
        return PlainTextResponse("ok", background=BackgroundTask(background))

    signals = GoldenSignals(Starlette(routes=[Route("/", app)]))
    with pytest.raises(ValueError, match="later"):
        call(signals, "/")
    assert requests(signals) == {("GET", "/", "200"): 1}
    assert value(signals, names.HTTP_EXCEPTIONS, "GET", "/") == 1


@pytest.mark.parametrize("error", [ClientDisconnect, asyncio.CancelledError])
@pytest.mark.parametrize(("begun", "status"), [(False, "499"), (True, "200")])
def test_a_client_that_leaves_is_no_error_of_ours(error, begun, status):
    """When the client left, the status is the one sent, or 499, and no exception counts."""

    async def app(scope, receive, send):
        if begun:
            await send({"type": "http.response.start", "status": 200})
        raise error

    signals = GoldenSignals(app)
    with pytest.raises(error):
        asyncio.run(request(signals))
    assert requests(signals) == {("GET", "unmatched", status): 1}
    assert value(signals, names.HTTP_EXCEPTIONS, "GET", "unmatched") == 0
    assert value(signals, names.HTTP_IN_PROGRESS) == 0


@pytest.mark.parametrize(("begun", "status"), [(False, "500"), (True, "200")])
def test_an_application_that_just_returns(begun, status):
    """Without an exception the status is what was sent; the server's 500 if nothing was."""

    async def app(scope, receive, send):
        if begun:
            await send({"type": "http.response.start", "status": 200})

    signals = GoldenSignals(app)

    async def send(message):
        pass

    asyncio.run(signals(http_scope(), None, send))
    assert requests(signals) == {("GET", "unmatched", status): 1}


def predicting(model):
    """Tell the request that is answered which model predicted, as an observer does."""
    record = current_request.get()
    if record.model is None:
        record.model = model


class Row(BaseModel):
    """What the application below takes."""

    x: float


def application():
    """Return an application with a synchronous and an asynchronous prediction route."""
    app = FastAPI()

    @app.get("/")
    def index():
        return 1

    @app.post("/sync")
    def synchronous(row: Row):
        predicting(MODEL)
        return row.x

    @app.post("/async")
    async def asynchronous(row: Row):
        predicting(MODEL)
        return row.x

    return app


JSON = {"content-type": "application/json"}


@pytest.mark.parametrize("path", ["/sync", "/async"])
def test_prediction_routes_carry_the_model(path):
    """A route that predicts has its model as labels, also on requests that fail before."""
    signals = GoldenSignals(application())
    for body in (b"{}", b'{"x": 1}', b"{}", b'{"x": 1}', b"nonsense"):
        call(signals, path, "POST", JSON, body)
    call(signals, "/")
    assert requests(signals) == {
        ("POST", path, "422"): 1,  # before the route was known to predict
        ("POST", path, "200", *MODEL): 2,
        ("POST", path, "422", *MODEL): 2,
        ("GET", "/", "200"): 1,
    }


def test_prediction_routes_can_be_given():
    """A route that is said to predict is labelled from its first request on."""
    signals = GoldenSignals(application(), prediction_routes={"/sync": MODEL})
    call(signals, "/sync", "POST", JSON, b"{}")
    assert requests(signals) == {("POST", "/sync", "422", *MODEL): 1}


def test_exceptions_carry_the_model_too():
    """An exception after the prediction, or on its route, is the model's."""

    async def broken(request):
        if request.method == "POST":
            predicting(MODEL)
        raise ValueError

    signals = GoldenSignals(Starlette(routes=[Route("/", broken, methods=["GET", "POST"])]))
    for method in ("POST", "GET"):
        with pytest.raises(ValueError):  # noqa: PT011 - it says nothing
            call(signals, "/", method)
        assert value(signals, names.HTTP_EXCEPTIONS, method, "/", *MODEL) == 1


def test_a_route_whose_model_changes():
    """After a new version went live on a route, failing requests carry the new labels."""
    versions = []

    async def predict(request):
        if not versions:
            return PlainTextResponse("bad", 422)
        predicting(versions[0])
        return PlainTextResponse("ok")

    signals = GoldenSignals(Starlette(routes=[Route("/", predict)]))
    for version in ("1", "2"):
        versions[:] = [("late", version)]
        call(signals, "/")
        versions.clear()
        call(signals, "/")
    assert requests(signals) == {
        ("GET", "/", status, "late", version): 1 for status in ("200", "422") for version in "12"
    }


def test_a_request_belongs_to_no_model_outside_of_one():
    """After a request there is no current one, and inside of another call there is its own."""
    seen = []

    async def inner(request):
        seen.append(current_request.get())
        return PlainTextResponse("ok")

    inside = GoldenSignals(Starlette(routes=[Route("/", inner)]))

    async def outer(request_):
        before = current_request.get()
        await request(inside, "/")
        seen.append(before)
        seen.append(current_request.get())
        return PlainTextResponse("ok")

    call(GoldenSignals(Starlette(routes=[Route("/", outer)])), "/")
    assert seen[1] is seen[2]
    assert seen[0] is not seen[1]
    assert current_request.get() is None


def test_one_request_is_counted_once():
    """Of two of these middlewares around one another only the outer counts."""
    inner = GoldenSignals(Starlette(routes=[Route("/", answer)]))
    outer = GoldenSignals(Starlette(routes=[Mount("/sub", app=inner)]))
    assert call(outer, "/sub/").status == 200
    assert sum(requests(outer).values()) == 1
    assert requests(inner) == {}


def test_a_request_can_be_left_out():
    """A request that leaves itself out is neither counted nor in progress."""

    async def scrape(request):
        leave_out()
        leave_out()
        assert value(signals, names.HTTP_IN_PROGRESS) == 0
        return PlainTextResponse("ok")

    signals = GoldenSignals(Starlette(routes=[Route("/", scrape)]))
    call(signals, "/")
    assert requests(signals) == {}
    assert value(signals, names.HTTP_IN_PROGRESS) == 0
    leave_out()  # outside of any request


@pytest.mark.parametrize("kind", ["websocket", "lifespan", "of the future"])
def test_other_scopes_pass_through(kind):
    """What is not HTTP gets the very objects that the server gave."""
    given = ({"type": kind}, object(), object())
    seen = []

    async def app(*arguments):
        seen.extend(arguments)

    asyncio.run(GoldenSignals(app)(*given))
    assert all(a is b for a, b in zip(seen, given, strict=True))
    assert given[0] == {"type": kind}


def test_a_failure_of_monitoring_does_not_reach_the_request(monkeypatch, caplog):
    """When the disk for counts is full, requests are answered and the failure is counted."""
    signals = GoldenSignals(Starlette(routes=[Route("/", answer)]))

    def full(metric, rows):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(signals.counts, "block", full)
        for _ in range(3):
            assert call(signals, "/").body == b"ok"
    assert value(signals, names.FAILURES, "asgi") >= 3
    assert value(signals, names.HTTP_IN_PROGRESS) == 0
    failed = [r for r in caplog.records if r.getMessage().startswith("monitoring failed in asgi")]
    assert len(failed) == 1
    call(signals, "/")
    assert requests(signals) == {("GET", "/", "200"): 1}
    expect_failures()


def test_nonsense_from_the_application_is_left_to_the_server():
    """Messages that make no sense to us go to the server, which knows what to say."""
    sent = []

    async def app(scope, receive, send):
        scope["route"] = object()
        await send({"type": "http.response.start", "status": [1]})
        await send({})
        await send({"type": "http.response.body"})

    async def send(message):
        sent.append(message)

    signals = GoldenSignals(app)
    asyncio.run(signals(http_scope(), None, send))
    assert [message.get("type") for message in sent] == [
        "http.response.start",
        None,
        "http.response.body",
    ]
    assert value(signals, names.FAILURES, "asgi") == 1
    assert value(signals, names.HTTP_IN_PROGRESS) == 0
    expect_failures()


def test_it_works_without_asyncio():
    """Under another event loop, such as trio's, requests are counted all the same."""

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 204})
        await send({"type": "http.response.body"})

    async def send(message):
        pass

    signals = GoldenSignals(app)
    with pytest.raises(StopIteration):
        signals(http_scope(), None, send).send(None)
    assert requests(signals) == {("GET", "unmatched", "204"): 1}


def test_a_request_dropped_by_its_loop_ends_quietly():
    """A request that is closed from outside of its context is counted as left."""

    class Forever:
        def __await__(self):
            yield

    async def app(scope, receive, send):
        await Forever()

    signals = GoldenSignals(app)
    running = signals(http_scope(), None, None)
    contextvars.copy_context().run(running.send, None)
    running.close()
    assert requests(signals) == {("GET", "unmatched", "499"): 1}


def test_real_requests_through_uvicorn():
    """Under a real server every one of many concurrent requests is counted, once."""
    app = application()
    middleware = []
    counts = Counts()

    def wrap(inner):
        middleware.append(GoldenSignals(inner, counts=counts))
        return middleware[0]

    app.add_middleware(wrap)

    @app.get("/boom")
    async def boom():
        raise ValueError

    paths = ["/", "/boom", "/nothing", "/sync"] * 50
    with served(app) as port, ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda path: get(port, path).status, paths))
        text = render([counts])
    assert statuses == [200, 500, 404, 405] * 50
    assert requests(middleware[0]) == {
        ("GET", "/", "200"): 50,
        ("GET", "/boom", "500"): 50,
        ("GET", "unmatched", "404"): 50,
        ("GET", "/sync", "405"): 50,
    }
    assert value(middleware[0], names.HTTP_EXCEPTIONS, "GET", "/boom") == 50
    assert value(middleware[0], names.HTTP_IN_PROGRESS) == 0
    assert list(text_string_to_metric_families(text.decode()))


def answering(answers, headers=()):
    """Return an application whose predictions have been kept under ids."""

    async def app(scope, receive, send):
        record = current_request.get()
        record.answers = answers
        await send({"type": "http.response.start", "status": 200, "headers": list(headers)})
        await send({"type": "http.response.body", "body": b""})

    return app


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        (None, None),
        ([("a", 1, MODEL)], "a"),
        ([("a", 3, MODEL)], "a; rows=3"),
        ([("a", 1, MODEL), ("b", 2, MODEL)], "a, b; rows=2"),
        ([(["a", "b"], 2, MODEL)], None),
        ([("\r\nSet-Cookie: x", 1, MODEL)], None),
        ([("\u00fc", 1, MODEL)], None),
    ],
)
def test_the_response_tells_the_ids_of_its_predictions(answers, told):
    """Ids are told in a header where they fit into one, and no id can write another header."""
    response = call(GoldenSignals(answering(answers)))
    assert response.headers == ({} if told is None else {"x-prediction-id": told})


def test_a_header_of_the_applications_own_stays():
    """What the application itself says of its predictions is not contradicted."""
    app = answering([("a", 1, MODEL)], [(b"X-Prediction-Id", b"mine"), (b"x-other", b"1")])
    assert call(GoldenSignals(app)).headers == {"X-Prediction-Id": "mine", "x-other": "1"}


def test_ids_that_cannot_be_told_break_no_response(caplog):
    """A fault in what was noted of a prediction leaves the response as it is, and is counted."""
    expect_failures()
    signals = GoldenSignals(answering([("too", "short")], [(b"x-other", b"1")]))
    assert call(signals).headers == {"x-other": "1"}
    assert value(signals, names.FAILURES, "asgi") == 1
    assert "monitoring failed in asgi" in caplog.text


@pytest.mark.parametrize(
    ("given", "id_"),
    [
        (None, None),
        ("order-17", "order-17"),
        ("  order 17 ", "order 17"),
        ("", None),
        ("   ", None),
        ("x" * 128, "x" * 128),
        ("x" * 129, None),
        ("a\tb", None),
    ],
)
def test_the_request_may_give_an_id(given, id_):
    """The request's header is the id of its prediction, unless it cannot be kept."""
    found = []

    async def app(scope, receive, send):
        found.append(current_request.get().given_id())
        await PlainTextResponse("ok")(scope, receive, send)

    call(GoldenSignals(app), headers={} if given is None else {"X-Prediction-ID": given})
    assert found == [id_]

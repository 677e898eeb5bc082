"""The golden signals of an ASGI application, from one pure-ASGI middleware."""

from __future__ import annotations

from asyncio import AbstractEventLoop, get_running_loop
from bisect import bisect_left
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from time import perf_counter
from typing import Any, Final, Protocol

from modelmeter import names
from modelmeter._errors import ConfigurationError
from modelmeter.live.counts import Counts
from modelmeter.live.ids import HEADER, header_value
from modelmeter.live.request import RequestRecord, current_request
from modelmeter.serving.failures import Failures
from modelmeter.serving.request_series import Model, RequestSeries
from modelmeter.serving.route_names import RouteNames
from modelmeter.serving.saturation import Saturation

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]

CLIENT_LEFT: Final = 499
"""The status, as nginx counts it, of requests whose client left before there was one."""

LONGEST_ID: Final = 128
"""Characters of an id that a request may give; room is left for the numbers of its rows."""

_SEEN: Final = "modelmeter.root_path"
_ID_HEADER: Final = HEADER.lower().encode()
_BOUNDS: Final = names.HTTP_DURATION.buckets
_SUM: Final = len(_BOUNDS) + 1


class Service(Protocol):
    """What runs beside the application, as long as its event loop."""

    def start(self) -> None:
        """Start; called inside the event loop, a second time when there is a new one."""

    def stop(self) -> None:
        """Stop; called when the application has shut down."""


class GoldenSignals:
    """Count requests, errors and latency by route, and measure saturation.

    Parameters
    ----------
    app
        Any ASGI application. Routes are told apart in Starlette and FastAPI applications.
    counts
        Where to count; a table on the heap when not given.
    prediction_routes
        Name and version of the model by route template, for routes known to predict. Other
        prediction routes are recognised by the first prediction made while answering them.
    services
        What else is to run as long as the application does.

    Notes
    -----
    The time of a request ends with the last byte of its response: streaming is included,
    background tasks are not. Exceptions are passed on untouched; a request whose response
    was not complete by then counts with status 500, or with 499 when it is the client that
    left. WebSockets and lifespan events pass through.

    The response to a request whose predictions wait for labels tells their ids in the header
    ``X-Prediction-ID``; a request may give the id in a header of that name.

    Examples
    --------
    >>> async def app(scope, receive, send):
    ...     await send({"type": "http.response.start", "status": 204})
    ...     await send({"type": "http.response.body"})
    >>> measured = GoldenSignals(app)
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        counts: Counts | None = None,
        prediction_routes: Mapping[str, Model] | None = None,
        services: tuple[Service, ...] = (),
    ) -> None:
        self.app = app
        self.counts = Counts() if counts is None else counts
        self.series = RequestSeries(self.counts, prediction_routes or {})
        self.failures = Failures(self.counts)
        self.failures.expect("asgi")
        # Looked up for every request: nothing on the way to them.
        self.lock = self.counts.lock
        self.known = self.series.known
        self.running: set[_Exchange] = set()
        self.in_progress = self.counts.block(names.HTTP_IN_PROGRESS, [()]).cells
        self.names = RouteNames(app)
        self._services = (Saturation(self.counts, self.failures), *services)
        self._loop: AbstractEventLoop | None = None
        self._started = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, and count it."""
        if scope["type"] != "http" or _SEEN in scope:
            if scope["type"] == "lifespan":
                await self._live(scope, receive, send)
            else:
                await self.app(scope, receive, send)
            return
        try:
            loop = get_running_loop()
        except RuntimeError:  # under trio
            loop = None
        if loop is not self._loop or not self._started:
            self._start_on_request(scope, loop)
        # Also tells a middleware of ours inside of this one that the request is counted.
        scope[_SEEN] = scope.get("root_path", "")
        exchange = _Exchange(self, scope, send)
        # A set and not a number: adding to it is atomic, so this needs no lock.
        running = self.running
        running.add(exchange)
        self.in_progress[0] = len(running)
        token = current_request.set(exchange)
        try:
            await self.app(scope, receive, exchange.forward)
        except BaseException as error:
            exchange.broken(error)
            raise
        finally:
            try:  # noqa: SIM105 - suppress() would cost a tenth of all that this may cost
                current_request.reset(token)
            except ValueError:  # closed from another context, at the end of the process
                pass
            if not exchange.done:
                exchange.finish(exchange.status or 500)

    async def _live(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass lifespan events through, with the services running in between."""
        try:
            self._start(scope, get_running_loop())
        except ConfigurationError as error:
            self._stop()
            # Raised here it would pass for an application without lifespan support.
            await receive()
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        except Exception as error:  # noqa: BLE001 - monitoring never breaks the application
            self.failures.count("asgi", error)
        try:
            await self.app(scope, receive, send)
        finally:
            self._stop()

    def _start_on_request(self, scope: Scope, loop: AbstractEventLoop | None) -> None:
        try:
            self._start(scope, loop)
        except Exception as error:  # noqa: BLE001 - monitoring never breaks a request
            self.failures.count("asgi", error)

    def _start(self, scope: Scope, loop: AbstractEventLoop | None) -> None:
        self._loop, self._started = loop, True
        # The application that owns this middleware is in the scope, until a mounted one
        # takes its place.
        self.names = RouteNames(scope.get("app", self.app))
        for service in self._services:
            service.start()

    def _stop(self) -> None:
        self._loop, self._started = None, False
        for service in self._services:
            service.stop()


class _Exchange(RequestRecord):
    """A request being answered, and the ``send`` that its application is given."""

    __slots__ = ("_send", "_signals", "_streams", "done", "scope", "started", "status")

    def __init__(self, signals: GoldenSignals, scope: Scope, send: Send) -> None:
        self.started = perf_counter()
        self.model = None
        self.answers = None
        self.status = 0
        self.done = False
        self.scope = scope
        self._streams = False
        self._signals = signals
        self._send = send

    def forward(self, message: Message) -> Awaitable[None]:
        """Pass a message on; not a coroutine function, to spare each message a frame."""
        kind = message.get("type")
        if kind == "http.response.body":
            if message.get("more_body"):
                self._streams = True
            elif self._streams:
                return self._last(message)
            elif not self.done:
                # The only one: servers take it at once, however slow the client is.
                self.finish(self.status)
        elif kind == "http.response.start":
            self.status = message.get("status", 0)
            if self.answers is not None:
                message = self._identified(message)
        elif kind == "http.response.pathsend":
            return self._last(message)
        return self._send(message)

    def given_id(self) -> str | None:
        """Return the id in the request's header; None where there is none that can be kept."""
        for name, value in self.scope["headers"]:
            if name == _ID_HEADER:
                text: str = value.decode("latin-1").strip()
                return text if 0 < len(text) <= LONGEST_ID and text.isprintable() else None
        return None

    def _identified(self, message: Message) -> Message:
        """Return the start of the response with the ids of its predictions; never raises."""
        try:
            headers = list(message.get("headers") or ())
            value = header_value(self)
            # A header of that name is the application's own word.
            if value is None or any(bytes(name).lower() == _ID_HEADER for name, _ in headers):
                return message
            return {**message, "headers": [*headers, (_ID_HEADER, value)]}
        except Exception as error:  # noqa: BLE001 - monitoring never breaks a response
            self._signals.failures.count("asgi", error)
            return message

    async def _last(self, message: Message) -> None:
        await self._send(message)
        if not self.done:
            self.finish(self.status)

    def finish(self, status: int) -> None:
        """Count the request as answered; never raises."""
        self.done = True
        signals = self._signals
        try:
            seconds = perf_counter() - self.started
            scope = self.scope
            route = scope.get("route")
            if route is None or "fastapi" in scope or "app_root_path" in scope:
                name = signals.names.name(scope, scope[_SEEN])
            else:  # what name() would say, without asking
                name = route.path
            key = (scope["method"], name, status, self.model)
            cells = signals.known.get(key)
            requests, durations = signals.series.find(key) if cells is None else cells
            lock = signals.lock
            lock.acquire()  # half the time of "with"
            try:
                requests[0] += 1
                durations[bisect_left(_BOUNDS, seconds)] += 1
                durations[_SUM] += seconds
            finally:
                lock.release()
        except Exception as error:  # noqa: BLE001 - monitoring never breaks a request
            signals.failures.count("asgi", error)
        running = signals.running
        running.discard(self)
        signals.in_progress[0] = len(running)

    def broken(self, error: BaseException) -> None:
        """Count the request as ended by an exception; never raises."""
        # Starlette raises ClientDisconnect; servers that cancel do so when the client left.
        left = not isinstance(error, Exception) or type(error).__name__ == "ClientDisconnect"
        if not self.done:
            self.finish((self.status or CLIENT_LEFT) if left else 500)
        if left:
            return
        signals = self._signals
        try:
            scope = self.scope
            name = signals.names.name(scope, scope[_SEEN])
            cells = signals.series.exceptions(scope["method"], name, self.model)
            with signals.lock:
                cells[0] += 1
        except Exception as worse:  # noqa: BLE001 - monitoring never breaks a request
            signals.failures.count("asgi", worse)

    def leave_out(self) -> None:
        """Forget about the request."""
        self.done = True
        self._signals.running.discard(self)
        self._signals.in_progress[0] = len(self._signals.running)


def leave_out() -> None:
    """Keep the request that is being answered, such as a scrape, out of the signals."""
    exchange = current_request.get()
    if isinstance(exchange, _Exchange) and not exchange.done:
        exchange.leave_out()

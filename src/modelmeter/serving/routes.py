"""Monitoring attached to a Starlette or FastAPI application: middleware and routes."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from prometheus_client import REGISTRY
from prometheus_client.registry import Collector

from modelmeter._errors import ConfigurationError, MissingExtraError
from modelmeter.live.counts import Counts
from modelmeter.live.exposition import Exposition
from modelmeter.serving.asgi import (
    ASGIApp,
    GoldenSignals,
    Receive,
    Scope,
    Send,
    Service,
    leave_out,
)
from modelmeter.serving.failures import Failures
from modelmeter.serving.page import page_routes
from modelmeter.serving.port import MetricsServer
from modelmeter.serving.request_series import Model
from modelmeter.serving.route_names import template
from modelmeter.serving.scrape import Bearer, Scrape
from modelmeter.serving.sending import send_answer
from modelmeter.serving.status import StatusPage

try:
    from anyio import CapacityLimiter, to_thread
    from starlette.routing import Match, Route
except ImportError as error:
    raise MissingExtraError("starlette", "serve") from error

if TYPE_CHECKING:
    from modelmeter.profile.profile import Profile
    from modelmeter.serving.feedback import LabelTaker

CLOSING_SECONDS: Final = 5.0
"""How long an application that ends waits for its last predictions to be written."""

_STATE: Final = "modelmeter"


@dataclass(frozen=True, slots=True)
class Settings:
    """How an application was instrumented.

    Parameters
    ----------
    metrics_path, feedback_path, token, token_file, registry, port, host, created_series,
    monitor_path, prometheus_url
        As given to ``instrument``.
    """

    metrics_path: str = "/metrics"
    feedback_path: str | None = "/feedback"
    token: str | None = field(default=None, repr=False)
    token_file: str | Path | None = None
    registry: Collector | None = REGISTRY
    port: int | None = None
    host: str = "0.0.0.0"
    created_series: bool = False
    monitor_path: str | None = "/monitor"
    prometheus_url: str | None = field(default=None, repr=False)


class Instrumentation:
    """What one application is monitored with; kept at ``app.state.modelmeter``.

    Parameters
    ----------
    counts
        Where requests are counted.
    settings
        How to export.

    Attributes
    ----------
    exposition
        Everything that ``/metrics`` says of models and requests.
    scrape
        Answers ``/metrics``.
    page
        Answers ``/monitor``; None for nowhere.
    server
        The port of its own; None when ``/metrics`` is on the application.
    signals
        The middleware; None until the application starts.
    """

    def __init__(self, counts: Counts, settings: Settings) -> None:
        self.counts = counts
        self.settings = settings
        self.exposition = Exposition([counts], created_series=settings.created_series)
        self._bearer: Bearer | None = None
        if settings.token is not None or settings.token_file is not None:
            self._bearer = Bearer(settings.token, settings.token_file)
        self._failures = Failures(counts)
        self.scrape = Scrape(self.exposition, settings.registry, self._bearer, self._failures)
        self.page: StatusPage | None = None
        if settings.monitor_path is not None:
            self.page = StatusPage(
                self.exposition.families,
                self._bearer,
                self._failures,
                path=settings.monitor_path,
                prometheus_url=settings.prometheus_url,
            )
        self.server: MetricsServer | None = None
        if settings.port is not None:
            self.server = MetricsServer(
                self.scrape,
                host=settings.host,
                port=settings.port,
                path=settings.metrics_path,
                shared=counts.directory is not None,
                page=self.page,
            )
        self.signals: GoldenSignals | None = None
        self._prediction_routes: dict[str, Model] = {}
        self._takers: list[LabelTaker] = []
        self._shown = False

    def attach(self, sources: Iterable[Counts], prediction_routes: Mapping[str, Model]) -> None:
        """Export more tables, and label more routes."""
        for source in sources:
            self.exposition.add(source)
        self._prediction_routes.update(prediction_routes)
        if self.signals is not None:
            for route, model in prediction_routes.items():
                self.signals.series.learn(route, model)

    def take_labels(self, app: Any, taker: LabelTaker) -> None:
        """Take labels for one more model, export what they count, and close its store.

        Parameters
        ----------
        app
            The application.
        taker
            Keeps predictions already.

        Raises
        ------
        ConfigurationError
            The application answers ``feedback_path`` itself, or labels of a model of the same
            name are kept elsewhere.
        """
        if any(taker is known for known in self._takers):
            return
        for known in self._takers:
            if known.labels[0] == taker.labels[0] and known.store != taker.store:
                raise ConfigurationError(
                    f"labels of the model {taker.labels[0]!r} go to {known.store} and to "
                    f"{taker.store}; give both monitors the same store"
                )
        path = self.settings.feedback_path
        if not self._takers and path is not None:
            from modelmeter.serving.feedback_route import feedback_route

            made = feedback_route(app, path, self._takers, self._bearer, self._failures)
            _add_route(app, made, "feedback_path")
        self._takers.append(taker)
        self.exposition.add_families(taker.label_families)

    def show(self, app: Any, profile: Profile, route: str | None = None) -> None:
        """Show one more model on the page.

        Parameters
        ----------
        app
            The application.
        profile
            Of the model.
        route
            Where it predicts, where that is known.

        Raises
        ------
        ConfigurationError
            The application answers ``monitor_path`` itself.
        """
        if self.page is None:
            return
        if not self._shown and self.server is None:
            for made in page_routes(self.page):
                _add_route(app, made, "monitor_path")
        self._shown = True
        self.page.add(profile, route)

    def middleware(self, app: ASGIApp) -> GoldenSignals:
        """Wrap the application, when it builds its middleware."""
        services: list[Service] = [_Stores(self._takers)]
        services += [one for one in (self.page, self.server) if one is not None]
        self.signals = GoldenSignals(
            app,
            counts=self.counts,
            prediction_routes=self._prediction_routes,
            services=tuple(services),
        )
        return self.signals

    def routes(self) -> list[Route]:
        """Return the routes that the application gets from the start."""
        if self.server is not None:
            return []
        endpoint = MetricsEndpoint(self.scrape)
        path = self.settings.metrics_path
        return [Route(path, endpoint, methods=["GET"], name="metrics", include_in_schema=False)]


class _Stores:
    """The label stores of an application, open while it runs.

    Parameters
    ----------
    takers
        Who has them; others may come.
    """

    def __init__(self, takers: Sequence[LabelTaker]) -> None:
        self._takers = takers

    def start(self) -> None:
        """Open the stores that an earlier end of the application has closed."""
        for taker in self._takers:
            taker.open()

    def stop(self) -> None:
        """Write what waits, and close the stores."""
        deadline = time.monotonic() + CLOSING_SECONDS
        for taker in self._takers:
            taker.close(max(0.1, deadline - time.monotonic()))


class MetricsEndpoint:
    """``/metrics`` as an ASGI application, to be mounted anywhere.

    Parameters
    ----------
    scrape
        Answers the scrapes.
    """

    def __init__(self, scrape: Scrape) -> None:
        self._scrape = scrape
        self._limiter: CapacityLimiter | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a scrape."""
        leave_out()
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        # In a thread, so that other requests go on meanwhile, and in one of its own: a pool
        # that is full is just what a scrape has to tell.
        if self._limiter is None:
            self._limiter = CapacityLimiter(1)
        answer = await to_thread.run_sync(
            self._scrape.answer,
            headers.get(b"accept", ""),
            headers.get(b"accept-encoding", ""),
            headers.get(b"authorization", ""),
            limiter=self._limiter,
        )
        await send_answer(scope, send, answer)


def instrument(
    app: Any,
    sources: Iterable[Counts],
    *,
    metrics_path: str = "/metrics",
    feedback_path: str | None = "/feedback",
    token: str | None = None,
    token_file: str | Path | None = None,
    registry: Collector | None = REGISTRY,
    port: int | None = None,
    host: str = "0.0.0.0",
    created_series: bool = False,
    prediction_routes: Mapping[str, Model] | None = None,
    monitor_path: str | None = "/monitor",
    prometheus_url: str | None = None,
) -> Instrumentation:
    """Measure an application's requests and export everything at ``/metrics``.

    Called again for the same application, it adds the sources to those that ``/metrics``
    exports already.

    Parameters
    ----------
    app
        A Starlette or FastAPI application that has not started yet. Wrap any other ASGI
        application in ``GoldenSignals``.
    sources
        Tables to export. Requests are counted in the first, so that the workers of a
        service count together when it has a directory.
    metrics_path
        Where to answer scrapes.
    feedback_path
        Where to take labels, once there is a monitor that keeps predictions for them
        (``Instrumentation.take_labels``); None for nowhere.
    token
        Bearer token that scrapes and labels have to present.
    token_file
        File that holds the token, read again when it changes.
    registry
        The prometheus_client registry whose metrics are exported too; None for none. Of a
        name that is in both, modelmeter's metric is exported.
    port
        Answer scrapes on a port of its own, instead of on the application.
    host
        Address for the port.
    created_series
        Say in OpenMetrics when every counter began to count.
    prediction_routes
        Name and version of the model by route template, for the labels of requests. Without
        it a route is labelled from its first prediction on.
    monitor_path
        Where to show the status page, once there is a model to show
        (``Instrumentation.show``); None for nowhere.
    prometheus_url
        A Prometheus that the page asks for other windows and for all replicas.

    Returns
    -------
    Instrumentation
        The same object for the same application.

    Raises
    ------
    ConfigurationError
        When the application is of another kind or has started, when it answers
        ``metrics_path`` itself, when the token cannot be used, or when it has been
        instrumented with other settings.
    """
    if not all(hasattr(app, name) for name in ("add_middleware", "router", "state")):
        raise ConfigurationError(
            "instrument takes a Starlette or FastAPI application, not a "
            f"{type(app).__name__}; wrap other ASGI applications: GoldenSignals(app)"
        )
    settings = Settings(
        *(metrics_path, feedback_path, token, token_file, registry, port, host, created_series),
        monitor_path=monitor_path,
        prometheus_url=prometheus_url,
    )
    sources = list(sources)
    done: Instrumentation | None = getattr(app.state, _STATE, None)
    if done is None:
        done = _begin(app, sources[0] if sources else Counts(), settings)
    elif settings not in (done.settings, Settings()):
        raise ConfigurationError(
            f"the application is instrumented with {done.settings}, which {settings} "
            "contradicts; give settings once, or the same ones"
        )
    done.attach(sources, prediction_routes or {})
    return done


def _begin(app: Any, counts: Counts, settings: Settings) -> Instrumentation:
    if getattr(app, "middleware_stack", None) is not None:
        raise ConfigurationError(
            "the application has started: instrument it where it is made, before it answers "
            "requests or lifespan events"
        )
    for option, path in (
        ("metrics_path", settings.metrics_path),
        ("feedback_path", settings.feedback_path),
        ("monitor_path", settings.monitor_path),
    ):
        if path is not None and (not path.startswith("/") or "{" in path):
            raise ConfigurationError(f"{option} has to be a plain path like /metrics, got {path!r}")
    made = Instrumentation(counts, settings)
    for route in made.routes():
        _add_route(app, route, "metrics_path")
    app.add_middleware(made.middleware)
    setattr(app.state, _STATE, made)
    return made


def _add_route(app: Any, route: Route, option: str) -> None:
    """Add a route so that it is reached: last, or before the first that would swallow it."""
    routes = app.router.routes
    method = "POST" if "POST" in (route.methods or ()) else "GET"
    if template(routes, route.path, method) == route.path:
        raise ConfigurationError(
            f"the application answers {method} {route.path} already; give another {option}"
        )
    scope = {"type": "http", "method": method, "path": route.path, "root_path": "", "headers": []}
    for place, other in enumerate(routes):
        if other.matches(dict(scope))[0] is Match.FULL:
            routes.insert(place, route)
            return
    routes.append(route)

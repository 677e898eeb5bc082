"""The object users hold."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from modelmeter.live import recording
from modelmeter.live.observer import Observer

if TYPE_CHECKING:
    from prometheus_client.registry import Collector

    from modelmeter.serving.routes import Instrumentation

Model = TypeVar("Model")


class Monitor(Observer):
    """Monitors one model: counts its inputs and outputs in the bins of its profile.

    Parameters
    ----------
    profile
        What training looked like.
    directory
        Where the workers of one service keep their counts, so that any of them can answer
        for all; None for a single process.

    Examples
    --------
    >>> import numpy as np, modelmeter as mm
    >>> X = np.arange(100.0).reshape(-1, 1)
    >>> profile = mm.Profile.build(lambda X: 2 * X[:, 0], X, name="double", version="1")
    >>> monitor = mm.Monitor(profile)
    >>> monitor.observe({"x0": 3.5}, y_pred=[7.0])
    """

    def watch(self, model: Model) -> Model:
        """Return the model with every prediction counted.

        Parameters
        ----------
        model
            A fitted scikit-learn estimator, any object with ``predict``, or a callable. It
            is neither copied nor changed, and gives the same predictions to the bit.

        Returns
        -------
        Model
            Stands for the model everywhere; see ``serving/watched.py``.

        Raises
        ------
        ModelError
            `model` is a class, or offers no way to predict.
        """
        from modelmeter.serving.watched import watch

        return watch(model, self)

    def serving(self) -> AbstractContextManager[None]:
        """Let drop-in transformers count for a model that is not watched, in a ``with``."""
        return recording.serving(self)

    def instrument(
        self,
        app: Any,
        *,
        metrics_path: str = "/metrics",
        token: str | None = None,
        token_file: str | Path | None = None,
        registry: Collector | Literal["default"] | None = "default",
        port: int | None = None,
        host: str = "0.0.0.0",
        prediction_routes: Sequence[str] = (),
    ) -> Instrumentation:
        """Measure an application's requests and export everything at ``/metrics``.

        Several monitors may instrument one application.

        Parameters
        ----------
        app
            A Starlette or FastAPI application that has not started yet.
        metrics_path
            Where to answer scrapes.
        token
            Bearer token that scrapes have to present.
        token_file
            File that holds the token, read again when it changes.
        registry
            The prometheus_client registry whose metrics are exported too; None for none,
            the library's own by default.
        port
            Answer scrapes on a port of its own, instead of on the application.
        host
            Address for that port.
        prediction_routes
            Route templates whose requests are labelled with this model from the first on;
            a route that is not named is labelled from its first prediction on.

        Returns
        -------
        Instrumentation
            What the application is monitored with.

        Raises
        ------
        ConfigurationError
            The application is of another kind, has started, answers `metrics_path` itself,
            or was instrumented with other settings; or a setting cannot work.
        """
        from prometheus_client import REGISTRY

        from modelmeter.serving.routes import instrument

        return instrument(
            app,
            [self.counts],
            metrics_path=metrics_path,
            token=token,
            token_file=token_file,
            registry=REGISTRY if registry == "default" else registry,
            port=port,
            host=host,
            prediction_routes=dict.fromkeys(prediction_routes, self.labels),
        )

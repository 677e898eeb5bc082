"""The object users hold."""

from __future__ import annotations

import logging
import os
import re
import threading
import time as clock
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar, cast

from modelmeter._errors import ConfigurationError, MissingExtraError
from modelmeter.live import ids, recording
from modelmeter.live.merge import Family
from modelmeter.live.observer import Observer
from modelmeter.profile.profile import Profile

if TYPE_CHECKING:
    from prometheus_client.registry import Collector

    from modelmeter.live.counts import OnRestart
    from modelmeter.live.labels import Outcome
    from modelmeter.report.counts import Labelled
    from modelmeter.serving.gateway import Gateway
    from modelmeter.serving.labelling import Labelling
    from modelmeter.serving.push import Pushing
    from modelmeter.serving.routes import Instrumentation

logger = logging.getLogger("modelmeter")

Model = TypeVar("Model")

DEFAULT: Final = "default"
"""Stands for an SQLite file in the working directory, named after the model."""


class Monitor(Observer):
    """Monitors one model: counts its inputs and outputs in the bins of its profile.

    Parameters
    ----------
    profile
        What training looked like.
    directory
        Where the workers of one service keep their counts, so that any of them can answer
        for all (docs/workers.md). By default what the environment variable
        ``MODELMETER_DIRECTORY`` says; where that is not set, counts are kept in memory, as is
        right for a single process.
    on_restart
        When the whole service starts anew in the same directory: ``keep`` counts on from
        where it was, ``reset`` starts at zero. By default what ``MODELMETER_ON_RESTART`` says,
        or ``keep``.
    store
        Where predictions wait for their labels: a URL (``postgresql://...``,
        ``sqlite:///...``) or the path of an SQLite file, the same for all workers and
        replicas; None to keep none. By default ``NAME.labels.db`` in the working directory,
        opened by `instrument` or the first `feedback`; where it cannot be opened, that is
        logged once and monitoring goes on without labels.
    retention_days
        How long a prediction waits for its label.

    Raises
    ------
    ConfigurationError
        A setting cannot work: the store was given and cannot be used, or the model does not
        predict. A database that just does not answer is no error: it is tried again.
    MissingExtraError
        A store was given whose driver is not installed.

    Examples
    --------
    >>> import numpy as np, modelmeter as mm
    >>> X = np.arange(100.0).reshape(-1, 1)
    >>> profile = mm.Profile.build(lambda X: 2 * X[:, 0], X, name="double", version="1")
    >>> monitor = mm.Monitor(profile)
    >>> monitor.observe({"x0": 3.5}, y_pred=[7.0])
    """

    def __init__(
        self,
        profile: Profile,
        *,
        directory: str | Path | None = None,
        on_restart: OnRestart | None = None,
        store: str | Path | None = DEFAULT,
        retention_days: float = 90.0,
    ) -> None:
        if not retention_days > 0:
            raise ConfigurationError(f"retention_days must be above 0, not {retention_days!r}")
        directory, on_restart = counting(directory, on_restart)
        super().__init__(profile, directory=directory, on_restart=on_restart)
        self._store = store
        self._retention_days = retention_days
        self._opening = threading.Lock()
        self._labelling: Labelling | None = None
        self._warned = False
        self._made = clock.time()
        self._pushing: Pushing | None = None
        if store not in (DEFAULT, None):
            self._open()

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

    def feedback(
        self,
        y_true: Any,
        prediction_id: Any = None,
        *,
        y_pred: Any = None,
        y_score: Any = None,
        X: Any = None,
        time: Any = None,
    ) -> list[Outcome]:
        """Count true values, each exactly once.

        Parameters
        ----------
        y_true
            One true value or several, shape (n_rows,).
        prediction_id
            Id of its prediction, likewise. The id of a call stands for those of its rows.
        y_pred, y_score
            The model's answers, as in `observe`, where these are still at hand: they are
            written and counted together with the label, under `prediction_id` or, where
            that is not given, an id made here. Only with an id of yours is it safe to call
            again after an error.
        X
            The rows that these answers are about, to tell their segments.
        time
            When the truth became known, one for all or one for each: Unix time, a datetime,
            or ISO text, with a time zone. By default now. A prediction that is written
            along gets the same time.

        Returns
        -------
        list of Outcome
            In the order of `y_true`: what became of each label, and why.

        Raises
        ------
        ValueError
            There are not as many of something as of `y_true`, or nothing says what the
            labels are for.
        StoreUnavailableError
            The database cannot be used now, a `ConnectionError`. Some of the labels may have
            been counted: call again, and these are answered as ``duplicate``.
        ConfigurationError, MissingExtraError
            No labels are kept, because `store` is None, the model does not predict, or the
            store cannot be opened.
        """
        from modelmeter.serving.labelling import items_of

        return self.label(items_of(y_true, prediction_id, y_pred, y_score, time), X)

    def label(self, items: Sequence[Mapping[str, Any]], X: Any = None) -> list[Outcome]:
        """Count labels given as objects, as ``POST /feedback`` takes them.

        Parameters
        ----------
        items
            Each with ``y_true``, ``prediction_id`` or ``y_pred`` or ``y_score``, and
            optionally ``time``; see `feedback`. One that cannot be counted is answered
            ``invalid``, and the others are counted.
        X
            As in `feedback`.

        Returns
        -------
        list of Outcome
            In the order of the items.

        Raises
        ------
        ValueError, StoreUnavailableError, ConfigurationError, MissingExtraError
            As `feedback`.
        """
        return self._open().label(items, X)

    def prediction_ids(self) -> list[str]:
        """Return the ids of the last predictions of this request, task or thread.

        Returns
        -------
        list of str
            One per row; empty while no predictions are kept.
        """
        return ids.last_ids() if self._feedback is not None else []

    def identified(self, prediction_ids: ids.Ids) -> AbstractContextManager[None]:
        """Give the predictions made in a ``with`` block ids of your own.

        Parameters
        ----------
        prediction_ids
            One for every row; or a text, which stands for the call and gets the numbers of
            the rows where there are several: ``"a-0"``, ``"a-1"``.
        """
        return ids.identified(prediction_ids)

    def instrument(
        self,
        app: Any,
        *,
        metrics_path: str = "/metrics",
        feedback_path: str | None = "/feedback",
        token: str | None = None,
        token_file: str | Path | None = None,
        registry: Collector | Literal["default"] | None = "default",
        port: int | None = None,
        host: str = "0.0.0.0",
        created_series: bool = False,
        prediction_routes: Sequence[str] = (),
        monitor_path: str | None = "/monitor",
        prometheus_url: str | None = None,
    ) -> Instrumentation:
        """Measure an application's requests, export everything, and take labels.

        Several monitors may instrument one application. Where labels are kept, the store is
        closed when the application shuts down, and opened again when it starts anew.

        Parameters
        ----------
        app
            A Starlette or FastAPI application that has not started yet.
        metrics_path
            Where to answer scrapes.
        feedback_path
            Where to take labels; None for nowhere.
        token
            Bearer token that scrapes and labels have to present.
        token_file
            File that holds the token, read again when it changes.
        registry
            The prometheus_client registry whose metrics are exported too; None for none,
            the library's own by default.
        port
            Answer scrapes on a port of its own, instead of on the application; labels are
            taken on the application still.
        host
            Address for that port.
        created_series
            Say in OpenMetrics when every counter began to count, as ``_created``: one more
            series for each, unless Prometheus takes it for a start at zero
            (``--enable-feature=created-timestamp-zero-ingestion``).
        prediction_routes
            Route templates whose requests are labelled with this model from the first on;
            a route that is not named is labelled from its first prediction on.
        monitor_path
            Where to show the status page (docs/page.md); None for nowhere. With `port` it is
            on that port too.
        prometheus_url
            A Prometheus that the page asks for any window, for curves, and for all replicas.

        Returns
        -------
        Instrumentation
            What the application is monitored with.

        Raises
        ------
        ConfigurationError
            The application is of another kind, has started, answers `metrics_path`,
            `feedback_path` or `monitor_path` itself, or was instrumented with other settings;
            or a setting cannot work.
        """
        from prometheus_client import REGISTRY

        from modelmeter.serving.routes import instrument

        made = instrument(
            app,
            [self.counts],
            metrics_path=metrics_path,
            feedback_path=feedback_path,
            token=token,
            token_file=token_file,
            registry=REGISTRY if registry == "default" else registry,
            port=port,
            host=host,
            created_series=created_series,
            prediction_routes=dict.fromkeys(prediction_routes, self.labels),
            monitor_path=monitor_path,
            prometheus_url=prometheus_url,
        )
        made.show(app, self.profile, next(iter(prediction_routes), None))
        if self.open():
            made.take_labels(app, self)
        return made

    def push(
        self,
        gateway: str | Gateway,
        *,
        job: str = "modelmeter-batch",
        grouping: Mapping[str, str] | None = None,
        basic_auth: tuple[str, str] | None = None,
        token: str | None = None,
        timeout: float = 30.0,
        labelled: Labelled | None = None,
        began: float | None = None,
        failed: bool = False,
    ) -> None:
        """Push what a batch counted to a Pushgateway, as gauges, when the batch has ended.

        A batch is what this process counted since the last push, or since the monitor was
        made. It replaces all that was pushed before with the same job, model, version and
        grouping.

        Parameters
        ----------
        gateway
            Its URL, such as ``http://pushgateway:9091``; or a
            `modelmeter.serving.gateway.Gateway`, which says what `job` to `timeout` say here,
            and how long a gateway that cannot be reached is tried again.
        job
            Name of the job.
        grouping
            Further labels that tell jobs apart which use the same model and version.
        basic_auth
            Name and password, where the gateway asks for them.
        token
            Bearer token, likewise.
        timeout
            Seconds that one try may take.
        labelled
            Rows whose true value is known; by default those given to `label_batch`.
        began
            When the batch began, Unix time; by default when the last one was pushed.
        failed
            Say that the batch failed: what was counted of it is forgotten, and the gateway goes
            on to show the last batch that ended well.

        Raises
        ------
        PushError
            The gateway refused the batch, or could not be reached for a minute. Nothing is
            lost: the next push has the rows of this batch too.
        ConfigurationError
            A setting cannot work.
        """
        from modelmeter.serving.gateway import gateway_of

        where = gateway_of(
            gateway,
            job=job,
            grouping=grouping,
            basic_auth=basic_auth,
            token=token,
            timeout=timeout,
        )
        if failed:
            self._batch().push_failure(where)
        else:
            self._batch().push(where, labelled=labelled, began=began)

    def label_batch(
        self, y_true: Any, *, y_pred: Any = None, y_score: Any = None, X: Any = None
    ) -> None:
        """Count true values that are known when a batch is scored; `push` says them too.

        They are neither kept nor added to the label store, as those given to `feedback` are.

        Parameters
        ----------
        y_true
            Shape (n_rows,); a missing one does not count.
        y_pred, y_score
            The model's answers to the same rows, as in `observe`.
        X
            The rows, to tell their segments.

        Raises
        ------
        DataError
            There are no answers, or not as many as true values; or a true value is no class of
            the model, or no number.
        """
        self._batch().label(y_true, y_pred, y_score, X)

    def open(self) -> bool:
        """Keep predictions for their labels from now on; tell whether they are kept.

        Raises
        ------
        ConfigurationError, MissingExtraError
            The store that was given cannot be used.
        """
        if self._store is None:
            return False
        try:
            self._open()
        except (ConfigurationError, MissingExtraError, OSError) as error:
            if self._store != DEFAULT:
                raise
            if not self._warned:
                self._warned = True
                logger.warning(
                    "no labels are kept for %s, and all else is monitored: %s. Give "
                    "Monitor(store=...) a database, or None for no labels and no warning",
                    "/".join(self.labels),
                    error,
                )
            return False
        return True

    def close(self, timeout: float = 3.0) -> bool:
        """Write the predictions that wait in memory, and close the label store.

        Parameters
        ----------
        timeout
            Seconds to wait for the database; what is not written by then is dropped.

        Returns
        -------
        bool
            Whether all was written. `open`, `feedback` and the start of an instrumented
            application open the store again.
        """
        with self._opening:
            self._labelling = None
            feedback, self._feedback = self._feedback, None
        return feedback is None or feedback.store.close(timeout)

    @property
    def store(self) -> str | None:
        """Where predictions wait for their labels, without the password; None for nowhere."""
        feedback = self._feedback
        return None if feedback is None else feedback.store.name

    def label_families(self) -> list[Family]:
        """Return the totals of the label store for ``/metrics``; never raises."""
        feedback = self._feedback
        if feedback is not None:
            with self.guard("labels"):
                return feedback.families()
        return []

    def _batch(self) -> Pushing:
        from modelmeter.serving.push import Pushing

        with self._opening:
            if self._pushing is None:
                self._pushing = Pushing(self.profile, self.counts, began=self._made)
            return self._pushing

    def _open(self) -> Labelling:
        with self._opening:
            if self._labelling is None:
                self._labelling = self._make_labelling()
            return self._labelling

    def _make_labelling(self) -> Labelling:
        name = "/".join(self.labels)
        if self._store is None:
            raise ConfigurationError(f"{name} keeps no labels: its Monitor has store=None")
        if self.profile.model.task == "other":
            raise ConfigurationError(
                f"{name} predicts neither classes nor numbers that a label could be compared with"
            )
        from modelmeter.serving.labelling import Labelling

        where = default_file(self.profile.name) if self._store == DEFAULT else self._store
        feedback = self.keep_for_labels(where, retention_days=self._retention_days)
        self._failure_block("labels")  # at zero: the first failure is to be seen as a rise
        return Labelling(self.profile, self._outputs, feedback)


def counting(
    directory: str | Path | None, on_restart: OnRestart | None
) -> tuple[str | Path | None, OnRestart]:
    """Return where and how to count, from the environment where it is not given."""
    if directory is None:
        directory = os.environ.get("MODELMETER_DIRECTORY") or None
    if on_restart is None:  # what the environment says is checked like an argument
        on_restart = cast("OnRestart", os.environ.get("MODELMETER_ON_RESTART") or "keep")
    return directory, on_restart


def default_file(name: str) -> Path:
    """Return the file for a model's labels, in the working directory."""
    return Path((re.sub(r"[^\w.-]+", "-", name).strip(".-")[:60] or "model") + ".labels.db")

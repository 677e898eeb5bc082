"""Real services with real models, asked and told the truth over HTTP."""

from __future__ import annotations

import http.client
import json
import threading
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import modelmeter as mm
from modelmeter.serving.app import create_app
from real.web import served

ODD = "an \"odd\" \\d+ .*|name/é ${window} [[job]] 'x'"
"""A feature's name full of what could end a quotation or mean something to somebody."""

ODD_MODEL = f"{ODD} `{{}}`"
"""A model's name: the same, and a backquote."""

COLUMNS = (ODD, "size", "kind")


def make_rows(random, rows):
    """Return training data: two numbers, some of them missing, and a category."""
    size = random.normal(10, 3, rows)
    size[::20] = np.nan
    return pd.DataFrame(
        {
            ODD: random.normal(0, 1, rows),
            "size": size,
            "kind": random.choice(["new", "old", "none"], rows),
        }
    )


def truth(task, X, random):
    """Return what was so: it depends on the features, and on chance."""
    signal = X[ODD] + (X["kind"] == "new") + random.normal(0, 0.7, len(X))
    if task == "binary":
        return np.where(signal > 0.5, "late $job", "in time")
    if task == "multiclass":
        return np.select([signal > 1, signal > 0], ["high", "middle"], "low")
    return (3 * signal + X["size"].fillna(10)).to_numpy()


class Service:
    """A model, its profile and its application.

    Parameters
    ----------
    task
        binary, multiclass or regression.
    name
        Of the model.
    store
        Where its labels are kept.
    version
        Of the model.
    """

    def __init__(self, task: str, name: str, store: Path, version: str = "1") -> None:
        self.task = task
        self.random = np.random.default_rng(len(task + version))
        X = make_rows(self.random, 3_000)
        y = truth(task, X, self.random)
        encode = make_column_transformer(
            (OneHotEncoder(handle_unknown="ignore"), ["kind"]),
            (make_pipeline(SimpleImputer(), StandardScaler()), [ODD, "size"]),
        )
        final = LinearRegression() if task == "regression" else LogisticRegression()
        self.model = make_pipeline(encode, final).fit(X, y)
        self.profile = mm.Profile.build(
            self.model, X, y, name=name, version=version, segments=["kind"], canary_rows=20
        )
        self.app = create_app(self.model, self.profile, store=store)
        self.port = 0

    def work(self) -> None:
        """Ask for predictions, of rows that have drifted, and tell the truth of most."""
        X = make_rows(self.random, 60)
        X["size"] += 4
        y = truth(self.task, X, self.random)
        rows = json.loads(X.to_json(orient="records"))
        answers = self._post("/predict", rows)["predictions"]
        known = zip(answers[:50], y.tolist(), strict=False)
        labels = [
            {"prediction_id": answer["prediction_id"], "y_true": value} for answer, value in known
        ]
        self._post("/feedback", labels)

    def _post(self, path, content):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            headers = {"Content-Type": "application/json"}
            connection.request("POST", path, json.dumps(content), headers)
            answer = connection.getresponse()
            body = answer.read()
            assert answer.status == 200, body
            return json.loads(body)
        finally:
            connection.close()


@contextmanager
def working(services):
    """Serve applications with real servers, and keep them busy."""
    end = threading.Event()
    failures = []

    def keep_busy() -> None:
        while not end.wait(0.3):
            try:
                for service in services:
                    service.work()
            except Exception as error:  # noqa: BLE001 - for the test to raise
                failures.append(error)
                return

    with ExitStack() as stack:
        for service in services:
            service.port = stack.enter_context(served(service.app))
        thread = threading.Thread(target=keep_busy)
        thread.start()
        try:
            yield
        finally:
            end.set()
            thread.join(30)
    assert not failures, failures

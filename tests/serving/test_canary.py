"""Canary rows are asked again when a model is watched, and tell what is not as it was."""

from __future__ import annotations

import copy
import functools
import logging
import threading
from dataclasses import replace

import joblib
import numpy as np
import pandas as pd
import pytest
from fastapi.testclient import TestClient
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder, StandardScaler
from sklearn.svm import LinearSVC

import modelmeter as mm
from modelmeter import names
from modelmeter.live.ids import last_ids
from modelmeter.live.recording import scope
from modelmeter.serving.app import create_app
from modelmeter.sklearn import SimpleImputer as CountingImputer
from serving.counted import series, total

ROWS = 40
UNMEASURED = mm.Measuring(folds=0)


@pytest.fixture(scope="module")
def profile(model, flights, late):
    """Return the profile of the pipeline, with canary rows."""
    return mm.Profile.build(
        model, flights, late, name="flights", version="3", canary_rows=ROWS, measuring=UNMEASURED
    )


def outcomes(monitor):
    """Return how the canary rows were answered, by outcome."""
    return {outcome: n for (outcome,), n in series(monitor, names.CANARY_ROWS).items()}


def watched(model, profile):
    """Watch a model, and return the monitor with how its canary rows were answered."""
    monitor = mm.Monitor(profile)
    monitor.watch(model)
    assert total(monitor, names.FAILURES) == 0
    return outcomes(monitor)


def all_of(outcome, rows=ROWS):
    return {"equal": 0, "different": 0, "failed": 0} | {outcome: rows}


def test_the_series_are_there_before_anything_is_watched(profile):
    """A profile with canary rows has its three series, at zero, from the start."""
    monitor = mm.Monitor(profile)
    assert outcomes(monitor) == {"equal": 0, "different": 0, "failed": 0}


def test_a_profile_without_canary_rows_has_no_series(model, profile, caplog):
    """Without canary rows nothing is asked, exported or said."""
    caplog.set_level(logging.DEBUG, logger="modelmeter")
    monitor = mm.Monitor(replace(profile, canary=None))
    asked = []
    monitor.watch(asked.append)
    monitor.watch(model)
    assert asked == []
    assert outcomes(monitor) == {}
    assert caplog.text == ""


def test_the_model_as_it_was_answers_as_it_did(model, profile, caplog):
    """The very model that was trained answers every row equally, and nothing is logged."""
    assert watched(model, profile) == all_of("equal")
    assert caplog.text == ""


def test_a_model_from_a_file_answers_as_it_did(model, profile, tmp_path):
    """So do the model and the profile after they were saved and loaded."""
    joblib.dump(model, tmp_path / "model.joblib")
    profile.save(tmp_path / "profile.json")
    loaded = joblib.load(tmp_path / "model.joblib")
    assert watched(loaded, mm.Profile.load(tmp_path / "profile.json")) == all_of("equal")


def imputer_of(model):
    numbers = model[0].named_transformers_["pipeline"]
    return numbers[0]


def test_a_changed_statistic_of_an_imputer_is_found(model, profile, caplog):
    """Rows with a missing value are answered otherwise after the fill value was changed."""
    changed = copy.deepcopy(model)
    imputer_of(changed).statistics_[0] += 20
    found = watched(changed, profile)
    missing = sum(row["temp"] is None for row in profile.canary.rows)
    assert 0 < missing < ROWS
    assert found == {"equal": ROWS - missing, "different": missing, "failed": 0}
    (record,) = caplog.records
    first = next(i for i, row in enumerate(profile.canary.rows) if row["temp"] is None)
    then = profile.canary.y_score[first]
    got = changed.predict_proba(pd.DataFrame([profile.canary.rows[first]]))[0, 1]
    message = record.getMessage()
    assert f"{missing} of {ROWS} canary rows are answered otherwise" in message
    assert f"first row {first} {{'temp': None, " in message
    assert f"expected {profile.canary.y_pred[first]} (score {then!r})" in message
    assert f"(score {float(got)!r})" in message
    assert "libraries that differ: none" in message


def test_input_cast_to_half_the_bits_is_found(flights, late):
    """A preprocessing that serves in float32 differs, beyond what rounding does."""
    X = flights[["temp", "hour"]].fillna(50.0) + 1e6  # the cast drops what tells rows apart
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, late)
    profile = mm.Profile.build(
        model, X, late, name="m", version="1", canary_rows=ROWS, measuring=UNMEASURED
    )
    cast = make_pipeline(FunctionTransformer(lambda X: X.astype(np.float32)), model)
    found = watched(cast, profile)
    assert found["different"] > ROWS / 2
    assert found["failed"] == 0
    assert watched(make_pipeline(FunctionTransformer(lambda X: X * 1.0), model), profile) == all_of(
        "equal"
    )


def test_rounding_is_no_difference(model, profile):
    """Scores that differ in their last bits are equal."""

    class Rounded:
        def predict(self, X):
            return model.predict(X)

        def predict_proba(self, X):
            return model.predict_proba(X) * (1 + 1e-9)

    assert watched(Rounded(), profile) == all_of("equal")


def test_another_order_of_categories_is_found(flights, late):
    """An encoder whose categories were put in another order is found."""
    encode = make_column_transformer((OrdinalEncoder(), ["origin"]), remainder="drop")
    model = make_pipeline(encode, RandomForestClassifier(5, random_state=0))
    X, y = flights[["origin"]], (flights["origin"] == "EWR").astype(int)
    model.fit(X, y)
    profile = mm.Profile.build(
        model, X, y, name="m", version="1", canary_rows=ROWS, measuring=UNMEASURED
    )
    encoder = model[0].named_transformers_["ordinalencoder"]
    assert encoder.categories_[0].tolist() == ["EWR", "JFK", "LGA"]
    assert watched(model, profile) == all_of("equal")
    encoder.categories_[0] = encoder.categories_[0][[1, 0, 2]]
    swapped = sum(row["origin"] in ("EWR", "JFK") for row in profile.canary.rows)
    assert watched(model, profile) == {"equal": ROWS - swapped, "different": swapped, "failed": 0}


class Raising:
    """A model that has forgotten how to predict."""

    def predict(self, X):
        raise RuntimeError("the weights are gone")


@pytest.mark.parametrize("break_it", ["predict", "predict_proba", "no scores", "length", "nothing"])
def test_a_model_that_fails_is_watched_all_the_same(break_it, model, profile, caplog):
    """When the model raises or answers nonsense all rows have failed, and watch does not."""
    broken = {
        "predict": Raising(),
        "predict_proba": make_model(model, predict_proba=Raising().predict),
        "no scores": make_model(model, predict_proba=None),
        "length": make_model(model, predict=lambda X: model.predict(X)[1:]),
        "nothing": make_model(model, predict=lambda X: []),
    }[break_it]
    monitor = mm.Monitor(profile)
    standing_in = monitor.watch(broken)
    assert outcomes(monitor) == all_of("failed")
    assert total(monitor, names.PREDICTIONS) == 0
    assert total(monitor, names.FAILURES) == 0
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert f"the model failed on all {ROWS} canary rows" in record.getMessage()
    if break_it == "predict":
        assert "the weights are gone" in record.getMessage()
        with pytest.raises(RuntimeError, match="the weights are gone"):
            standing_in.predict(pd.DataFrame({"temp": [1.0]}))


def make_model(model, **methods):
    """Return an object with a model's answers, and others in their place."""
    offered = {name: getattr(model, name, None) for name in ("predict", "predict_proba")} | methods
    return type("Made", (), {k: staticmethod(v) for k, v in offered.items() if v is not None})()


def test_a_model_without_predict_has_failed(profile, flights, caplog):
    """What only transforms cannot answer, and can be watched."""
    scaler = StandardScaler().fit(flights[["hour"]])
    assert watched(scaler, profile) == all_of("failed")
    assert "StandardScaler has no predict and is not callable" in caplog.text


def test_libraries_that_changed_are_named(model, profile, caplog):
    """When answers differ, the log says which libraries do."""
    then = dict(profile.libraries) | {"numpy": "1.20.0", "polars": "0.1", "gone": "1"}
    changed = copy.deepcopy(model)
    imputer_of(changed).statistics_[0] += 20
    watched(changed, replace(profile, libraries=then))
    message = caplog.records[0].getMessage()
    assert f"numpy 1.20.0 in training, {np.__version__} here" in message
    assert "gone 1 in training, not installed here" in message
    assert "scikit-learn" not in message


def test_real_rows_are_not_shown_in_the_log(model, flights, late, caplog):
    """A row of the training data is named by its number only."""
    profile = mm.Profile.build(
        model,
        flights,
        late,
        name="flights",
        version="3",
        canary_rows=ROWS,
        measuring=mm.Measuring(folds=0, canary_source="training"),
    )
    assert watched(model, profile) == all_of("equal")
    watched(make_model(model, predict=lambda X: 1 - model.predict(X)), profile)
    assert "first row 0: expected" in caplog.records[0].getMessage()
    assert "origin" not in caplog.records[0].getMessage()


def test_nothing_else_is_counted(model, profile):
    """Asking counts no row, no time, no imputed value, no id, and leaves no pause behind."""
    monitor = mm.Monitor(profile)
    before = last_ids()
    watched_model = monitor.watch(model)
    counted = [metric for metric in names.ALL if metric.type in ("counter", "histogram")]
    assert not any(np.any(n) for metric in counted for n in series(monitor, metric).values())
    assert last_ids() == before
    assert not scope().paused
    watched_model.predict(pd.DataFrame([profile.canary.rows[0]]))
    assert total(monitor, names.PREDICTIONS, outcome="ok") == 1


def test_drop_ins_and_other_monitors_count_nothing(flights, late, profile):
    """Drop-in transformers, and another monitor of the same model, do not see the rows."""
    prepare = make_column_transformer(
        (make_pipeline(CountingImputer(), StandardScaler()), ["temp", "hour"]),
        (OneHotEncoder(), ["origin", "weekend"]),
    )
    model = make_pipeline(prepare, LogisticRegression()).fit(flights, late)
    other = mm.Monitor(replace(profile, canary=None))
    monitor = mm.Monitor(profile)
    with monitor.serving():
        monitor.watch(other.watch(model))
    assert sum(outcomes(monitor).values()) == ROWS
    for one in (monitor, other):
        assert not total(one, names.IMPUTED)
        assert total(one, names.PREDICTIONS) == 0


def test_rows_are_asked_once_per_watch(model, profile):
    """A model that is watched already is returned as it is, without being asked again."""
    calls = []

    def predict(X):
        calls.append(len(X))
        return model.predict(X)

    monitor = mm.Monitor(profile)
    once = monitor.watch(make_model(model, predict=predict))
    assert calls == [ROWS]
    assert monitor.watch(once) is once
    assert calls == [ROWS]
    monitor.watch(make_model(model, predict=predict))
    assert calls == [ROWS, ROWS]


def test_the_last_watched_model_counts(model, profile):
    """The gauge says how the model watched last answered."""
    monitor = mm.Monitor(profile)
    monitor.watch(Raising())
    monitor.watch(model)
    assert outcomes(monitor) == all_of("equal")


def test_a_callable_is_asked(flights):
    """A function, or an object that is callable, is asked as at build time."""

    class Callable:
        def __call__(self, X):
            return (X["hour"] * 2.5).to_numpy()

    X = flights[["hour"]]
    for model in (lambda X: X["hour"] * 2.5, Callable()):
        profile = mm.Profile.build(model, X, name="m", version="1", canary_rows=5)
        assert watched(model, profile) == all_of("equal", 5)
        assert watched(lambda X: X["hour"] * 2.6, profile)["different"] > 0


async def later(X):
    return X["hour"] * 2.5


class Later:
    async def predict(self, X):
        return X["hour"] * 2.5


class CalledLater:
    async def __call__(self, X):
        return X["hour"] * 2.5


@pytest.mark.parametrize(
    "model",
    [later, functools.partial(later), Later(), CalledLater(), lambda X: later(X)],
    ids=["function", "partial", "method", "callable", "hidden"],
)
def test_an_asynchronous_model_is_not_asked(model, flights, caplog):
    """What answers later is not asked; the series stay at zero and the log says so."""
    X = flights[["hour"]]
    profile = mm.Profile.build(lambda X: X["hour"] * 2.5, X, name="m", version="1", canary_rows=5)
    caplog.set_level(logging.INFO, logger="modelmeter")
    assert watched(model, profile) == {"equal": 0, "different": 0, "failed": 0}
    assert [record.levelname for record in caplog.records] == ["INFO"]
    assert "asynchronous" in caplog.text


def test_an_asynchronous_classifier_is_not_asked(profile):
    """Nor is one whose scores come later too."""

    async def answer(X):
        return [1] * len(X)

    model = make_model(None, predict=answer, predict_proba=answer)
    assert watched(model, profile) == {"equal": 0, "different": 0, "failed": 0}


def test_every_task_and_every_form_of_input(flights, late):
    """Regression, many classes, decision functions, arrays and times are asked as they were."""
    numbers = flights[["temp", "hour"]].fillna(0.0)
    times = numbers.assign(when=pd.date_range("2024-01-01", periods=len(numbers), freq="h"))
    by_hour = make_column_transformer(
        (FunctionTransformer(lambda X: X.map(lambda t: t.hour)), ["when"]), remainder="passthrough"
    )
    models = [
        (LinearRegression(), numbers, flights["hour"] * 2.0),
        (RandomForestClassifier(3, random_state=0), numbers, flights["origin"]),
        (LinearSVC(), numbers, late),
        (LogisticRegression(), numbers.to_numpy(), late),
        (make_pipeline(by_hour, LinearRegression()), times, flights["hour"] * 2.0),
    ]
    for model, X, y in models:
        model.fit(X, y)
        profile = mm.Profile.build(
            model, X, y, name="m", version="1", canary_rows=ROWS, measuring=UNMEASURED
        )
        assert watched(model, profile) == all_of("equal"), model
        other = copy.deepcopy(model)
        last = other[-1] if hasattr(other, "steps") else other
        if hasattr(last, "intercept_"):
            last.intercept_ = last.intercept_ + 1.0
            assert watched(other, profile)["different"] > 0, model


def test_a_model_that_writes_into_its_input(flights):
    """An answer does not depend on what an earlier method wrote into the rows."""

    class Writes:
        classes_ = np.array([0, 1])

        def predict(self, X):
            answer = (X["hour"] > 12).astype(int).to_numpy()
            X["hour"] = 0
            return answer

        def predict_proba(self, X):
            share = X["hour"].to_numpy() / 24
            return np.column_stack([1 - share, share])

    X = flights[["hour"]]
    profile = mm.Profile.build(Writes(), X.copy(), name="m", version="1", canary_rows=ROWS)
    assert watched(Writes(), profile) == all_of("equal")
    assert len(set(profile.canary.y_score)) > 1


def test_an_answer_that_depends_on_the_rows_beside_it(flights, caplog):
    """A model that looks at all rows at once is compared over all rows at once."""
    profile = mm.Profile.build(
        lambda X: (X["hour"] - X["hour"].mean()).to_numpy(),
        flights[["hour"]],
        name="m",
        version="1",
        canary_rows=5,
    )
    assert watched(lambda X: (X["hour"] - X["hour"].mean()).to_numpy(), profile) == all_of(
        "equal", 5
    )
    assert watched(lambda X: (X["hour"] - X["hour"].max()).to_numpy(), profile) == all_of(
        "different", 5
    )
    assert "first row 0 {'hour': " in caplog.text


def test_threads_watch_at_once(model, profile):
    """Models watched by many threads at once leave one true answer."""
    monitor = mm.Monitor(profile)
    threads = [threading.Thread(target=monitor.watch, args=(model,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes(monitor) == all_of("equal")
    assert total(monitor, names.PREDICTIONS) == 0


def value_of(text, name):
    """Return the value of a series in the text format."""
    (line,) = (line for line in text.splitlines() if line.startswith(f"{name} "))
    return float(line.rpartition(" ")[2])


def test_a_service_shows_it_at_the_first_scrape(model, profile):
    """A service without code asks before it is ready: /metrics has the answer, and no traffic."""
    changed = copy.deepcopy(model)
    imputer_of(changed).statistics_[0] += 20
    for served, differ in ((model, False), (changed, True)):
        with TestClient(create_app(served, profile)) as client:
            text = client.get("/metrics").text
        labels = 'model="flights",version="3"'
        found = {
            outcome: value_of(text, f'model_canary_rows{{{labels},outcome="{outcome}"}}')
            for outcome in ("equal", "different", "failed")
        }
        assert sum(found.values()) == ROWS
        assert (found["different"] > 0) == differ
        assert value_of(text, f'model_predictions_total{{{labels},outcome="ok"}}') == 0


def test_rows_that_make_no_input_have_failed(model, profile):
    """Canary rows that no frame can be made of do not break watch."""
    nonsense = ({**profile.canary.rows[0], "hour": "noon"}, *profile.canary.rows[1:])
    changed = replace(profile, canary=replace(profile.canary, rows=nonsense))
    assert watched(model, changed) == all_of("failed")

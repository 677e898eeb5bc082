"""A watched model is the model, with every answer counted once."""

from __future__ import annotations

import asyncio
import copy
import gc
import inspect
import io
import pickle
import subprocess
import sys
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
import skops.io
from sklearn import config_context
from sklearn.base import BaseEstimator, clone, is_classifier, is_regressor
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import BaggingClassifier, RandomForestClassifier
from sklearn.exceptions import NotFittedError
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import get_scorer
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.utils.validation import check_is_fitted

import modelmeter as mm
from modelmeter import names
from modelmeter.live.recording import paused, serving
from modelmeter.serving.watched import Watched, watch
from serving.counted import monitor_of, series, total

METHODS = ("predict", "predict_proba", "predict_log_proba", "decision_function", "transform")


def rows_of(monitor, outcome="ok"):
    """Return the rows that were counted."""
    return total(monitor, names.PREDICTIONS, outcome=outcome)


def outputs_of(monitor, feature):
    """Return how many values of an output were counted."""
    return total(monitor, names.FEATURE_BIN, role="prediction", feature=feature)


@pytest.fixture(scope="module")
def X():
    """Return two numbers, as a frame."""
    return pd.DataFrame(np.random.default_rng(0).normal(size=(60, 2)), columns=["a", "b"])


@pytest.fixture(scope="module")
def y(X):
    """Return two classes that the first number mostly decides."""
    return (X["a"] + X["b"] / 3 > 0).astype(int).to_numpy()


@pytest.fixture(scope="module")
def classifier(X, y):
    """Return a fitted pipeline with all methods of a classifier."""
    return make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y)


@pytest.fixture(scope="module")
def profile(classifier, X, y):
    """Return the classifier's profile."""
    return mm.Profile.build(classifier, X, y, name="model", version="1")


@pytest.fixture
def monitor(profile):
    """Return a monitor that counted nothing yet."""
    return mm.Monitor(profile)


@pytest.fixture
def watched(classifier, monitor):
    """Return the classifier, watched."""
    return watch(classifier, monitor)


MODELS = {
    "pipeline": make_pipeline(StandardScaler(), LogisticRegression()),
    "forest": RandomForestClassifier(5, random_state=0),
    "search": GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, cv=2),
    "columns": ColumnTransformer([("s", StandardScaler(), ["a"])], remainder="passthrough"),
    "union": FeatureUnion([("s", StandardScaler()), ("i", SimpleImputer())]),
    "regression": LinearRegression(),
    "scaler": StandardScaler(),
    "kmeans": KMeans(2, n_init=1, random_state=0),
    "svc": SVC(),
    "bayes": GaussianNB(),
}


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
@pytest.mark.filterwarnings("ignore:divide by zero")
@pytest.mark.parametrize("kind", MODELS)
def test_any_estimator_answers_the_same_and_stays_the_same(kind, X, y):
    """Whatever the estimator, answers are equal to the bit and its pickle does not change."""
    model = clone(MODELS[kind]).fit(X, y)
    before = pickle.dumps(model)
    monitor = monitor_of(X, model if hasattr(model, "predict") else None, y)
    watched = watch(model, monitor)
    offered = [name for name in METHODS if hasattr(model, name)]
    assert offered == [name for name in METHODS if hasattr(watched, name)]
    for data in (X, X.to_numpy()) if kind != "columns" else (X,):
        for name in offered:
            # Another object each time: another answer.
            result, expected = (getattr(m, name)(data.copy()) for m in (watched, model))
            assert np.array_equal(result, expected)
            assert type(result) is type(expected)
    assert pickle.dumps(model) == before
    assert rows_of(monitor) == len(X) * len(offered) * (1 if kind == "columns" else 2)
    assert total(monitor, names.FAILURES) == 0


@pytest.mark.parametrize("kind", MODELS)
def test_a_watched_estimator_is_an_estimator(kind, X, y):
    """scikit-learn takes a watched model for what the model is."""
    model = clone(MODELS[kind]).fit(X, y)
    watched = watch(model, monitor_of(X))
    assert isinstance(watched, type(model))
    assert isinstance(watched, BaseEstimator)
    assert isinstance(watched, Watched)
    check_is_fitted(watched)
    assert is_classifier(watched) == is_classifier(model)
    assert is_regressor(watched) == is_regressor(model)
    assert watched.get_params().keys() == model.get_params().keys()
    assert dir(watched) == dir(model)
    assert vars(watched) is vars(model)
    assert "_repr_html_" in dir(watched)
    assert type(model).__name__ in watched._repr_html_()
    assert repr(watched) == f"Watched({model!r})"
    assert watched.__doc__ == model.__doc__
    if hasattr(model, "__sklearn_tags__"):
        assert watched.__sklearn_tags__() == model.__sklearn_tags__()


def test_an_unfitted_model_says_so(monitor, X):
    """A model that is not fitted is not fitted when watched, and predicting raises the same."""
    watched = watch(LogisticRegression(), monitor)
    with pytest.raises(NotFittedError):
        check_is_fitted(watched)
    with pytest.raises(NotFittedError):
        watched.predict(X)


def test_attributes_reach_the_model(classifier, watched, X):
    """Attributes, items, length and steps are those of the model."""
    assert np.array_equal(watched.classes_, classifier.classes_)
    assert watched.feature_names_in_.tolist() == ["a", "b"]
    assert watched.named_steps["logisticregression"] is classifier[-1]
    assert watched[0] is classifier[0]
    assert len(watched) == 2
    assert watched.__wrapped__ is classifier
    assert not hasattr(watched, "missing")
    with pytest.raises(AttributeError, match="'Pipeline' object has no attribute 'missing'"):
        _ = watched.missing


def test_attributes_are_set_on_the_model(X, y, monitor):
    """Setting and deleting an attribute goes to the model."""
    model = LogisticRegression().fit(X, y)
    watched = watch(model, monitor)
    watched.C = 7
    assert model.C == 7
    watched.note = "x"
    del watched.note
    assert not hasattr(model, "note")


def test_special_methods_are_those_of_the_model(X, y, monitor):
    """Length, items and iteration exist where the model has them; truth is as ever."""
    forest = watch(RandomForestClassifier(3).fit(X, y), monitor)
    assert [type(tree) for tree in forest] == [type(tree) for tree in forest.estimators_]
    assert len(forest) == 3
    linear = watch(LogisticRegression().fit(X, y), monitor)
    assert bool(linear)
    assert not callable(linear)
    with pytest.raises(TypeError):
        len(linear)


def test_methods_come_and_go_with_the_model(X, y, monitor):
    """A method that the model offers only at times is offered at the same times."""
    model = Pipeline([("s", StandardScaler()), ("model", LinearRegression())]).fit(X, y)
    watched = watch(model, monitor)
    assert not hasattr(watched, "predict_proba")
    model.set_params(model=LogisticRegression())
    assert hasattr(watched, "predict_proba")
    watched.fit(X, y).predict_proba(X)
    model.set_params(model=LinearRegression())
    assert not hasattr(watched, "predict_proba")


def test_methods_look_like_the_models(classifier, watched):
    """A counted method has the signature, name and documentation of the model's."""
    for name in ("predict", "predict_proba"):
        ours, theirs = getattr(watched, name), getattr(classifier, name)
        assert inspect.signature(ours) == inspect.signature(theirs)
        assert (ours.__name__, ours.__doc__) == (theirs.__name__, theirs.__doc__)


def test_methods_that_return_the_model_return_the_watched_model(X, y, monitor):
    """``fit``, ``set_params``, ``set_output`` and their like can be chained without loss."""
    watched = watch(make_pipeline(StandardScaler(), LogisticRegression()), monitor)
    assert watched.fit(X, y) is watched
    assert watched.set_params(logisticregression__C=3.0) is watched
    assert watched.set_output(transform="pandas") is watched
    with config_context(enable_metadata_routing=True):
        linear = watch(LogisticRegression(), monitor)
        assert linear.set_fit_request(sample_weight=True) is linear
    assert rows_of(monitor) == 0


def test_every_copy_is_the_plain_model(classifier, watched, X):
    """Clones, copies and pickles are the model alone: nothing of the monitor is in them."""
    for copied in (
        copy.copy(watched),
        copy.deepcopy(watched),
        pickle.loads(pickle.dumps(watched)),
        joblib.load(dumped(watched)),
    ):
        assert type(copied) is Pipeline
        assert np.array_equal(copied.predict_proba(X), classifier.predict_proba(X))
    assert type(clone(watched)) is Pipeline
    with pytest.raises(NotFittedError):
        check_is_fitted(clone(watched))


def dumped(model):
    """Return what joblib writes."""
    file = io.BytesIO()
    joblib.dump(model, file)
    file.seek(0)
    return file


def test_skops_saves_the_plain_model(classifier, watched, X):
    """skops, too, saves the model alone."""
    saved = skops.io.dumps(watched)
    assert skops.io.get_untrusted_types(data=saved) == []
    loaded = skops.io.loads(saved)
    assert type(loaded) is Pipeline
    assert np.array_equal(loaded.predict_proba(X), classifier.predict_proba(X))


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_the_pickle_is_the_models(protocol, classifier, watched):
    """The pickle of a watched model is that of the model, byte for byte."""
    assert pickle.dumps(watched, protocol) == pickle.dumps(classifier, protocol)
    assert joblib.hash(watched) == joblib.hash(classifier)
    assert pickle.loads(pickle.dumps({"m": watched, "same": watched})).keys() == {"m", "same"}


def test_the_pickle_needs_no_modelmeter(watched, X, tmp_path):
    """What was pickled is loaded where modelmeter is not installed."""
    joblib.dump(watched, tmp_path / "model.joblib")
    code = (
        "import sys; sys.modules['modelmeter'] = None\n"
        f"import joblib; model = joblib.load({str(tmp_path / 'model.joblib')!r})\n"
        "print(type(model).__name__, len(model))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout.strip() == "Pipeline 2", result.stderr


def double(X):
    """Return twice the first column."""
    return 2 * np.asarray(X)[:, 0]


def test_a_watched_function_pickles_as_the_function(monitor):
    """A function is pickled by name, a callable as it is."""
    assert pickle.loads(pickle.dumps(watch(double, monitor))) is double
    assert copy.deepcopy(watch(double, monitor)) is double
    assert pickle.loads(pickle.dumps(watch(partial(double), monitor))).func is double


def test_fitting_and_validation_count_nothing(watched, monitor, X, y):
    """fit, score, searches and cross-validation on a watched model count no row."""
    plain = clone(watched)
    watched.score(X, y)
    assert (
        cross_val_score(watched, X, y, cv=2).tolist() == cross_val_score(plain, X, y, cv=2).tolist()
    )
    cross_val_predict(watched, X, y, cv=2)
    search = GridSearchCV(watched, {"logisticregression__C": [0.1, 1.0]}, cv=2).fit(X, y)
    assert type(search.best_estimator_) is Pipeline
    BaggingClassifier(watched, 2).fit(X, y).predict(X)
    make_pipeline(StandardScaler(), clone(watched)).fit(X, y)
    assert rows_of(monitor) == 0


def test_a_search_counts_once(monitor, X, y):
    """A watched search hands on to its best estimator and counts once; its results are there."""
    search = GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, cv=2).fit(X, y)
    watched = watch(search, monitor)
    watched.predict(X)
    assert rows_of(monitor) == len(X)
    assert watched.cv_results_ is search.cv_results_
    watched.best_estimator_.predict(X)
    assert rows_of(monitor) == len(X)


def test_a_scorer_counts_unless_paused(watched, monitor, X, y):
    """A scorer calls predict like anybody else; ``paused`` keeps an evaluation out."""
    score = get_scorer("accuracy")
    with paused():
        inside = score(watched, X, y)
    assert rows_of(monitor) == 0
    assert score(watched, X, y) == inside
    assert rows_of(monitor) == len(X)


@pytest.mark.parametrize(
    ("calls", "answers", "pred", "score"),
    [
        ("predict", 1, 1, 0),
        ("predict_proba", 1, 1, 1),
        ("predict predict_proba", 1, 1, 1),
        ("predict_proba predict", 1, 1, 1),
        ("predict predict_proba decision_function predict_log_proba", 1, 1, 1),
        ("decision_function predict predict_proba", 1, 1, 1),
        ("decision_function", 1, 0, 0),
        ("decision_function predict_log_proba predict", 1, 1, 1),
        ("predict predict", 2, 2, 0),
        ("predict predict_proba predict predict_proba", 2, 2, 2),
        ("predict predict predict_proba", 2, 2, 1),
        ("predict_proba predict_proba predict", 2, 2, 2),
    ],
)
@pytest.mark.parametrize("kind", ["frame", "polars", "array", "list"])
def test_calls_for_the_same_rows_are_one_answer(calls, answers, pred, score, kind, profile, X, y):
    """Different methods for one object are one answer, the same method again is another."""
    model = LogisticRegression().fit(X.to_numpy(), y)
    monitor = mm.Monitor(profile)
    watched = watch(model, monitor)
    given = {
        "frame": X.to_numpy(),  # as a model without names has it
        "polars": pl.DataFrame(X.to_numpy()),
        "array": X.to_numpy(),
        "list": X.to_numpy().tolist(),
    }[kind]
    if kind == "frame":
        model.fit(X, y)
        given = X
    if kind == "polars":
        model.fit(given, y)
    for name in calls.split():
        assert np.array_equal(getattr(watched, name)(given), getattr(model, name)(given))
    n = len(X)
    assert rows_of(monitor) == answers * n
    assert outputs_of(monitor, "y_pred") == pred * n
    assert outputs_of(monitor, "y_score") == score * n
    if kind != "polars":  # whose columns have no names that the profile knows
        assert total(monitor, names.FEATURE_BIN, role="feature", feature="a") == answers * n
    assert total(monitor, names.FAILURES) == 0


def test_log_probabilities_are_counted_as_probabilities(profile, classifier, X):
    """``predict_log_proba`` fills the same score bins as ``predict_proba``."""
    found = []
    for name in ("predict_proba", "predict_log_proba"):
        monitor = mm.Monitor(profile)
        getattr(watch(classifier, monitor), name)(X)
        found.append(series(monitor, names.FEATURE_BIN, role="prediction"))
    assert found[0] == found[1]


def test_batches_predicted_first_and_scored_later_are_one_answer_each(watched, monitor, X):
    """All batches may be predicted before all are scored."""
    batches = [X.iloc[i : i + 10] for i in range(0, 60, 10)]
    for batch in batches:
        watched.predict(batch)
    for batch in batches:
        watched.predict_proba(batch)
    assert rows_of(monitor) == 60
    assert outputs_of(monitor, "y_score") == 60


@pytest.mark.parametrize("rows", [1, 5000])
def test_a_buffer_filled_anew_is_another_answer(rows, classifier, monitor):
    """One array used over and over is as many answers as it had contents."""
    watched = watch(classifier[-1], monitor)
    buffer = np.zeros((rows, 2))
    for i, name in enumerate(["predict", "predict_proba", "predict", "predict_proba"]):
        buffer[:] = i // 2
        getattr(watched, name)(buffer)
    assert rows_of(monitor) == 2 * rows
    for i, name in enumerate(["predict", "predict_proba", "predict", "predict_proba"]):
        buffer[:] = 10 + i
        getattr(watched, name)(buffer)
    assert rows_of(monitor) == 6 * rows


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
def test_rows_are_not_kept_alive(classifier, monitor, X):
    """A watched model lets go of the rows when its caller does."""
    watched = watch(classifier, monitor)
    for make in (X.copy, lambda: pl.DataFrame(X)):
        rows = make()
        gone = weakref.ref(rows)
        watched.predict(rows)
        del rows
        gc.collect()
        assert gone() is None


def test_an_object_at_the_same_address_is_another_answer(classifier, monitor, X):
    """Rows that come to lie where earlier ones lay are not taken for those."""
    watched = watch(classifier, monitor)
    for i in range(40):
        name = "predict" if i % 2 else "predict_proba"
        getattr(watched, name)(X.iloc[:1].copy())
        getattr(watched.__wrapped__, name)(X.iloc[:1])
    lists = watch(classifier[-1], monitor)
    for i in range(40):
        getattr(lists, "predict" if i % 2 else "predict_proba")([[0.5, 0.5]])
    assert rows_of(monitor) == 80


def test_threads_sharing_rows_count_their_own_answers(watched, monitor, X):
    """Threads that ask about one and the same object, twice each, count one answer each."""
    barrier = threading.Barrier(4)
    one = X.iloc[:1]

    def work():
        for _ in range(25):
            barrier.wait(30)
            watched.predict(one)
            barrier.wait(30)
            watched.predict_proba(one)

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(work) for _ in range(4)]:
            done.result()
    assert rows_of(monitor) == 100
    assert outputs_of(monitor, "y_pred") == outputs_of(monitor, "y_score") == 100


def test_tasks_sharing_rows_count_their_own_answers(watched, monitor, X):
    """So do asyncio tasks whose calls are interleaved."""
    one = X.iloc[:1]

    async def work():
        for _ in range(5):
            watched.predict(one)
            await asyncio.sleep(0)
            watched.predict_proba(one)
            await asyncio.sleep(0)

    async def everybody():
        await asyncio.gather(*(work() for _ in range(10)))

    asyncio.run(everybody())
    assert rows_of(monitor) == 50
    assert outputs_of(monitor, "y_score") == 50


def test_time_and_rows_are_measured_once_per_answer(watched, monitor, X):
    """Two calls for one answer are one observation of time and of rows."""
    watched.predict(X)
    watched.predict_proba(X)
    for metric in (names.PREDICTION_SECONDS, names.PREDICTION_ROWS):
        (histogram,) = series(monitor, metric).values()
        assert sum(histogram[:-1]) == 1
        assert histogram[-1] > 0


class Model:
    """A model of nobody's library."""

    def __init__(self):
        self.given = []

    def predict(self, X, *args, scale=1, **kwargs):
        """Return a multiple of the first column."""
        self.given.append((args, kwargs))
        return scale * double(X)


@pytest.mark.parametrize(
    ("args", "options"),
    [((), {}), ((64,), {}), ((), {"batch_size": 64, "verbose": 0}), ((), {"scale": 3})],
)
def test_models_of_other_libraries_get_what_they_are_given(args, options, X):
    """Further arguments go to the model as they are."""
    model = Model()
    monitor = monitor_of(X, model)
    watched = watch(model, monitor)
    model.given.clear()
    assert np.array_equal(
        watched.predict(X, *args, **options), Model().predict(X, *args, **options)
    )
    passed = {name: value for name, value in options.items() if name != "scale"}
    assert model.given == [(args, passed)]
    watched.predict(X=X, **options)
    assert rows_of(monitor) == 2 * len(X)


def test_a_pair_of_arrays_counts_the_first(X):
    """Of ``predict(..., return_std=True)`` the predictions are counted."""

    class Uncertain:
        def predict(self, X, return_std=False):
            return (double(X), np.ones(len(X))) if return_std else double(X)

    monitor = monitor_of(X, Uncertain())
    mean, std = watch(Uncertain(), monitor).predict(X, return_std=True)
    assert np.array_equal(mean, double(X))
    assert std.sum() == len(X)
    assert outputs_of(monitor, "y_pred") == len(X)


@pytest.mark.parametrize("model", [double, lambda X: double(X), partial(double), Model().predict])
def test_callables_count(model, X):
    """Functions, partials and methods are watched by calling them."""
    monitor = monitor_of(X, model)
    watched = watch(model, monitor)
    assert callable(watched)
    assert np.array_equal(watched(X), double(X))
    assert rows_of(monitor) == outputs_of(monitor, "y_pred") == len(X)
    assert inspect.signature(watched) == inspect.signature(model)


def test_an_object_with_predict_and_call_counts_both(X):
    """A model that is called as well as asked to predict counts either way."""

    class Net(Model):
        def __call__(self, X):
            return double(X)

    monitor = monitor_of(X, double)
    watched = watch(Net(), monitor)
    watched(X)
    watched.predict(X.copy())
    assert rows_of(monitor) == 2 * len(X)


def test_a_function_of_the_features_is_one_row(X):
    """A function with a parameter per feature counts one row by their names."""
    monitor = monitor_of(X)
    watched = watch(lambda a, b: a + b, monitor)
    assert watched(a=1.0, b=2.0) == 3.0
    assert total(monitor, names.FEATURE_BIN, role="feature", feature="b") == 1
    assert total(monitor, names.FEATURE_ABSENT) == 0


def test_a_coroutine_function_counts_when_it_is_done(X):
    """An async callable is counted once it has answered, its errors as errors."""
    monitor = monitor_of(X, double)

    async def predict(X):
        await asyncio.sleep(0)
        if X is None:
            raise KeyError("nothing")
        return double(X)

    watched = watch(predict, monitor)
    assert inspect.iscoroutinefunction(watched)

    async def everybody():
        started = watched(X)
        assert rows_of(monitor) == 0
        await started
        with pytest.raises(KeyError, match="nothing"):
            await watched(None)
        return await asyncio.gather(*(watched(X) for _ in range(5)))

    results = asyncio.run(everybody())
    assert all(np.array_equal(result, double(X)) for result in results)
    assert rows_of(monitor) == 6 * len(X)
    assert rows_of(monitor, "error") == 1


def test_iterators_reach_the_model_whole(X):
    """Rows that can only be taken once are left to the model; its answers are counted."""
    monitor = monitor_of(X, double)
    watched = watch(lambda rows: double(np.array(list(rows))), monitor)
    assert np.array_equal(watched(iter(X.to_numpy().tolist())), double(X))
    assert outputs_of(monitor, "y_pred") == len(X)


@pytest.mark.parametrize(
    ("bad", "rows"),
    [
        (pd.DataFrame({"a": [1.0, 2.0]}), 2),
        (pd.DataFrame({"a": ["x"], "b": ["y"]}), 1),
        (np.ones((3, 5)), 3),
        ([[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]], 2),
        (None, 1),
        ("text", 1),
        (np.ones(2), 1),
    ],
    ids=["missing column", "words", "array", "lists", "None", "text", "one row"],
)
@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
def test_errors_are_the_models_own(bad, rows, classifier, watched, monitor):
    """Bad data raise exactly what the model raises, and count as errors."""
    with pytest.raises(Exception) as expected:  # noqa: PT011
        classifier.predict(bad)
    with pytest.raises(type(expected.value)) as raised:
        watched.predict(bad)
    assert type(raised.value) is type(expected.value)
    assert str(raised.value) == str(expected.value)
    assert raised.value.__context__ is expected.value.__context__ is None
    assert rows_of(monitor, "error") == rows
    assert rows_of(monitor) == 0
    assert total(monitor, names.FAILURES) == 0


def test_an_interrupt_is_no_error_of_the_model(monitor):
    """Ctrl-C in the model passes through uncounted."""

    def interrupted(X):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        watch(interrupted, monitor)([[1.0, 2.0]])
    assert rows_of(monitor, "error") == 0


def test_after_an_error_everything_goes_on(watched, monitor, X):
    """An error leaves nothing behind that would keep the next answer from being counted."""
    with pytest.raises(ValueError, match="feature"):
        watched.predict(X[["a"]])
    watched.predict(X)
    assert rows_of(monitor) == len(X)


class Broken(mm.Monitor):
    """A monitor in which everything fails."""

    def observe(self, *args, **kwargs):
        """Fail."""
        raise RuntimeError("observe")

    observe_outputs = observe

    def failed(self, rows):
        """Fail."""
        raise RuntimeError("failed")


def test_a_failing_monitor_breaks_no_prediction(profile, classifier, X, caplog):
    """A fault in monitoring reaches nobody, is counted, and is logged once."""
    monitor = Broken(profile)
    watched = watch(classifier, monitor)
    for _ in range(3):
        assert np.array_equal(watched.predict(X), classifier.predict(X))
        watched.predict_proba(X)
    with pytest.raises(ValueError, match="feature"):
        watched.predict(X[["a"]])
    assert total(monitor, names.FAILURES, where="watch") == 7
    assert len(caplog.records) == 1


def test_monitors_do_not_mix(X, y):
    """Several models in one process, and several monitors of one model, count each its own."""
    models = {C: LogisticRegression(C=C).fit(X, y) for C in (0.1, 1.0)}
    monitors = {C: monitor_of(X, models[C], y, name=str(C)) for C in models}
    watched = {C: watch(models[C], monitors[C]) for C in models}
    second = monitor_of(X, models[0.1], y, name="second")
    twice = watch(watched[0.1], second)
    watched[0.1].predict(X)
    watched[1.0].predict(X)
    watched[1.0].predict(X)
    twice.predict(X)
    assert [rows_of(monitors[C]) / len(X) for C in models] == [2, 2]
    assert rows_of(second) == len(X)


def test_a_watched_part_of_a_watched_model_counts_once(X, y, monitor):
    """A part watched by the same monitor is silent inside; by another one, it counts there."""
    other = monitor_of(X)
    inner = make_pipeline(SimpleImputer(), LogisticRegression()).fit(X, y)
    gaps = X.mask(X > 1)
    for part_of in (monitor, other):
        part = watch(inner, part_of)
        whole = watch(Pipeline([("keep", "passthrough"), ("model", part)]), monitor)
        assert np.array_equal(whole.predict(gaps), inner.predict(gaps))
    missing = gaps.isna().sum().sum()
    assert (rows_of(monitor), rows_of(other)) == (2 * len(X), len(X))
    assert (total(monitor, names.IMPUTED), total(other, names.IMPUTED)) == (missing, missing)


def test_the_boundaries_count_once_per_answer(monitor, X, y):
    """Values imputed for predict are not counted again for predict_proba."""
    model = make_pipeline(SimpleImputer(), LogisticRegression()).fit(X, y)
    watched = watch(model, monitor)
    gaps = X.mask(X > 1)
    watched.predict(gaps)
    watched.predict_proba(gaps)
    assert total(monitor, names.IMPUTED) == gaps.isna().sum().sum()


@pytest.mark.parametrize("frame", [lambda X: X.to_numpy().copy(), pd.DataFrame.copy])
def test_rows_that_the_model_overwrites_are_counted_as_they_came(frame, X, y):
    """An imputer that writes into its input hides no missing value from the monitor."""
    model = make_pipeline(SimpleImputer(copy=False), LogisticRegression())
    model.fit(frame(X), y)
    monitor = monitor_of(X)
    gaps = frame(X.mask(X > 1))
    missing = int(np.isnan(np.asarray(gaps)).sum())
    watch(model, monitor).predict(gaps)
    assert total(monitor, names.FEATURE_BIN, role="feature", kind="missing") == missing > 0


def test_watching_inside_serving_counts(watched, monitor, X):
    """A watched model counts inside ``serving`` as outside."""
    with serving(monitor):
        watched.predict(X)
    assert rows_of(monitor) == len(X)


def test_watching_twice_is_watching_once(watched, monitor, X):
    """Watching what this monitor watches already changes nothing."""
    assert watch(watched, monitor) is watched


@pytest.mark.parametrize("model", [LogisticRegression, Model, int])
def test_a_class_is_no_model(model, monitor):
    """Handing over the class instead of the fitted model is refused at once."""
    with pytest.raises(mm.ModelError, match=f"got the class {model.__name__}"):
        watch(model, monitor)


@pytest.mark.parametrize("model", [None, "model.pkl", {"a": 1}, np.ones(3)])
def test_what_cannot_predict_is_refused(model, monitor):
    """Something that offers no way to predict is refused, by the name of its type."""
    with pytest.raises(mm.ModelError, match=type(model).__name__):
        watch(model, monitor)


def test_nothing_outlives_model_and_monitor(profile, X, y):
    """Model, monitor and watched model are freed when nobody uses them."""
    model = make_pipeline(SimpleImputer(), LogisticRegression()).fit(X, y)
    monitor = mm.Monitor(profile)
    watched = watch(model, monitor)
    watched.predict(X)
    gone = [weakref.ref(thing) for thing in (model, monitor, watched)]
    del model, monitor, watched
    gc.collect()
    assert [thing() for thing in gone] == [None, None, None]

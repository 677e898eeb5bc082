"""What happens inside a fitted pipeline is counted, and the pipeline knows nothing of it."""

from __future__ import annotations

import logging
import pickle
import re
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn import set_config
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor, make_column_selector
from sklearn.ensemble import VotingClassifier
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer, KNNImputer, SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    RandomizedSearchCV,
    TunedThresholdClassifierCV,
)
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline, make_union
from sklearn.preprocessing import (
    FunctionTransformer,
    OneHotEncoder,
    OrdinalEncoder,
    StandardScaler,
    TargetEncoder,
)

import modelmeter.sklearn as dropins
from modelmeter import names
from modelmeter.live.recording import recording_of, serving
from modelmeter.serving.boundaries import Shadow
from serving.counted import FRAMES, monitor_of, series, total

VERSION = tuple(map(int, sklearn.__version__.split(".")[:2]))


def data(rows=80, seed=0):
    """Return two numbers and two categories, some missing."""
    random = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "temp": random.normal(50, 9, rows),
            "wind": random.normal(10, 3, rows),
            "origin": random.choice(["JFK", "LGA", "EWR"], rows),
            "carrier": random.choice(["AA", "B6"], rows),
        }
    )
    frame.loc[frame.index % 5 == 1, "temp"] = np.nan
    return frame


def fresh(rows=40, seed=1):
    """Return new data with missing numbers and unknown categories."""
    frame = data(rows, seed)
    frame.loc[frame.index % 7 == 0, "wind"] = np.nan
    frame.loc[frame.index % 4 == 0, "origin"] = "SFO"
    return frame


TARGET = np.arange(80) % 2
NUMBERS, WORDS = ["temp", "wind"], ["origin", "carrier"]


def columns(numbers=NUMBERS, words=WORDS, **options):
    """Return an unfitted column transformer that imputes, scales and encodes."""
    prepare = Pipeline([("imputer", SimpleImputer()), ("scaler", StandardScaler())])
    encode = OneHotEncoder(handle_unknown="ignore")
    return ColumnTransformer([("num", prepare, numbers), ("cat", encode, words)], **options)


def pipeline(**options):
    """Return an unfitted classifier."""
    return Pipeline([("preprocess", columns(**options)), ("model", LogisticRegression())])


def union():
    """Return a classifier that sees its columns twice."""
    both = FeatureUnion([("left", columns()), ("right", columns()), ("none", "drop")])
    return Pipeline([("both", both), ("model", LogisticRegression())])


def target_regressor():
    """Return a regressor of a transformed target."""
    inner = Pipeline([("preprocess", columns()), ("model", LinearRegression())])
    return TransformedTargetRegressor(inner)


def calibrated():
    """Return a calibrated classifier around one that is fitted."""
    from sklearn.frozen import FrozenEstimator

    return CalibratedClassifierCV(FrozenEstimator(pipeline().fit(data(), TARGET)), ensemble=False)


CONTAINERS = {
    "pipeline": pipeline,
    "pipeline in pipeline": lambda: make_pipeline(pipeline()),
    "search": lambda: GridSearchCV(pipeline(), {"model__C": [0.1, 1]}, cv=2),
    "random search": lambda: RandomizedSearchCV(pipeline(), {"model__C": [1]}, n_iter=1, cv=2),
    "columns": columns,
    "union": union,
    "passthrough": lambda: Pipeline(
        [("a", "passthrough"), ("preprocess", columns()), ("b", None), ("m", LogisticRegression())]
    ),
    "target": target_regressor,
    "fixed threshold": lambda: FixedThresholdClassifier(pipeline(), threshold=0.4),
    "tuned threshold": lambda: TunedThresholdClassifierCV(pipeline(), cv=2),
}
if VERSION >= (1, 6):
    CONTAINERS["calibrated"] = calibrated


def run(model, X):
    """Return everything that a model says of the data."""
    said = {}
    for method in ("predict", "predict_proba", "decision_function", "transform"):
        if hasattr(model, method):
            result = getattr(model, method)(X)
            said[method] = result.toarray() if sparse.issparse(result) else np.asarray(result)
    return said


def same(left, right):
    """Tell whether two models said the same, to the bit."""
    return left.keys() == right.keys() and all(np.array_equal(left[k], right[k]) for k in left)


def state_of(model):
    """Return a model's hash and pickle."""
    # joblib cannot hash the masked arrays that searches keep of their parameters.
    hashed = {name: value for name, value in vars(model).items() if name != "cv_results_"}
    return joblib.hash(hashed), pickle.dumps(model)


@pytest.fixture
def monitor():
    """Return a monitor for a model of these data."""
    return monitor_of(data())


@pytest.mark.parametrize("kind", CONTAINERS)
def test_containers_count_and_stay_as_they_are(kind, monitor):
    """In every container the counts are right, answers equal to the bit, the model untouched."""
    model = CONTAINERS[kind]().fit(data(), TARGET)
    X = fresh()
    expected = run(model, X)
    before = state_of(model)
    watched = monitor.watch(model)
    (watched.predict if hasattr(model, "predict") else watched.transform)(X)
    times = 2 if kind == "union" else 1
    assert total(monitor, names.IMPUTED, feature="temp") == X["temp"].isna().sum() * times
    assert total(monitor, names.IMPUTED, feature="wind") == X["wind"].isna().sum() * times
    unknown = (X["origin"] == "SFO").sum() * times
    assert total(monitor, names.UNKNOWN_CATEGORY, feature="origin") == unknown
    assert total(monitor, names.UNKNOWN_CATEGORY, feature="carrier") == 0
    assert same(run(watched, X), expected)
    assert state_of(model) == before
    assert total(monitor, names.FAILURES) == 0


@pytest.mark.parametrize("frame", FRAMES)
@pytest.mark.parametrize(
    "chosen",
    [
        (NUMBERS, WORDS),
        ([0, 1], [2, 3]),
        (slice(0, 2), slice(2, 4)),
        ([True, True, False, False], [False, False, True, True]),
        (np.array([0, 1]), np.array([False, False, True, True])),
        (lambda X: NUMBERS, lambda X: WORDS),
        (slice("temp", "wind"), slice("origin", "carrier")),
        ([-4, -3], [-2, -1]),
    ],
    ids=["names", "ints", "slice", "mask", "arrays", "callable", "name slice", "negative"],
)
def test_columns_keep_their_names_however_they_are_chosen(frame, chosen):
    """A count carries the name of the model's input column, whichever way it was selected."""
    monitor = monitor_of(data())
    X, new = frame(data()), frame(fresh())
    if frame is pl.DataFrame:
        X, new = (part.with_columns(pl.col("temp", "wind").fill_nan(None)) for part in (X, new))
    model = pipeline(numbers=chosen[0], words=chosen[1]).fit(X, TARGET)
    expected = model.predict_proba(new)
    assert np.array_equal(monitor.watch(model).predict_proba(new), expected)
    plain = fresh()
    assert series(monitor, names.IMPUTED) == {
        ("temp", "preprocess__num__imputer", "mean"): plain["temp"].isna().sum(),
        ("wind", "preprocess__num__imputer", "mean"): plain["wind"].isna().sum(),
    }
    assert series(monitor, names.UNKNOWN_CATEGORY) == {
        ("origin", "preprocess__cat", "ignore"): (plain["origin"] == "SFO").sum(),
        ("carrier", "preprocess__cat", "ignore"): 0,
    }


def test_columns_chosen_by_type_keep_their_names(monitor):
    """``make_column_selector`` works, and so does a remainder with an imputer."""
    transformer = ColumnTransformer(
        [("num", "passthrough", ["temp"]), ("cat", OneHotEncoder(), make_column_selector("^[oc]"))],
        remainder=KNNImputer(),
    )
    model = make_pipeline(transformer).fit(data())
    monitor.watch(model)
    step = "columntransformer__remainder"
    assert series(monitor, names.IMPUTED) == {("wind", step, "knn"): 0}
    assert [key[0] for key in series(monitor, names.UNKNOWN_CATEGORY)] == ["origin", "carrier"]


def test_arrays_take_the_profiles_names(monitor):
    """A model fitted on an array gets its columns' names from the profile, if they match it."""
    X = data()[NUMBERS].to_numpy()
    model = make_pipeline(SimpleImputer(), LogisticRegression()).fit(X, TARGET)
    known = monitor_of(data()[NUMBERS])
    known.watch(model).predict(X[:10])
    assert set(series(known, names.IMPUTED)) == {(n, "simpleimputer", "mean") for n in NUMBERS}
    monitor.watch(model).predict(X[:10])  # of four features: another model's profile
    assert {key[0] for key in series(monitor, names.IMPUTED)} == {"x0", "x1"}
    assert total(known, names.IMPUTED) == np.isnan(X[:10]).sum()


def test_every_series_is_there_at_zero(monitor):
    """From `watch` on every feature of every imputer and encoder has its series."""
    monitor.watch(pipeline().fit(data(), TARGET))
    assert series(monitor, names.IMPUTED) == {
        (feature, "preprocess__num__imputer", "mean"): 0 for feature in NUMBERS
    }
    assert series(monitor, names.UNKNOWN_CATEGORY) == {
        (feature, "preprocess__cat", "ignore"): 0 for feature in WORDS
    }


def step_id(step):
    """Name a test case alike in every process: addresses left out."""
    return re.sub(" at 0x[0-9a-f]+", "", str(step))


@pytest.mark.parametrize(
    ("imputer", "method"),
    [
        (SimpleImputer(strategy="median"), "median"),
        (SimpleImputer(strategy="most_frequent", add_indicator=True), "most_frequent"),
        (SimpleImputer(strategy="constant", fill_value=1.0), "constant"),
        (SimpleImputer(strategy=np.ma.mean), "mean"),
        (SimpleImputer(keep_empty_features=True, copy=False), "mean"),
        (KNNImputer(n_neighbors=2, add_indicator=True), "knn"),
        (IterativeImputer(max_iter=2, random_state=0, tol=1e3), "iterative"),
        (dropins.SimpleImputer(strategy="median"), "median"),
        (dropins.KNNImputer(), "knn"),
    ],
    ids=step_id,
)
@pytest.mark.parametrize("frame", [pd.DataFrame, np.asarray])
def test_imputers_count_what_they_fill_in(imputer, method, frame):
    """Each imputer counts per feature, alone as the model and as the first step of a pipeline."""
    X, new = frame(data()[NUMBERS]), frame(fresh()[NUMBERS])
    missing = np.isnan(np.asarray(new)).sum(axis=0).tolist()
    for model, step in (
        (clone(imputer), type(imputer).__name__),
        (Pipeline([("fill", clone(imputer)), ("model", LogisticRegression())]), "fill"),
    ):
        monitor = monitor_of(data()[NUMBERS])
        model.fit(X, TARGET)
        method_name = "predict" if hasattr(model, "predict") else "transform"
        expected = getattr(model, method_name)(new.copy())
        result = getattr(monitor.watch(model), method_name)(new.copy())
        assert np.array_equal(result, expected)
        found = series(monitor, names.IMPUTED, step=step, method=method)
        assert [found[name,] for name in NUMBERS] == missing
        assert total(monitor, names.FAILURES) == 0


@pytest.mark.parametrize(
    ("encoder", "method"),
    [
        (OneHotEncoder(handle_unknown="ignore"), "ignore"),
        (OneHotEncoder(handle_unknown="ignore", drop="if_binary"), "ignore"),
        (
            OneHotEncoder(handle_unknown="infrequent_if_exist", max_categories=2),
            "infrequent_if_exist",
        ),
        (
            OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
            "use_encoded_value",
        ),
        (TargetEncoder(random_state=0) if VERSION < (1, 9) else TargetEncoder(), "mean"),
        (dropins.OneHotEncoder(handle_unknown="ignore"), "ignore"),
        (
            dropins.OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
            "use_encoded_value",
        ),
    ],
    ids=step_id,
)
@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame, lambda X: X.to_numpy(object)])
def test_encoders_count_what_they_do_not_know(encoder, method, frame):
    """Each encoder counts unknown categories per feature; a missing value is not one."""
    new = fresh()[WORDS].astype(object)
    new.loc[new.index % 3 == 0, "carrier"] = None
    monitor = monitor_of(data()[WORDS])
    model = make_pipeline(clone(encoder), LogisticRegression()).fit(frame(data()[WORDS]), TARGET)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that unknown categories are encoded as zeros
        expected = model.predict_proba(frame(new))
        assert np.array_equal(monitor.watch(model).predict_proba(frame(new)), expected)
    step = type(encoder).__name__.lower()
    assert series(monitor, names.UNKNOWN_CATEGORY, step=step, method=method) == {
        ("origin",): (new["origin"] == "SFO").sum(),
        ("carrier",): 0,
    }
    encoded = total(monitor, names.ENCODED)
    assert encoded == (new.size if type(encoder).__module__.startswith("modelmeter") else None)


def test_an_encoder_that_refuses_counts_and_raises(monitor):
    """``handle_unknown='error'`` raises what it always raises; the row counts as an error."""
    model = make_pipeline(OrdinalEncoder(), LogisticRegression()).fit(data()[WORDS], TARGET)
    new = pd.DataFrame({"origin": ["SFO", "JFK"], "carrier": ["XX", "YY"]})
    with pytest.raises(ValueError, match="unknown") as expected:
        model.predict(new)
    with pytest.raises(ValueError, match="unknown") as raised:
        monitor.watch(model).predict(new)
    assert str(raised.value) == str(expected.value)
    assert total(monitor, names.UNKNOWN_CATEGORY, feature="origin") == 1
    assert total(monitor, names.UNKNOWN_CATEGORY, feature="carrier") == 2
    assert total(monitor, names.PREDICTIONS, outcome="error") == 2


def test_missing_and_unknown_words_through_an_imputer(monitor):
    """Words are imputed first, so a following encoder meets no missing value."""
    words = data()[WORDS].astype(object)
    fill = SimpleImputer(strategy="most_frequent")
    encode = dropins.OneHotEncoder(handle_unknown="ignore")
    model = make_pipeline(fill, encode, LogisticRegression()).fit(words, TARGET)
    new = pd.DataFrame({"origin": [np.nan, "SFO", "JFK"], "carrier": ["AA", np.nan, np.nan]})
    monitor.watch(model).predict(new.astype(object))
    assert total(monitor, names.IMPUTED, feature="origin") == 1
    assert total(monitor, names.IMPUTED, feature="carrier") == 2
    carrier = series(monitor, names.ENCODED, feature="carrier", step="onehotencoder")
    assert sum(carrier.values()) == 3
    assert carrier["missing",] == 0
    assert series(monitor, names.ENCODED, feature="origin", category="unknown") == {
        ("onehotencoder",): 1
    }


CELL = st.sampled_from(["JFK", "LGA", "SFO", "XXX", None])
ROWS = st.lists(
    st.tuples(st.one_of(st.none(), st.floats(0, 9)), CELL, CELL), min_size=1, max_size=25
)


@settings(max_examples=60, deadline=None)
@given(rows=ROWS, one_by_one=st.booleans())
def test_counts_equal_a_plain_count(rows, one_by_one):
    """On random rows the counts are those of numpy on the same rows, batch or row by row."""
    frame = pd.DataFrame(rows, columns=["temp", "origin", "carrier"]).astype({"temp": float})
    numbers, words = ["temp"], ["origin", "carrier"]
    monitor = monitor_of(data()[["temp", *words]])
    watched = monitor.watch(MODEL)
    parts = [frame.iloc[[i]] for i in range(len(frame))] if one_by_one else [frame]
    answers = np.concatenate([watched.predict_proba(part) for part in parts])
    assert np.array_equal(answers, np.concatenate([MODEL.predict_proba(part) for part in parts]))
    for name in numbers:
        assert total(monitor, names.IMPUTED, feature=name) == frame[name].isna().sum()
    for name in words:
        known = set(data()[name])
        unknown = sum(not pd.isna(value) and value not in known for value in frame[name])
        assert total(monitor, names.UNKNOWN_CATEGORY, feature=name) == unknown


MODEL = pipeline(numbers=["temp"]).fit(data()[["temp", *WORDS]], TARGET)


def test_names_follow_columns_through_the_steps(monitor):
    """Behind scalers, imputers and column transformers a column still has its own name."""
    model = Pipeline(
        [
            ("first", columns(remainder="passthrough").set_params(cat="passthrough")),
            ("second", ColumnTransformer([("n", KNNImputer(), [0, 1])], remainder="passthrough")),
            ("third", ColumnTransformer([("c", OrdinalEncoder(), [2, 3])], remainder="drop")),
        ]
    ).fit(data())
    monitor.watch(model)
    assert series(monitor, names.IMPUTED, step="second__n", method="knn").keys() == {
        ("temp",),
        ("wind",),
    }
    assert series(monitor, names.UNKNOWN_CATEGORY, step="third__c").keys() == {
        ("origin", "error"),
        ("carrier", "error"),
    }


def test_names_that_clash_carry_their_step(monitor):
    """Two branches that bring the same column are told apart by the branch's name."""
    both = make_union(StandardScaler(), SimpleImputer(add_indicator=True))
    model = make_pipeline(both, KNNImputer()).fit(data()[NUMBERS])
    monitor.watch(model)
    behind = series(monitor, names.IMPUTED, step="knnimputer", method="knn")
    assert {key[0] for key in behind} == {
        "standardscaler__temp",
        "standardscaler__wind",
        "simpleimputer__temp",
        "simpleimputer__wind",
        "missingindicator_temp",
    }


def test_names_nobody_knows_are_numbers(monitor):
    """Behind a step that cannot name its output, columns are x0, x1, ..."""
    double = FunctionTransformer(lambda X: np.hstack([X, X]))
    model = make_pipeline(double, SimpleImputer()).fit(data()[NUMBERS])
    monitor.watch(model).transform(data()[NUMBERS])
    assert {key[0] for key in series(monitor, names.IMPUTED)} == {"x0", "x1", "x2", "x3"}


def test_an_empty_selection_and_a_dropped_column_have_no_series(monitor):
    """Transformers of no columns are left alone, dropped columns are not counted."""
    transformer = ColumnTransformer(
        [
            ("none", SimpleImputer(), []),
            ("gone", "drop", ["wind"]),
            ("n", SimpleImputer(), ["temp"]),
        ]
    )
    monitor.watch(transformer.fit(data())).transform(data())
    assert series(monitor, names.IMPUTED).keys() == {("temp", "n", "mean")}
    assert total(monitor, names.FAILURES) == 0


CHANGES = {
    "refit": lambda model: model.fit(data(seed=5), 1 - TARGET),
    "refit of one step": lambda model: model["preprocess"].fit(data(seed=5)),
    "set_params": lambda model: model.set_params(model__fit_intercept=False),
    "another step": lambda model: model.set_params(model=LogisticRegression(C=9).fit(*encoded())),
    "fitted attribute": lambda model: setattr(
        imputer_of(model), "statistics_", imputer_of(model).statistics_ + 1
    ),
    "array in place": lambda model: imputer_of(model).statistics_.__setitem__(0, -5.0),
    "copied array in place": lambda model: copied_in_place(imputer_of(model)),
    "step in place": lambda model: model.steps.__setitem__(
        1, ("model", LogisticRegression(C=9).fit(*encoded()))
    ),
    "nested step in place": lambda model: (
        model["preprocess"]
        .named_transformers_["num"]
        .steps.__setitem__(1, ("scaler", StandardScaler().fit(data(seed=7)[NUMBERS].to_numpy())))
    ),
    "columns in place": lambda model: model["preprocess"].transformers_.__setitem__(
        0, ("num", SimpleImputer().fit(data()[NUMBERS]), NUMBERS)
    ),
    "unknown is refused": lambda model: (
        model["preprocess"].named_transformers_["cat"].set_params(handle_unknown="error")
    ),
    "output": lambda model: model["preprocess"]["cat"].set_output(transform="pandas"),
    "nothing": lambda model: None,
}


def imputer_of(model):
    """Return the fitted imputer inside a classifier."""
    return model["preprocess"].named_transformers_["num"]["imputer"]


def copied_in_place(imputer):
    """Replace what an imputer fills in by an equal array, then overwrite it."""
    imputer.statistics_ = imputer.statistics_.copy()
    imputer.statistics_[:] = -3.0


def encoded():
    """Return what the last step of a classifier is fitted on."""
    return columns().fit_transform(data()), TARGET


@pytest.mark.parametrize("change", CHANGES)
def test_a_model_that_is_changed_predicts_as_changed(change, monitor):
    """Whatever is done to the original, the watched model answers as it does from then on."""
    model = Pipeline(
        [
            ("preprocess", columns(sparse_threshold=0)),
            ("model", LogisticRegression()),
        ]
    )
    model.set_params(preprocess__cat__sparse_output=False).fit(data(), TARGET)
    watched = monitor.watch(model)
    for X in (fresh(), fresh(seed=2)):
        assert outcome(watched, X) == outcome(model, X)
    CHANGES[change](model)
    for X in (fresh(), fresh(seed=2)):
        assert outcome(watched, X) == outcome(model, X)
    rows = 2 * 40 if change == "unknown is refused" else 4 * 40
    assert total(monitor, names.PREDICTIONS, outcome="ok") == rows
    assert total(monitor, names.FAILURES) == 0


def outcome(model, X):
    """Return probabilities, or what the error says."""
    try:
        return model.predict_proba(X).tolist()
    except ValueError as error:
        return str(error)


def test_a_model_with_one_column_changed_in_place_predicts_as_changed():
    """A replaced array of one value, equal to the old one and then overwritten, is noticed."""
    X = data()[["temp"]]
    model = make_pipeline(SimpleImputer(), LogisticRegression()).fit(X, TARGET)
    watched = monitor_of(X).watch(model)
    watched.predict(X)
    imputer = model["simpleimputer"]
    imputer.statistics_ = imputer.statistics_.copy()
    watched.predict(X)
    imputer.statistics_[0] = 1e6
    assert np.array_equal(watched.predict_proba(X), model.predict_proba(X))


def test_a_model_fitted_after_watch_counts(monitor):
    """A pipeline may be watched first and fitted later, also through the watched object."""
    watched = monitor.watch(pipeline())
    assert watched.fit(data(), TARGET) is watched
    watched.predict(fresh())
    assert total(monitor, names.IMPUTED, feature="temp") == fresh()["temp"].isna().sum()


def test_counts_go_on_over_a_refit(monitor):
    """After a refit the same series go on counting, none twice."""
    model = pipeline().fit(data(), TARGET)
    watched = monitor.watch(model)
    watched.predict(fresh())
    model.fit(data(seed=9), TARGET)
    watched.predict(fresh())
    assert series(monitor, names.IMPUTED) == {
        (name, "preprocess__num__imputer", "mean"): 2 * fresh()[name].isna().sum()
        for name in NUMBERS
    }


def test_the_output_setting_of_the_model_is_followed(monitor):
    """``set_output`` on the model, before or after, changes what the watched model returns."""
    model = columns(sparse_threshold=0)
    model.set_params(cat__sparse_output=False, num__scaler="passthrough").fit(data())
    watched = monitor.watch(model)
    assert isinstance(watched.transform(data()), np.ndarray)
    model.set_output(transform=FRAMES[-1].__module__.partition(".")[0])
    assert isinstance(watched.transform(data()), FRAMES[-1])
    assert list(watched.transform(data()).columns) == list(model.transform(data()).columns)
    with sklearn.config_context(transform_output="pandas"):
        other = columns(sparse_threshold=0).set_params(cat__sparse_output=False).fit(data())
        assert isinstance(monitor.watch(other).transform(data()), pd.DataFrame)


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_parallel_columns_predict_right(backend, monitor):
    """With n_jobs the answers are right; threads count, other processes cannot."""
    model = pipeline(n_jobs=2).fit(data(), TARGET)
    X = fresh()
    expected = model.predict_proba(X)
    with joblib.parallel_config(backend=backend, n_jobs=2):
        assert np.array_equal(monitor.watch(model).predict_proba(X), expected)
    missing = X["temp"].isna().sum()
    assert total(monitor, names.IMPUTED, feature="temp") == (missing * (backend == "threading"))
    assert total(monitor, names.FAILURES) == 0


def test_copies_that_travel_are_the_originals(monitor):
    """What a shadow is made of pickles as scikit-learn's own classes, without any counts."""
    model = pipeline().fit(data(), TARGET)
    shadow = Shadow(model, recording_of(monitor)).model
    sent = pickle.dumps(shadow)
    assert b"modelmeter.live" not in sent
    arrived = pickle.loads(sent)
    assert type(imputer_of(arrived)) is SimpleImputer
    assert vars(imputer_of(arrived)).keys() == vars(imputer_of(model)).keys()
    assert np.array_equal(arrived.predict_proba(fresh()), model.predict_proba(fresh()))


def test_warnings_name_the_original_class(monitor):
    """A warning from inside reads as it does without a monitor."""
    model = make_pipeline(SimpleImputer(), LogisticRegression()).fit(data()[NUMBERS], TARGET)
    with pytest.warns(UserWarning, match="but SimpleImputer was fitted with feature names"):
        monitor.watch(model).predict(data()[NUMBERS].to_numpy())


class Quiet(OneHotEncoder, auto_wrap_output_keys=None):
    """A user's encoder: more categories, and never a frame."""

    def fit(self, X, y=None):
        """Fit to one category more."""
        return super().fit(pd.concat([X, X.assign(origin="SFO")]))


def test_subclasses_of_users_count(monitor):
    """A user's subclass counts, and behaves as the user wrote it."""
    words = data()[WORDS]
    model = make_pipeline(Quiet(handle_unknown="ignore", sparse_output=False)).fit(words)
    new = pd.DataFrame({"origin": ["SFO", "XXX"], "carrier": ["AA", "XX"]})
    watched = monitor.watch(model)
    with sklearn.config_context(transform_output="pandas"):
        assert np.array_equal(watched.transform(new), model.transform(new))
        assert type(watched.transform(new)) is type(model.transform(new)) is np.ndarray
    assert total(monitor, names.UNKNOWN_CATEGORY, feature="origin") == 2  # two calls, one each


def test_what_cannot_be_looked_into_is_watched_without(monitor, caplog):
    """Several models that vote are watched as a whole, and the log says what is not counted."""
    model = VotingClassifier([("a", pipeline()), ("b", pipeline())]).fit(data(), TARGET)
    with caplog.at_level(logging.WARNING, "modelmeter"):
        watched = monitor.watch(model)
        for _ in range(3):
            assert np.array_equal(watched.predict(fresh()), model.predict(fresh()))
            model.weights = None  # the shadow is made anew
        monitor.watch(make_pipeline(model))
    assert len(caplog.records) == 1
    assert "of a VotingClassifier" in caplog.text
    assert "a__preprocess__num__imputer" in caplog.text
    assert total(monitor, names.IMPUTED) is None
    assert total(monitor, names.PREDICTIONS) == 120


def test_drop_ins_count_where_nobody_can_look(monitor):
    """Drop-ins inside a container of unknown kind count through the context."""
    inner = Pipeline(
        [
            ("pick", ColumnTransformer([("n", dropins.SimpleImputer(), NUMBERS)])),
            ("model", LogisticRegression()),
        ]
    )
    model = VotingClassifier([("a", inner)]).fit(data(), TARGET)
    monitor.watch(model).predict(fresh())
    assert total(monitor, names.IMPUTED, feature="temp") == fresh()["temp"].isna().sum()


def test_drop_ins_count_inside_a_plain_function(monitor):
    """A watched function that calls a pipeline of drop-ins counts what they do."""
    fill = dropins.SimpleImputer().fit(data()[NUMBERS])

    def model(X):
        return fill.transform(X[NUMBERS]).sum(axis=1)

    monitor.watch(model)(fresh())
    model(fresh())
    assert series(monitor, names.IMPUTED, step="SimpleImputer", method="mean") == {
        (name,): fresh()[name].isna().sum() for name in NUMBERS
    }


def test_drop_ins_of_a_watched_model_count_once_while_serving(monitor):
    """Around a watched model ``serving`` adds nothing."""
    model = make_pipeline(dropins.SimpleImputer(), LogisticRegression())
    model.fit(data()[NUMBERS], TARGET)
    watched = monitor.watch(model)
    with serving(monitor):
        watched.predict(fresh()[NUMBERS])
    assert total(monitor, names.IMPUTED) == fresh()[NUMBERS].isna().sum().sum()
    assert {key[1] for key in series(monitor, names.IMPUTED)} == {"simpleimputer"}


def test_a_failure_to_look_inside_leaves_the_rest(monitor, monkeypatch, caplog):
    """When the boundaries cannot be built, the model is watched without, and the log says so."""
    monkeypatch.setattr("modelmeter.serving.boundaries.make_tally", lambda *_: 1 / 0)
    model = pipeline().fit(data(), TARGET)
    watched = monitor.watch(model)
    assert np.array_equal(watched.predict(fresh()), model.predict(fresh()))
    assert total(monitor, names.FAILURES, where="watch") == 1
    assert total(monitor, names.PREDICTIONS, outcome="ok") == 40
    assert len(caplog.records) == 1


def test_metadata_routing_works(monitor):
    """With metadata routing on, pipelines predict through the boundaries as without them."""
    model = pipeline().fit(data(), TARGET)
    expected = model.predict_proba(fresh())
    set_config(enable_metadata_routing=True)
    try:
        assert np.array_equal(monitor.watch(model).predict_proba(fresh()), expected)
    finally:
        set_config(enable_metadata_routing=False)
    assert total(monitor, names.IMPUTED) > 0


def test_threads_count_every_value(monitor):
    """Threads that predict at once, while the model is refitted, lose and invent no count."""
    model = pipeline().fit(data(), TARGET)
    watched = monitor.watch(model)
    X = fresh(10)
    stop = threading.Event()

    def disturb():
        while not stop.is_set():
            imputer = imputer_of(model)
            imputer.statistics_ = imputer.statistics_.copy()

    disturber = threading.Thread(target=disturb)
    disturber.start()
    try:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda _: watched.predict(X.copy()), range(60)))
    finally:
        stop.set()
        disturber.join()
    assert total(monitor, names.IMPUTED, feature="temp") == 60 * X["temp"].isna().sum()
    unknown = 60 * (X["origin"] == "SFO").sum()
    assert total(monitor, names.UNKNOWN_CATEGORY, feature="origin") == unknown

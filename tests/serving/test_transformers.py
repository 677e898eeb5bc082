"""The drop-in transformers: scikit-learn's to the bit, counting only while one is serving."""

from __future__ import annotations

import copy
import inspect
import pickle
import re
import warnings
from unittest import SkipTest

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn import impute, preprocessing
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.exceptions import InconsistentVersionWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from modelmeter import names
from modelmeter import sklearn as dropins
from modelmeter.live.recording import paused, serving
from serving.counted import monitor_of, series, total

CLASSES = [getattr(dropins, name) for name in dropins.__all__]
ENCODERS = [dropins.OneHotEncoder, dropins.OrdinalEncoder]


def parent_of(cls):
    """Return the class of scikit-learn that a drop-in takes over."""
    module = impute if "Imputer" in cls.__name__ else preprocessing
    return getattr(module, cls.__name__)


def dense(result):
    """Return a result as a plain array."""
    return result.toarray() if sparse.issparse(result) else np.asarray(result)


@pytest.fixture
def cities():
    """Return two columns of words, one with missing values."""
    return pd.DataFrame(
        {"city": ["JFK", "LGA", "EWR", None] * 10, "zone": ["a", "b", "a", "b"] * 10}
    )


@pytest.fixture
def monitor(cities):
    """Return a monitor for a model of these data."""
    return monitor_of(cities)


@parametrize_with_checks([cls() for cls in CLASSES])
def test_scikit_learns_own_checks_pass(estimator, check):
    """Every check that scikit-learn has for its own transformers passes, none is let off."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            check(estimator)
        except SkipTest as skipped:  # the array API, without the libraries for it
            with pytest.raises(SkipTest, match=re.escape(str(skipped))):
                check(parent_of(type(estimator))())


@pytest.mark.parametrize("cls", CLASSES)
def test_parameters_and_signatures_are_those_of_the_parent(cls):
    """A drop-in has its parent's parameters, method signatures and repr."""
    parent = parent_of(cls)
    assert cls().get_params().keys() == parent().get_params().keys()
    assert repr(cls()) == repr(parent())
    for method in ("__init__", "fit", "transform", "fit_transform", "get_feature_names_out"):
        assert [*inspect.signature(getattr(cls, method)).parameters] == [
            *inspect.signature(getattr(parent, method)).parameters
        ], method


@pytest.mark.parametrize("cls", CLASSES)
def test_diagrams_link_to_scikit_learns_documentation(cls):
    """The HTML diagram works and links to the page of the class taken over."""
    assert cls()._get_doc_link() == parent_of(cls)()._get_doc_link() != ""
    assert cls.__name__ in cls()._repr_html_()


@pytest.mark.parametrize("counting", [False, True])
@pytest.mark.parametrize(
    ("cls", "parameters"),
    [
        (dropins.OneHotEncoder, {"handle_unknown": "ignore"}),
        (dropins.OneHotEncoder, {"handle_unknown": "infrequent_if_exist", "min_frequency": 5}),
        (dropins.OneHotEncoder, {"handle_unknown": "ignore", "sparse_output": False}),
        (
            dropins.OrdinalEncoder,
            {"handle_unknown": "use_encoded_value", "unknown_value": -1, "max_categories": 3},
        ),
    ],
)
@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame, np.asarray])
def test_encoders_give_what_scikit_learn_gives(cls, parameters, frame, counting, monitor):
    """Encoded data are equal to the bit, with or without a monitor, from any kind of frame."""
    random = np.random.default_rng(3)
    X = pd.DataFrame({c: random.choice(list("abcdxyz"), 60).astype(object) for c in "uvw"})
    new = pd.DataFrame({c: random.choice([*"abq", None], 50).astype(object) for c in "uvw"})
    X, new = (frame(part) for part in (X, new))
    ours, theirs = cls(**parameters).fit(X), parent_of(cls)(**parameters).fit(X)
    if counting:
        with serving(monitor):
            result = ours.transform(new)
        assert total(monitor, names.UNKNOWN_CATEGORY) > 0
    else:
        result = ours.transform(new)
        assert total(monitor, names.UNKNOWN_CATEGORY) is None
    expected = theirs.transform(new)
    assert type(result) is type(expected)
    assert dense(result).dtype == dense(expected).dtype
    assert np.array_equal(dense(result), dense(expected))


@pytest.mark.parametrize("counting", [False, True])
@pytest.mark.parametrize(
    ("cls", "parameters"),
    [
        (dropins.SimpleImputer, {"strategy": "median"}),
        (dropins.SimpleImputer, {"strategy": "constant", "fill_value": 7.0, "add_indicator": True}),
        (dropins.KNNImputer, {"n_neighbors": 3}),
        (dropins.KNNImputer, {"weights": "distance", "add_indicator": True}),
    ],
)
@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame, np.asarray])
def test_imputers_give_what_scikit_learn_gives(cls, parameters, frame, counting, monitor):
    """Imputed data are equal to the bit, with or without a monitor, from any kind of frame."""
    random = np.random.default_rng(4)
    X = random.normal(size=(60, 3))
    X[random.random(X.shape) < 0.2] = np.nan
    X = frame(pd.DataFrame(X, columns=["u", "v", "w"]))
    ours, theirs = cls(**parameters).fit(X), parent_of(cls)(**parameters).fit(X)
    if counting:
        with serving(monitor):
            result = ours.transform(X)
        assert total(monitor, names.IMPUTED) == np.isnan(np.asarray(X)).sum()
    else:
        result = ours.transform(X)
    assert np.array_equal(result, theirs.transform(X))


@pytest.mark.parametrize("output", ["pandas", "polars", "default"])
def test_set_output_works(output, cities):
    """``set_output`` chooses the kind of frame as it does for scikit-learn's classes."""
    made = [
        make_pipeline(
            cls.SimpleImputer(strategy="most_frequent"),
            cls.OneHotEncoder(sparse_output=False),
        ).set_output(transform=output)
        for cls in (dropins, Originals)
    ]
    frame = cities.fillna(np.nan)
    ours, theirs = (pipeline.fit_transform(frame) for pipeline in made)
    assert type(ours) is type(theirs)
    assert list(getattr(ours, "columns", [])) == list(getattr(theirs, "columns", []))


class Originals:
    """The same classes of scikit-learn."""

    SimpleImputer = impute.SimpleImputer
    OneHotEncoder = preprocessing.OneHotEncoder


@pytest.mark.parametrize("cls", CLASSES)
def test_clones_and_pickles_are_drop_ins(cls):
    """Clones, copies and pickles keep class, parameters and fitted attributes."""
    X = np.array([[1.0, 2.0], [3.0, 4.0], [1.0, 4.0]])
    fitted = cls().fit(X)
    assert type(clone(fitted)) is cls
    for copied in (copy.deepcopy(fitted), pickle.loads(pickle.dumps(fitted))):
        assert type(copied) is cls
        assert vars(copied).keys() == vars(fitted).keys()
        assert np.array_equal(dense(copied.transform(X)), dense(fitted.transform(X)))


def test_pickles_name_the_public_module():
    """A pickle refers to ``modelmeter.sklearn``, which does not move."""
    assert b"modelmeter.sklearn" in pickle.dumps(dropins.OneHotEncoder())
    assert b"modelmeter.serving" not in pickle.dumps(dropins.OneHotEncoder())


def test_a_pickle_of_another_scikit_learn_warns():
    """Loading a pickle made with another version of scikit-learn warns, as for its own classes."""
    encoder = dropins.OneHotEncoder()
    state = {**encoder.__getstate__(), "_sklearn_version": "1.5.0"}
    with pytest.warns(InconsistentVersionWarning, match=r"OneHotEncoder from version 1\.5\.0"):
        encoder.__setstate__(state)
    assert "_sklearn_version" not in vars(encoder)
    assert encoder.__getstate__()["_sklearn_version"] == sklearn.__version__


def test_counts_need_a_monitor(cities, monitor):
    """Transforming counts inside ``serving`` only."""
    encoder = dropins.OneHotEncoder().fit(cities)
    encoder.transform(cities)
    assert total(monitor, names.ENCODED) is None
    with serving(monitor):
        encoder.transform(cities)
    encoder.transform(cities)
    assert total(monitor, names.ENCODED) == cities.size


def test_missing_and_unknown_are_told_apart(cities, monitor):
    """Missing values have a series of their own, whether fit had met one or not."""
    encoder = dropins.OneHotEncoder(handle_unknown="ignore").fit(cities)
    new = pd.DataFrame({"city": ["JFK", "SFO", None, np.nan], "zone": ["a", "z", None, "b"]})
    with serving(monitor):
        encoder.transform(new)
    step = "OneHotEncoder"
    city = series(monitor, names.ENCODED, feature="city", step=step)
    zone = series(monitor, names.ENCODED, feature="zone", step=step)
    assert (city["JFK",], city["unknown",], city["missing",]) == (1, 1, 2)
    assert (zone["a",], zone["b",], zone["unknown",], zone["missing",]) == (1, 1, 1, 1)
    assert series(monitor, names.UNKNOWN_CATEGORY, step=step, method="ignore") == {
        ("city",): 1,
        ("zone",): 1,
    }


def test_pandas_na_is_missing(monitor):
    """``pd.NA`` in a nullable column counts as missing."""
    encoder = dropins.OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    encoder.fit(pd.DataFrame({"city": pd.array(["JFK", "LGA"], dtype="string")}))
    with serving(monitor):
        encoder.transform(pd.DataFrame({"city": pd.array(["JFK", pd.NA, "SFO"], dtype="string")}))
    found = series(monitor, names.ENCODED, feature="city", step="OrdinalEncoder")
    assert (found["JFK",], found["missing",], found["unknown",]) == (1, 1, 1)


@pytest.mark.parametrize("cls", ENCODERS)
def test_refusing_unknown_categories_counts_them_and_raises(cls, cities, monitor):
    """With ``handle_unknown='error'`` the same error is raised, and all columns are counted."""
    encoder, parent = cls().fit(cities), parent_of(cls)().fit(cities)
    new = pd.DataFrame({"city": ["SFO", "JFK"], "zone": ["z", "q"]})
    with pytest.raises(ValueError, match="Found unknown categories") as theirs:
        parent.transform(new)
    with serving(monitor), pytest.raises(ValueError, match="Found unknown categories") as ours:
        encoder.transform(new)
    assert str(ours.value) == str(theirs.value)
    assert ours.value.__context__ is None
    counts = series(monitor, names.UNKNOWN_CATEGORY, step=cls.__name__, method="error")
    assert counts == {("city",): 1, ("zone",): 2}
    assert total(monitor, names.FAILURES) == 0


def test_other_errors_count_nothing(cities, monitor):
    """Data that an encoder cannot read raise as ever and leave no count and no failure."""
    encoder = dropins.OneHotEncoder().fit(cities)
    with serving(monitor), pytest.raises(ValueError, match="feature"):
        encoder.transform(cities.assign(more=1))
    assert total(monitor, names.ENCODED) == 0
    assert total(monitor, names.FAILURES) == 0


def test_categories_are_those_of_the_profile(monitor):
    """A feature in the profile has series for the profile's bins, all else is ``other``."""
    encoder = dropins.OneHotEncoder().fit(pd.DataFrame({"city": ["JFK", "rare", "LGA", "odd"]}))
    with serving(monitor):
        encoder.transform(pd.DataFrame({"city": ["JFK", "rare", "odd", "JFK"]}))
    assert series(monitor, names.ENCODED, feature="city", step="OneHotEncoder") == {
        ("JFK",): 2,
        ("LGA",): 0,
        ("other",): 2,
        ("missing",): 0,
        ("unknown",): 0,
    }


def test_hostile_values_make_no_series(monitor):
    """However many categories training or traffic bring, the number of series is bounded."""
    training = pd.DataFrame({"id": [f"id-{i:04}" for i in range(1000)]})
    encoder = dropins.OneHotEncoder(handle_unknown="ignore").fit(training)
    with serving(monitor):
        encoder.transform(training)
        before = series(monitor, names.ENCODED)
        for value in ("x" * 10_000, 'a"b\n{}', "\ud800", 3, ("t",), b"b", float("nan")):
            odd = pd.DataFrame({"id": pd.Series([value], dtype=object)})
            encoder.transform(odd)
    after = series(monitor, names.ENCODED)
    assert before.keys() == after.keys()
    assert len(after) == 20 + 3
    assert after["id", "OneHotEncoder", "other"] == 980
    assert after["id", "OneHotEncoder", "unknown"] == 6
    assert after["id", "OneHotEncoder", "missing"] == 1
    assert total(monitor, names.FAILURES) == 0


def test_category_named_like_a_series_of_ours_is_renamed(monitor):
    """Training values 'unknown', 'missing' and 'other' do not mix with what they look like."""
    frame = pd.DataFrame({"word": ["unknown", "missing", "other"]})
    encoder = dropins.OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    encoder.fit(frame)
    with serving(monitor):
        encoder.transform(frame)
    assert series(monitor, names.ENCODED, feature="word", step="OrdinalEncoder") == {
        ("missing (category)",): 1,
        ("other (category)",): 1,
        ("unknown (category)",): 1,
        ("other",): 0,
        ("missing",): 0,
        ("unknown",): 0,
    }


def test_categories_that_the_encoder_lumps_together_are_other(monitor):
    """Categories too rare for a column of their own are too rare for a series of their own."""
    frame = pd.DataFrame({"word": ["often"] * 9 + ["once", "twice", "twice"]})
    encoder = dropins.OneHotEncoder(min_frequency=5, handle_unknown="infrequent_if_exist")
    encoder.fit(frame)
    with serving(monitor):
        encoder.transform(pd.DataFrame({"word": ["often", "once", "twice", "new"]}))
    assert series(monitor, names.ENCODED, feature="word", step="OneHotEncoder") == {
        ("often",): 1,
        ("other",): 2,
        ("missing",): 0,
        ("unknown",): 1,
    }


VALUES = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c", "new", None, float("nan")]),
        st.sampled_from([1, 2, 3, 99]),
    ),
    min_size=1,
    max_size=40,
)


@settings(deadline=None)
@given(rows=VALUES, cls=st.sampled_from(ENCODERS), whole=st.booleans(), lump=st.booleans())
def test_encoder_counts_equal_a_plain_count(rows, cls, whole, lump):
    """Categories, missing and unknown are counted as a loop over the cells would count them."""
    training = pd.DataFrame({"word": [*"aaabbc"], "size": [1, 1, 1, 2, 2, 3]})
    monitor = monitor_of(training, name="plain")
    unknown = "infrequent_if_exist" if lump else "ignore"
    parameters = {"handle_unknown": unknown}
    if cls is dropins.OrdinalEncoder:
        parameters = {"handle_unknown": "use_encoded_value", "unknown_value": -1}
    encoder = cls(**parameters, min_frequency=2 if lump else None).fit(training)
    new = pd.DataFrame(rows, columns=["word", "size"]).astype({"word": object})
    with serving(monitor):
        for part in [new] if whole else [new.iloc[[i]] for i in range(len(new))]:
            encoder.transform(part)
    for feature in training:
        found = series(monitor, names.ENCODED, feature=feature, step=cls.__name__)
        expected = dict.fromkeys(found, 0)
        for value in new[feature]:
            if pd.isna(value):
                expected["missing",] += 1
            elif value not in set(training[feature]):
                expected["unknown",] += 1
            elif (str(value),) in expected:
                expected[str(value),] += 1
            else:
                expected["other",] += 1
        assert found == expected


@settings(deadline=None)
@given(
    missing=st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=30),
    cls=st.sampled_from([dropins.SimpleImputer, dropins.KNNImputer]),
    indicator=st.booleans(),
)
def test_imputer_counts_equal_a_plain_count(missing, cls, indicator):
    """Every value filled in is counted once, with the imputer's name and method."""
    training = pd.DataFrame({"u": [1.0, 2.0, np.nan, 4.0], "v": [1.0, np.nan, 3.0, 4.0]})
    monitor = monitor_of(training, name="plain")
    imputer = cls(add_indicator=indicator).fit(training)
    mask = np.array(missing)
    X = pd.DataFrame(np.where(mask, np.nan, 1.5), columns=["u", "v"])
    with serving(monitor):
        imputer.transform(X)
    method = "mean" if cls is dropins.SimpleImputer else "knn"
    found = series(monitor, names.IMPUTED, step=cls.__name__, method=method)
    assert [found.get((f,), 0) for f in "uv"] == mask.sum(axis=0).tolist()


@pytest.mark.parametrize("kind", ["csr", "csc"])
def test_sparse_input_is_counted(kind, monitor):
    """Missing values in a sparse matrix are counted."""
    X = sparse.csc_array(np.array([[1.0, 0.0], [np.nan, 2.0], [np.nan, np.nan]])).asformat(kind)
    imputer = dropins.SimpleImputer().fit(X)
    with serving(monitor):
        imputer.transform(X)
    assert series(monitor, names.IMPUTED, step="SimpleImputer", method="mean") == {
        ("x0",): 2,
        ("x1",): 1,
    }


def test_columns_that_leave_the_imputer_have_no_count(monitor):
    """A column that was empty in training is dropped, not filled in, unless told otherwise."""
    X = pd.DataFrame({"full": [1.0, 2.0], "empty": [np.nan, np.nan]})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        drops = dropins.SimpleImputer().fit(X)
        keeps = dropins.KNNImputer(keep_empty_features=True).fit(X)
        with serving(monitor):
            drops.transform(X)
            keeps.transform(X)
    assert series(monitor, names.IMPUTED, step="SimpleImputer", method="mean") == {("full",): 0}
    assert series(monitor, names.IMPUTED, step="KNNImputer", method="knn") == {
        ("full",): 0,
        ("empty",): 2,
    }


def test_a_refitted_drop_in_counts_as_it_is_now(cities, monitor):
    """After another fit, categories are counted under their new names."""
    encoder = dropins.OrdinalEncoder().fit(cities[["zone"]])
    with serving(monitor):
        encoder.transform(cities[["zone"]])
    encoder.fit(pd.DataFrame({"zone": ["b", "c"]}))
    with serving(monitor):
        encoder.transform(pd.DataFrame({"zone": ["b", "c", "c"]}))
    found = series(monitor, names.ENCODED, feature="zone", step="OrdinalEncoder")
    assert (found["b",], found["other",]) == (21, 2)


def test_fitting_while_serving_counts_nothing(cities, monitor):
    """Fit, fit_transform, searches and cross-validation count nothing, even while serving."""
    y = np.arange(len(cities)) % 2
    pipeline = make_pipeline(
        make_column_transformer(
            (
                make_pipeline(
                    dropins.SimpleImputer(strategy="most_frequent"),
                    dropins.OneHotEncoder(handle_unknown="ignore"),
                ),
                ["city", "zone"],
            )
        ),
        LogisticRegression(),
    )
    frame = cities.fillna(np.nan)
    with serving(monitor):
        pipeline.fit(frame, y)
        dropins.OneHotEncoder().fit_transform(cities)
        dropins.SimpleImputer(strategy="most_frequent").fit_transform(frame)
        cross_val_score(pipeline, frame, y, cv=2)
        cross_val_predict(pipeline, frame, y, cv=2)
        GridSearchCV(pipeline, {"logisticregression__C": [1, 2]}, cv=2).fit(frame, y)
    assert (total(monitor, names.ENCODED), total(monitor, names.IMPUTED)) == (None, None)


def test_what_was_fitted_while_serving_counts_afterwards(cities, monitor):
    """A transformer that is fitted in one block of serving counts in the next."""
    encoder = dropins.OneHotEncoder()
    with serving(monitor):
        encoder.fit_transform(cities)
        encoder.transform(cities)
    assert total(monitor, names.ENCODED) is None
    with serving(monitor):
        encoder.transform(cities)
    assert total(monitor, names.ENCODED) == cities.size


def test_paused_counts_nothing(cities, monitor):
    """Inside ``paused`` a drop-in is scikit-learn's transformer."""
    encoder = dropins.OneHotEncoder().fit(cities)
    with serving(monitor), paused():
        encoder.transform(cities)
    assert total(monitor, names.ENCODED) is None


def test_a_failure_of_the_count_leaves_the_transform_alone(cities, monitor, monkeypatch):
    """A fault in counting is counted itself and changes nothing for the caller."""
    encoder = dropins.OneHotEncoder().fit(cities)
    imputer = dropins.SimpleImputer().fit([[1.0], [np.nan]])
    expected = encoder.transform(cities).toarray()
    monkeypatch.setattr("modelmeter.live.recording.Cells.add", lambda *_: 1 / 0)
    with serving(monitor):
        assert np.array_equal(encoder.transform(cities).toarray(), expected)
        assert imputer.transform([[np.nan]]) == [[1.0]]
    assert total(monitor, names.FAILURES, where="transformers") == 2


@pytest.mark.parametrize("name", dropins.__all__)
def test_tables_survive_joblib(name, tmp_path):
    """A drop-in is saved and loaded by joblib like any estimator."""
    X = np.array([[1.0], [2.0]])
    fitted = getattr(dropins, name)().fit(X)
    joblib.dump(fitted, tmp_path / "fitted.joblib")
    assert joblib.hash(joblib.load(tmp_path / "fitted.joblib")) == joblib.hash(fitted)

"""A model's importances are brought back to its inputs, as shares of one."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import FixedThresholdClassifier, GridSearchCV
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.svm import SVC

import modelmeter as mm
from modelmeter.profile.importance import feature_importances

RANDOM = np.random.default_rng(4)
X = pd.DataFrame(
    {
        "hour": RANDOM.normal(size=300),
        "hour_of_day": RANDOM.normal(size=300) * 1000,
        "city": RANDOM.choice(["JFK", "LGA"], 300),
    }
)
Y = X["hour_of_day"] + RANDOM.normal(size=300) > 0
NUMBERS = ["hour", "hour_of_day"]


def columns(final):
    """Return a pipeline over the three columns."""
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    parts = [("num", numbers, NUMBERS), ("cat", OneHotEncoder(), ["city"])]
    return make_pipeline(ColumnTransformer(parts), final)


MODELS = {
    "forest": columns(RandomForestClassifier(20, random_state=0)),
    "boosting": columns(GradientBoostingClassifier(n_estimators=5)),
    "linear": columns(LogisticRegression()),
    "search": GridSearchCV(columns(LogisticRegression()), {}, cv=2),
    "search inside": columns(GridSearchCV(LogisticRegression(), {}, cv=2)),
    "threshold": FixedThresholdClassifier(columns(LogisticRegression())),
}


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_shares(model):
    """Shares sum to one, name every input, and are largest for what decides."""
    profile = mm.Profile.build(model.fit(X, Y), X, name="m", version="1")
    shares = {f.name: f.importance for f in profile.features}
    assert list(shares) == list(X)
    assert sum(shares.values()) == pytest.approx(1)
    assert max(shares, key=shares.get) == "hour_of_day"


def test_units_do_not_count():
    """Coefficients on raw columns are weighed by the columns' spread, booleans' too."""
    raw = X[NUMBERS].assign(flag=X["hour"] > 0, tiny=X["hour"] / 1e6)
    model = Ridge(alpha=0).fit(raw[["flag", "tiny"]], X["hour"])
    profile = mm.Profile.build(model, raw[["flag", "tiny"]], name="m", version="1")
    flag, tiny = (f.importance for f in profile.features)
    assert flag + tiny == pytest.approx(1)
    assert tiny > 0.9
    model = Ridge().fit(raw[["flag"]], X["hour"])
    profile = mm.Profile.build(model, raw[["flag"]], name="m", version="1")
    assert profile.features[0].importance == 1


@pytest.mark.parametrize(
    "model",
    [
        columns(SVC()),
        make_pipeline(FunctionTransformer(lambda X: X[NUMBERS]), LogisticRegression()),
        make_pipeline(FeatureUnion([("x", FunctionTransformer())]), SVC()),
    ],
)
def test_no_importances(model):
    """A model that has none, or whose steps do not name their outputs, gives none."""
    frame = X if "columntransformer" in model.named_steps else X[NUMBERS]
    model.fit(frame, Y)
    assert feature_importances(model, list(frame), {}) == {}
    assert feature_importances(len, ["a"], {}) == {}


def test_names_that_begin_alike():
    """A column that begins with another's name is not taken for it."""
    model = columns(LogisticRegression()).fit(X.assign(hour=0.0), Y)
    assert feature_importances(model, list(X), {})["hour"] == 0


class Broken:
    """Has importances that are no numbers."""

    feature_importances_ = np.asarray([np.nan, 1.0])


def test_broken_importances():
    """Importances that are no numbers, or of another length, are left out."""
    assert feature_importances(Broken(), ["a", "b"], {}) == {}
    assert feature_importances(Broken(), ["a"], {}) == {}

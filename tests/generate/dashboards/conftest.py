"""Profiles of every kind of model, and their dashboards."""

from __future__ import annotations

from dataclasses import replace

import pytest

from generate.conftest import make_profile
from generate.dashboards.services import ODD, ODD_MODEL
from modelmeter.generate.dashboards import boards
from modelmeter.generate.settings import Settings
from modelmeter.profile.profile import ModelFacts

SETTINGS = Settings(windows=("1h", "24h", "7d"), keep_labels=("cluster",))


def of_task(name, task, classes, outputs):
    """Return a profile of another kind of model, with some of the outputs."""
    profile = make_profile()
    predictions = tuple(one for one in profile.predictions if one.name in outputs)
    if task == "regression":
        predictions = (replace(profile.predictions[1], name="y_pred"),)
    facts = ModelFacts("sklearn.Pipeline", task, classes)
    return replace(profile, name=name, model=facts, predictions=predictions)


@pytest.fixture(scope="session")
def profiles():
    """One profile of every kind; the first has names full of signs, the last no predictions."""
    odd = make_profile()
    feature = replace(odd.features[0], name=ODD, importance=0.9)
    return [
        replace(odd, name=ODD_MODEL, features=(*odd.features, feature)),
        of_task("hard", "binary", ("no", "yes"), ("y_pred",)),
        of_task("three", "multiclass", ("a", "b", "c"), ("y_pred", "y_score")),
        of_task("amount", "regression", (), ("y_pred",)),
        of_task("clusters", "other", (), ()),
    ]


@pytest.fixture(scope="session")
def all_boards(profiles):
    """The dashboards as plain data: the overview, then the models by name."""
    return boards(profiles, SETTINGS)

"""Tests of modelmeter.demo.model."""

import shutil
from pathlib import Path

import joblib
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split

import modelmeter as mm
from modelmeter.demo import cache, model
from modelmeter.demo.flights import FEATURES, Flights
from modelmeter.demo.model import Trained


@pytest.fixture(scope="module")
def halves(training: Flights) -> tuple[Flights, Flights]:
    """Return the known flights of training in two random parts, three to one."""
    known = training.with_outcome()
    rows = np.arange(len(known))
    first, _ = train_test_split(rows, test_size=0.25, random_state=0)
    chosen = np.isin(rows, first)
    mask = known.late.notna()
    return known.where(mask & chosen), known.where(mask & ~chosen)


def test_auc_out_of_sample(halves: tuple[Flights, Flights]):
    """On flights that it was not trained on, of the training months, the AUC is about 0.75."""
    first, rest = halves
    scores = model.fit(first).predict_proba(rest.X)[:, 1]
    assert roc_auc_score(rest.late, scores) == pytest.approx(0.75, abs=0.01)


def test_training_is_deterministic(halves: tuple[Flights, Flights]):
    """Two trainings on the same flights give bit-identical scores."""
    rest = halves[1]
    some = rest.where(rest.late.index.to_series() < 5_000)
    once, twice = (model.fit(some).predict_proba(some.X[:2_000]) for _ in range(2))
    assert (once == twice).all()


def test_auc_decays_in_production(trained: Trained, production: Flights):
    """On the flights of April to December the AUC is lower: about 0.70."""
    known = production.with_outcome()
    scores = trained.model.predict_proba(known.X)[:, 1]
    assert roc_auc_score(known.late, scores) == pytest.approx(0.70, abs=0.01)


def test_never_seen_and_missing_values_are_predicted(trained: Trained, production: Flights):
    """A new destination, and a flight without any weather, get a score."""
    row = production.X[:1].copy()
    row["dest"] = "XXX"
    row[["temp", "pressure", "wind_gust"]] = np.nan
    assert 0 < trained.model.predict_proba(row)[0, 1] < 1


def test_profile_is_that_of_training(trained: Trained):
    """The profile knows the features in order, the rows, and what the model answers."""
    profile = trained.profile
    assert (profile.name, profile.version, profile.rows) == ("flight-delay", "1", 77_911)
    assert tuple(feature.name for feature in profile.features) == FEATURES
    assert [output.name for output in profile.predictions] == ["y_pred", "y_score"]


def test_save_writes_what_the_app_reads(trained: Trained, tmp_path: Path, production: Flights):
    """Model and profile written by the command line come back the same."""
    assert model.main([str(tmp_path / "new")]) == 0
    again = joblib.load(tmp_path / "new" / "flight-delay.joblib")
    X = production.X[:500]
    assert (again.predict_proba(X) == trained.model.predict_proba(X)).all()
    assert mm.Profile.load(tmp_path / "new" / "flight-delay.profile.json").rows == 77_911


def test_second_time_comes_from_the_cache(trained: Trained, monkeypatch: pytest.MonkeyPatch):
    """A model that was trained before is neither trained nor profiled again."""
    monkeypatch.setattr(model, "fit", None)
    monkeypatch.setattr(model, "profile_of", None)
    again = model.trained()
    assert again.model.classes_.tolist() == [0, 1]
    assert again.profile.hash == trained.profile.hash


def test_other_profile_code_makes_another_profile(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """When the code that builds profiles has changed the cached model is profiled again."""
    shutil.copytree(cache.directory(), tmp_path / "modelmeter")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for path in (tmp_path / "modelmeter").glob("*.profile.json"):
        path.unlink()
    monkeypatch.setattr(model, "fit", None)
    monkeypatch.setattr(model, "profile_of", lambda fitted, known: trained.profile)
    assert model.trained().profile.hash == trained.profile.hash
    assert list((tmp_path / "modelmeter").glob("*.profile.json"))

"""Models are loaded from files and modules, or refused with a reason."""

from __future__ import annotations

import logging
import pickle
import re

import joblib
import numpy as np
import pytest
import skops.io
from sklearn.linear_model import LogisticRegression

from modelmeter import ModelError
from modelmeter.serving.load import load_model

X = np.arange(20.0).reshape(-1, 1)


@pytest.fixture
def fitted():
    return LogisticRegression().fit(X, X[:, 0] > 9)


@pytest.mark.parametrize(
    ("suffix", "dump"),
    [
        (".joblib", joblib.dump),
        (".pkl", lambda model, path: path.write_bytes(pickle.dumps(model))),
        (".skops", skops.io.dump),
    ],
)
def test_a_file_gives_the_model_back(fitted, tmp_path, suffix, dump):
    """A model from a joblib, pickle or skops file predicts as the one saved."""
    path = tmp_path / f"model{suffix}"
    dump(fitted, path)
    loaded = load_model(str(path))
    assert loaded.predict_proba(X).tobytes() == fitted.predict_proba(X).tobytes()


def test_a_pickle_comes_with_a_warning(fitted, tmp_path, caplog):
    """Loading a joblib file says that it executes code; a skops file says nothing."""
    joblib.dump(fitted, tmp_path / "m.joblib")
    skops.io.dump(fitted, tmp_path / "m.skops")
    with caplog.at_level(logging.WARNING, "modelmeter"):
        load_model(str(tmp_path / "m.skops"))
        assert not caplog.records
        load_model(str(tmp_path / "m.joblib"))
    assert "executes code" in caplog.text


class Stranger(LogisticRegression):
    """A type that skops does not trust by itself."""


def test_skops_loads_trusted_types_only(tmp_path):
    """A type that is not trusted is refused by name, and loaded once it is trusted."""
    path = tmp_path / "m.skops"
    skops.io.dump(Stranger().fit(X, X[:, 0] > 9), path)
    name = f"{Stranger.__module__}.Stranger"
    with pytest.raises(ModelError, match=f"--trust {re.escape(name)}$"):
        load_model(str(path))
    assert isinstance(load_model(str(path), trusted=[name]), Stranger)


def test_a_module_attribute_is_found_in_the_working_directory(tmp_path, monkeypatch):
    """``module:attribute`` imports from the working directory, dots go into the object."""
    (tmp_path / "my_models_here.py").write_text(
        "class Box:\n    model = staticmethod(lambda X: [1] * len(X))\n"
    )
    monkeypatch.chdir(tmp_path)
    assert load_model("my_models_here:Box.model")([[0], [0]]) == [1, 1]


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("nowhere.joblib", "there is no model file"),
        ("nowhere.skops", "there is no model file"),
        ("no_such_module_at_all:model", "cannot be imported"),
        ("json:no_such_attribute", "no_such_attribute"),
        ("model.onnx", "is no .joblib"),
    ],
)
def test_what_cannot_be_loaded_is_refused(reference, words):
    """A reference that leads nowhere is refused with the reason."""
    with pytest.raises(ModelError, match=words):
        load_model(reference)


@pytest.mark.parametrize("suffix", [".joblib", ".skops"])
def test_a_broken_file_is_refused(tmp_path, suffix):
    """A file that holds something else is refused by name."""
    path = tmp_path / f"broken{suffix}"
    path.write_bytes(b"no model at all")
    with pytest.raises(ModelError, match="broken"):
        load_model(str(path))

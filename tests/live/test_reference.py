"""Libraries that serve in other versions than they trained in are exported as such."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import sklearn

import modelmeter as mm
from modelmeter import names
from modelmeter.live import reference
from modelmeter.live.reference import mismatch
from modelmeter.profile.facts import library_versions
from serving.counted import series

PROFILE = mm.Profile.build(None, np.arange(20.0).reshape(-1, 1), name="m", version="1")


def exported(libraries):
    """Return the gauge by library, and by its versions in training and here."""
    monitor = mm.Monitor(replace(PROFILE, libraries=libraries))
    found = series(monitor, names.LIBRARY_MISMATCH)
    return {name: (then, here, value) for (name, then, here), value in found.items()}


@pytest.mark.parametrize(
    ("training", "serving", "level"),
    [
        ("1.5.2", "1.5.2", 0),
        ("1.5.2", "1.5.3", 1),
        ("1.5.3", "1.5.2", 1),
        ("1.5.2", "1.5.2.post1", 1),
        ("1.5", "1.5.1", 1),
        ("1.5.0rc1", "1.5.0", 1),
        ("1.5.2", "1.7.2", 2),
        ("1.9.2", "1.10.2", 2),
        ("1.7.2", "1.5.9", 2),
        ("1.26.4", "2.0.0", 3),
        ("2.0.0", "1.26.4", 3),
        ("1.5", "2", 3),
        ("0.1.0.dev3", "0.1.0", 1),
        ("nightly", "1.5", 3),
    ],
)
def test_how_far_two_versions_are_apart(training, serving, level):
    """The first number that differs decides: major 3, minor 2, anything after it 1."""
    assert mismatch(training, serving) == level


def test_the_same_libraries_are_zero():
    """Where training and serving have one environment every library is exported as equal."""
    here = library_versions()
    expected = {name: (here[name], here[name], 0) for name in reference._LIBRARIES}
    assert exported(PROFILE.libraries) == expected
    assert expected["numpy"][0] == np.__version__
    assert expected["scikit-learn"][0] == sklearn.__version__
    assert expected["modelmeter"][0] == mm.__version__


def test_other_libraries_are_not():
    """Each library has a series of its own, with both versions, and its level."""
    here = library_versions()
    major, minor, *rest = here["numpy"].split(".")
    then = {
        **here,
        "numpy": ".".join((major, str(int(minor) + 1), *rest)),
        "scikit-learn": "99.0.0",
        "python": f"{here['python']}+local",
    }
    found = exported(then)
    assert found["numpy"] == (then["numpy"], here["numpy"], 2)
    assert found["scikit-learn"] == ("99.0.0", here["scikit-learn"], 3)
    assert found["python"] == (then["python"], here["python"], 1)
    assert found["modelmeter"] == (here["modelmeter"], here["modelmeter"], 0)


def test_a_library_that_either_side_lacks_is_not_compared(monkeypatch):
    """A version that is not known is no mismatch."""
    here = library_versions()
    without = {name: version for name, version in here.items() if name != "scikit-learn"}
    assert set(exported(without)) == {"python", "numpy", "modelmeter"}
    assert exported({}) == {}
    monkeypatch.setattr(reference, "library_versions", lambda: without)
    assert set(exported(here)) == {"python", "numpy", "modelmeter"}


def test_both_sides_are_named_beside_the_profile():
    """What trained and what serves are exported with their versions and the profile's hash."""
    then = {"python": "3.9.1", "numpy": "1.20.0"}
    profile = replace(PROFILE, libraries=then)
    monitor = mm.Monitor(profile)
    here = library_versions()
    ((serving, one),) = series(monitor, names.MODEL_INFO).items()
    assert serving == (
        profile.hash,
        *(here[name] for name in ("python", "numpy", "scikit-learn", "modelmeter")),
    )
    ((training, other),) = series(monitor, names.REFERENCE_INFO).items()
    assert training == (profile.hash, profile.created, "3.9.1", "1.20.0", "", "")
    assert one == other == 1

"""Profile files: what is saved comes back, and nothing else is taken for a profile."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import modelmeter as mm

FILES = Path(__file__).parent / "files"
RANDOM = np.random.default_rng(5)
FRAME = pd.DataFrame(
    {
        "amount": np.where(RANDOM.random(300) < 0.2, np.nan, RANDOM.exponential(5, 300)),
        "hour": RANDOM.integers(0, 24, 300),
        "city": RANDOM.choice(["Ulm", "Köln", 'say "hi"'], 300),
        "flag": RANDOM.random(300) < 0.5,
        "when": pd.Timestamp("2026-01-01") + pd.to_timedelta(RANDOM.integers(0, 10**6, 300), "s"),
        "empty": np.nan,
    }
)


def answer(X):
    return np.where(X["hour"].to_numpy() > 12, "late", "early")


@pytest.fixture(scope="module")
def profile():
    return mm.Profile.build(
        answer, FRAME, answer(FRAME), name="m", version="1", timestamps=FRAME["when"]
    )


@pytest.fixture
def file(profile, tmp_path):
    path = tmp_path / "m.profile.json"
    profile.save(path)
    return path


def test_a_saved_profile_comes_back_the_same(profile, file):
    """Loading gives an equal profile with the same hash; saving that gives the same bytes."""
    loaded = mm.Profile.load(file)
    assert loaded == profile
    assert loaded.hash == profile.hash
    again = file.with_name("again.json")
    loaded.save(again)
    assert again.read_bytes() == file.read_bytes()


def test_a_file_is_small_and_holds_no_row(file):
    """A profile file is tens of kilobytes at most; a value too rare for a label is not in it."""
    assert file.stat().st_size < 40_000
    rare = FRAME.assign(city=["secret"] * 3 + ["Ulm"] * 297)
    mm.Profile.build(None, rare, name="m", version="1").save(file)
    assert "secret" not in file.read_text()


@pytest.mark.parametrize("old", sorted(FILES.glob("v*.json")), ids=lambda p: p.name)
def test_files_of_every_version_are_read(old):
    """A file written by any released schema is read."""
    loaded = mm.Profile.load(old)
    assert loaded.rows == 300
    assert [f.name for f in loaded.features] == list(FRAME.columns)


def test_there_is_a_file_of_the_current_schema():
    """The schema of today has a file in the tests, so that tomorrow's reader is held to it."""
    from modelmeter.profile.json import SCHEMA_VERSION

    assert (FILES / f"v{SCHEMA_VERSION}.json").is_file()


def test_a_truncated_file_is_refused(file):
    """A file cut off anywhere is refused, by its name."""
    whole = file.read_bytes()
    for size in range(0, len(whole) - 2, max(len(whole) // 120, 1)):
        file.write_bytes(whole[:size])
        with pytest.raises(mm.ProfileFileError, match=file.name):
            mm.Profile.load(file)


def test_a_newer_schema_is_refused(file):
    """A file of a newer schema says to upgrade."""
    document = json.loads(file.read_text())
    document["schema_version"] = 99
    file.write_text(json.dumps(document))
    with pytest.raises(mm.ProfileFileError, match=r"schema_version is 99.*upgrade"):
        mm.Profile.load(file)


def test_an_edited_file_is_refused_unless_the_hash_is_taken_out(file):
    """An edit is noticed by the hash; without that line a sensible edit is taken."""
    document = json.loads(file.read_text())
    document["version"] = "2"
    file.write_text(json.dumps(document))
    with pytest.raises(mm.ProfileFileError, match="changed after it was written"):
        mm.Profile.load(file)
    del document["hash"]
    file.write_text(json.dumps(document))
    assert mm.Profile.load(file).version == "2"


def places(value, path=()):
    """Every place in a document: its path."""
    yield path
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from places(inner, (*path, key))
    elif isinstance(value, list):
        for i, inner in enumerate(value[:3]):
            yield from places(inner, (*path, i))


nonsense = st.sampled_from(
    [None, True, -1, 0, 1.5, 1e308, "text", "", [], [1, 1], [None], {}, {"a": 1}, [[1]], 10**30]
)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_nonsense_is_refused_or_changes_nothing_else(data, file):
    """A value replaced by nonsense is refused as a profile error, never another one."""
    document = copy.deepcopy(json.loads(file.read_text()))
    del document["hash"]
    path = data.draw(st.sampled_from([p for p in places(document) if p]))
    value = data.draw(nonsense)
    inner = document
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    target = file.with_name("edited.json")
    target.write_text(json.dumps(document))
    try:
        loaded = mm.Profile.load(target)
    except mm.ProfileFileError:
        return
    # What is taken can be served.
    mm.Monitor(loaded)


@pytest.mark.parametrize("text", ["", "[]", "3", "null", "{}", '{"schema_version": 1}', "\x00"])
def test_other_files_are_refused(tmp_path, text):
    """A file that is no profile at all is refused."""
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(mm.ProfileFileError, match=r"x\.json"):
        mm.Profile.load(path)

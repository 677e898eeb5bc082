"""Profile files: what is saved comes back, and nothing else is taken for a profile."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
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


TRUTH = np.where(FRAME["hour"] + RANDOM.normal(0, 4, 300) > 12, "late", "early")


def answer(X):
    return np.where(X["hour"].to_numpy() > 12, "late", "early")


class Scored:
    """A binary classifier with probabilities."""

    classes_ = np.array(["early", "late"])

    def predict(self, X):
        return answer(X)

    def predict_proba(self, X):
        late = np.asarray(X["hour"], dtype=float) / 25
        return np.stack([1 - late, late], axis=1)


class Several(Scored):
    """A classifier of three classes with probabilities."""

    classes_ = np.array(["early", "late", "late or never"])

    def predict_proba(self, X):
        early, late = super().predict_proba(X).T
        return np.stack([early, late * 0.8, late * 0.2], axis=1)


def number(X):
    return X["hour"].to_numpy() / 2


MODELS = {
    "binary": (Scored(), TRUTH),
    "multiclass": (Several(), TRUTH),
    "unscored": (answer, TRUTH),
    "regression": (number, FRAME["hour"] + 0.25),
    "unmeasured": (answer, None),
}


def build(kind, **options):
    model, y = MODELS[kind]
    held = {} if y is None else {"X_holdout": FRAME, "y_holdout": y}
    return mm.Profile.build(
        model, FRAME, y, name="m", version="1", timestamps=FRAME["when"],
        segments=["city", "flag"], canary_rows=4, **held, **options,
    )  # fmt: skip


@pytest.fixture(scope="module", params=MODELS)
def profile(request):
    return build(request.param)


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


def test_a_file_has_all_that_was_measured(file, profile):
    """Performance, segments and canary rows are in the file, or why they are not."""
    document = json.loads(file.read_text())
    measured = profile.baseline is not None
    assert (document["baseline"] is not None) == measured == (document["calibration"] is not None)
    assert bool(document["unmeasured"]) != measured
    assert [len(one["segments"]) for one in document["segments"]] == [7, 6]
    calibrated = [part["calibration"] is not None for part in document["segments"][0]["segments"]]
    assert calibrated == [measured] * 3 + [False] * 4
    assert [f["name"] for f in document["features"]] == list(document["canary"]["columns"])
    assert len(document["canary"]["y_pred"]) == 4


def test_a_file_of_the_first_version_is_unmeasured():
    """What version 1 did not have is empty, with the reason, and is written as version 2."""
    old = mm.Profile.load(FILES / "v1.json")
    assert (old.baseline, old.calibration, old.segments, old.canary) == (None, None, (), None)
    assert "build it again" in old.unmeasured
    new = mm.Profile.load(FILES / "v2.json")
    assert new.baseline.rows == new.calibration.rows == 300
    assert [one.feature for one in new.segments] == ["city", "flag"]
    assert new.segments[0].baselines[0].get("accuracy").value > 0.5
    assert len(new.canary.rows) == 4


def test_the_hash_is_of_everything():
    """A canary answer, a count of a segment or a calibration changes the hash."""
    profile = build("binary")
    assert profile.hash == replace(profile).hash
    one = profile.segments[0]
    others = [
        replace(profile, canary=replace(profile.canary, y_pred=("never",) * 4)),
        replace(profile, segments=(replace(one, calibrations=(None,) * 7), *profile.segments[1:])),
        replace(profile, calibration=replace(profile.calibration, probabilities=False)),
        replace(profile, baseline=replace(profile.baseline, rows=1)),
        replace(profile, unmeasured="it was not"),
    ]
    assert len({profile.hash, *(other.hash for other in others)}) == 6


def edited(document, path, value):
    document = copy.deepcopy(document)
    inner = document
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    return document


CALIBRATION = ("segments", 0, "segments", 0, "calibration")
EDITS = [
    ("regression", ("predictions", 0, "name"), "y", r"predictions must be \['y_pred'\], not"),
    ("regression", ("predictions",), [], r"predictions must be \['y_pred'\], not \[\]"),
    ("binary", ("baseline",), None, "calibration and baseline must both be there"),
    ("binary", ("baseline", "rows"), 7, "baseline is of 7 rows"),
    ("binary", ("unmeasured",), "because", "unmeasured must say why"),
    ("unmeasured", ("unmeasured",), "", "unmeasured must say why"),
    ("binary", ("calibration", "bins"), 3, "calibration.bins must be 22"),
    ("binary", ("calibration", "bins"), 10**9, "calibration.bins must be 22"),
    ("binary", ("calibration", "by_score"), False, "y_pred must be one of|by_score must be true"),
    ("multiclass", ("calibration", "scores"), [], "scores has 0"),
    ("binary", ("calibration", "scores", 0), 2.0, "scores must not fall"),
    ("multiclass", ("calibration", "table", 0, "rows", 3), 2**53, "more rows than can be counted"),
    ("regression", ("calibration", "targets", "fourth"), 1e305, "numbers up to"),
    ("regression", ("calibration", "errors"), {}, "errors.rows is missing"),
    ("regression", (*CALIBRATION, "errors", "rows"), [1.0, 2.0], "over must be numbers"),
    ("unmeasured", CALIBRATION, {"by_score": False, "bins": 1, "scores": [], "table": [],
        "probabilities": True}, "no calibration where there is no baseline"),
    ("binary", ("segments", 0, "feature"), "amount", "feature must be one of"),
    ("binary", ("segments", 0, "feature"), "flag", "segments has 7 for 6 bins"),
    ("binary", ("segments", 1), "copy of 0", "segments has a feature twice"),
    ("binary", ("segments", 0, "segments", 0, "counts", "y_pred"), [1], "6 counts of y_pred each"),
    ("binary", ("segments", 0, "segments", 0, "counts", "y_pred", 0), 0, "must add up to the rows"),
    ("binary", ("canary", "columns", "hour", 0), "noon", "hour must be values of a numeric"),
    ("binary", ("canary", "columns", "when", 0), "noon", "when must be values of a datetime"),
    ("binary", ("canary", "columns", "city", 0), 3, "city must be values of a categorical"),
    ("binary", ("canary", "columns", "hour"), [1], "hour has 1 values for 4 rows"),
    ("binary", ("canary", "columns", "hour", 0), 10**400, "hour must be a list of texts, numbers"),
    ("binary", ("canary", "columns"), {}, "columns.amount is missing"),
    ("binary", ("canary", "y_pred"), [], "y_pred is empty"),
    ("binary", ("canary", "y_score"), [], "y_score has 0 for 4 rows"),
    ("binary", ("canary", "y_score", 0), "much", "y_score must be numbers"),
    ("regression", ("canary", "y_score"), [0.1] * 4, "y_score has 4 for 4 rows"),
    ("binary", ("canary", "tolerance"), -1, "tolerance is -1"),
    ("binary", ("canary", "source"), "dreams", "source must be one of"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "path", "value", "words"), EDITS)
def test_what_does_not_fit_the_rest_is_refused(kind, path, value, words, tmp_path):
    """A measurement that contradicts the profile is refused, with the path of the field."""
    file = tmp_path / "m.json"
    build(kind).save(file)
    document = json.loads(file.read_text())
    del document["hash"]
    if value == "copy of 0":
        value = document["segments"][0]
    file.write_text(json.dumps(edited(document, path, value)))
    with pytest.raises(mm.ProfileFileError, match=f"profile.*{words}"):
        mm.Profile.load(file)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_nonsense_is_refused_or_changes_nothing_else(data, file):
    """A value replaced by nonsense is refused as a profile error, never another one."""
    document = json.loads(file.read_text())
    del document["hash"]
    path = data.draw(st.sampled_from([p for p in places(document) if p]))
    target = file.with_name("edited.json")
    target.write_text(json.dumps(edited(document, path, data.draw(nonsense))))
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

"""Rows from files and frames: counted as a process counts them, in bounded memory."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pandas as pd
import polars as pl
import pyarrow
import pyarrow.parquet
import pytest

import modelmeter as mm
from modelmeter._errors import DataError, ModelError
from modelmeter.live.counts import merged
from modelmeter.live.observer import Observer
from modelmeter.report.counts import observed
from modelmeter.report.data import Columns, DataCount, observe_data
from modelmeter.report.summary import summarise
from report import example


@pytest.fixture(scope="module")
def rows():
    """Rows with answers and truth beside them."""
    X, y = example.flights(3_000, seed=11, shift=4)
    model = example.Late()
    X["y_pred"], X["y_score"] = model.predict(X), model.predict_proba(X)[:, 1]
    return X.assign(late=y)


def same(found, known):
    assert found.bins.keys() == known.bins.keys()
    for key, counts in known.bins.items():
        assert found.bins[key].tolist() == counts.tolist(), key


def test_a_file_is_counted_as_a_process_counts(profile, rows, tmp_path):
    """Parquet, CSV, pandas and polars give the counts that serving the same rows gives."""
    observer = Observer(profile)
    X = rows.drop(columns=["y_pred", "y_score", "late"])
    observer.observe(X, rows["y_pred"], rows["y_score"])
    known = observed(profile, merged([observer.counts]), kind="process")
    rows.to_parquet(tmp_path / "rows.parquet")
    rows.to_csv(tmp_path / "rows.csv", index=False)
    for data in (tmp_path / "rows.parquet", str(tmp_path / "rows.csv"), rows, pl.DataFrame(rows)):
        same(observe_data(profile, data, columns=Columns()), known)


def test_answers_are_asked_of_the_model_or_read(profile, rows):
    """The model's own answers count like those that the data hold, also against true values."""
    read = observe_data(profile, rows, columns=Columns(target="late"))
    X = rows.drop(columns=["y_pred", "y_score"])
    asked = observe_data(profile, X, columns=Columns(target="late"), model=example.Late())
    same(asked, read)
    for segment, table in read.labelled.confusion.items():
        assert asked.labelled.confusion[segment].tolist() == table.tolist()
        assert asked.labelled.scores[segment].tolist() == read.labelled.scores[segment].tolist()
    truth = pd.crosstab(rows["late"], rows["y_pred"])
    assert read.labelled.confusion[""].tolist() == [
        [truth.loc[true, said] for said in ("on time", "late")] for true in ("on time", "late")
    ]
    by_origin = [read.labelled.confusion[f"origin={o}"] for o in ("JFK", "LGA", "EWR")]
    assert sum(by_origin).tolist() == read.labelled.confusion[""].tolist()


def test_answers_are_found_under_names_that_are_given(profile, rows):
    """Columns may have any names; without any there are no answers, and no performance."""
    renamed = rows.rename(columns={"y_pred": "said", "y_score": "p"})
    named = observe_data(profile, renamed, columns=Columns(prediction="said", score="p"))
    same(named, observe_data(profile, rows))
    findings = summarise(profile, observe_data(profile, renamed))
    assert findings["predictions"][0]["rows"] == 0
    assert findings["performance"]["predicted_rows"] == 0


def test_a_large_file_needs_little_memory(tmp_path):
    """A file many times the size of a batch is never in memory as a whole."""
    path = tmp_path / "large.parquet"
    random = np.random.default_rng(0)
    part = pd.DataFrame(random.normal(size=(65_536, 8)), columns=[f"x{i}" for i in range(8)])
    table = pyarrow.Table.from_pandas(part)
    with pyarrow.parquet.ParquetWriter(path, table.schema) as writer:
        for _ in range(12):
            writer.write_table(table)
    profile = mm.Profile.build(None, part, name="large", version="1")
    counted = DataCount(profile, path)
    assert counted.total == 12 * 65_536
    tracemalloc.start()
    seen = list(counted)
    peak = tracemalloc.get_traced_memory()[1] + pyarrow.total_allocated_bytes()
    tracemalloc.stop()
    assert seen[-1] == 12 * 65_536
    assert peak < 4 * part.memory_usage().sum()
    assert counted.observed().bins["feature", "x0", ""].sum() == 12 * 65_536


def test_a_column_that_is_missing_is_a_finding(profile, rows):
    """A feature that the file lacks is absent from every row, and a mismatch of the schema."""
    findings = summarise(profile, observe_data(profile, rows.drop(columns=["pressure"])))
    checks = {(problem["check"], problem["feature"]) for problem in findings["problems"]}
    assert {("schema", "pressure"), ("absent", "pressure")} <= checks


def test_libraries_here_are_no_finding_without_a_model(profile, rows):
    """What is installed where a file is looked at did not answer it, unless the model is asked."""
    assert summarise(profile, observe_data(profile, rows))["skew"]["libraries"] == []
    X = rows.drop(columns=["y_pred", "y_score"])
    asked = observe_data(profile, X, model=example.Late())
    assert summarise(profile, asked)["skew"]["libraries"] != []


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (Columns(target="no"), "target: the data has no column 'no'"),
        (Columns(prediction="no"), "prediction: the data has no column 'no'"),
    ],
)
def test_columns_that_are_not_there_are_said(profile, rows, columns, message):
    """A column that was named and is not there is an error that names it."""
    with pytest.raises(DataError, match=message):
        DataCount(profile, rows, columns=columns)


def test_data_without_any_feature_is_refused(profile):
    """Another table altogether cannot be compared, and is no drift."""
    with pytest.raises(DataError, match="none of the profile's 5 features"):
        DataCount(profile, pd.DataFrame({"other": [1.0]}))


def test_a_truth_that_is_no_class_is_refused(profile, rows):
    """True values of another language would make any performance wrong."""
    strange = rows.assign(late="yes")
    with pytest.raises(DataError, match="'yes', which is none of"):
        observe_data(profile, strange, columns=Columns(target="late"))


def test_missing_truths_are_passed_over(profile, rows):
    """Rows whose truth is not known yet count for drift, not for performance."""
    half = rows.assign(late=rows["late"].where(rows.index % 2 == 0))
    found = observe_data(profile, half, columns=Columns(target="late"))
    assert found.labelled.confusion[""].sum() == 1_500
    assert found.bins["feature", "temp", ""].sum() == 3_000


def test_missing_answers_are_no_class(profile, rows):
    """A row without a valid answer is neither right nor wrong."""
    some = rows.assign(y_pred=rows["y_pred"].where(rows.index % 3 != 0, None))
    found = observe_data(profile, some, columns=Columns(target="late"))
    truth = pd.crosstab(some["late"], some["y_pred"])
    assert (
        found.labelled.confusion[""].tolist()
        == truth.loc[["on time", "late"], ["on time", "late"]].to_numpy().tolist()
    )
    assert found.labelled.confusion[""].sum() == 2_000


def test_truths_without_answers_are_refused(profile, rows):
    """True values can only be compared with answers."""
    X = rows.drop(columns=["y_pred", "y_score"])
    with pytest.raises(DataError, match="true values need the model's answers"):
        observe_data(profile, X, columns=Columns(target="late"))


def test_a_model_that_fails_is_named_with_its_rows(profile, rows):
    """An error of the model says at which rows."""

    class Broken(example.Late):
        def predict(self, X):
            raise RuntimeError("boom")

    X = rows.drop(columns=["y_pred", "y_score"])
    with pytest.raises(ModelError, match="rows 0 to 2999 of the data: boom"):
        observe_data(profile, X, model=Broken())
    with pytest.raises(DataError, match="either the model or the columns"):
        DataCount(profile, rows, columns=Columns(prediction="y_pred"), model=example.Late())
    with pytest.raises(DataError, match="without the columns \\['pressure'\\]"):
        DataCount(profile, X.drop(columns=["pressure"]), model=example.Late())

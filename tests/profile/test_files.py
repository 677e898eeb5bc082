"""Parquet and CSV files give the profile of the frame they hold, in bounded memory."""

from __future__ import annotations

import gzip
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import modelmeter as mm
from modelmeter.profile.files import FileSource
from modelmeter.stats.bins import CategoricalBins, NumericBins


def build(X, **options):
    """Return the profile of features only."""
    return mm.Profile.build(None, X, name="flights", version="1", **options)


@pytest.fixture(scope="session")
def expected(frame):
    """Return the profile of the frame in memory."""
    return build(frame)


def write_csv(path, **columns):
    """Write columns given as lists of texts."""
    lines = [",".join(columns), *map(",".join, zip(*columns.values(), strict=True))]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize("suffix", [".parquet", ".pq"])
def test_parquet(frame, expected, tmp_path, small_batches, assert_same, suffix):
    """A Parquet file of several row groups has the counts of its frame."""
    path = tmp_path / f"train{suffix}"
    frame.to_parquet(path, row_group_size=333)
    assert pq.ParquetFile(path).num_row_groups > 3
    assert_same(build(path), expected)
    assert_same(build(str(path)), expected)


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz"])
def test_csv(frame, expected, tmp_path, small_batches, assert_same, suffix):
    """A CSV file of several blocks has the counts of its frame, packed or not."""
    path = tmp_path / f"train{suffix}"
    frame.to_csv(path, index=False)
    assert_same(build(path), expected)


def test_columns_by_name(frame, tmp_path, small_batches, counted):
    """The target and the time stamps of a file are columns of it, the model is given the rest."""
    path = tmp_path / "train.parquet"
    frame.to_parquet(path)

    def model(X):
        assert list(X.columns) == ["temp", "hour"]
        return X["hour"] * 2.0

    X = frame[["temp", "hour"]]
    mine = mm.Profile.build(
        model, path, "late", name="m", version="1", timestamps="when",
        drop=[c for c in frame if c not in ("temp", "hour", "late", "when")],
    )  # fmt: skip
    theirs = mm.Profile.build(
        model, X, frame["late"], name="m", version="1", timestamps=frame["when"]
    )
    assert counted(mine) == counted(theirs)
    assert mine.time_span == theirs.time_span
    assert mine.target.kind == "boolean"
    assert [f.variation for f in mine.features] == [f.variation for f in theirs.features]


MANY = 3_000  # rows: several blocks


def test_types_that_show_late(tmp_path, small_batches):
    """A CSV column is what all its values are, whatever its first block looks like."""
    path = write_csv(
        tmp_path / "late.csv",
        null_float=[""] * (MANY - 1) + ["1.5"],
        null_text=[""] * (MANY - 1) + ["JFK"],
        int_float=["7"] * (MANY - 1) + ["7.5"],
        int_null=["7"] * (MANY - 1) + [""],
        int_huge=["7"] * (MANY - 1) + ["99999999999999999999"],
        float_null=["7.5"] * (MANY - 1) + ["NaN"],
        null=[""] * MANY,
        row=list(map(str, range(MANY))),
    )
    features = {f.name: f for f in build(path).features}
    assert features["null_float"].max == 1.5
    assert isinstance(features["null_text"].bins, CategoricalBins)
    assert features["int_float"].max == 7.5
    assert features["int_null"].missing == features["float_null"].missing == 1
    assert features["int_huge"].max == 1e20
    assert features["null"].all_missing
    for name in ("null_float", "null_text"):
        assert features[name].missing == MANY - 1


def test_mixed_types(tmp_path, small_batches):
    """A CSV column of numbers with a text far down is refused, naming column and value."""
    numbers = list(map(str, range(MANY)))
    path = write_csv(tmp_path / "mixed.csv", fine=numbers, dist=[*numbers[:-1], "far"])
    with pytest.raises(mm.DataError, match=r"column 'dist' mixes types: .*'far'"):
        build(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "cannot be read"),
        ("a,b\n", "no rows"),
        ("a,b\n1,2\n3\n", "cannot be read"),
        ("a,a\n1,2\n", "two columns have the name 'a'"),
        (",a\n1,2\n", "a column is named ''"),
        ("a,b\n1,\x00\xff\n", None),
    ],
)
def test_broken_csv(tmp_path, text, message):
    """A CSV file that is no table is refused with its path or the column."""
    path = tmp_path / "broken.csv"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(mm.DataError, match=message):
        build(path)


def test_broken_gzip(tmp_path):
    """A packed file that was cut off is refused."""
    path = tmp_path / "train.csv.gz"
    numbers = "\n".join(map(str, np.random.default_rng(0).integers(10**9, size=10_000)))
    path.write_bytes(gzip.compress(f"a\n{numbers}".encode())[:-2_000])
    with pytest.raises(mm.DataError, match="cannot be read"):
        build(path)


def test_broken_parquet(frame, tmp_path):
    """A Parquet file that was cut off, or is none, is refused with its path."""
    path = tmp_path / "train.parquet"
    frame.to_parquet(path)
    for content in (path.read_bytes()[:-100], b"PAR1", b"", b"a,b\n1,2\n"):
        path.write_bytes(content)
        with pytest.raises(mm.DataError, match=r"train.parquet' cannot be read"):
            build(path)


def test_duplicate_parquet_columns(tmp_path):
    """A Parquet file with two columns of one name is refused."""
    path = tmp_path / "train.parquet"
    pq.write_table(pa.table([[1], [2]], names=["a", "a"]), path)
    with pytest.raises(mm.DataError, match="two columns have the name 'a'"):
        build(path)


@pytest.mark.parametrize("name", ["train.xlsx", "train", "."])
def test_other_files(tmp_path, name):
    """A file of another kind, or none, is refused."""
    (tmp_path / "train.xlsx").touch()
    with pytest.raises(mm.DataError, match=r"no file|is no .parquet"):
        FileSource(tmp_path / name)


def test_text_times_stay_times(tmp_path):
    """Times in a CSV file are times, with and without a zone."""
    path = write_csv(
        tmp_path / "times.csv",
        naive=["2013-01-01 10:00:00", "", "2013-01-02 00:00:00"],
        zoned=["2013-01-01T10:00:00+02:00", "", "2013-01-02T00:00:00Z"],
        day=["2013-01-01", "", "2013-01-02"],
    )
    naive, zoned, day = build(path).features
    assert {naive.kind, zoned.kind, day.kind} == {"datetime"}
    assert naive.min - zoned.min == 7_200
    assert all(isinstance(f.bins, NumericBins) and f.bins.is_time for f in (naive, zoned, day))


GROWTH = """
import resource, sys
import numpy as np, pandas, pyarrow.parquet
import modelmeter as mm

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

mm.Profile.build(lambda X: X["a"] * 2.0, sys.argv[1], name="m", version="1")
before = peak()
profile = mm.Profile.build(lambda X: X["a"] * 2.0, sys.argv[2], name="m", version="1")
print(profile.rows, peak() - before)
"""


def test_memory_is_bounded(tmp_path):
    """Memory for a Parquet file of 3,000,000 rows grows by a fraction of what a frame takes."""
    random = np.random.default_rng(0)

    def write(name, groups, rows=100_000):
        schema = pa.schema([("a", pa.float64()), ("b", pa.float64()), ("c", pa.string())])
        with pq.ParquetWriter(tmp_path / name, schema) as writer:
            for _ in range(groups):
                texts = pa.array(["JFK", "LGA"]).take(pa.array(random.integers(0, 2, rows)))
                numbers = [random.normal(size=rows) for _ in range(2)]
                writer.write_table(pa.table([*numbers, texts], schema=schema))
        return tmp_path / name

    small, large = write("small.parquet", 3), write("large.parquet", 30)
    finished = subprocess.run(
        [sys.executable, "-c", GROWTH, small, large], capture_output=True, text=True, check=True
    )
    rows, growth = finished.stdout.split()
    assert int(rows) == 3_000_000
    assert float(growth) < 50, "MiB; the columns alone are 70, as a frame 250"
    assert large.stat().st_size > 40 * 2**20

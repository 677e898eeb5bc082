"""Counts on the heap and in files: nothing is lost, doubled or torn."""

import errno
import json
import os
import subprocess
import sys
import threading
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modelmeter import names
from modelmeter._errors import ConfigurationError
from modelmeter.live.counts import Counts, merged
from modelmeter.live.folded import FOLDED
from modelmeter.live.merge import Merger
from modelmeter.names import Metric

REQUESTS = names.HTTP_REQUESTS
FAILURES = names.FAILURES
VARIATION = names.REFERENCE_VARIATION
FORKS = "ignore:This process:DeprecationWarning"  # Python 3.12: fork with threads; on purpose
ROW = ("GET", "/", "200", "", "")

PRELUDE = """
import os, sys, threading
from modelmeter import names
from modelmeter.live.counts import Counts, merged
directory = sys.argv[1]
"""


def as_dict(families, name):
    """Return the merged values of one metric by label values."""
    return {
        row: value.tolist()
        for family in families
        if family.metric.name == name
        for row, value in zip(family.rows, family.values, strict=True)
    }


def start(code, directory):
    """Start a real process that runs the code after the prelude."""
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-W", FORKS, "-c", PRELUDE + code, str(directory)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def run(code, directory):
    """Run the code in a process of its own and return what it printed."""
    process = start(code, directory)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    return output


@pytest.fixture(params=["heap", "file"])
def counts(request, tmp_path):
    """Return a table on the heap, and one in a file."""
    return Counts(tmp_path if request.param == "file" else None)


def test_block_starts_at_zero(counts):
    """A new block holds one zero per row."""
    block = counts.block(FAILURES, [("a",), ("b",)])
    assert block.values.shape == (2,)
    assert block.values.tolist() == [0, 0]
    assert block.rows == (("a",), ("b",))


def test_histogram_has_buckets_overflow_and_sum(counts):
    """A histogram's block has a column per bucket, one above the last, and the sum."""
    block = counts.block(names.HTTP_DURATION, [ROW])
    assert block.values.shape == (1, len(names.HTTP_DURATION.buckets) + 2)


def test_cells_are_the_same_memory(counts):
    """What is added through cells is seen in values and the other way round."""
    block = counts.block(names.HTTP_DURATION, [ROW, ("GET", "/a", "200", "", "")])
    columns = len(names.HTTP_DURATION.buckets) + 2
    block.cells[columns + 1] += 2
    block.values[1, 1] += 1
    assert block.values[1, 1] == block.cells[columns + 1] == 3


def test_empty_block(counts):
    """A block without rows is allowed and adds no series."""
    assert counts.block(FAILURES, []).values.shape == (0,)
    assert merged([counts]) == []


def test_wrong_number_of_labels_is_refused(counts):
    """A row that does not fit the metric's labels is refused with the row."""
    with pytest.raises(ValueError, match=r"\('where',\), one value each; got \('a', 'b'\)"):
        counts.block(FAILURES, [("a", "b")])


def test_a_row_given_twice_is_refused(counts):
    """Two rows with the same label values in one block are refused."""
    with pytest.raises(ValueError, match=r"\('a',\) are given twice"):
        counts.block(FAILURES, [("b",), ("a",), ("a",)])


def test_lone_surrogates_are_written_out(counts):
    """Text that UTF-8 cannot hold becomes text that it can, in labels that stay distinct."""
    assert counts.block(FAILURES, [("a\ud800",), ("a\ud801",)]).rows == (
        ("a\\ud800",),
        ("a\\ud801",),
    )


def test_unusable_directory_is_a_configuration_error(tmp_path):
    """A directory that cannot be made is refused at start-up, by name."""
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="file/counts"):
        Counts(tmp_path / "file" / "counts")


_METRICS = (
    REQUESTS,
    names.HTTP_DURATION,
    Metric("test_largest", "gauge", ("where",), "For this test.", merge="max"),
    FAILURES,
)
_ADDS = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.sampled_from(_METRICS),
        st.lists(st.sampled_from("abcde"), unique=True, min_size=1),
        st.integers(0, 10**6),
    ),
    max_size=12,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(adds=_ADDS, on_disk=st.tuples(st.booleans(), st.booleans(), st.booleans()))
def test_merged_equals_numpy(adds, on_disk, tmp_path_factory):
    """Merging tables gives, per label values, numpy's sum or maximum of all that was added."""
    directory = tmp_path_factory.mktemp("counts")
    tables = [Counts(directory if disk else None) for disk in on_disk]
    merger = Merger(tables)
    expected = defaultdict(list)
    for table, metric, rows, seed in adds:
        full = [(row,) * len(metric.labels) for row in rows]
        block = tables[table].block(metric, full)
        block.values[...] = np.random.default_rng(seed).integers(-50, 50, block.values.shape)
        for row, value in zip(full, block.values, strict=True):
            expected[metric.name, row].append(value.copy())
        merger.read()  # so that series are added between readings as well
    reduce = {metric.name: np.sum if metric.merge == "sum" else np.max for metric in _METRICS}
    want = {key: reduce[key[0]](values, axis=0).tolist() for key, values in expected.items()}
    for families in (merger.read(), merged(tables)):
        got = {
            (family.metric.name, row): value.tolist()
            for family in families
            for row, value in zip(family.rows, family.values, strict=True)
        }
        assert got == want


def test_the_same_table_twice_counts_once(tmp_path):
    """A table given twice, or read both directly and as a file, is counted once."""
    first, second = Counts(tmp_path), Counts(tmp_path)
    for table in (first, second):
        table.block(FAILURES, [("a",)]).cells[0] += 1
    assert as_dict(merged([first, second, first]), FAILURES.name) == {("a",): 2}
    assert as_dict(merged([first]), FAILURES.name) == {("a",): 2}


def test_families_come_in_the_declared_order():
    """Families are in the order of names.ALL whatever the order of their blocks."""
    counts = Counts()
    counts.block(FAILURES, [("a",)])
    counts.block(VARIATION, [("m", "1", "feature", "x")])
    assert [family.metric for family in merged([counts])] == [VARIATION, FAILURES]


def test_rows_stay_the_same_object_until_series_are_added():
    """Readers may key what they prepare on the identity of the rows."""
    counts = Counts()
    counts.block(FAILURES, [("a",)])
    merger = Merger([counts])
    first, second = merger.read(), merger.read()
    assert first[0].rows is second[0].rows
    counts.block(FAILURES, [("b",)])
    assert merger.read()[0].rows == (("a",), ("b",))


def test_sixteen_threads_lose_nothing(counts):
    """Adds by sixteen threads under the lock all arrive."""
    block = counts.block(FAILURES, [("a",)])

    def add():
        for _ in range(2_000):
            with counts.lock:
                block.cells[0] += 1

    threads = [threading.Thread(target=add) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert block.values[0] == 32_000


def test_files_grow_past_their_first_chunk(tmp_path):
    """Blocks of any size find their place in the file, and a reader follows as it grows."""
    writer, reader = Counts(tmp_path), Merger([Counts(tmp_path)])
    want = {}
    for size in (1, 5_000, 3, 20_000):
        block = writer.block(FAILURES, [(f"{size}-{i}",) for i in range(size)])
        block.values[:] = np.arange(size)
        want |= {(f"{size}-{i}",): i for i in range(size)}
        assert as_dict(reader.read(), FAILURES.name) == want


def test_two_worker_processes_add_up(tmp_path):
    """Any process reads the exact sum over two real workers, dead ones included."""
    code = """
counts = Counts(directory)
block = counts.block(names.HTTP_DURATION, [("GET", "/", "200", "", "")])
largest = counts.block(names.FEATURE_LAST_VALUE, [("m", "1", "x")])
for i in range(int(sys.stdin.readline())):
    with counts.lock:
        block.values[0, i % 3] += 1
        block.values[0, -1] += 0.5
        largest.values[0] = i
print("done", flush=True)
sys.stdin.readline()
"""
    workers = [start(code, tmp_path) for _ in range(2)]
    reader = Merger([Counts(tmp_path)])
    for worker, number in zip(workers, (300, 600), strict=True):
        worker.stdin.write(f"{number}\n")
        worker.stdin.flush()
    for worker in workers:
        assert worker.stdout.readline() == "done\n"
    for _ in range(2):  # while they live, and after they ended
        families = reader.read()
        values = as_dict(families, names.HTTP_DURATION.name)[ROW]
        assert values[:3] == [300, 300, 300]
        assert values[-1] == 450
        assert as_dict(families, names.FEATURE_LAST_VALUE.name) == {("m", "1", "x"): 599}
        for worker in workers:
            if worker.returncode is None:
                worker.communicate("\n", timeout=60)


def test_live_metrics_of_dead_workers_are_left_out(tmp_path):
    """What a worker has in progress counts while it lives and not after a kill -9."""
    worker = start(
        """
counts = Counts(directory)
counts.block(names.HTTP_IN_PROGRESS, [()]).cells[0] = 3
counts.block(names.FAILURES, [("a",)]).cells[0] = 3
print("ready", flush=True)
sys.stdin.readline()
""",
        tmp_path,
    )
    own = Counts(tmp_path)
    own.block(names.HTTP_IN_PROGRESS, [()]).cells[0] = 1
    reader = Merger([own])
    assert worker.stdout.readline() == "ready\n"
    assert as_dict(reader.read(), names.HTTP_IN_PROGRESS.name) == {(): 4}
    worker.kill()
    worker.communicate(timeout=60)
    families = reader.read()
    assert as_dict(families, names.HTTP_IN_PROGRESS.name) == {(): 1}
    assert as_dict(families, FAILURES.name) == {("a",): 3}
    assert as_dict(merged([own]), names.HTTP_IN_PROGRESS.name) == {(): 1}


def test_kill_9_at_any_moment_corrupts_nothing(tmp_path):
    """A worker killed while it counts and adds series loses at most the add being done."""
    code = """
counts = Counts(directory)
first = counts.block(names.FAILURES, [("first",)])
i = 0
while os.read(0, 1):
    block = counts.block(names.FAILURES, [(f"{i}-{j}",) for j in range(20)])
    for j in range(20):
        block.cells[j] += 1
        first.cells[0] += 1
    i += 1
    os.write(1, f"{20 * i}\\n".encode())
"""
    for moment in (1, 2, 5, 20):
        directory = tmp_path / str(moment)
        worker = start(code, directory)
        reader = Merger([Counts(directory)])
        for _ in range(moment):
            worker.stdin.write("..")  # twice, so that it is always at work
            worker.stdin.flush()
            said = int(worker.stdout.readline())
            reader.read()
        worker.kill()
        rest, _ = worker.communicate(timeout=60)
        said = int(rest.splitlines()[-1]) if rest.endswith("\n") else said
        for values in (
            as_dict(reader.read(), FAILURES.name),
            as_dict(merged([Counts(directory)]), FAILURES.name),
        ):
            total = values.pop(("first",))
            assert total >= said
            assert set(values.values()) <= {0, 1}
            assert sum(values.values()) - total in (0, 1)


def test_a_line_cut_anywhere_is_not_there_yet(tmp_path):
    """Whatever prefix of the series file a reader finds, it reads the whole lines in it."""
    writer = Counts(tmp_path)
    for i in range(2):
        writer.block(FAILURES, [(f"é{i}",)]).cells[0] = i + 1
    series = writer.path.with_suffix(".series")
    whole = series.read_bytes()
    reader = Counts()
    reader.directory = tmp_path
    expected = {0: {}, 1: {}, 2: {("é0",): 1}, 3: {("é0",): 1, ("é1",): 2}}
    for end in range(len(whole) + 1):
        series.write_bytes(whole[:end])
        assert as_dict(merged([reader]), FAILURES.name) == expected[whole[:end].count(b"\n")]


@pytest.mark.parametrize(
    "change",
    [
        {"metric": "model_of_the_future_total"},
        {"labels": ["where", "why"]},
        {"buckets": [1, 2]},
        {"offset": 10**9},
        {"offset": None},
        {"rows": 1},
    ],
    ids=str,
)
def test_what_another_version_wrote_is_left_out(tmp_path, change):
    """A block that this version would read wrongly is left out; the rest is read."""
    writer = Counts(tmp_path)
    writer.block(FAILURES, [("a",)]).cells[0] = 1
    writer.block(FAILURES, [("b",)]).cells[0] = 1
    series = writer.path.with_suffix(".series")
    lines = series.read_text().splitlines()
    lines[1] = json.dumps(json.loads(lines[1]) | change)
    series.write_text("\n".join([*lines, "not json", "[]", '"text"', ""]))
    reader = Counts()
    reader.directory = tmp_path
    assert as_dict(merged([reader]), FAILURES.name) == {("b",): 1}


def test_a_file_taken_away_is_forgotten(tmp_path):
    """When an operator removes the files of dead workers, their counts go, without an error."""
    run('Counts(directory).block(names.FAILURES, [("a",)]).cells[0] = 5', tmp_path)
    reader = Merger([Counts(tmp_path)])
    assert as_dict(reader.read(), FAILURES.name) == {("a",): 5}
    (tmp_path / FOLDED).unlink()
    assert reader.read() == []


def test_a_full_disk_is_no_error_and_no_damage(tmp_path, monkeypatch):
    """A series line that could not be written whole is written when there is room again."""
    writer = Counts(tmp_path)
    writer.block(FAILURES, [("a",)]).cells[0] = 1
    pwrite = os.pwrite

    def full(fd, data, offset):
        if len(data) > 30:
            return pwrite(fd, data[:30], offset)
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)
        late = writer.block(FAILURES, [("late" * 20,)])
        assert writer.trouble.errno == errno.ENOSPC
        late.cells[0] = 3
    writer.block(FAILURES, [("b",)]).cells[0] = 2
    assert writer.trouble is None
    want = {("a",): 1, ("late" * 20,): 3, ("b",): 2}
    assert as_dict(merged([Counts(tmp_path)]), FAILURES.name) == want


def test_a_forked_child_counts_in_its_own_file(tmp_path):
    """After a fork parent and child write apart, through blocks that both already held."""
    output = run(
        """
counts = Counts(directory)
block = counts.block(names.FAILURES, [("a",)])
cells = block.cells
largest = counts.block(names.REFERENCE_VARIATION, [("m", "1", "feature", "x")])
largest.values[0] = 7
cells[0] += 1
children = []
for i in range(3):
    child = os.fork()
    if child == 0:
        assert cells[0] == 0 and largest.values[0] == 7
        for _ in range(1000):
            cells[0] += 1
        counts.block(names.FAILURES, [("new",)]).cells[0] += 1
        os._exit(0)
    children.append(child)
for _ in range(1000):
    cells[0] += 1
for child in children:
    assert os.waitpid(child, 0)[1] == 0
assert cells[0] == 1001
for family in merged([counts]):
    print(family.metric.name, dict(zip(family.rows, family.values.tolist())))
""",
        tmp_path,
    )
    assert output.splitlines() == [
        "model_feature_reference_variation {('m', '1', 'feature', 'x'): 7.0}",
        "modelmeter_failures_total {('a',): 4001.0, ('new',): 3.0}",
    ]
    assert len(list(tmp_path.glob("*.counts"))) == 1  # the children's are folded


def test_a_parent_is_dead_though_its_child_lives(tmp_path):
    """A forked child does not keep its dead parent's file locked."""
    worker = start(
        """
counts = Counts(directory)
counts.block(names.HTTP_IN_PROGRESS, [()]).cells[0] = 3
if os.fork():
    os._exit(0)
counts.block(names.HTTP_IN_PROGRESS, [()]).cells[0] = 4
print("ready", flush=True)
sys.stdin.readline()
""",
        tmp_path,
    )
    assert worker.stdout.readline() == "ready\n"
    assert worker.wait(timeout=60) == 0
    assert as_dict(merged([Counts(tmp_path)]), names.HTTP_IN_PROGRESS.name) == {(): 4}
    worker.communicate("\n", timeout=60)


def test_a_fork_while_another_thread_adds_leaves_no_lock_behind(tmp_path):
    """The child of a process whose threads add all the time can add at once."""
    run(
        """
counts = Counts(directory)
heap = Counts()
block = counts.block(names.FAILURES, [("a",)])
def add(lock):
    while True:
        with lock:
            block.cells[0] += 1
for lock in (counts.lock, heap.lock):
    threading.Thread(target=add, args=(lock,), daemon=True).start()
for _ in range(20):
    child = os.fork()
    if child == 0:
        for table in (counts, heap):
            assert table.lock.acquire(timeout=10)
            table.lock.release()
            table.block(names.FAILURES, [("b",)])
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
os._exit(0)
""",
        tmp_path,
    )


def test_a_child_that_cannot_make_a_file_leaves_its_parents_alone(tmp_path):
    """When the directory is gone at the fork, what the child counts is lost, not mixed in."""
    output = run(
        """
import shutil
from pathlib import Path
counts = Counts(directory)
block = counts.block(names.FAILURES, [("a",)])
shutil.rmtree(directory)
Path(directory).touch()
if os.fork() == 0:
    block.cells[0] += 1
    os._exit(0)
os.wait()
print(block.cells[0])
""",
        tmp_path / "counts",
    )
    assert output.splitlines() == ["0.0"]


def test_a_reader_forked_while_reading_reads_on(tmp_path):
    """A child's reader works although the parent's was in use at the fork."""
    run(
        """
from modelmeter.live.merge import Merger
counts = Counts(directory)
counts.block(names.FAILURES, [("a",)]).cells[0] = 2
reader = Merger([counts])
reader.read()
reader._lock.acquire()
if os.fork() == 0:
    (family,) = reader.read()
    os._exit(int(family.values[0] != 2))
assert os.wait()[1] == 0
""",
        tmp_path,
    )


def test_an_interpreter_without_its_lock_is_refused(monkeypatch):
    """Without a GIL counting is refused, saying what to do, unless the user insists."""
    monkeypatch.setattr(sys, "_is_gil_enabled", lambda: False, raising=False)
    with pytest.raises(ConfigurationError, match="PYTHON_GIL=1"):
        Counts()
    monkeypatch.setenv("MODELMETER_FREE_THREADING", "1")
    assert Counts().blocks == ()


def test_metrics_that_differ_under_one_name_are_not_mixed():
    """A metric with the name but not the labels of another is left out of its family."""
    counts = Counts()
    counts.block(FAILURES, [("a",)])
    counts.block(replace(FAILURES, labels=("a", "b")), [("a", "b")])
    assert as_dict(merged([counts]), FAILURES.name) == {("a",): 0}


def test_files_say_which_schema_they_have(tmp_path):
    """Series files, in their first line, and folded files carry schema version and writer."""
    run('Counts(directory).block(names.FAILURES, [("a",)])', tmp_path)
    header = json.loads(Counts(tmp_path).path.with_suffix(".series").read_text())
    folded = json.loads((tmp_path / FOLDED).read_text())
    assert header["schema_version"] == folded["schema_version"] == 2
    assert header["writer"] == folded["writer"]
    assert header["writer"].startswith("modelmeter 0.")
    assert not list(Path(tmp_path).glob("*.new"))

"""Files of workers: folded when they end, never lost or doubled, whatever lies beside them."""

import gc
import json
import logging
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families

import modelmeter as mm
from modelmeter import names
from modelmeter._errors import ConfigurationError
from modelmeter.live import folding
from modelmeter.live.counts import Counts
from modelmeter.live.exposition import Exposition
from modelmeter.live.folded import FOLDED
from modelmeter.live.merge import Merger

FAILURES = names.FAILURES
PREDICTIONS = names.PREDICTIONS
INFO = ("3.11", "2", "1", "0.1")


def values(source, name=FAILURES.name):
    """Return the merged values of one metric by label values."""
    families = source if isinstance(source, list) else source.read()
    found = [
        dict(zip(f.rows, f.values.tolist(), strict=True)) for f in families if f.metric.name == name
    ]
    return found[0] if found else {}


def dead(directory, **counted):
    """Leave the files of a worker that counted something and ended."""
    counts = Counts(directory)
    for where, number in counted.items():
        counts.block(FAILURES, [(where,)]).cells[0] = number
    return ended(counts)


def ended(counts):
    """End a worker: its lock goes as it does when a process ends."""
    path = counts.path
    counts._file._unlock()
    return path


def serving(directory, version="1", profile="h", rows=0):
    """Return a worker that serves a model."""
    counts = Counts(directory)
    counts.block(names.MODEL_INFO, [("m", version, profile, *INFO)]).cells[0] = 1
    counts.block(PREDICTIONS, [("m", version, "ok")]).cells[0] = rows
    counts.block(names.HTTP_REQUESTS, [("GET", "/", "200", "m", version)]).cells[0] = rows
    return counts


def run(code, directory):
    """Run code in a process of its own and return what it printed."""
    prelude = (
        "import os, sys, resource, signal, shutil\nfrom pathlib import Path\n"
        "from modelmeter import names\nfrom modelmeter.live import files, folding\n"
        "from modelmeter.live.counts import Counts, merged\n"
        "from modelmeter.live.merge import Merger\n"
        "directory = Path(sys.argv[1])\n"
        "def total(source):\n"
        "    found = [f.values for f in source.read() if f.metric == names.FAILURES]\n"
        "    return float(found[0].sum()) if found else 0.0\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", prelude + code, str(directory)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_files_of_dead_workers_become_one(tmp_path):
    """However many workers come and go, one file of them stays, and every count with it."""
    for i in range(30):
        dead(tmp_path, a=1, b=i)
    reader = Merger([Counts(tmp_path)])
    assert values(reader) == {("a",): 30, ("b",): sum(range(30))}
    assert {path.suffix for path in tmp_path.iterdir()} == {".counts", ".series", ".json", ".lock"}
    assert len(list(tmp_path.iterdir())) == 4


def test_a_reader_sees_a_worker_end_and_fold(tmp_path):
    """A long-lived reader's sums do not change when a worker ends and somebody folds it."""
    worker, reader = Counts(tmp_path), Merger([Counts(tmp_path)])
    block = worker.block(FAILURES, [("a",)])
    block.cells[0] = 5
    assert values(reader) == {("a",): 5}
    ended(worker)
    assert folding.fold(tmp_path)
    assert not folding.fold(tmp_path)
    for _ in range(2):
        assert values(reader) == values(Merger([Counts(tmp_path)])) == {("a",): 5}


def test_a_kill_at_any_step_of_folding_neither_loses_nor_doubles(tmp_path):
    """Whatever call of the kernel a folding worker is killed in, the sum stays what it was."""
    dead(tmp_path / "before", a=1)
    folding.fold(tmp_path / "before")
    dead(tmp_path / "before", a=2, b=4)
    dead(tmp_path / "before", a=8)
    output = run(
        """
CALLS = ("open", "rename", "unlink", "fsync", "close", "fstat")
step = killed = 0
while True:
    at = directory / str(step)
    shutil.copytree(directory / "before", at)
    child = os.fork()
    if child == 0:
        left = step
        def counted(call):
            def calling(*args, **kwargs):
                global left
                left -= 1
                if left < 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                return call(*args, **kwargs)
            return calling
        for name in CALLS:
            setattr(os, name, counted(getattr(os, name)))
        folding.fold(at)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    real = folding.fold
    reader = Merger([Counts()])
    reader._sources[0].directory = at
    import modelmeter.live.merge as merge
    merge.fold = lambda directory: False  # what a reader sees who cannot fold
    assert total(reader) == 15, (step, total(reader))
    merge.fold = real
    assert total(reader) == 15, step
    folding.fold(at)
    assert total(reader) == 15, step
    assert sorted(p.name for p in at.iterdir()) == ["folded-2.json", "folding.lock"], step
    if status == 0:
        break
    assert os.WTERMSIG(status) == signal.SIGKILL
    step += 1
print(step)
""",
        tmp_path,
    )
    assert int(output) > 10


_COUNTED = st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 9), st.booleans()), max_size=8)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(workers=st.lists(_COUNTED, max_size=5))
def test_folded_equals_the_plain_sum(workers, tmp_path_factory):
    """Whenever workers end, are read and are folded, the sum is that of all they counted."""
    directory = tmp_path_factory.mktemp("counts")
    reader = Merger([Counts(directory)])
    want = {}
    for counted in workers:
        counts, cells = Counts(directory), {}
        for where, number, read in counted:
            if where not in cells:
                cells[where] = counts.block(FAILURES, [(where,)]).cells
            cells[where][0] += number
            want[where,] = want.get((where,), 0) + number
            if read:
                assert values(reader) == want
        ended(counts)
    assert values(reader) == want


def test_two_readers_fold_at_once(tmp_path):
    """Readers in several threads, all folding and reading, agree with what was counted."""
    done, wrong = threading.Event(), []

    def read():
        reader, last = Merger([Counts(tmp_path)]), 0.0
        while not done.is_set():
            now = values(reader).get(("a",), 0.0)
            if now < last:
                wrong.append((last, now))
            last = now

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for _ in range(60):
        dead(tmp_path, a=1)
    done.set()
    for reader in readers:
        reader.join()
    assert not wrong
    assert values(Merger([Counts(tmp_path)])) == {("a",): 60}


def test_half_made_files_are_swept_up(tmp_path):
    """What a worker left that was killed while it made or deleted files goes after a minute."""
    old, young = tmp_path / "7-00000001", tmp_path / "8-00000002"
    for stem in (old, young):
        for suffix in (".new", ".series"):
            stem.with_suffix(suffix).touch()
    for suffix in (".new", ".series"):
        os.utime(old.with_suffix(suffix), (1, 1))
    (tmp_path / "notes.series").touch()
    os.utime(tmp_path / "notes.series", (1, 1))
    (tmp_path / "folded-2.tmp").write_text("{half")
    Counts(tmp_path)
    left = {path.name for path in tmp_path.iterdir()}
    assert {"8-00000002.new", "8-00000002.series", "notes.series"} <= left
    assert not {"7-00000001.new", "7-00000001.series", "folded-2.tmp"} & left


def _zero(path):
    path.write_bytes(b"")


def _cut(path):
    with path.open("r+b") as file:
        file.truncate(12)


def _no_series(path):
    path.with_suffix(".series").unlink()


def _empty_series(path):
    path.with_suffix(".series").write_bytes(b"")


def _noise(path):
    with path.with_suffix(".series").open("ab") as file:
        file.write(b"\x00\xff\x00\n")


def _other_version(path):
    series = path.with_suffix(".series")
    series.write_text(series.read_text().replace('"schema_version":2', '"schema_version":9'))


def _directory(path):
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (_zero, "cut short, at 0 bytes"),
        (_cut, "cut short, at 12 bytes"),
        (_no_series, "no .series file"),
        (_empty_series, "no header"),
        (_noise, "a line cannot be read"),
        (_other_version, "in another format"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_damaged_file_is_named_and_left_alone(tmp_path, caplog, harm, said):
    """A file that is not whole is neither deleted nor folded; it is logged once, and counted."""
    path = dead(tmp_path, a=1, b=2)
    harm(path)
    before = {p: p.read_bytes() for p in tmp_path.glob(path.stem + "*")}
    dead(tmp_path, c=4)
    exposition = Exposition([Counts(tmp_path)])
    for _ in range(3):
        assert values(exposition.families())[("c",)] == 4
    (problem,) = exposition.problems()
    assert str(path) in problem
    assert said in problem
    assert exposition.problems() == []
    assert caplog.text.count(str(path)) == 1
    assert {p: p.read_bytes() for p in tmp_path.glob(path.stem + "*")} == before


def test_a_file_cut_short_under_a_reader(tmp_path):
    """When somebody empties the file of a worker, readers leave it out and live on."""
    worker, reader = Counts(tmp_path), Merger([Counts(tmp_path)])
    worker.block(FAILURES, [("a",)]).cells[0] = 3
    assert values(reader) == {("a",): 3}
    os.truncate(worker.path, 0)
    for _ in range(2):
        assert values(reader) == {}
    (problem,) = reader.problems()
    assert "cut short, to 0 bytes" in problem


def test_foreign_files_are_left_alone(tmp_path):
    """Files of others, folders and a folded file of another format stay as they are."""
    (tmp_path / "yours.counts").write_text("not mine")
    (tmp_path / "readme.txt").write_text("not mine")
    (tmp_path / "folded-9.json").write_text("from the future")
    (tmp_path / "5-00000005.counts").mkdir()
    dead(tmp_path, a=3)
    reader = Merger([Counts(tmp_path, on_restart="keep")])
    assert values(reader) == {("a",): 3}
    assert len(reader.problems()) == 2
    Counts(tmp_path, on_restart="reset")
    for name in ("yours.counts", "readme.txt", "folded-9.json", "5-00000005.counts"):
        assert (tmp_path / name).exists()


def test_a_damaged_folded_file_is_kept_aside(tmp_path, caplog):
    """A folded file that cannot be read is renamed, with an error in the log; counting goes on."""
    dead(tmp_path, a=3)
    folding.fold(tmp_path)
    whole = (tmp_path / FOLDED).read_bytes()
    (tmp_path / FOLDED).write_bytes(whole[:50])
    dead(tmp_path, a=4)
    assert values(Merger([Counts(tmp_path)])) == {("a",): 4}
    (aside,) = tmp_path.glob("folded-2.damaged-*")
    assert aside.read_bytes() == whole[:50]
    assert str(aside) in caplog.text


def test_a_used_process_number_says_nothing(tmp_path):
    """A dead worker is known by its lock, though its process number is in use again."""
    path = dead(tmp_path, a=1)
    assert path.name.startswith(f"{os.getpid()}-")
    living = Counts(tmp_path)
    living.block(FAILURES, [("a",)]).cells[0] = 2
    assert values(Merger([living])) == {("a",): 3}
    assert not path.exists()
    assert living.path.exists()


def test_keep_counts_on_and_reset_starts_at_zero(tmp_path):
    """A service that starts anew counts on, or from zero; `created` says since when."""
    before = time.time()
    dead(tmp_path, a=1)
    (kept,) = Merger([Counts(tmp_path)]).read()
    assert kept.values.tolist() == [1]
    assert before <= kept.created[0] <= time.time()
    for path in tmp_path.glob("*.counts"):  # of the reader, which ended
        assert not folding._alive(path) or gc.collect() >= 0
    gc.collect()
    started = time.time()
    counts = Counts(tmp_path, on_restart="reset")
    counts.block(FAILURES, [("a",)]).cells[0] = 5
    (reset,) = Merger([counts]).read()
    assert reset.values.tolist() == [5]
    assert reset.created[0] >= started


def test_reset_waits_for_the_last_worker(tmp_path):
    """A worker that starts while another lives counts on with it, although all are to reset."""
    living = Counts(tmp_path, on_restart="reset")
    dead(tmp_path, a=2)
    assert values(Merger([Counts(tmp_path, on_restart="reset")])) == {("a",): 2}
    ended(living)
    gc.collect()
    assert values(Merger([Counts(tmp_path, on_restart="reset")])) == {}


def test_on_restart_is_one_of_two(tmp_path):
    """Any other word than keep or reset is refused, with the word."""
    with pytest.raises(ConfigurationError, match="not 'forget'"):
        Counts(tmp_path, on_restart="forget")


def test_created_is_the_first_of_all_workers(tmp_path, monkeypatch):
    """OpenMetrics says of a counter when its first worker began, through folding and restarts."""
    clock = iter(range(1000, 9000, 1000))
    monkeypatch.setattr("modelmeter.live.files.time.time", lambda: next(clock))
    dead(tmp_path, a=1)
    dead(tmp_path, a=1, b=1)
    monkeypatch.undo()
    folding.fold(tmp_path)
    counts = Counts(tmp_path)
    counts.block(FAILURES, [("a",)])
    text = Exposition([counts], created_series=True).render(openmetrics=True).decode()
    (family,) = text_string_to_metric_families(text + "# EOF\n")
    created = {s.labels["where"]: s.value for s in family.samples if s.name.endswith("_created")}
    assert created["a"] < created["b"] < 9000
    assert "_created" not in Exposition([counts]).render(openmetrics=True).decode()


def test_counts_of_a_model_that_nobody_serves_are_forgotten(tmp_path, monkeypatch):
    """A version that was replaced is exported for an hour and then no more; its successor is."""
    now = time.time()
    monkeypatch.setattr(folding.time, "time", lambda: now)
    for _ in range(2):
        ended(serving(tmp_path, "1", rows=3))
    living = serving(tmp_path, "2", rows=1)
    reader = Merger([living])
    both = {("m", "1", "ok"): 6, ("m", "2", "ok"): 1}
    assert values(reader, PREDICTIONS.name) == both
    for later, want in ((3000, 1), (3600, 2), (3700, 3)):
        monkeypatch.setattr(folding.time, "time", lambda later=later: now + later)
        ended(serving(tmp_path, "2", rows=1))
        both["m", "2", "ok"] += 1
        if later == 3700:
            del both["m", "1", "ok"]
        assert values(reader, PREDICTIONS.name) == both, want
    assert len(values(reader, names.HTTP_REQUESTS.name)) == 1


def test_a_service_of_one_worker_keeps_its_counts_for_days(tmp_path, monkeypatch):
    """What a lone worker counted is not forgotten however long after its start it is folded."""
    start = time.time()
    for day in range(4):
        monkeypatch.setattr(folding.time, "time", lambda day=day: start + 86_400 * day)
        ended(serving(tmp_path, rows=1))
        folding.fold(tmp_path)
    assert values(Merger([serving(tmp_path)]), PREDICTIONS.name) == {("m", "1", "ok"): 4}


@pytest.mark.parametrize("folded", [False, True])
def test_counts_by_another_profile_are_left_out(tmp_path, caplog, monkeypatch, folded):
    """Dead counts of the same name and version but another profile do not mix with the living."""
    ended(serving(tmp_path, profile="old", rows=5))
    if folded:
        folding.fold(tmp_path)
    else:
        monkeypatch.setattr("modelmeter.live.merge.fold", lambda directory: False)
        monkeypatch.setattr(folding, "_fold", lambda directory: False)
    exposition = Exposition([serving(tmp_path, profile="new", rows=1)])
    for _ in range(2):
        assert values(exposition.families(), PREDICTIONS.name) == {("m", "1", "ok"): 1}
    (problem,) = exposition.problems()
    assert "'old'" in problem
    assert "m/1" in problem
    assert caplog.text.count("'old'") == 1
    assert values(exposition.families(), names.HTTP_REQUESTS.name).popitem()[1] == 6


def test_what_a_dead_worker_said_of_its_model_goes_with_it(tmp_path):
    """Reference counts and versions are those of living workers; times of events stay."""
    counts = serving(tmp_path, rows=2)
    counts.block(names.LAST_PREDICTION, [("m", "1")]).cells[0] = 7
    ended(counts)
    reader = Merger([Counts(tmp_path)])
    assert values(reader, names.MODEL_INFO.name) == {}
    assert values(reader, names.LAST_PREDICTION.name) == {("m", "1"): 7}


def test_a_full_disk_at_the_start_and_later(tmp_path):
    """Without room a worker counts in memory, says so, and brings it all to the file later."""
    output = run(
        """
def room(size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
files.RETRY_SECONDS = 0.0
reader = Merger([Counts(directory)])
room(0)
counts = Counts(directory)
first = counts.block(names.FAILURES, [("first",)]).cells
first[0] += 1
print(total(reader), total(Merger([counts])), counts.trouble, len(list(directory.glob("*.new"))))
room(70_000)
counts.settle()
first[0] += 1
print(total(reader), counts.trouble)
many = counts.block(names.FAILURES, [(f"{i}",) for i in range(10_000)])
many.values[:] = 1
first[0] += 1
print(total(reader), counts.trouble)
child = os.fork()
if child == 0:
    first[0] += 1
    room(10_000_000)
    counts.settle()
    os._exit(0 if counts.trouble is None else 1)
assert os.waitpid(child, 0)[1] == 0
room(10_000_000)
counts.settle()
many.values[:] += 1
print(total(reader), counts.trouble)
""",
        tmp_path,
    )
    assert output.splitlines() == [
        "0.0 1.0 [Errno 27] File too large 0",
        "2.0 None",
        "3.0 [Errno 27] File too large",
        "20004.0 None",
    ]


def test_a_full_disk_is_told_in_the_metrics(tmp_path, monkeypatch):
    """A worker whose counts are in memory only tells of it once each time it comes to that."""
    counts = Counts(tmp_path)
    exposition = Exposition([counts])
    for _ in range(2):
        counts._file.trouble = OSError(28, "No space left on device")
        counts._file._again = time.monotonic() + 60
        exposition.render()
        exposition.render()
        assert len(exposition.problems()) == 1
        counts._file.settle()
        exposition.render()
        assert exposition.problems() == []


def test_folding_without_room_changes_nothing(tmp_path, monkeypatch):
    """When the folded file cannot be written, the workers' files stay and are read themselves."""
    for _ in range(3):
        dead(tmp_path / "counts", a=1)
    reader = Merger([Counts()])
    reader._sources[0].directory = tmp_path / "counts"
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", _no_room)
        before = sorted((tmp_path / "counts").iterdir())
        for _ in range(3):
            assert values(reader) == {("a",): 3}
        assert sorted((tmp_path / "counts").iterdir()) == before
        (problem,) = reader.problems()
        assert "No space left" in problem
    reader._fold_again = 0.0
    assert values(reader) == {("a",): 3}
    assert not list((tmp_path / "counts").glob("*.counts"))


def _no_room(descriptor):
    raise OSError(28, "No space left on device")


def test_a_file_deleted_under_its_worker_is_written_anew(tmp_path, caplog):
    """When somebody empties the directory, a living worker's counts come back whole."""
    worker, reader = Counts(tmp_path), Merger([Counts(tmp_path)])
    block = worker.block(FAILURES, [("a",)])
    block.cells[0] = 3
    assert values(reader) == {("a",): 3}
    for path in tmp_path.iterdir():
        path.unlink()
    block.cells[0] += 1
    worker.settle()
    block.cells[0] += 1
    assert values(reader) == {("a",): 5}
    assert "deleted" in caplog.text
    assert len(list(tmp_path.glob("*.counts"))) == 2


def test_live_gauges_of_a_dead_process_go_with_it(tmp_path, monkeypatch):
    """prometheus_client's live gauges go when their process ends; those of running ones stay."""
    users = tmp_path / "users"
    users.mkdir()
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(users))
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    counted = dead(tmp_path / "counts", a=1)
    for pid in (child.pid, os.getpid()):
        for mode in ("gauge_livesum", "gauge_max", "counter"):
            (users / f"{mode}_{pid}.db").touch()
    for suffix in (".counts", ".series"):
        made = counted.with_suffix(suffix)
        made.rename(made.with_name(f"{child.pid}-0000000a{suffix}"))
    child.kill()
    # Not waited for yet: a zombie has ended, though its number is taken.
    state = Path(f"/proc/{child.pid}/stat")
    deadline = time.monotonic() + 30
    while state.read_bytes().rpartition(b")")[2].split()[0] != b"Z":
        assert time.monotonic() < deadline
    dead(tmp_path / "counts", a=1)
    assert folding.fold(tmp_path / "counts")
    child.communicate()
    assert {path.name for path in users.iterdir()} == {
        *(f"{mode}_{os.getpid()}.db" for mode in ("gauge_livesum", "gauge_max", "counter")),
        *(f"{mode}_{child.pid}.db" for mode in ("gauge_max", "counter")),
    }


def test_sixteen_threads_count_every_row(tmp_path):
    """Rows, arrays and frames observed by 16 threads at once, with labels kept, are all counted."""
    frame = pd.DataFrame({"x": np.arange(100.0), "c": ["a", "b"] * 50})
    profile = mm.Profile.build(lambda X: X["x"] * 2, frame, name="m", version="1")
    monitor = mm.Monitor(profile, directory=tmp_path / "c", store=tmp_path / "labels.db")
    assert monitor.open()
    some = frame.iloc[:7]
    array = some.to_numpy()

    def observe(number):
        for i in range(25):
            rows = ({"x": float(i), "c": "a"}, some, array, [{"x": 1.0}])[(number + i) % 4]
            size = 1 if isinstance(rows, (dict, list)) else 7
            monitor.observe(rows, y_pred=[1.0] * size)

    threads = [threading.Thread(target=observe, args=(number,)) for number in range(16)]
    switching = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(switching)
    assert monitor.close(30)
    want = 16 * 25 // 4 * (1 + 7 + 7 + 1)
    read = Merger([monitor.counts]).read()
    assert values(read, PREDICTIONS.name) == {("m", "1", "ok"): want, ("m", "1", "error"): 0}
    by_feature = {}
    for row, value in values(read, names.FEATURE_BIN.name).items():
        by_feature[row[2:4]] = by_feature.get(row[2:4], 0) + value
    assert by_feature.pop(("feature", "x")) == want
    assert by_feature.pop(("feature", "c")) + 100 == want  # rows without c are absent, not missing
    assert set(by_feature.values()) == {want}
    assert values(read, names.FEATURE_ABSENT.name)["m", "1", "c"] == 100
    assert sum(values(read, names.DROPPED.name).values()) == 0
    assert not any(values(read, FAILURES.name).values())


def test_a_worker_starts_though_another_hangs_while_folding(tmp_path, monkeypatch, caplog):
    """Somebody who never lets go of the directory delays a start, and does not stop it."""
    monkeypatch.setattr(folding, "WAIT_SECONDS", 0.05)
    with folding._held(tmp_path) as held, caplog.at_level(logging.WARNING):
        assert held
        counts = Counts(tmp_path)
        dead(tmp_path, a=1)
        assert values(Merger([counts])) == {("a",): 1}
    assert values(Merger([counts])) == {("a",): 1}
    assert json.loads((tmp_path / FOLDED).read_text())["absorbed"]

"""Who counts in a context, and in which series."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import modelmeter as mm
from modelmeter import names
from modelmeter.live.counts import merged
from modelmeter.live.recording import paused, recording_of, scope, serving


@pytest.fixture(scope="module")
def profile():
    """Return the profile of two columns."""
    X = pd.DataFrame({"city": ["JFK", "LGA"] * 20, "temp": range(40)})
    return mm.Profile.build(None, X, name="flights", version="1")


@pytest.fixture
def monitor(profile):
    """Return a monitor that counted nothing yet."""
    return mm.Monitor(profile)


def imputed(monitor):
    """Return the counts of imputed values by feature."""
    for family in merged([monitor.counts]):
        if family.metric is names.IMPUTED:
            return {row[2]: value for row, value in zip(family.rows, family.values, strict=True)}
    return {}


def test_series_are_there_at_zero(monitor):
    """Series exist from the moment somebody asks where to count."""
    recording_of(monitor).cells(names.IMPUTED, [("a", "step", "mean"), ("b", "step", "mean")])
    assert imputed(monitor) == {"a": 0, "b": 0}


def test_equal_series_are_one(monitor):
    """A series that is asked for again, alone or among new ones, keeps its place and its count."""
    recording = recording_of(monitor)
    first = recording.cells(names.IMPUTED, [("a", "s", "mean"), ("b", "s", "mean")])
    first.add(np.array([1, 2]))
    second = recording.cells(
        names.IMPUTED, [("c", "s", "mean"), ("b", "s", "mean"), ("c", "s", "mean")]
    )
    second.add(np.array([10, 20, 30]))
    first.add(np.array([0, 5]))
    assert imputed(monitor) == {"a": 1, "b": 27, "c": 40}


@settings(deadline=None)
@given(
    asked=st.lists(st.lists(st.sampled_from("abcdef"), max_size=6), max_size=5),
    seed=st.integers(0, 99),
)
def test_counts_are_sums_whatever_series_are_asked_together(profile, asked, seed):
    """Whichever series are asked for together, each is the sum of what was added to it."""
    monitor = mm.Monitor(profile)
    random = np.random.default_rng(seed)
    expected = {}
    for features in asked:
        cells = recording_of(monitor).cells(names.IMPUTED, [(f, "s", "mean") for f in features])
        numbers = random.integers(0, 9, len(features))
        cells.add(numbers)
        for feature, number in zip(features, numbers, strict=True):
            expected[feature] = expected.get(feature, 0) + number
    assert imputed(monitor) == expected


def test_adding_from_many_threads_loses_nothing(monitor):
    """Eight threads that ask for and add to the same series lose no count."""

    def work(i):
        for _ in range(200):
            cells = recording_of(monitor).cells(
                names.IMPUTED, [("all", "s", "mean"), (str(i), "s", "mean")]
            )
            cells.add(np.array([1, 1]))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert imputed(monitor) == {"all": 1600, **{str(i): 200 for i in range(8)}}


def test_an_observer_has_one_recording(monitor, profile):
    """All who count for one observer share its recording; another observer has another."""
    with ThreadPoolExecutor(8) as pool:
        found = {id(r) for r in pool.map(lambda _: recording_of(monitor), range(100))}
    assert found == {id(recording_of(monitor))}
    assert recording_of(mm.Monitor(profile)) is not recording_of(monitor)


def test_a_recording_goes_with_its_observer(profile):
    """Nothing keeps an observer's recording once the observer is gone."""
    monitor = mm.Monitor(profile)
    gone = weakref.ref(recording_of(monitor))
    del monitor
    gc.collect()
    assert gone() is None


def test_labels_of_categories_come_from_the_profile(monitor):
    """Categories of a categorical feature have their bins' labels; other features have none."""
    recording = recording_of(monitor)
    assert recording.categories_of("city") == {"JFK": "JFK", "LGA": "LGA"}
    assert recording.categories_of("temp") is None
    assert recording.categories_of("elsewhere") is None
    assert recording.features == ["city", "temp"]


def test_serving_lasts_as_long_as_its_block(monitor):
    """Inside ``serving`` its observer is the one to count for, afterwards nobody."""
    assert scope().recording is None
    with serving(monitor):
        assert scope().recording is recording_of(monitor)
    assert scope().recording is None
    with pytest.raises(KeyError), serving(monitor):
        raise KeyError
    assert scope().recording is None


def test_serving_nests(monitor, profile):
    """The innermost ``serving`` decides, and the one outside returns after it."""
    other = mm.Monitor(profile)
    with serving(monitor):
        with serving(other):
            assert scope().recording is recording_of(other)
        assert scope().recording is recording_of(monitor)


def test_paused_wins_over_serving(monitor):
    """Nothing counts in ``paused``, whatever is inside or around it."""
    with serving(monitor):
        with paused():
            assert (scope().recording, scope().paused) == (None, True)
            with serving(monitor):
                assert (scope().recording, scope().paused) == (None, True)
        assert scope().recording is recording_of(monitor)


def test_threads_and_tasks_are_apart(monitor):
    """What serves in one thread or task serves in no other."""
    seen = []
    with serving(monitor):
        thread = threading.Thread(target=lambda: seen.append(scope().recording))
        thread.start()
        thread.join()
    assert seen == [None]

    async def task(serve, started, finish):
        if serve:
            with serving(monitor):
                started.set()
                await finish.wait()
                return scope().recording
        await started.wait()
        found = scope().recording
        finish.set()
        return found

    async def both():
        events = asyncio.Event(), asyncio.Event()
        return await asyncio.gather(task(True, *events), task(False, *events))

    assert asyncio.run(both()) == [recording_of(monitor), None]

"""Answers counted by bin, as a whole and by segment."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import modelmeter as mm
from live.answering import CITIES, KINDS, built, counted, output, rows, truth
from modelmeter import names
from modelmeter.live.outputs import OutputCounter
from modelmeter.live.placing import plans_of
from modelmeter.profile.columns import as_objects

N = 90
FRAME = rows(N, seed=7, cities=(*CITIES, "Rom", None))
NAMED = FRAME["city"].fillna("missing").replace("Rom", "unseen")
SEGMENTS = [f"city={name}" for name in NAMED]

FORMS = {
    "frame": lambda f: [f],
    "frames of one row": lambda f: [f.iloc[[i]] for i in range(len(f))],
    "dicts": lambda f: f.to_dict("records"),
    "list of dicts": lambda f: [f.to_dict("records")],
    "few dicts": lambda f: [f.to_dict("records")[i : i + 7] for i in range(0, len(f), 7)],
    "tuples": lambda f: [list(f.itertuples(index=False, name=None))],
    "array": lambda f: [f.to_numpy(dtype=object)],
    "array rows": lambda f: list(f.to_numpy(dtype=object)),
    "polars": lambda f: [pl.from_pandas(f)],
}


class Hostile:
    """Neither to be hashed nor compared, and no number."""

    __hash__ = None

    def __eq__(self, other):
        raise RuntimeError

    def __float__(self):
        raise RuntimeError


def answers(kind, X):
    """Return classes or values, and scores where the model has them."""
    model, profile = built(kind)
    method = profile.model.score_method
    y_pred = model(X) if kind == "callable" else model.predict(X)
    return np.asarray(y_pred), None if method is None else getattr(model, method)(X)


def cut(values, start, stop):
    return None if values is None else values[start:stop]


def observe(monitor, kind, form, X=FRAME):
    """Observe rows in some form, and the model's answers to them."""
    y_pred, y_score = answers(kind, FRAME)
    start = 0
    for part in FORMS[form](X):
        single = isinstance(part, dict) or getattr(part, "ndim", 2) == 1
        stop = start + (1 if single else len(part))
        monitor.observe(part, cut(y_pred, start, stop), cut(y_score, start, stop))
        start = stop


def by_segment(monitor):
    """Return rows by output and bin: of all, and by segment."""
    found = {}
    for (role, feature, _, _, label, segment), n in counted(monitor, names.FEATURE_BIN).items():
        if role == "prediction" and n:
            found.setdefault(segment, {})[feature, label] = n
    return found.pop("", {}), found


def expected(kind, segment_of):
    """Work out the same with no more than the bins' own look-up of one value."""
    _, profile = built(kind)
    y_pred, y_score = answers(kind, FRAME)
    columns = {"y_pred": y_pred}
    if y_score is not None:
        y_score = np.asarray(y_score)
        confidence = y_score.max(axis=1) if y_score.ndim == 2 and y_score.shape[1] > 2 else None
        positive = y_score[:, 1] if y_score.ndim == 2 else y_score
        columns["y_score"] = positive if confidence is None else confidence
    whole, parts = Counter(), {}
    for name, values in columns.items():
        bins = output(profile, name).bins
        for value, segment in zip(values, segment_of, strict=True):
            cell = name, bins.bins[bins.index(value)].label
            whole[cell] += 1
            parts.setdefault(segment, Counter())[cell] += 1
    return dict(whole), {segment: dict(part) for segment, part in parts.items()}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("form", FORMS)
def test_answers_are_counted_by_segment(form, kind):
    """Whatever the rows come as, each answer counts in the segment that its own row is of."""
    monitor = mm.Monitor(built(kind)[1], store=None)
    observe(monitor, kind, form)
    assert by_segment(monitor) == expected(kind, SEGMENTS)
    assert not any(counted(monitor, names.FAILURES).values())


@pytest.mark.parametrize("form", ["frame", "frames of one row", "dicts", "list of dicts"])
def test_rows_without_the_column_are_of_the_missing_segment(form):
    """Where the segment's column is not there at all, rows are of the segment ``missing``."""
    monitor = mm.Monitor(built("probability")[1], store=None)
    observe(monitor, "probability", form, FRAME[["a", "b"]])
    whole, parts = by_segment(monitor)
    assert parts == {"city=missing": whole}
    assert sum(whole.values()) == 2 * N


def test_a_column_that_some_rows_lack_is_told_apart_row_by_row():
    """Of many dicts, those without the column are ``missing``, wherever they stand."""
    monitor = mm.Monitor(built("bare")[1], store=None)
    cities = ["Ulm" if i % 3 else None for i in range(60)]
    records = [{"a": 1.0, "b": 0.0} | ({"city": c} if c else {}) for c in cities]
    monitor.observe(records, ["yes" if c else "no" for c in cities])
    whole, parts = by_segment(monitor)
    assert parts == {"city=Ulm": {("y_pred", "yes"): 40}, "city=missing": {("y_pred", "no"): 20}}
    assert whole == {("y_pred", "yes"): 40, ("y_pred", "no"): 20}


def test_answers_without_rows_are_of_no_segment():
    """Answers alone are counted as a whole only, the second part of one too."""
    monitor = mm.Monitor(built("probability")[1], store=None)
    monitor.observe(None, ["yes", "no"])
    monitor.observe_outputs(None, None, [0.9, 0.1], derive=False)
    whole, parts = by_segment(monitor)
    assert sum(whole.values()) == 4
    assert parts == {}
    assert not any(counted(monitor, names.FAILURES).values())


def class_scores(proba, segments):
    """Count rows by segment, predicted class and confidence bin, with plain numpy."""
    _, profile = built("three")
    edges = output(profile, "y_score").bins.edges
    leading, confidence = proba.argmax(axis=1), proba.max(axis=1)
    found = Counter()
    for said, place, segment in zip(leading, np.digitize(confidence, edges), segments, strict=True):
        for one in ("", segment):
            found[profile.model.classes[said], f"{place:02d}", one] += 1
    return dict(found)


@pytest.mark.parametrize("form", ["frame", "dicts", "list of dicts", "few dicts"])
def test_confidences_are_counted_by_class(form):
    """With three classes, rows by leading class and confidence are what numpy says."""
    monitor = mm.Monitor(built("three")[1], store=None)
    assert not any(counted(monitor, names.CLASS_SCORE).values())
    series = len(counted(monitor, names.CLASS_SCORE))
    observe(monitor, "three", form)
    found = counted(monitor, names.CLASS_SCORE)
    proba = answers("three", FRAME)[1]
    nonzero = {(said, ord_, segment): n for (said, ord_, _, segment), n in found.items() if n}
    assert nonzero == class_scores(proba, SEGMENTS)
    bins = len(output(built("three")[1], "y_score").bins.edges) + 1
    assert len(found) == series == 3 * bins * (1 + len(CITIES) + 4)


def test_confidences_that_are_missing_or_of_other_classes_are_let_go():
    """A row of NaN has no confidence, and scores of more classes say none."""
    monitor = mm.Monitor(built("three")[1], store=None)
    X = FRAME[:3]
    monitor.observe(X, ["low"] * 3, [[np.nan] * 3, [0.1, 0.2, 0.7], [np.nan] * 3])
    assert sum(counted(monitor, names.CLASS_SCORE).values()) == 2  # in all rows, and in one segment
    monitor.observe(X, ["low"] * 3, np.full((3, 4), 0.25))
    monitor.observe(X, ["low"] * 3, np.full(3, 0.5))
    assert sum(counted(monitor, names.CLASS_SCORE).values()) == 2
    assert not any(counted(monitor, names.FAILURES).values())


@pytest.mark.parametrize("single", [False, True])
@pytest.mark.parametrize("kind", ["probability", "margin", "three"])
def test_an_answer_in_two_parts_counts_as_one(kind, single):
    """Classes and then scores of the same rows count as both at once, also by segment."""
    _, profile = built(kind)
    X = FRAME[:1] if single else FRAME
    y_pred, y_score = answers(kind, X)
    whole, parts = mm.Monitor(profile, store=None), mm.Monitor(profile, store=None)
    whole.observe(X, y_pred, y_score)
    parts.observe(X, y_pred)
    parts.observe_outputs(X, None, y_score, derive=False)
    assert by_segment(parts) == by_segment(whole)
    assert counted(parts, names.CLASS_SCORE) == counted(whole, names.CLASS_SCORE)


@pytest.mark.parametrize("kind", ["probability", "margin", "three"])
def test_watched_methods_count_as_both_at_once(kind):
    """`predict` and then the scores of the same frame are one answer, also by segment."""
    model, profile = built(kind)
    whole, parts = mm.Monitor(profile, store=None), mm.Monitor(profile, store=None)
    watched = parts.watch(model)
    for X in (FRAME, FRAME[:1]):
        whole.observe(X, *answers(kind, X))
        watched.predict(X)
        getattr(watched, profile.model.score_method)(X)
    assert by_segment(parts) == by_segment(whole)
    assert counted(parts, names.PREDICTIONS) == counted(whole, names.PREDICTIONS)


@pytest.mark.parametrize("kind", ["probability", "margin", "three"])
def test_classes_follow_from_scores(kind):
    """Scores alone count as with the classes that the model says, unless it is declined."""
    _, profile = built(kind)
    derived, given_, declined = (mm.Monitor(profile, store=None) for _ in range(3))
    y_pred, y_score = answers(kind, FRAME)
    derived.observe(FRAME, None, y_score)
    given_.observe(FRAME, y_pred, y_score)
    declined.observe_outputs(FRAME, None, y_score, derive=False)
    assert by_segment(derived) == by_segment(given_)
    assert {name for name, _ in by_segment(declined)[0]} == {"y_score"}


def test_scores_that_the_profile_knows_nothing_of_are_not_looked_at():
    """A model without scores in its profile may be given anything for them."""
    monitor = mm.Monitor(built("bare")[1], store=None)
    monitor.observe(FRAME, answers("bare", FRAME)[0], "nonsense")
    assert sum(by_segment(monitor)[0].values()) == N
    assert not any(counted(monitor, names.FAILURES).values())


@pytest.mark.parametrize(
    ("X", "y_pred", "y_score"),
    [
        (FRAME, ["yes"] * (N - 1), None),
        (FRAME, None, [0.5] * (N + 1)),
        (FRAME, ["yes"] * N, [0.5]),
        (FRAME[:1], ["yes"], [0.5, 0.5]),
        (FRAME[:1], ["yes", "no"], [0.5, 0.5]),
        (None, ["yes"], [0.5, 0.5]),
        (FRAME[:2], None, [["x", "y"], ["z", "w"]]),
    ],
)
@pytest.mark.parametrize("again", [False, True])
def test_unlike_lengths_are_a_failure_and_count_nothing(X, y_pred, y_score, again):
    """Answers that do not fit the rows, or each other, count one failure and nothing else."""
    monitor = mm.Monitor(built("probability")[1], store=None)
    (monitor.observe_outputs if again else monitor.observe)(X, y_pred, y_score)
    assert not any(counted(monitor, names.FEATURE_BIN).values())
    assert not any(counted(monitor, names.PREDICTIONS).values())
    assert sum(counted(monitor, names.FAILURES).values()) == 1


ANYTHING = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), st.text(max_size=3),
    st.sampled_from(["no", "yes", "low", "top", True, 1.0, Decimal("NaN"), Decimal(1), b"yes",
                     pd.NA, pd.NaT, np.datetime64("2020-01-01"), np.float32(3), {}, (1,)]),
    st.builds(Hostile),
)  # fmt: skip


@settings(max_examples=150)
@given(
    st.lists(st.tuples(ANYTHING, st.sampled_from([*CITIES, "Rom", None, 3])), min_size=1),
    st.sampled_from(KINDS),
)
def test_segments_change_nothing_of_the_whole(pairs, kind):
    """Whatever is predicted, the whole is counted as without segments, and is their sum."""
    plain, parted = (mm.Monitor(built(kind, s)[1], store=None) for s in ((), ("city",)))
    y_pred = [value for value, _ in pairs]
    records = [{"a": 0.0, "b": 0.0, "city": city} for _, city in pairs]
    for monitor in (plain, parted):
        monitor.observe(records, y_pred)
    whole, parts = by_segment(parted)
    assert whole == by_segment(plain)[0]
    summed = Counter()
    for part in parts.values():
        summed.update(part)
    assert dict(summed) == whole
    assert sum(counted(plain, names.FAILURES).values()) == sum(
        counted(parted, names.FAILURES).values()
    )


@pytest.mark.parametrize("dtype", ["M8[ns]", "m8[s]", "f4", "i8", "U3", "O", "c16"])
@pytest.mark.parametrize("kind", KINDS)
def test_arrays_of_any_type_count_alike_with_segments(dtype, kind):
    """An array of predictions falls into the same bins whether there are segments or not."""
    plain, parted = (mm.Monitor(built(kind, s)[1], store=None) for s in ((), ("city",)))
    y_pred = np.arange(N).astype(dtype)
    for monitor in (plain, parted):
        monitor.observe(FRAME, y_pred)
    assert by_segment(parted)[0] == by_segment(plain)[0]
    assert sum(by_segment(plain)[0].values()) == N


@settings(max_examples=100)
@given(st.lists(ANYTHING, min_size=1, max_size=5), st.sampled_from(KINDS))
def test_an_answer_is_kept_as_it_is_counted(y_pred, kind):
    """What is kept of a prediction is the number of the bin that it counts in."""
    _, profile = built(kind)
    monitor = mm.Monitor(profile, store=None)
    plans = plans_of(profile)[len(profile.features) :]
    outputs = OutputCounter(profile, plans, monitor.counts)
    brought = outputs.bring(as_objects(y_pred), None)
    cells, parts = outputs.count(brought)
    kept = outputs.answer("a", 0.0, brought)
    start = plans[0].start
    if brought.rows == 1:
        assert [start + place for place in kept.pred] == cells
    else:
        [(_, counts)] = parts
        assert np.bincount(kept.pred, minlength=len(counts)).tolist() == counts.tolist()
    bins = output(profile, "y_pred").bins
    if kind == "number":
        for place, value in zip(kept.pred, kept.values, strict=True):
            assert np.isnan(value) == (place >= bins.missing)


def test_what_is_kept_does_not_change_with_the_callers_arrays():
    """A caller may fill his arrays anew as soon as he has observed them."""
    _, profile = built("number")
    monitor = mm.Monitor(profile, store=None)
    plans = plans_of(profile)[len(profile.features) :]
    outputs = OutputCounter(profile, plans, monitor.counts)
    y_pred = np.array([100.0, 120.0])
    kept = outputs.answer("a", 0.0, outputs.bring(y_pred, None))
    before = [list(kept.pred), list(kept.values)]
    y_pred[:] = 0
    assert [list(kept.pred), list(kept.values)] == before
    assert kept.values == [100.0, 120.0]


def test_truth_is_of_every_class():
    """The rows that the tests predict for have every class, so that every cell is met."""
    for kind in KINDS:
        classes = built(kind)[1].model.classes
        assert set(truth(kind, FRAME)) >= set(classes)

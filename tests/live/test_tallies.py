"""What a label adds to."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from live.answering import KINDS, built, output
from modelmeter import names
from modelmeter.live.labels import Prediction
from modelmeter.live.tallies import LARGEST, check_of, series_of, tally_of
from modelmeter.stats.performance import ERROR_SUMS, TARGET_SUMS, error_sums, target_sums

NUMBERS = st.floats(-1e9, 1e9)
LAG = names.LABEL_LAG


def sums_of(tallies):
    found = Counter()
    for metric, labels, amount in tallies:
        found[metric, labels] += amount
    return found


@given(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=8), NUMBERS)
def test_a_regressions_sums_are_those_of_the_statistics(pairs, center):
    """Label by label, the same is added up as `error_sums` and `target_sums` add up at once."""
    tally = tally_of(built("number")[1])
    found = Counter()
    for y_pred, y_true in pairs:
        kept = Prediction(
            "a", 0.0, "number", "1", None, "03", "x", y_pred, ("city=Ulm", "day=1"), center
        )
        found.update(sums_of(tally(kept, repr(y_true), 0.0)))
    y_pred, y_true = map(np.array, zip(*pairs, strict=True))
    errors = dict(zip(ERROR_SUMS, error_sums(y_true, y_pred)[0], strict=True))
    targets = dict(zip(TARGET_SUMS, target_sums(y_true, y_pred, center=center), strict=True))
    for cell in (("", "03", "x"), ("city=Ulm", "", ""), ("day=1", "", "")):
        for name, expected in errors.items():
            assert found[names.ERROR_SUM.name, (*cell, name)] == pytest.approx(expected)
        for name, expected in targets.items():
            assert found[names.TARGET_SUM.name, (cell[0], name)] == pytest.approx(expected)
    assert len(found) == 3 * 5 + 3 * 9 + 2


@given(st.floats(allow_nan=False), st.floats(allow_nan=False, allow_infinity=False))
def test_no_number_breaks_a_sum(y_pred, y_true):
    """Whatever is predicted and true, amounts are finite and not negative, and nothing raises."""
    tally = tally_of(built("number")[1])
    kept = Prediction("a", 0.0, "number", "1", None, "03", "x", y_pred, (), 100.0)
    amounts = [amount for _, _, amount in tally(kept, repr(y_true), 0.0)]
    assert np.isfinite(amounts).all()
    assert min(amounts) >= 0
    in_range = abs(y_pred) <= LARGEST and abs(y_true) <= LARGEST
    assert len(amounts) == (16 if in_range else 2)


@pytest.mark.parametrize("given_", [1e76, -1e76, 1e308, float("inf"), "3", None, True])
def test_true_values_that_cannot_be_summed_are_refused(given_):
    """A regression's label is a number that is not beyond all bounds."""
    with pytest.raises(ValueError, match="y_true is a"):
        check_of(built("number")[1])(given_)


def test_true_values_of_a_classifier_are_its_classes():
    """A classifier's label is one of its classes, under its name."""
    check = check_of(built("callable")[1])
    assert [check(value) for value in (True, 0, "True")] == ["True", "False", "True"]
    with pytest.raises(ValueError, match="'False', 'True'"):
        check("yes")


@given(st.floats(0, 1e8))
def test_a_lag_falls_into_one_bucket(lag):
    """The bucket is the first whose bound is not below the lag, and the sum is the lag."""
    kept = Prediction("a", 0.0, "bare", "1")
    (_, (bucket,), one), (_, total, amount) = tally_of(built("bare")[1])(kept, "yes", lag)
    below = sum(bound < lag for bound in LAG.buckets)
    assert (int(bucket), one, total, amount) == (below, 1.0, ("sum",), lag)


def test_a_class_counts_in_every_segment():
    """A label adds to the confusion, and to its score's bin, as a whole and in each segment."""
    kept = Prediction("a", 0.0, "m", "1", "yes", "03", "x", segments=("city=Ulm",))
    found = sums_of(tally_of(built("probability")[1])(kept, "no", 1.0))
    whole = {key: n for key, n in found.items() if key[0] != LAG.name}
    assert whole == {
        (names.CONFUSION.name, ("", "no", "yes")): 1,
        (names.CONFUSION.name, ("city=Ulm", "no", "yes")): 1,
        (names.LABEL_BIN.name, ("", "03", "x", "no")): 1,
        (names.LABEL_BIN.name, ("city=Ulm", "03", "x", "no")): 1,
    }


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_a_label_adds_to_was_declared(kind):
    """Every bin, class, segment and lag that can come is among the declared series, once."""
    profile = built(kind)[1]
    declared = series_of(profile)
    assert len(set(declared)) == len(declared)
    tally = tally_of(profile)
    outputs = {found.name: found.bins.bins for found in profile.predictions}
    bins = outputs["y_pred"] if kind == "number" else outputs.get("y_score", ())
    places = [(p.ord, p.label) for p in bins if p.ord] if kind != "three" else []
    city = next(f for f in profile.features if f.name == "city").bins.bins
    classes = [str(c) for c in profile.model.classes]
    met = set()
    for segment in city:
        for ord_, label in [*places, (None, None)]:
            for true in classes or ["3.5"]:
                for said in [*classes, None]:
                    kept = Prediction(
                        "a", 0.0, kind, "1", said, ord_, label,
                        None if ord_ is None or classes else 3.0, (f"city={segment.label}",),
                    )  # fmt: skip
                    for lag in (0, *LAG.buckets, 1e9):
                        met.update(t[:2] for t in tally(kept, true, lag))
    outcomes = {series for series in declared if series[0] == "labels"}
    assert met == set(declared) - outcomes
    assert len(outcomes) == 6
    metrics = {"labels": names.LABELS} | {metric.name: metric for metric in names.ALL}
    for metric, labels in declared:
        of_store = metrics[metric].labels[3:]
        assert len(labels) == (1 if metric == LAG.name else len(of_store))


def test_the_bins_of_a_series_are_the_profiles():
    """Series by bin carry position and name of the bins that live rows are counted in."""
    profile = built("probability")[1]
    found = {labels[1:3] for name, labels in series_of(profile) if name == names.LABEL_BIN.name}
    assert found == {(p.ord, p.label) for p in output(profile, "y_score").bins.bins if p.ord}

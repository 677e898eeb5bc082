"""Totals of label stores in ``promtool test rules``: what may happen to replicas and stores."""

from __future__ import annotations

import pytest

from modelmeter import names
from modelmeter.generate import count_series as counts
from modelmeter.generate import label_series as recorded
from modelmeter.generate import performance_series as figures
from modelmeter.generate.rules import recording_rules
from modelmeter.generate.tasks import Tasks
from real.rule_tests import Scenario, series

TASKS = Tasks(classes=2, score_positions=0, scored_classes=False, regression=False)
RULES = recording_rules(
    windows=("10m", "1h"),
    scrape_interval="1m",
    evaluation_interval="1m",
    positions=0,
    tasks=TASKS,
)
COUNTED = recorded.LABEL_ROWS.where(outcome="counted", window="10m")


def exported(instance, values, *, store="s", **labels):
    """What one replica says of the labels counted in a store, minute by minute."""
    own = {"instance": instance, "model": "m", "version": "1", "store": store, **labels}
    return series(names.LABELS.name, {**own, "outcome": "counted"}, values)


def steady(start, minutes, *, rate=2):
    """A total that rises by so many labels a minute."""
    return [start + rate * minute for minute in range(minutes)]


def test_replicas_of_one_store_count_once(tmp_path):
    """Replicas that export one total are one; stores add up; the window's labels are exact."""
    inputs = [
        *(exported(name, steady(7000, 31)) for name in ("a", "b", "c")),
        exported("d", steady(0, 31, rate=5), store="t"),
    ]
    scenario = Scenario(RULES, inputs)
    scenario.expect(COUNTED, 70, minute=30, within=0)
    scenario.expect(recorded.LABEL_ROWS.where(outcome="counted", window="1h"), 210, minute=30)
    scenario.expect_count(recorded.LABEL_TOTAL.name, 2, minute=30)
    scenario.check(tmp_path)


def test_replica_that_dies_and_comes_back_changes_nothing(tmp_path):
    """Labels that arrive while one of two replicas is dead are counted, once."""
    alive = steady(7000, 41)
    gone = [*alive[:12], "stale", *[None] * 9, *alive[22:]]
    scenario = Scenario(RULES, [exported("a", alive), exported("b", gone)])
    for minute in (14, 20, 23, 30, 40):
        scenario.expect(COUNTED, 20, minute=minute, within=0)
    scenario.check(tmp_path)


def test_total_that_falls_for_a_moment_is_no_restart(tmp_path):
    """The largest falls when the replica that was scraped last goes: nothing is counted anew."""
    alive = steady(7000, 41)
    late = [one + 1 for one in alive]
    gone = [*late[:15], "stale", *[None] * 25]
    scenario = Scenario(RULES, [exported("a", alive), exported("b", gone)])
    scenario.expect(f"resets({recorded.LABEL_TOTAL.name}[40m])", 0, minute=40)
    scenario.expect(COUNTED, 19, minute=16, within=0)
    scenario.expect(COUNTED, 20, minute=40, within=0)
    scenario.check(tmp_path)
    # And where it falls by more than it rises in between.
    stuck = [*steady(7000, 15), *[7020] * 3, *steady(7036, 23)]
    scenario = Scenario(RULES, [exported("a", stuck)])
    scenario.expect(f"resets({recorded.LABEL_TOTAL.name}[40m])", 1, minute=40)
    scenario.expect(COUNTED, 20, minute=20, within=0)
    scenario.expect(recorded.LABEL_ROWS.where(window="1h"), 80, minute=40, within=0)
    scenario.check(tmp_path)


def test_store_that_nobody_can_read_loses_no_label(tmp_path):
    """For some minutes the last total stands; then there is none, and later all are counted."""
    values = steady(7000, 41)
    inputs = [exported("a", [*values[:12], "stale", *[None] * 7, *values[20:]])]
    scenario = Scenario(RULES, inputs)
    scenario.expect(COUNTED, 20 - 2 * 3, minute=14, within=0)
    scenario.expect_count(COUNTED, 0, minute=18)
    for minute in (20, 21, 30, 40):
        scenario.expect(COUNTED, 20, minute=minute, within=0)
    scenario.check(tmp_path)


def test_store_put_back_from_a_backup_counts_nothing_again(tmp_path):
    """A total that fell for good counts on from where it is."""
    scenario = Scenario(RULES, [exported("a", [*steady(7000, 20), *steady(3000, 21)])])
    scenario.expect(COUNTED, 20, minute=35, within=0)
    scenario.expect(COUNTED, 0, minute=20, within=0)
    scenario.check(tmp_path)


def test_store_that_prometheus_meets_late_brings_no_old_labels(tmp_path):
    """Labels from before the first scrape are none of any window's."""
    scenario = Scenario(RULES, [exported("a", [*[None] * 20, *steady(7000, 21)])])
    scenario.expect(COUNTED, 0, minute=20, within=0)
    scenario.expect(COUNTED, 10, minute=25, within=0)
    scenario.expect(COUNTED, 20, minute=40, within=0)
    scenario.check(tmp_path)


def test_lag_is_that_of_the_labels_in_the_window(tmp_path):
    """Half of the labels came within an hour: that is their median; without any there is none."""
    own = {"instance": "a", "model": "m", "version": "1", "store": "s"}
    bounds = {"600.0": 0, "3600.0": 10, "21600.0": 20, "+Inf": 20}
    name = f"{names.LABEL_LAG.name}_bucket"
    inputs = [
        series(name, {**own, "le": le}, [500] * 20 + [500 + rows] * 21)
        for le, rows in bounds.items()
    ]
    scenario = Scenario(RULES, inputs)
    median = recorded.LAG_SECONDS.where(quantile="0.5", window="10m")
    scenario.expect(median, 3600, minute=25)
    scenario.expect_count(median, 0, minute=15)
    scenario.expect_count(median, 0, minute=35)
    scenario.expect(recorded.LAG_SECONDS.where(quantile="0.95", window="1h"), 19800, minute=35)
    scenario.check(tmp_path)


@pytest.mark.parametrize("keep", [(), ("cluster",)])
def test_kept_labels_tell_stores_apart(keep, tmp_path):
    """Two clusters are two models where `cluster` is kept, and one whose stores add up if not."""
    groups = recording_rules(windows=("10m",), scrape_interval="1m", tasks=TASKS, keep_labels=keep)
    inputs = [
        exported("a", steady(0, 31), store="s", cluster="east"),
        exported("a", steady(0, 31, rate=3), store="t", cluster="west"),
    ]
    for cluster, rate in (("east", 2), ("west", 3)):
        own = {"instance": "a", "model": "m", "version": "1", "cluster": cluster}
        cell = {"store": "s" if rate == 2 else "t", "y_true": "x", "y_pred": "x"}
        inputs.append(series(names.CONFUSION.name, {**own, **cell}, steady(0, 31, rate=rate)))
        reference = {"metric": "accuracy", "class": ""}
        inputs.append(series(names.REFERENCE_PERFORMANCE.name, {**own, **reference}, [0.9] * 31))
    scenario = Scenario(groups, inputs)
    accuracy = figures.VALUE.where(metric="accuracy")
    scenario.expect_count(accuracy, 1 + len(keep), minute=30)
    scenario.expect_count(figures.CHANGE.name, 1 + len(keep), minute=30)
    if keep:
        west = counts.CONFUSION_ROWS.where(cluster="west")
        scenario.expect(west, 30, minute=30, within=0)
        scenario.expect(recorded.LABEL_ROWS.where(cluster="east"), 20, minute=30, within=0)
    else:
        scenario.expect(recorded.LABEL_ROWS.name, 50, minute=30, within=0)
    scenario.check(tmp_path)

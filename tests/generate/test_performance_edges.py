"""Figures of performance in ``promtool test rules``: where there are none, and extremes."""

from __future__ import annotations

from modelmeter import names
from modelmeter.generate import count_series as counts
from modelmeter.generate import performance_series as figures
from modelmeter.generate.rules import recording_rules
from modelmeter.generate.tasks import Tasks
from real.rule_tests import Scenario, series

RULES = recording_rules(
    windows=("10m", "1h"),
    scrape_interval="1m",
    evaluation_interval="1m",
    positions=0,
    tasks=Tasks(classes=2, score_positions=0, scored_classes=False),
)


def test_empty_window_has_rows_but_no_figures(tmp_path):
    """Without labels in the window there is a 0, and no accuracy; without classes no error."""
    own = {"instance": "a", "model": "m", "version": "1", "store": "s"}
    inputs = [
        series(
            names.CONFUSION.name,
            {**own, "y_true": true, "y_pred": said},
            [0] * 10 + [3 * (true == said)] * 31,
        )
        for true in ("no", "yes")
        for said in ("no", "yes")
    ]
    scenario = Scenario(RULES, inputs)
    accuracy = figures.VALUE.where(metric="accuracy", window="10m")
    scenario.expect(accuracy, 1, minute=15)
    # 6 of 6 right: two pseudo-rows right and two wrong keep the error from 0.
    scenario.expect(
        figures.ERROR.where(metric="accuracy", window="10m"), (0.8 * 0.2 / 10) ** 0.5, minute=15
    )
    scenario.expect(figures.PERFORMANCE_ROWS.where(window="10m"), 0, minute=35)
    for one in (figures.VALUE, figures.ERROR):
        scenario.expect_count(one.where(window="10m"), 0, minute=35)
        scenario.expect_count(one.where(window="1h", metric="mcc"), 1, minute=35)
    # Without a reference nothing is compared, and without ratios nothing is estimated.
    scenario.expect_count(figures.CHANGE.name, 0, minute=15)
    scenario.expect_count(figures.VALUE.where(source="estimated"), 0, minute=15)
    scenario.check(tmp_path)


def test_class_that_never_came_has_no_figures(tmp_path):
    """Recall needs true rows and precision predicted ones; MCC needs two classes of both."""
    own = {"instance": "a", "model": "m", "version": "1", "store": "s"}
    inputs = [
        series(
            names.CONFUSION.name,
            {**own, "y_true": true, "y_pred": said},
            [0] * 10 + [5 * (said == "no")] * 31,
        )
        for true in ("no", "yes")
        for said in ("no", "yes")
    ]
    scenario = Scenario(RULES, inputs)
    for metric, of_class, number in (
        *(("recall", "yes", 1), ("precision", "yes", 0), ("f1", "yes", 1)),
        *(("precision", "no", 1), ("mcc", "", 0), ("macro_f1", "", 1)),
    ):
        for one in (figures.VALUE, figures.ERROR):
            selected = one.where(**{"metric": metric, "class": of_class, "window": "10m"})
            scenario.expect_count(selected, number, minute=15)
    macro = figures.VALUE.where(metric="macro_f1", window="10m")
    scenario.expect(macro, (2 / 3 + 0) / 2, minute=15)
    scenario.check(tmp_path)


def test_change_that_cannot_be_chance_is_infinite(tmp_path):
    """Without any error on either side z is 0 where nothing changed, else infinite."""
    own = {"instance": "a", "model": "m", "version": "1"}
    sums = {"rows": 10, "over": 20, "under": 0, "squared": 40, "fourth": 160}
    inputs = [
        series(
            names.ERROR_SUM.name,
            {**own, "store": "s", "ord": "01", "bin": "b", "statistic": statistic},
            [0] * 10 + [total] * 11,
        )
        for statistic, total in sums.items()
    ]
    for metric, value in (("mae", 2), ("bias", 1), ("rmse", 3)):
        for reference, sample in (
            (names.REFERENCE_PERFORMANCE, value),
            (names.REFERENCE_PERFORMANCE_ERROR, 0),
        ):
            inputs.append(series(reference.name, {**own, "metric": metric}, [sample] * 21))
    scenario = Scenario(RULES, inputs)
    for metric, z in (("mae", "0"), ("bias", "+Inf"), ("rmse", "-Inf")):
        selected = figures.Z.where(metric=metric, window="10m")
        scenario.expect_count(f"{selected} == {z}", 1, minute=15)
        scenario.expect(figures.ERROR.where(metric=metric, window="10m"), 0, minute=15)
    scenario.expect(counts.ERROR_BIN_MAE.where(ord="01", window="10m"), 2, minute=15)
    scenario.check(tmp_path)


def test_perfect_regression_has_an_error_of_zero(tmp_path):
    """Where all predictions are right RMSE is 0, and so is its error; a single row has none."""
    inputs = [
        series(
            names.ERROR_SUM.name,
            {"model": "m", "version": version, "store": "s", "statistic": statistic},
            [0] * 10 + [rows if statistic == "rows" else 0] * 11,
        )
        for version, rows in (("1", 9), ("2", 1))
        for statistic in ("rows", "over", "under", "squared", "fourth")
    ]
    scenario = Scenario(RULES, inputs)
    for metric in ("mae", "bias", "rmse"):
        for version, errors in (("1", 1), ("2", 0)):
            selected = {"metric": metric, "window": "10m", "version": version}
            scenario.expect(figures.VALUE.where(**selected), 0, minute=15, within=0)
            scenario.expect_count(f"{figures.ERROR.where(**selected)} == 0", errors, minute=15)
            scenario.expect_count(figures.ERROR.where(**selected), errors, minute=15)
    # There is no target to explain.
    scenario.expect_count(figures.VALUE.where(metric="r2"), 0, minute=15)
    scenario.check(tmp_path)

"""Alerts on performance and labels, and the rules that judge it: as numpy says, and their edges."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy.stats import chi2, norm

from generate.alerting import Case, check, only
from modelmeter.generate import alarm_series, count_series, label_series, performance_series
from modelmeter.generate import judgement_series as judged
from modelmeter.generate import series as recorded
from modelmeter.generate.alerts import names
from modelmeter.generate.alerts.rules import alert_rules
from modelmeter.generate.rules import recording_rules
from modelmeter.generate.settings import Settings
from modelmeter.stats.alarms import worse_state

Z = 4.0
REALISED, ESTIMATED = "realised", "estimated"
LONG = "+0x40"


@pytest.fixture(scope="module")
def alerts(profile):
    return alert_rules([profile], Settings(scrape_interval="1m"))


@pytest.fixture(scope="module")
def rules():
    return recording_rules(scrape_interval="1m")


def covered(case, share=0.9):
    case.sees(label_series.COVERAGE.name, f"0.01{LONG}", age="0 to 1h")
    return case.sees(label_series.COVERAGE.name, f"{share}{LONG}", age="over 30d")


def figure(case, metric, value, *, normal, error=0.004, rows=2000, source=REALISED, **labels):
    """A figure over 24 hours, and out of sample; both are known to within `error`."""
    one = {"metric": metric, "class": "", "segment": ""} | labels
    live = {**one, "source": source, "window": "24h"}
    for series, number in (
        (performance_series.CHANGE, value - normal),
        (performance_series.ERROR, error),
    ):
        case.sees(series.name, f"{number:.6f}{LONG}", **live)
    case.sees(performance_series.REFERENCE.name, f"{normal}{LONG}", **one)
    case.sees(performance_series.REFERENCE_ERROR.name, f"{error}{LONG}", **one)
    scope = {"segment": "", "source": source, "window": "24h"}
    case.sees(performance_series.PERFORMANCE_ROWS.name, f"{rows}{LONG}", **scope)
    return case.sees(alarm_series.Z_THRESHOLD.name, f"{Z}{LONG}", window="24h")


def test_performance_is_told_when_the_loss_is_real_and_matters(alerts, rules, tmp_path):
    """By the figure that stands for the model; with too few rows or labels by none."""
    low, expected = names.PERFORMANCE_LOW, names.ESTIMATED_PERFORMANCE_LOW
    state = judged.STATE.name
    cases = (
        covered(figure(Case("auc fell"), "roc_auc", 0.74, normal=0.8))
        .computes(state, 1, "5m")
        .silent(low, "9m")
        .fires(low, "12m", metric="roc_auc", source=REALISED, window="24h", area="performance")
        .silent(expected, "20m"),
        covered(figure(Case("auc rose"), "roc_auc", 0.9, normal=0.8, error=0.002))
        .computes(state, 0, "5m")
        .silent(low, "20m"),
        covered(figure(Case("real, but small"), "roc_auc", 0.785, normal=0.8, error=0.0005))
        .computes(state, 0, "5m")
        .silent(low, "20m"),
        covered(figure(Case("large, but chance"), "roc_auc", 0.74, normal=0.8, error=0.02))
        .computes(state, -1, "5m")
        .silent(low, "20m"),
        covered(figure(Case("few rows"), "roc_auc", 0.5, normal=0.8, rows=199))
        .computes(state, -1, "5m")
        .silent(low, "20m"),
        covered(figure(Case("few labels"), "roc_auc", 0.7, normal=0.8), 0.3)
        .computes(state, 1, "5m")
        .silent(low, "20m"),
        figure(Case("no labels at all"), "roc_auc", 0.7, normal=0.8, source=ESTIMATED)
        .silent(low, "20m")
        .fires(expected, "12m", source=ESTIMATED),
        covered(figure(Case("error grew"), "mae", 1.2, normal=1.0, error=0.01)).fires(low, "12m"),
        covered(figure(Case("error fell"), "mae", 0.7, normal=1.0, error=0.01)).silent(low, "20m"),
        covered(figure(Case("error grew a little"), "mae", 1.09, normal=1.0, error=0.005))
        .computes(state, 0, "5m")
        .silent(low, "20m"),
        covered(
            figure(
                figure(Case("another figure fell"), "macro_f1", 0.5, normal=0.8),
                *("roc_auc", 0.8),
                normal=0.8,
            )
        ).silent(low, "20m"),
        covered(figure(Case("a segment"), "roc_auc", 0.5, normal=0.8, segment="a")).silent(
            low, "20m"
        ),
    )
    mine = only(rules, judged.HEADLINE.name, judged.LOSS.name, judged.LOSS_ERROR.name, state)
    check(tmp_path, [*mine, *only(alerts, low, expected)], cases)


def test_states_are_those_of_python(rules, tmp_path):
    """For every combination of loss, its error and the rows."""
    case = Case("states")
    for i, (loss, error, rows) in enumerate(
        product((-0.1, 0.0, 0.019, 0.021, 0.3), (0.0, 0.001, 0.005, 0.1), (0, 199, 200, 5000))
    ):
        scope = {"version": str(i), "segment": "", "source": REALISED, "window": "24h"}
        one = {**scope, "metric": "roc_auc", "class": ""}
        case.sees(judged.LOSS.name, f"{loss}{LONG}", **one)
        case.sees(judged.LOSS_ERROR.name, f"{error}{LONG}", **one)
        case.sees(performance_series.PERFORMANCE_ROWS.name, f"{rows}{LONG}", **scope)
        known = {"version": str(i), "window": "24h"}
        case.sees(alarm_series.Z_THRESHOLD.name, f"{Z}{LONG}", **known)
        expected = int(worse_state(loss, error, rows, z=Z, matters=0.02))
        case.computes(f'{judged.STATE.name}{{version="{i}"}}', expected, "5m")
    check(tmp_path, only(rules, judged.STATE.name), [case])


BINS = [(f"{i:02d}", f"bin {i}") for i in range(8)]
RATIO = np.array([0.002, 0.05, 0.2, 0.35, 0.5, 0.7, 0.9, 0.99])
ROWS = np.array([800, 600, 400, 300, 300, 300, 400, 500])
TRAINING = np.array([4000, 3000, 2000, 1500, 1500, 1500, 2000, 2500])
ACCURACY, ACCURACY_ERROR = 0.9, 0.003


def scored(case, hits, rows=ROWS):
    """Labelled rows and positive ones by score bin, and what training knew."""
    known = {"segment": "", "source": REALISED, "window": "24h"}
    for (position, bin), positive, n, r, m in zip(BINS, hits, rows, RATIO, TRAINING, strict=True):
        place = {"ord": position, "bin": bin}
        for outcome, number in (("positive", positive), ("negative", n - positive)):
            case.sees(
                count_series.BIN_ROWS.name,
                f"{number}{LONG}",
                **place | known | {"outcome": outcome, "y_true": outcome},
            )
        for rank, share in (("00", 1 - r), ("01", r)):
            case.sees(
                count_series.OUTCOME_RATIO.name,
                f"{share:.6f}{LONG}",
                **place | {"place": rank, "y_true": rank, "y_pred": ""},
            )
        one = {"role": "prediction", "feature": "y_score", "kind": "interval", "segment": ""}
        case.sees(recorded.BIN_REFERENCE_ROWS.name, f"{m}{LONG}", **one | place)
    figure = {"metric": "accuracy", "class": "", "segment": ""}
    case.sees(performance_series.REFERENCE.name, f"{ACCURACY}{LONG}", **figure)
    case.sees(performance_series.REFERENCE_ERROR.name, f"{ACCURACY_ERROR}{LONG}", **figure)
    return case.sees(alarm_series.Z_THRESHOLD.name, f"{Z}{LONG}", window="24h")


def gap_and_z(hits, rows=ROWS):
    """The same in numpy."""
    spread = rows * RATIO * (1 - RATIO)
    counted = spread >= 5
    measured = ACCURACY * (1 - ACCURACY) / ACCURACY_ERROR**2 * TRAINING / TRAINING.sum()
    variance = (spread * (1 + rows / (measured + 10)))[counted]
    miss, n = (hits - rows * RATIO)[counted], rows[counted]
    gap = np.sqrt(max(((miss**2 - variance) / n).sum() / n.sum(), 0))
    df = counted.sum()
    z = (((miss**2 / variance).sum() / df) ** (1 / 3) - 1 + 2 / (9 * df)) / np.sqrt(2 / (9 * df))
    return gap, z, chi2.sf((miss**2 / variance).sum(), df)


def test_scores_that_lost_their_meaning_are_told(alerts, rules, tmp_path):
    """Gap and z are as numpy computes them; it must be real, and matter, with enough labels."""
    off, gap, z = names.MISCALIBRATED, judged.CALIBRATION_GAP.name, judged.CALIBRATION_Z.name
    random = np.random.default_rng(1)
    same = random.binomial(ROWS, RATIO)
    higher = random.binomial(ROWS, np.clip(RATIO * 1.25, 0, 1))
    few = ROWS // 20
    few_hits = random.binomial(few, np.clip(RATIO * 1.25, 0, 1))

    def case(title, hits, rows=ROWS):
        expected, deviation, chance = gap_and_z(hits, rows)
        assert abs(norm.sf(deviation) - chance) < 0.01  # Wilson and Hilferty are right
        return scored(Case(title), hits, rows).computes(z, deviation, "20m"), expected

    as_trained, gap_then = case("as in training", same)
    changed, gap_now = case("changed", higher)
    assert gap_then < 0.03 < 0.05 < gap_now
    cases = (
        covered(as_trained).computes(gap, gap_then, "20m").silent(off, "20m"),
        covered(changed)
        .computes(gap, gap_now, "20m")
        .silent(off, "9m")
        .fires(off, "13m", window="24h", area="performance", model="flight-delay"),
        covered(case("few labels of many", higher)[0], 0.1).silent(off, "20m"),
        case("no coverage known", higher)[0].silent(off, "20m"),
        covered(scored(Case("few rows"), few_hits, few)).silent(off, "20m"),
        covered(scored(Case("no rows"), 0 * ROWS, 0 * ROWS)).silent(off, "20m"),
    )
    mine = only(rules, *(one.name for one in judged.ALL[-6:]))
    check(tmp_path, [*mine, *only(alerts, off)], cases)


def test_chance_alone_hardly_ever_miscalibrates():
    """Rows drawn as in training stay under the threshold, however few are due in a bin."""
    random = np.random.default_rng(2)
    measured = ACCURACY * (1 - ACCURACY) / ACCURACY_ERROR**2 * TRAINING / TRAINING.sum()
    beyond = 0
    for size in np.repeat([0.05, 0.2, 1, 10], 500):
        rows = np.rint(ROWS * size).astype(int)
        # What training measured is itself off by chance.
        truth = np.clip(random.normal(RATIO, np.sqrt(RATIO * (1 - RATIO) / measured)), 0, 1)
        with np.errstate(divide="ignore", invalid="ignore"):
            beyond += gap_and_z(random.binomial(rows, truth), rows)[1] > 3.1
    assert beyond <= 20  # 2 of 2,000 are due at 3.1; the threshold is above 4


def test_questions_on_performance_share_the_budget(rules, tmp_path):
    """A model whose performance is known is asked three questions more."""
    tests = alarm_series.TESTS.name
    one = {"role": "feature", "feature": "x"}
    rows, rate = recorded.REFERENCE_ROWS.name, recorded.REFERENCE_RATE.name
    cases = []
    for title, known in (("without", 0), ("with", 1)):
        case = Case(title).sees(rows, f"100{LONG}", **one)
        case.sees(rate, f"0{LONG}", **one, check="missing")
        if known:
            case.sees(judged.HEADLINE.name, f"0.8{LONG}", metric="roc_auc")
        cases.append(case.computes(tests, 1 + 4 + 3 * known, "5m"))
    check(tmp_path, only(rules, tests), cases)


def nightly(days, last=24):
    """Seconds since the last label, hour by hour, when labels come once a day."""
    hours = [3600 * hour for _ in range(days) for hour in range(24)]
    return " ".join(map(str, hours + [3600 * hour for hour in range(last)]))


def labelled(case, ages, *, pending=50, calls=400, long=24 * 20):
    case.sees(judged.SECONDS_SINCE_LABEL.name, ages, version=None)
    case.sees(judged.CALLS.name, f"{calls}+0x{long}", version=None, window="1d")
    return case.sees(label_series.PENDING.name, f"{pending}+0x{long}")


def test_labels_that_stop_are_told_against_what_is_usual(alerts, rules, tmp_path):
    """One and a half times the longest wait, from a week on, while predictions go on."""
    stop, usually = names.LABELS_STOPPED, judged.USUAL_LABEL_GAP.name
    weekend = " ".join(
        "0 0 0 0 0 0 0 0 " + " ".join(str(3600 * h) for h in range(16)) for _ in range(5)
    )
    weekend += " " + " ".join(str(3600 * h) for h in range(16, 64))
    monday = f"{weekend} {weekend} 0 0 0"
    cases = (
        labelled(Case("nightly", step="1h"), nightly(9, 60))
        .computes(usually, 23 * 3600, "215h", "270h")
        .silent(stop, "215h", "250h")
        .fires(stop, "253h", area="labels", severity="warning", model="flight-delay"),
        labelled(Case("known for five days", step="1h"), nightly(5, 60)).silent(stop, "175h"),
        labelled(Case("over the weekend", step="1h"), monday).silent(stop, "330h", "338h"),
        labelled(Case("nobody asks", step="1h"), nightly(9, 60), calls=0).silent(stop, "270h"),
        labelled(Case("none is due", step="1h"), nightly(9, 60), pending=0).silent(stop, "270h"),
        Case("never any", step="1h")
        .sees(judged.CALLS.name, "400+0x400", version=None, window="1d")
        .sees(label_series.PENDING.name, "50+0x400")
        .silent(stop, "270h"),
    )
    check(tmp_path, [*only(rules, usually), *only(alerts, stop)], cases, every="1h")

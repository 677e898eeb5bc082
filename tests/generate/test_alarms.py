"""Rules that judge, in ``promtool test rules``: the same states as Python, and their edges."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from modelmeter import names
from modelmeter.generate import alarm_series as recorded
from modelmeter.generate import series as all_series
from modelmeter.generate.alarms import alarm_rules
from modelmeter.generate.promql import Labels
from modelmeter.generate.rules import recording_rules
from modelmeter.generate.timing import plan_timing
from modelmeter.stats.alarms import (
    State,
    detectable_drift,
    detectable_rate,
    drift_state,
    rate_state,
)
from modelmeter.stats.budget import (
    SUDDEN,
    AlarmBudget,
    drift_that_matters,
    rate_that_matters,
    variation_factor,
    z_threshold,
)
from modelmeter.stats.drift import degrees_of_freedom, psi
from modelmeter.stats.rates import CHECKS
from real.rule_tests import Scenario, series

MINUTES, AT = 50, 20
WINDOWS = ("10m", "1h")
LOOKED_AT = {"10m": 25, "1h": 45}
HOURS = {"10m": 1 / 6, "1h": 1}
KINDS = ("below", "interval", "interval", "interval", "interval", "above", "missing", "invalid")
NAMES = ("category", "category", "other", "unseen", "missing", "invalid")
TRAINING = (0, 2500, 2500, 2500, 2500, 0, 20, 0)
BUDGET = AlarmBudget()


@dataclass(frozen=True)
class Seen:
    """A feature as exported: training rows and live rows per bin, and rows without it."""

    name: str
    reference: tuple[int, ...]
    live: tuple[int, ...]
    kinds: tuple[str, ...] = KINDS
    absent: int = 0
    variation: float | None = 0.0
    role: str = "feature"
    labels: dict = field(default_factory=dict)

    def series(self, model):
        """Yield what one replica exports."""
        own = {"instance": "a", "model": model, "version": "1", **self.labels}
        one = {**own, "role": self.role, "feature": self.name}
        for place, kind in enumerate(self.kinds):
            order = f"{place:02d}" if kind in ("below", "interval", "above") else ""
            labels = {**one, "kind": kind, "ord": order, "bin": f"bin {place}"}
            yield series(names.FEATURE_BIN.name, labels, step(self.live[place]))
            yield series(names.REFERENCE_ROWS.name, labels, [self.reference[place]] * (MINUTES + 1))
        if self.variation is not None:
            yield series(names.REFERENCE_VARIATION.name, one, [self.variation] * (MINUTES + 1))
        if self.role == "feature":
            labels = {**own, "feature": self.name}
            yield series(names.FEATURE_ABSENT.name, labels, step(self.absent))


def step(rows):
    """A counter that jumps from 0 to `rows` at minute `AT`."""
    return [0] * AT + [rows] * (MINUTES + 1 - AT)


def rules(windows=WINDOWS, budget=BUDGET, keep=()):
    """The drift group, up to and with the rules that judge."""
    timing = plan_timing(windows, scrape_interval="1m", evaluation_interval="1m")
    group = recording_rules(
        windows=windows, scrape_interval="1m", evaluation_interval="1m", keep_labels=keep
    )[0]
    own = {one.name for one in recorded.ALL}
    others = [rule for rule in group.rules if rule.record not in own]
    return [replace(group, rules=[*others, *alarm_rules(Labels(keep), timing, budget)])]


def checks_of(feature):
    """Rows that each check counts and of how many, live and in training, by check."""
    live, reference = np.array(feature.live), np.array(feature.reference)
    for check, kinds in CHECKS.items():
        chosen = np.isin(feature.kinds, kinds)
        if chosen.any():
            yield (
                check,
                (
                    *(live[chosen].sum(), live.sum()),
                    *(reference[chosen].sum(), reference.sum()),
                ),
            )
    if feature.role == "feature":
        total = live.sum() + feature.absent
        yield "absent", (feature.absent, total, 0, reference.sum())


class Model:
    """Features of one model, and what Python makes of them."""

    def __init__(self, name, *features, windows=WINDOWS, budget=BUDGET):
        self.name, self.features, self.budget = name, features, budget
        self.windows = windows
        self.judged = windows[1:] or windows
        trained = [f for f in features if sum(f.reference)]
        number = sum(len(dict(checks_of(f))) for f in trained)
        self.tests = len(features) * len(self.judged) + 2 * number * len(windows)
        self.factor = variation_factor(len(features), alarms_per_month=budget.alarms_per_month)

    def z(self, window):
        return z_threshold(self.tests, HOURS[window], alarms_per_month=self.budget.alarms_per_month)

    def drift_matters(self, feature):
        return drift_that_matters(
            feature.variation or 0, factor=self.factor, psi_excess=self.budget.psi_excess
        )

    def drift_state(self, feature, window):
        return drift_state(
            feature.live,
            feature.reference,
            z=self.z(window),
            matters=self.drift_matters(feature),
        )

    def rate_matters(self, feature, window, sides):
        sudden = SUDDEN if window == self.windows[0] and len(self.windows) > 1 else 1
        return rate_that_matters(
            sides[2] / max(sides[3], 1),
            feature.variation or 0,
            factor=self.factor,
            rate_difference=self.budget.rate_difference * sudden,
        )

    def rate_state(self, feature, window, sides):
        matters = self.rate_matters(feature, window, sides)
        return rate_state(*sides, z=self.z(window), matters=matters)

    def inputs(self):
        return [one for feature in self.features for one in feature.series(self.name)]


def select(one, model, feature=None, **labels):
    """PromQL for a recorded series of a model, or of one of its features."""
    wanted = {"model": model.name, **labels}
    if feature is not None:
        wanted |= {"feature": feature.name, "role": feature.role}
    return one.where(**wanted)


def expect_states(scenario, model, windows=WINDOWS):
    """Expect what Python says, of every feature, check and window; return all states."""
    drifts, rates = set(), set()
    for window in windows:
        minute = LOOKED_AT[window]
        for feature in model.features:
            one = select(recorded.DRIFT_STATE, model, feature, window=window)
            if window in model.judged:
                state = int(model.drift_state(feature, window))
                drifts.add(state)
                scenario.expect(one, state, minute=minute)
            else:
                scenario.expect_count(one, 0, minute=minute)
            for check, sides in checks_of(feature):
                state = int(model.rate_state(feature, window, sides))
                rates.add(state)
                one = select(recorded.RATE_STATE, model, feature, window=window, check=check)
                scenario.expect(one, state, minute=minute)
    return drifts, rates


def drawn(seed):
    """A model of features of all sizes, drifted or not, live and in training."""
    random = np.random.default_rng(seed)
    features = []
    for i in range(10):
        kinds = KINDS if i % 3 else NAMES
        shares = random.dirichlet(np.full(len(kinds), 3.0))
        shares[-3:] *= 0.02
        moved = shares * np.exp(random.normal(0, (0, 0.1, 0.8)[i % 3], len(kinds)))
        m, n = random.choice([30, 900, 20_000, 200_000]), random.choice([8, 150, 1500, 60_000])
        features.append(
            Seen(
                f"f{i}",
                tuple(map(int, random.multinomial(m, shares / shares.sum()))),
                tuple(map(int, random.multinomial(n, moved / moved.sum()))),
                kinds,
                absent=int(random.choice([0, 0, n // 20])),
                variation=(None, 0.0, 0.03)[i % 3],
                role="prediction" if i == 9 else "feature",
            )
        )
    return Model(f"drawn {seed}", *features)


def test_every_state_equals_python(tmp_path):
    """States are those of the Python functions: all four of drift, all four of rates."""
    models = [drawn(seed) for seed in range(3)]
    scenario = Scenario(rules(), [one for model in models for one in model.inputs()])
    found = [expect_states(scenario, model) for model in models]
    every = set(map(int, State))
    assert set.union(*(drifts for drifts, _ in found)) == every
    assert set.union(*(rates for _, rates in found)) == every
    scenario.check(tmp_path)


def test_every_threshold_equals_python(tmp_path):
    """Tests, thresholds and what could be seen are those of the Python functions."""
    model = drawn(0)
    scenario = Scenario(rules(), model.inputs())
    scenario.expect(select(recorded.TESTS, model), model.tests, minute=25)
    factor = float(model.factor)
    scenario.expect(select(recorded.VARIATION_FACTOR, model), factor, minute=25)
    for window, minute in LOOKED_AT.items():
        z = float(model.z(window))
        scenario.expect(select(recorded.Z_THRESHOLD, model, window=window), z, minute=minute)
        for feature in model.features:
            for check, sides in checks_of(feature):
                labels = {"window": window, "check": check}
                matters = float(model.rate_matters(feature, window, sides))
                one = select(recorded.RATE_THRESHOLD, model, feature, **labels)
                scenario.expect(one, matters, minute=minute)
                seen = detectable_rate(sides[2] / sides[3], sides[1], sides[3], z=z)
                one = select(recorded.DETECTABLE_RATE, model, feature, **labels)
                scenario.expect(one, float(seen), minute=minute)
    for feature in model.features:
        matters = float(model.drift_matters(feature))
        scenario.expect(select(recorded.DRIFT_THRESHOLD, model, feature), matters, minute=45)
        df = degrees_of_freedom(feature.live, feature.reference)
        n, m = sum(feature.live), sum(feature.reference)
        seen = float(detectable_drift(df, n, m, z=float(model.z("1h"))))
        one = select(recorded.DETECTABLE_DRIFT, model, feature, window="1h")
        scenario.expect(one, seen, minute=45, within=1e-9 * seen + 1e-9)
    scenario.check(tmp_path)


def test_no_rows_are_insufficient_data(tmp_path):
    """A feature without rows is in no state but insufficient data, before and after rows came."""
    empty = Seen("empty", TRAINING, (0,) * 8)
    busy = Seen("busy", TRAINING, tuple(10 * rows for rows in TRAINING))
    model = Model("idle", empty, busy)
    scenario = Scenario(rules(), model.inputs())
    expect_states(scenario, model)
    for minute in (10, 40):
        states = select(recorded.RATE_STATE, model, window="10m", check="missing")
        scenario.expect_count(f"{states} == -1", 2, minute=minute)
    scenario.expect(select(recorded.DRIFT_STATE, model, empty, window="1h"), -1, minute=45)
    scenario.expect(select(recorded.DRIFT_STATE, model, busy, window="1h"), 0, minute=45)
    scenario.check(tmp_path)


@pytest.mark.parametrize("live", [3, 40, 100])
def test_few_rows_never_alarm_and_are_never_ok(live, tmp_path):
    """A handful of rows is insufficient data even where all of them are in one bin."""
    model = Model("small", Seen("moved", TRAINING, (0, live, 0, 0, 0, 0, 0, 0)))
    scenario = Scenario(rules(), model.inputs())
    drifts, _ = expect_states(scenario, model)
    assert drifts == {State.FEW_ROWS}
    scenario.check(tmp_path)


def test_tiny_training_is_insufficient_data(tmp_path):
    """Trained on a few rows, no number of live rows says ok; no training rows say nothing."""
    tiny = Seen("tiny", (0, 8, 7, 8, 7, 0, 0, 0), (0, *(50_000,) * 4, 0, 0, 0))
    none = Seen("none", (0,) * 8, (0, *(50_000,) * 4, 0, 0, 0))
    model = Model("young", tiny, none)
    scenario = Scenario(rules(), model.inputs())
    drifts, _ = expect_states(scenario, model)
    assert drifts == {State.FEW_TRAINING_ROWS}
    scenario.check(tmp_path)


def test_feature_of_one_value_is_fine(tmp_path):
    """One bin in use on both sides is no drift and no error."""
    only = Seen("constant", (0, 10_000, 0, 0, 0, 0, 0, 0), (0, 5_000, 0, 0, 0, 0, 0, 0))
    model = Model("flat", only)
    scenario = Scenario(rules(), model.inputs())
    drifts, rates = expect_states(scenario, model)
    assert drifts == {State.OK}
    assert rates == {State.OK}
    scenario.check(tmp_path)


def test_natural_variation_is_no_drift(tmp_path):
    """A drift that is usual for the feature's days is ok; the same elsewhere is drift."""
    live = (0, 6500, 4800, 4800, 3900, 0, 40, 0)
    usual = Seen("usual", TRAINING, live, variation=0.03)
    steady = Seen("steady", TRAINING, live)
    unknown = Seen("unknown", TRAINING, live, variation=None)
    model = Model("seasonal", usual, steady, unknown)
    scenario = Scenario(rules(budget=replace(BUDGET, psi_excess=0.02)), model.inputs())
    for feature, state in ((usual, 0), (steady, 1), (unknown, 1)):
        one = select(recorded.DRIFT_STATE, model, feature, window="1h")
        scenario.expect(one, state, minute=45)
    scenario.expect(select(recorded.DRIFTED_FEATURES, model, window="1h"), 2, minute=45)
    scenario.check(tmp_path)


def test_column_that_went_away_alarms(tmp_path):
    """Absent rows alarm in both windows, although the feature itself has no rows to judge."""
    gone = Seen("gone", TRAINING, (0,) * 8, absent=4_000)
    model = Model("broken", gone)
    scenario = Scenario(rules(), model.inputs())
    for window, minute in LOOKED_AT.items():
        one = select(recorded.RATE_STATE, model, gone, window=window, check="absent")
        scenario.expect(one, 1, minute=minute)
        one = select(recorded.RATE_STATE, model, gone, window=window, check="missing")
        scenario.expect(one, -1, minute=minute)
    scenario.expect(select(recorded.DRIFT_STATE, model, gone, window="1h"), -1, minute=45)
    scenario.check(tmp_path)


def test_rate_that_falls_alarms_too(tmp_path):
    """Missing values that are suddenly all there alarm like those that come."""
    training = (0, 2000, 2000, 2000, 2000, 0, 2000, 0)
    filled = Seen("filled", training, (0, 1000, 1000, 1000, 1000, 0, 0, 0))
    model = Model("imputed", filled)
    scenario = Scenario(rules(), model.inputs())
    for window, minute in LOOKED_AT.items():
        one = select(recorded.RATE_STATE, model, filled, window=window, check="missing")
        scenario.expect(one, 1, minute=minute)
    scenario.check(tmp_path)


def test_single_window_is_judged(tmp_path):
    """With one window only drift is judged over it, and rates are not held to the sudden."""
    moved = Seen("moved", TRAINING, (0, 4000, 2000, 1000, 500, 0, 20, 0))
    model = Model("single", moved, windows=("10m",))
    scenario = Scenario(rules(("10m",)), model.inputs())
    drifts, _ = expect_states(scenario, model, windows=("10m",))
    assert drifts == {State.DRIFT}
    scenario.check(tmp_path)


def test_larger_budget_lowers_the_threshold(tmp_path):
    """More alarms per month mean a lower z; a budget beyond all looks means a z of 0."""
    feature = Seen("x", TRAINING, TRAINING)
    for alarms in (0.1, 30.0, 1e9):
        budget = AlarmBudget(alarms_per_month=alarms)
        model = Model(f"at {alarms:g}", feature, budget=budget)
        scenario = Scenario(rules(budget=budget), model.inputs())
        for window, minute in LOOKED_AT.items():
            one = select(recorded.Z_THRESHOLD, model, window=window)
            scenario.expect(one, float(model.z(window)), minute=minute)
        scenario.check(tmp_path)


def test_batches_are_judged_as_often_as_they_come(tmp_path):
    """What a scoring job pushed is judged for drift and rates, with a look for each batch."""
    timing = plan_timing(WINDOWS, scrape_interval="1m", evaluation_interval="1m")
    group = rules()[0]
    own = {one.name for one in recorded.ALL}
    judging = alarm_rules(Labels(), timing, BUDGET, batches_per_month=30)
    others = [rule for rule in group.rules if rule.record not in own]
    moved = Seen("x", TRAINING, (0, 4000, 2000, 1000, 500, 0, 20, 300))
    model = Model("nightly", moved)
    inputs = model.inputs()
    for place, kind in enumerate(KINDS):
        order = f"{place:02d}" if kind in ("below", "interval", "above") else ""
        labels = {"model": model.name, "version": "1", "role": "feature", "feature": "x"}
        labels |= {"kind": kind, "ord": order, "bin": f"bin {place}", "window": "batch"}
        name = all_series.BIN_ROWS.name
        inputs.append(series(name, labels, [moved.live[place]] * (MINUTES + 1)))
    scenario = Scenario([replace(group, rules=[*others, *judging])], inputs)
    tests = 2 + 2 * 3 * 4
    scenario.expect(select(recorded.TESTS, model), tests, minute=25)
    # 30 looks a month are those of a window of 48² hours.
    z = float(z_threshold(tests, (720 * 2 / 30) ** 2))
    scenario.expect(select(recorded.Z_THRESHOLD, model, window="batch"), z, minute=25)
    scenario.expect(select(recorded.DRIFT_STATE, model, moved, window="batch"), 1, minute=25)
    one = select(recorded.RATE_STATE, model, moved, window="batch", check="invalid")
    scenario.expect(one, 1, minute=25)
    one = select(recorded.RATE_THRESHOLD, model, moved, window="batch", check="invalid")
    scenario.expect(one, 0.02, minute=25)
    scenario.check(tmp_path)


def test_contributions_add_up_to_psi(tmp_path):
    """What bins contribute adds up to PSI; segments and the shortest window are left out."""
    moved = Seen("moved", TRAINING, (0, 4000, 2000, 1000, 500, 0, 20, 0))
    part = Seen("y_pred", TRAINING, TRAINING, role="prediction", labels={"segment": "origin=JFK"})
    model = Model("bins", moved)
    scenario = Scenario(rules(), [*model.inputs(), *part.series("bins")])
    one = select(recorded.CONTRIBUTION, model, window="1h")
    scenario.expect(f"sum({one})", float(psi(moved.live, moved.reference)), minute=45)
    scenario.expect_count(select(recorded.CONTRIBUTION, model, window="10m"), 0, minute=45)
    scenario.expect_count(select(recorded.DRIFT_STATE, model, window="1h"), 1, minute=45)
    scenario.expect(select(recorded.TESTS, model), 1 + 2 * 2 * 4, minute=45)
    scenario.check(tmp_path)


def test_services_are_judged_apart(tmp_path):
    """With labels kept, each cluster has its own tests, thresholds and states."""
    moved = Seen("x", TRAINING, (0, 4000, 2000, 1000, 500, 0, 20, 0), labels={"cluster": "b"})
    steady = Seen("x", TRAINING, TRAINING, labels={"cluster": "a"})
    inputs = [*moved.series("two"), *steady.series("two")]
    scenario = Scenario(rules(keep=("cluster",)), inputs)
    for cluster, state in (("a", 0), ("b", 1)):
        labels = {"model": "two", "cluster": cluster}
        one = recorded.DRIFT_STATE.where(**labels, window="1h")
        scenario.expect(one, state, minute=45)
        scenario.expect(recorded.TESTS.where(**labels), 1 + 2 * 2 * 4, minute=45)
    scenario.check(tmp_path)


def test_series_are_documented_and_recorded():
    """Every declared series is recorded, each explained where it is first recorded."""
    group = rules()[0]
    own = {one.name for one in recorded.ALL}
    found = [rule for rule in group.rules if rule.record in own]
    assert [rule.record for rule in found if rule.comment] == [one.name for one in recorded.ALL]
    assert {one.name.partition(":")[0] for one in recorded.ALL} <= set(all_series.LEVELS)

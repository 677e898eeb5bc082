"""Recording rules in ``promtool test rules``: every statistic, and every way things go wrong."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from generate.conftest import categorical, make_profile
from modelmeter import names
from modelmeter._errors import ConfigurationError
from modelmeter.generate import series as recorded
from modelmeter.generate.rulefile import render
from modelmeter.generate.rules import recording_rules
from modelmeter.generate.tasks import MAX_POSITIONS, Tasks
from modelmeter.stats.drift import drift
from modelmeter.stats.rates import CHECKS, rate_z
from real.prometheus import promtool
from real.rule_tests import Scenario, series

MINUTES = 50
RULES = recording_rules(
    windows=("10m", "1h"),
    scrape_interval="1m",
    evaluation_interval="1m",
    positions=20,
    tasks=Tasks(classes=2, score_positions=7, scored_classes=False, regression=False),
)
STATISTICS = (
    *("psi", "psi_excess", "kl", "js_distance", "hellinger", "tvd"),
    *("ks", "wasserstein", "g", "df", "g_z"),
)


def step(rows, *, at=20):
    """A counter that jumps from 0 to `rows` at a minute."""
    return [0] * at + [rows] * (MINUTES + 1 - at)


def replica(instance, profile, live, **labels):
    """Every series that one replica exports; `live` gives a bin's samples by feature and place."""
    own = {"instance": instance, "model": profile.name, "version": profile.version, **labels}
    everything = [("feature", f) for f in profile.features]
    everything += [("prediction", f) for f in profile.predictions]
    for role, feature in everything:
        one = {**own, "role": role, "feature": feature.name}
        for place, bin in enumerate(feature.bins.bins):
            labels = {**one, "kind": bin.kind, "ord": bin.ord, "bin": bin.label}
            yield series(names.FEATURE_BIN.name, labels, live(feature.name, place))
            rows = [feature.counts[place]] * (MINUTES + 1)
            yield series(names.REFERENCE_ROWS.name, labels, rows)
        for place, gap in enumerate(feature.gaps):
            labels = {**one, "ord": f"{place:02d}"}
            yield series(names.REFERENCE_GAP.name, labels, [gap] * (MINUTES + 1))
        if role == "feature":
            labels = {**own, "feature": feature.name}
            yield series(names.FEATURE_ABSENT.name, labels, live(feature.name, "absent"))


def amount(name, place, shift=0):
    """Rows in a bin: some bins empty, all features different."""
    if place == "absent":
        return 0
    place += shift
    return (7 * place + 3 * len(name)) % 23 * (place % 4 != 2)


def counts_of(feature, factor=1):
    """The rows of `amount` in every bin."""
    return np.array([factor * amount(feature.name, i) for i in range(len(feature.bins.bins))])


def scores_of(feature, counts):
    return drift(
        counts,
        feature.counts,
        kinds=[bin.kind for bin in feature.bins.bins],
        ordered=[bool(bin.ord) for bin in feature.bins.bins],
        gaps=feature.gaps or None,
    )


def select(name, feature="temperature", window="10m", **labels):
    """PromQL for a statistic of a feature."""
    wanted = {"feature": feature, "window": window, **labels}
    return name + "{" + ",".join(f'{k}="{v}"' for k, v in wanted.items()) + "}"


@pytest.fixture
def two_replicas(profile):
    """Two replicas of one version that get their rows at minute 20, one twice as many."""
    return [
        *replica("a", profile, lambda name, place: step(amount(name, place))),
        *replica("b", profile, lambda name, place: step(2 * amount(name, place))),
    ]


@pytest.mark.parametrize(("window", "minute"), [("10m", 25), ("1h", 45)])
def test_every_statistic_equals_python(window, minute, profile, two_replicas, tmp_path):
    """Each statistic of each feature is the Python function of the same name, in both windows."""
    scenario = Scenario(RULES, two_replicas)
    for feature in (*profile.features, *profile.predictions):
        scores = scores_of(feature, counts_of(feature, 3))
        for statistic in STATISTICS:
            value = getattr(scores, statistic)
            expr = select(f"model_feature:{statistic}", feature.name, window)
            if math.isnan(value):
                scenario.expect_count(expr, 0, minute=minute)
            else:
                scenario.expect(expr, value, minute=minute)
    scenario.check(tmp_path)


def test_every_rate_equals_python(profile, two_replicas, tmp_path):
    """Each data quality check is there for the features whose bins allow it, and only there."""
    scenario = Scenario(RULES, two_replicas)
    for feature in (*profile.features, *profile.predictions):
        scores = scores_of(feature, counts_of(feature, 3)).checks
        for check in CHECKS:
            rate = select(recorded.RATE.name, feature.name, check=check)
            if check not in scores:
                scenario.expect_count(rate, 0, minute=25)
                continue
            scenario.expect(rate, scores[check].rate, minute=25)
            normal = select(recorded.REFERENCE_RATE.name, feature.name, window="", check=check)
            scenario.expect(normal, scores[check].reference_rate, minute=25)
            z = select(recorded.RATE_Z.name, feature.name, check=check)
            scenario.expect(z, scores[check].z, minute=25, within=1e-6)
    scenario.check(tmp_path)


def test_reference_repeated_by_every_replica_counts_once(profile, two_replicas, tmp_path):
    """Training rows are those of one replica, not the sum over replicas."""
    scenario = Scenario(RULES, two_replicas)
    expr = select(recorded.REFERENCE_ROWS.name, window="")
    scenario.expect(expr, profile.features[0].rows, minute=25)
    scenario.expect(f"sum({recorded.BIN_Q.name}{{feature='destination'}})", 1, minute=25)
    scenario.check(tmp_path)


def test_restart_loses_nothing(profile, tmp_path):
    """A counter that starts again from 0 counts on."""

    def restarted(name, place):
        rows = amount(name, place)
        return [0] * 18 + [rows] * 2 + [0] * 2 + [2 * rows] * (MINUTES - 21)

    scenario = Scenario(RULES, replica("a", profile, restarted))
    for feature in profile.features:
        scores = scores_of(feature, counts_of(feature, 3))
        scenario.expect(select(recorded.ROWS.name, feature.name), scores.rows, minute=25)
        scenario.expect(select(recorded.G_Z.name, feature.name), scores.g_z, minute=25)
    scenario.check(tmp_path)


def test_missed_scrape_does_not_move_the_shares(profile, tmp_path):
    """While one replica misses scrapes rows are extrapolated a little; shares are not touched."""

    def gappy(name, place):
        values = step(amount(name, place))
        return [None if minute in (17, 22, 25) else value for minute, value in enumerate(values)]

    inputs = [
        *replica("a", profile, gappy),
        *replica("b", profile, lambda name, place: step(amount(name, place))),
    ]
    scenario = Scenario(RULES, inputs)
    rows = counts_of(profile.features[0], 2).sum()
    scenario.expect(select(recorded.ROWS.name), rows, minute=24, within=0)
    # At minute 25 one of two replicas ends a scrape early: at most a tenth of its half more.
    scenario.expect(select(recorded.ROWS.name), rows, minute=25, within=0.06 * rows)
    share = counts_of(profile.features[0])[3] / counts_of(profile.features[0]).sum()
    measured = f"{select(recorded.BIN_ROWS.name, ord='03')} / ignoring (kind, ord, bin) "
    scenario.expect(measured + select(recorded.ROWS.name), share, minute=25)
    scenario.check(tmp_path)


def test_scrape_that_fails_everywhere_leaves_statistics_in_place(profile, tmp_path):
    """When no replica answers for a moment, training is remembered and drift goes on."""
    inputs = [
        {**one, "values": " ".join([*one["values"].split()[:24], "stale", "stale", "stale"])}
        for one in replica("a", profile, lambda name, place: step(amount(name, place)))
    ]
    scenario = Scenario(RULES, inputs)
    scores = scores_of(profile.features[0], counts_of(profile.features[0]))
    scenario.expect(select(recorded.TVD.name), scores.tvd, minute=25, within=0.02)
    scenario.expect_count(names.REFERENCE_ROWS.name, 0, minute=25)
    # A version that is gone for good is no longer judged.
    scenario.expect_count(select(recorded.TVD.name), 0, minute=35)
    scenario.expect_count(select(recorded.BIN_ROWS.name, window="1h"), 0, minute=35)
    scenario.check(tmp_path)


def test_two_versions_are_judged_apart(tmp_path):
    """Each version has its own rows, training and statistics."""
    first, second = make_profile("1"), make_profile("2")
    inputs = [
        *replica("a", first, lambda name, place: step(amount(name, place))),
        *replica("b", second, lambda name, place: step(amount(name, place, 1))),
    ]
    scenario = Scenario(RULES, inputs)
    feature = first.features[0]
    rows = {
        "1": counts_of(feature),
        "2": [amount(feature.name, i, 1) for i in range(len(feature.bins.bins))],
    }
    for version, counts in rows.items():
        scores = scores_of(feature, counts)
        scenario.expect(select(recorded.PSI.name, version=version), scores.psi, minute=25)
        scenario.expect(select(recorded.KS.name, version=version), scores.ks, minute=25)
    scenario.check(tmp_path)


def test_series_that_comes_late_is_not_scaled_up(profile, tmp_path):
    """A version deployed ten minutes ago has the rows it had, not six times as many in the hour."""

    def late(name, place):
        return [None] * 30 + [0] * 5 + [amount(name, place)] * 16

    scenario = Scenario(RULES, replica("a", profile, late))
    rows = counts_of(profile.features[0]).sum()
    scenario.expect(select(recorded.ROWS.name), rows, minute=40, within=0.11 * rows)
    # A row counts fully once the short window has passed over it.
    scenario.expect(
        select(recorded.ROWS.name, window="1h"), 0.6 * rows, minute=40, within=0.06 * rows
    )
    scenario.expect(select(recorded.ROWS.name, window="1h"), rows, minute=46, within=0.11 * rows)
    scenario.check(tmp_path)


def test_rows_leave_the_long_window(profile, tmp_path):
    """Rows older than the window no longer count."""
    groups = recording_rules(
        windows=("5m", "20m"), scrape_interval="1m", evaluation_interval="1m", positions=0
    )
    inputs = replica("a", profile, lambda name, place: step(amount(name, place)))
    scenario = Scenario(groups, inputs)
    rows = counts_of(profile.features[0]).sum()
    for minute, part in ((30, 1), (39, 1), (42, 0.4), (46, 0)):
        expr = select(recorded.ROWS.name, window="20m")
        scenario.expect(expr, part * rows, minute=minute)
    scenario.check(tmp_path)


def test_empty_window_says_zero_rows_and_nothing_else(profile, two_replicas, tmp_path):
    """Without rows there is no statistic: no drift and no absence of drift either."""
    scenario = Scenario(RULES, two_replicas)
    for minute in (15, 35):
        scenario.expect(select(recorded.ROWS.name), 0, minute=minute)
        for name in (*STATISTICS, "rate", "rate_z"):
            scenario.expect_count(select(f"model_feature:{name}"), 0, minute=minute)
        scenario.expect_count(f'{recorded.BIN_P.name}{{window="10m"}}', 0, minute=minute)
    scenario.check(tmp_path)


def test_bins_that_a_new_profile_does_not_have_fall_away(profile, two_replicas, tmp_path):
    """Rows counted in bins of a replaced profile do not dilute the shares of the new one."""
    labels = {"model": profile.name, "version": "1", "role": "feature", "feature": "temperature"}
    old = {**labels, "instance": "a", "kind": "interval", "ord": "03", "bin": "[old, older)"}
    inputs = [*two_replicas, series(names.FEATURE_BIN.name, old, step(1000))]
    scenario = Scenario(RULES, inputs)
    scores = scores_of(profile.features[0], counts_of(profile.features[0], 3))
    scenario.expect(select(recorded.ROWS.name), scores.rows, minute=25)
    scenario.expect(select(recorded.G.name), scores.g, minute=25)
    scenario.expect(f"sum({select(recorded.BIN_P.name)})", 1, minute=25)
    scenario.check(tmp_path)


def test_column_that_is_always_absent_has_rate_one(profile, tmp_path):
    """A column that no request brings has no rows in any bin, and still a rate of absent."""

    def without_pressure(name, place):
        if name == "pressure":
            return step(40 if place == "absent" else 0)
        return step(amount(name, place))

    scenario = Scenario(RULES, replica("a", profile, without_pressure))
    m = profile.features[1].rows
    scenario.expect(select(recorded.ROWS.name, "pressure"), 0, minute=25)
    scenario.expect(select(recorded.RATE.name, "pressure", check="absent"), 1, minute=25)
    scenario.expect(select(recorded.CHECKED_ROWS.name, "pressure", check="absent"), 40, minute=25)
    z = float(rate_z(40, 40, 0, m))
    scenario.expect(
        select(recorded.RATE_Z.name, "pressure", check="absent"), z, minute=25, within=1e-6
    )
    scenario.expect(select(recorded.RATE.name, "temperature", check="absent"), 0, minute=25)
    scenario.expect_count(select(recorded.RATE.name, "y_score", check="absent"), 0, minute=25)
    scenario.check(tmp_path)


def test_training_without_rows_is_compared_with_nothing(profile, tmp_path):
    """A feature whose training counts are all 0 has rows and rates, but no drift."""
    inputs = [
        {**one, "values": "0x50"}
        if one["series"].startswith(names.REFERENCE_ROWS.name) and '"temperature"' in one["series"]
        else one
        for one in replica("a", profile, lambda name, place: step(amount(name, place)))
    ]
    scenario = Scenario(RULES, inputs)
    for name in STATISTICS:
        scenario.expect_count(select(f"model_feature:{name}"), 0, minute=25)
    scenario.expect_count(select(recorded.RATE_Z.name), 0, minute=25)
    scenario.expect_count(select(recorded.PSI.name, "pressure"), 1, minute=25)
    scenario.check(tmp_path)


def test_feature_in_a_single_bin_has_a_degree_of_freedom(profile, tmp_path):
    """Where live and training rows all lie in one bin there is no drift, and no division by 0."""
    constant = categorical("constant", np.array(["a"] * 50), ("a",))
    alone = replace(profile, features=(constant,), predictions=())
    inputs = replica("a", alone, lambda name, place: step(30 if place == 0 else 0))
    scenario = Scenario(RULES, inputs)
    scores = scores_of(constant, [30, 0, 0, 0, 0])
    assert (scores.df, scores.g) == (1, pytest.approx(0, abs=1e-9))
    # The third root in z makes much of the rounding in g.
    for statistic, within in (("df", 0), ("g", 1e-9), ("g_z", 1e-3), ("psi_excess", 1e-9)):
        expr = select(f"model_feature:{statistic}", "constant")
        scenario.expect(expr, getattr(scores, statistic), minute=25, within=within)
    scenario.check(tmp_path)


def test_kept_labels_tell_services_apart(profile, tmp_path):
    """The same model and version in two clusters is two models when `cluster` is kept."""
    groups = recording_rules(windows=("10m",), scrape_interval="1m", keep_labels=("cluster",))
    inputs = [
        *replica("a", profile, lambda name, place: step(amount(name, place)), cluster="east"),
        *replica("a", profile, lambda name, place: step(amount(name, place, 1)), cluster="west"),
    ]
    scenario = Scenario(groups, inputs)
    feature = profile.features[0]
    scores = scores_of(feature, counts_of(feature))
    scenario.expect(select(recorded.PSI.name, cluster="east"), scores.psi, minute=25)
    scenario.expect(
        select(recorded.WASSERSTEIN.name, cluster="east"), scores.wasserstein, minute=25
    )
    scenario.expect_count(select(recorded.RATE_Z.name, check="missing"), 2, minute=25)
    scenario.check(tmp_path)


def test_segments_are_judged_apart(profile, two_replicas, tmp_path):
    """Outputs have drift by segment, next to that of all rows, which it leaves as it was."""
    output = profile.predictions[1]
    own = {"model": profile.name, "version": "1", "role": "prediction", "feature": output.name}
    inputs = list(two_replicas)
    counts = [amount(output.name, i, 2) for i in range(len(output.bins.bins))]
    for bin, live, training in zip(output.bins.bins, counts, output.counts, strict=True):
        place = {"kind": bin.kind, "ord": bin.ord, "bin": bin.label, "segment": "origin=JFK"}
        for instance in ("a", "b"):
            labels = {"instance": instance, **own, **place}
            inputs.append(series(names.FEATURE_BIN.name, labels, step(live)))
            rows = [training // 2] * (MINUTES + 1)
            inputs.append(series(names.REFERENCE_ROWS.name, labels, rows))
    scenario = Scenario(RULES, inputs)
    part = replace(output, counts=tuple(rows // 2 for rows in output.counts))
    for segment, feature, live in (
        ("origin=JFK", part, 2 * np.array(counts)),
        ("", output, counts_of(output, 3)),
    ):
        scores = scores_of(feature, live)
        for statistic in STATISTICS:
            expr = select(f"model_feature:{statistic}", output.name, segment=segment)
            scenario.expect(expr, getattr(scores, statistic), minute=25)
        z = select(recorded.RATE_Z.name, output.name, segment=segment, check="missing")
        scenario.expect(z, scores.checks["missing"].z, minute=25, within=1e-6)
    scenario.expect_count(select(recorded.PSI.name, "temperature"), 1, minute=25)
    scenario.expect_count(select(recorded.CHECKED_ROWS.name, check="absent"), 1, minute=25)
    scenario.check(tmp_path)


def test_rules_for_any_profile_give_the_same(profile, two_replicas, tmp_path):
    """Without knowing the profile, rules for every position give the same KS and Wasserstein."""
    groups = recording_rules(windows=("10m",), scrape_interval="1m")
    scenario = Scenario(groups, two_replicas)
    for feature in (profile.features[0], profile.features[1], profile.predictions[1]):
        scores = scores_of(feature, counts_of(feature, 3))
        scenario.expect(select(recorded.KS.name, feature.name), scores.ks, minute=25)
        expr = select(recorded.WASSERSTEIN.name, feature.name)
        scenario.expect(expr, scores.wasserstein, minute=25)
        ordered = sum(bool(bin.ord) for bin in feature.bins.bins)
        scenario.expect_count(
            select(recorded.BIN_CDF_DIFF.name, feature.name), ordered - 1, minute=25
        )
    scenario.check(tmp_path)


def test_every_rule_is_valid_and_documented(tmp_path):
    """Promtool accepts the rules with any options, and every name is in the table of series."""
    for options in ({}, {"positions": 0}, {"positions": 12, "keep_labels": ["cluster", "zone"]}):
        groups = recording_rules(**options)
        (tmp_path / "rules.yml").write_text(render(groups))
        promtool("check", "rules", tmp_path / "rules.yml")
        used = {rule.record for group in groups for rule in group.rules}
        assert used <= {one.name for one in recorded.ALL}
        if options.get("positions", 2) > 1:
            assert used == {one.name for one in recorded.ALL}


def test_each_recorded_series_is_explained_once():
    """In the generated file a comment stands before the first rule of every series."""
    for group in recording_rules():
        explained = [rule.record for rule in group.rules if rule.comment]
        assert explained == list(dict.fromkeys(rule.record for rule in group.rules))


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"positions": -1}, "positions"),
        ({"positions": MAX_POSITIONS + 1}, "positions"),
        ({"keep_labels": "cluster"}, "keep_labels"),
        ({"keep_labels": ["model"]}, "keep_labels"),
        ({"keep_labels": ["le"]}, "keep_labels"),
        ({"keep_labels": ["not a label"]}, "keep_labels"),
        ({"keep_labels": [3]}, "keep_labels"),
        ({"windows": []}, "windows"),
    ],
)
def test_options_that_cannot_work_are_refused(options, field):
    """The error names the option and echoes the value."""
    with pytest.raises(ConfigurationError, match=f"{field} must"):
        recording_rules(**options)

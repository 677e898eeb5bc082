"""Train-serve skew in ``promtool test rules``."""

from __future__ import annotations

from modelmeter import names
from modelmeter.generate import skew_series as recorded
from modelmeter.generate.rules import recording_rules
from modelmeter.generate.tasks import Tasks
from real.rule_tests import Scenario, series

RULES = recording_rules(
    windows=("10m",), scrape_interval="1m", evaluation_interval="1m", positions=0, tasks=Tasks()
)
MINUTES = 20


def export(metric, instance, values, **labels):
    own = {"instance": instance, "model": "m", "version": "1", **labels}
    return series(metric.name, own, [values] * MINUTES if isinstance(values, int) else values)


def test_worst_replica_counts(tmp_path):
    """Canary rows are those of the replica with most of them wrong; so is a library's mismatch."""
    inputs = [
        *(
            export(names.CANARY_ROWS, instance, rows, outcome=outcome)
            for instance, found in (("a", (28, 2, 0)), ("b", (26, 1, 3)), ("c", (30, 0, 0)))
            for outcome, rows in zip(("equal", "different", "failed"), found, strict=True)
        ),
        *(
            export(names.LIBRARY_MISMATCH, i, level, library=library, training="1", serving=serving)
            for i, library, serving, level in (
                ("a", "numpy", "1", 0),
                ("b", "numpy", "2", 3),
                ("a", "python", "1", 0),
            )
        ),
    ]
    scenario = Scenario(RULES, inputs)
    scenario.expect(recorded.CANARY_DIFFERENT.name, 4, minute=10)
    scenario.expect(recorded.LIBRARY_MISMATCH.where(library="numpy"), 3, minute=10)
    scenario.expect(recorded.LIBRARY_MISMATCH.where(library="python"), 0, minute=10)
    scenario.check(tmp_path)


def test_schema_mismatches_are_a_share_of_comparisons(tmp_path):
    """Mismatches are rated over the comparisons of all replicas, by feature and check."""
    inputs = [
        *(export(names.SCHEMA_CHECKS, i, [10 * m for m in range(MINUTES)]) for i in ("a", "b")),
        export(
            names.SCHEMA_MISMATCHES,
            "a",
            [5 * m for m in range(MINUTES)],
            feature="temp",
            check="missing",
        ),
        export(names.SCHEMA_MISMATCHES, "b", 0, feature="temp", check="missing"),
        export(
            names.SCHEMA_MISMATCHES,
            "b",
            [10 * m for m in range(MINUTES)],
            feature="",
            check="reordered",
        ),
    ]
    scenario = Scenario(RULES, inputs)
    missing = recorded.SCHEMA_MISMATCH.where(feature="temp", check="missing")
    scenario.expect(missing, 0.25, minute=15)
    scenario.expect(recorded.SCHEMA_MISMATCH.where(feature="", check="reordered"), 0.5, minute=15)
    scenario.check(tmp_path)

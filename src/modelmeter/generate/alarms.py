"""Recording rules that judge: drift or not, rates changed or not, or too few rows to tell.

The same as `modelmeter.stats.alarms` and `modelmeter.stats.budget` compute, with the number
of tests counted from what each model exports. Segments are not judged: they would be tests
by the hundred.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Final

from modelmeter import names
from modelmeter.generate import alarm_series, judgement_series, series
from modelmeter.generate.performance_alarms import QUESTIONS
from modelmeter.generate.promql import Labels, at_least, many_to_one, selector, sum_by
from modelmeter.generate.rulefile import Rule
from modelmeter.generate.timing import BATCH, Timing
from modelmeter.stats.alarms import LARGE, POWER_Z
from modelmeter.stats.budget import (
    DAYS_Z,
    HASTINGS,
    HOURS_PER_MONTH,
    STUDENT,
    SUDDEN,
    AlarmBudget,
    independent_windows,
)

_WHOLE: Final = 'segment=""'
_HOUR: Final = 3_600_000
_M: Final = selector(series.REFERENCE_ROWS.name, _WHOLE)
_NORMAL: Final = selector(series.REFERENCE_RATE.name, _WHOLE)


def alarm_rules(
    labels: Labels,
    timing: Timing,
    budget: AlarmBudget,
    *,
    batches_per_month: float | None = None,
) -> Iterator[Rule]:
    """Yield the rules: thresholds from the budget, what could be seen, and the states.

    Parameters
    ----------
    labels
        What to group by.
    timing
        Windows and intervals. Drift is judged over all windows but the shortest, rates over
        all; with one window only, both over it.
    budget
        What somebody is willing to be woken for.
    batches_per_month
        How many batches are scored in a month: judges the window `BATCH` too. None where
        there are no batches.
    """
    looks = {w.text: float(independent_windows(w.length / _HOUR)) for w in timing.windows}
    judged = [w.text for w in timing.windows[1:] or timing.windows]
    if batches_per_month is not None:
        looks[BATCH] = batches_per_month
        judged.append(BATCH)
    windows = f'window=~"{"|".join(judged)}"'
    yield from _thresholds(labels, looks, budget, len(judged))
    differences = {w: budget.rate_difference * (1 if w in judged else SUDDEN) for w in looks}
    yield from _sizes(labels, timing, budget, differences)
    yield from _drift(labels, windows)
    yield from _rates(labels)
    live = selector(series.BIN_P.name, _WHOLE, windows)
    q = f"{many_to_one(labels.bin)} {series.BIN_Q.name}"
    yield alarm_series.CONTRIBUTION.rule(f"({live} - {q}) * ln({live} / {q})")


def _thresholds(
    labels: Labels, looks: Mapping[str, float], budget: AlarmBudget, judged: int
) -> Iterator[Rule]:
    """From which z on a difference is no chance, given how often chance is asked."""
    features, checks = (f"count by ({labels.model()}) ({one})" for one in (_M, _NORMAL))
    tests = alarm_series.TESTS.name
    known = f"count by ({labels.model()}) ({judgement_series.HEADLINE.name})"
    of_performance = f"({QUESTIONS * judged} * {known} or on ({labels.model()}) 0 * {features})"
    yield alarm_series.TESTS.rule(
        f"{judged} * {features}\n+ on ({labels.model()})\n{2 * len(looks)} * {checks}\n"
        f"+ on ({labels.model()})\n{of_performance}"
    )
    for i, (window, number) in enumerate(looks.items()):
        share = budget.alarms_per_month / number
        yield alarm_series.Z_THRESHOLD.rule(
            _upper_quantile(f"{share!r} / {tests}"), first=i == 0, window=window
        )
    share = budget.alarms_per_month / (2 * HOURS_PER_MONTH / 24)
    yield alarm_series.DAYS_Z.rule(_upper_quantile(f"{share!r} / {features}"))
    z = alarm_series.DAYS_Z.name
    t = " + ".join(f"{term!r} * {z} ^ {power}" for power, term in STUDENT.items())
    yield alarm_series.VARIATION_FACTOR.rule(at_least(f"(({t}) / {DAYS_Z!r}) ^ 2", "1"))


def _upper_quantile(probability: str) -> str:
    """Say `stats.budget.upper_quantile`."""
    t = f"sqrt(-2 * ln(clamp_max({probability}, 0.5)))"
    above, below = (
        " + ".join(
            f"{coefficient!r} * {t} ^ {power}" if power else repr(coefficient)
            for power, coefficient in enumerate(coefficients)
        )
        for coefficients in HASTINGS
    )
    return at_least(f"\n{t}\n- ({above})\n/ ({below})", "0")


def _sizes(
    labels: Labels, timing: Timing, budget: AlarmBudget, differences: Mapping[str, float]
) -> Iterator[Rule]:
    """From which size on a difference matters, given how much days differ."""
    metric = names.REFERENCE_VARIATION
    remembered = f"last_over_time({metric.name}[{timing.memory}])"
    factor = f"{many_to_one(labels.model())} {alarm_series.VARIATION_FACTOR.name}"
    natural = alarm_series.NATURAL_DRIFT.name
    yield alarm_series.NATURAL_DRIFT.rule(
        f"max by ({labels.of(*metric.labels)}) ({remembered}) * {factor}\n"
        f"or on ({labels.feature})\n0 * {_M}"
    )
    yield alarm_series.DRIFT_THRESHOLD.rule(at_least(natural, repr(budget.psi_excess)))
    spread = f"sqrt({_NORMAL} * (1 - {_NORMAL}) * {many_to_one(labels.feature)} {natural})"
    for i, (window, difference) in enumerate(differences.items()):
        yield alarm_series.RATE_THRESHOLD.rule(
            at_least(spread, repr(difference)), first=i == 0, window=window
        )


def _drift(labels: Labels, windows: str) -> Iterator[Rule]:
    rows, df, z, excess = (
        selector(one.name, _WHOLE, windows)
        for one in (series.ROWS, series.DF, series.G_Z, series.PSI_EXCESS)
    )
    threshold = f"{many_to_one(labels.model('window'))} {alarm_series.Z_THRESHOLD.name}"
    spread, s = f"(2 / (9 * {df}))", POWER_Z**2
    beyond = f"({df} * (1 - {spread} + sqrt({spread}) * {threshold}) ^ 3 - {df})"
    training = many_to_one(labels.feature)
    inverse = f"(({rows} > 0) ^ -1 + {training} ({_M} > 0) ^ -1)"
    yield alarm_series.DETECTABLE_DRIFT.rule(
        f"(\n{beyond} + {2 * s!r}\n+ sqrt({4 * s!r} * ({beyond} + {s!r}) + {2 * s!r} * {df})\n)\n"
        f"* on ({labels.window})\n{inverse}"
    )
    detectable, on = alarm_series.DETECTABLE_DRIFT.name, f"on ({labels.window})"
    matters = f"{training} {alarm_series.DRIFT_THRESHOLD.name}"
    at_best = f"{detectable} * {on} ({rows} / ({rows} + {training} {_M}))"
    yield alarm_series.DRIFT_STATE.rule(
        _state(
            on,
            f"{z} > {threshold}",
            f"{excess} > {matters}",
            f"{detectable} <= {training} ({LARGE} * {alarm_series.DRIFT_THRESHOLD.name})",
            ok=f"{detectable} <= {matters}",
            hopeless=f"{at_best} >= {matters}",
            otherwise=f"0 * {rows} - 1 - {training} ({_M} == bool 0)",
        )
    )
    drifted = selector(alarm_series.DRIFT_STATE.name, 'role="feature"')
    yield alarm_series.DRIFTED_FEATURES.rule(sum_by(labels.model("window"), f"{drifted} == bool 1"))


def _rates(labels: Labels) -> Iterator[Rule]:
    rows, z, rate = (
        selector(one.name, _WHOLE) for one in (series.CHECKED_ROWS, series.RATE_Z, series.RATE)
    )
    threshold = many_to_one(labels.model("window"))
    of_training, of_check = many_to_one(labels.feature), many_to_one(labels.check)
    share = f"(0.5 - abs({_NORMAL} - 0.5))"

    def detectable(inverse: str) -> str:
        step = (
            f"sqrt({inverse}) * {threshold} (({alarm_series.Z_THRESHOLD.name} + {POWER_Z!r}) / 2)"
        )
        angle = f"clamp_max({step} + {of_check} asin(sqrt({share})), {math.pi / 2!r})"
        return f"sin({angle}) ^ 2 - {of_check} {share}"

    some, training = f"({rows} > 0)", f"{of_training} ({_M} > 0) ^ -1"
    yield alarm_series.DETECTABLE_RATE.rule(detectable(f"{some} ^ -1 + {training}"))
    on = f"on ({labels.check}, window)"
    matters, seen = alarm_series.RATE_THRESHOLD.name, alarm_series.DETECTABLE_RATE.name
    yield alarm_series.RATE_STATE.rule(
        _state(
            on,
            f"abs({z}) > {threshold} {alarm_series.Z_THRESHOLD.name}",
            f"abs({rate} - {of_check} {_NORMAL}) > {on} {matters}",
            f"{seen} <= {on} ({LARGE} * {matters})",
            ok=f"{seen} <= {on} {matters}",
            hopeless=f"{detectable(f'0 * {some} + {training}')} >= {on} {matters}",
            otherwise=f"0 * {rows} - 1 - {of_training} ({_M} == bool 0)",
        )
    )


def _state(on: str, *changed: str, ok: str, hopeless: str, otherwise: str) -> str:
    """Return 1 where all of `changed` hold, else 0 where `ok`, else -2 where `hopeless`, or -1."""
    all_of = f"\nand {on} ".join(f"({one})" for one in changed)
    states = (f"({all_of}) * 0 + 1", f"({ok}) * 0", f"({hopeless}) * 0 - 2", otherwise)
    return f"\nor {on}\n".join(states)

"""Recording rules: Prometheus computes drift, data quality and performance from counts.

The same formulas as `modelmeter.stats`, generic over models, features, windows and numbers
of bins: one rule per statistic, not one per feature. Tests hold both equal.

What every rule takes care of: an empty window records nothing (``> 0``); a restarted
replica is ``increase``'s business; training rows are the maximum over replicas and are
remembered while none answers; versions are apart by label; counts of bins that a changed
profile no longer has fall away; a series that appears late is not scaled up to the length
of the window.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from typing import Final

from modelmeter import names
from modelmeter._errors import ConfigurationError
from modelmeter.generate import series
from modelmeter.generate.alarms import alarm_rules
from modelmeter.generate.batch import last_batch
from modelmeter.generate.performance import performance_rules
from modelmeter.generate.performance_alarms import performance_alarm_rules
from modelmeter.generate.promql import (
    Labels,
    at_least,
    many_to_one,
    over_window,
    positions_up_to,
    sum_by,
    x_log_x,
)
from modelmeter.generate.quality import quality_rules
from modelmeter.generate.rulefile import Group, Rule
from modelmeter.generate.service_levels import ServiceLevels, service_rules
from modelmeter.generate.skew import skew_rules
from modelmeter.generate.tasks import MAX_POSITIONS, Tasks
from modelmeter.generate.timing import (
    DEFAULT_SCRAPE_INTERVAL,
    DEFAULT_WINDOWS,
    LOOKBACK,
    Timing,
    plan_timing,
)
from modelmeter.generate.traffic import traffic_rules
from modelmeter.generate.usual import call_rules, usual_rules
from modelmeter.stats.budget import AlarmBudget
from modelmeter.stats.drift import PSEUDO_ROWS, REFERENCE_PSEUDO_ROWS

_P, _Q = series.BIN_P.name, series.BIN_Q.name
_LIVE, _TRAINING = series.BIN_ROWS.name, series.BIN_REFERENCE_ROWS.name
_M: Final = f"({series.REFERENCE_ROWS.name} > 0)"

_DRIFT_COMMENT = (
    "Drift and data quality. One group, because the rules read each other: Prometheus evaluates "
    "a group in order and at one time stamp. First the rows per bin (live over each window, and "
    "in training), then shares, then one rule per statistic for all models, features and windows, "
    "and last what of it deserves attention, given how many false alarms are accepted. "
    "Cost grows with features x bins x windows x replicas; if prometheus_rule_group_last_duration_"
    "seconds comes near the interval, drop a window or raise the interval (at most 5m)."
)
_TRAFFIC_COMMENT = (
    "Traffic: the golden signals of the service, the model's own rate, errors and latency, how "
    "long ago each feature last had a value, and whether what serves is what was trained. Cheap, "
    "and independent of the other groups."
)
_PERFORMANCE_COMMENT = (
    "Performance: realised from labels that arrived in the window, and estimated for predictions "
    "made in it, before their labels. It reads the live rows that the drift group recorded last. "
    "Every figure has its standard error, its reference from training, and the change in standard "
    "errors (z). Cost grows with classes squared or score bins, x segments x windows."
)

_JUDGEMENT_COMMENT = (
    "What alerts compare with: requests that failed or were slow, how often models are asked, and "
    "whether performance is worse than in training."
)
_USUAL_COMMENT = (
    "What is usual, learnt from the past: traffic at this hour, how long values stay the same, how "
    "long labels keep one waiting. It looks days back, and rarely changes."
)


def recording_rules(
    *,
    windows: Sequence[str] = DEFAULT_WINDOWS,
    scrape_interval: str = DEFAULT_SCRAPE_INTERVAL,
    evaluation_interval: str | None = None,
    positions: int = MAX_POSITIONS,
    tasks: Tasks | None = None,
    keep_labels: Sequence[str] = (),
    job: str | None = None,
    budget: AlarmBudget | None = None,
    levels: ServiceLevels | None = None,
    smallest_loss: float = 0.02,
    lookback: int = LOOKBACK,
    batch_every: str | None = None,
) -> list[Group]:
    """Make the recording rules for any number of models.

    Parameters
    ----------
    windows
        How far back statistics look, as Prometheus durations. The shortest reads the
        counters; those that are a multiple of it are added up from what it recorded.
    scrape_interval, evaluation_interval, lookback, batch_every
        See `plan_timing`.
    positions
        Largest number of ordered bins of any feature or output (``Profile.
        ordered_positions``); the default is enough for every profile.
    tasks
        What the models do (``Tasks.of``): rules for the performance of others are left out.
        By default there are rules for all.
    keep_labels
        Further labels that tell services apart and that every recorded series keeps, such
        as ``cluster`` or ``namespace``.
    job
        Read the request metrics of this scrape job only: other services may use the same
        names. All jobs by default.
    budget
        What somebody is willing to be woken for; by default one false alarm per month and
        model.
    levels
        What callers are promised.
    smallest_loss
        See `Settings`.

    Returns
    -------
    list of Group
        Write them with `rulefile.render`.

    Raises
    ------
    ConfigurationError
        A setting that cannot work; the message names it.
    """
    timing = plan_timing(
        windows,
        scrape_interval=scrape_interval,
        evaluation_interval=evaluation_interval,
        lookback=lookback,
        batch_every=batch_every,
    )
    if not 0 <= positions <= MAX_POSITIONS:
        raise ConfigurationError(f"positions must be 0 to {MAX_POSITIONS}, not {positions!r}")
    labels = Labels(check_labels(keep_labels))
    drift = (
        *_count_rows(labels, timing),
        *_compare_shares(labels),
        *_test(labels),
        *_compare_order(labels, timing, positions),
        *quality_rules(labels, timing),
        *alarm_rules(
            labels,
            timing,
            budget or AlarmBudget(),
            batches_per_month=timing.batches_per_month,
        ),
    )
    performance = (*performance_rules(labels, timing, tasks := tasks or Tasks()),)
    traffic = (*traffic_rules(labels, timing, job), *skew_rules(labels, timing))
    judgement = (
        *service_rules(labels, timing, job, levels or ServiceLevels()),
        *call_rules(labels, timing),
        *performance_alarm_rules(labels, timing, tasks, smallest_loss),
    )
    groups = (
        ("modelmeter_drift", drift, _DRIFT_COMMENT),
        ("modelmeter_performance", performance, _PERFORMANCE_COMMENT),
        ("modelmeter_traffic", traffic, _TRAFFIC_COMMENT),
        ("modelmeter_judgement", judgement, _JUDGEMENT_COMMENT),
    )
    interval = timing.evaluation_interval
    # Twice in the time after which Prometheus takes a recorded series for gone.
    usual = Group("modelmeter_usual", LOOKBACK // 2, (*usual_rules(labels),), _USUAL_COMMENT)
    found = [Group(name, interval, rules, comment) for name, rules, comment in groups if rules]
    return [*found, usual]


def check_labels(keep: Sequence[str]) -> tuple[str, ...]:
    """Return the labels to keep, without repetition.

    Raises
    ------
    ConfigurationError
        One of them is no label name, or one that modelmeter uses itself.
    """
    if isinstance(keep, str):
        raise ConfigurationError(f"keep_labels must be a list of label names, not {keep!r}")
    own = {label for of_level in series.LEVELS.values() for label in of_level}
    own |= {label for recorded in series.ALL for label in recorded.labels} | {"le"}
    for label in keep:
        if not re.fullmatch("[a-zA-Z_][a-zA-Z0-9_]*", str(label)) or label in own:
            raise ConfigurationError(
                "keep_labels must be label names that modelmeter does not use itself, "
                f"not {label!r}"
            )
    return tuple(dict.fromkeys(keep))


def _count_rows(labels: Labels, timing: Timing) -> Iterator[Rule]:
    """Rows per bin and per feature, in training and live."""
    remembered = f"last_over_time({names.REFERENCE_ROWS.name}[{timing.memory}])"
    yield series.BIN_REFERENCE_ROWS.rule(f"max by ({labels.bin}) ({remembered})")
    yield series.REFERENCE_ROWS.rule(sum_by(labels.feature, _TRAINING))
    bins = f"count by ({labels.feature}) ({_TRAINING})"
    yield series.BIN_Q.rule(
        f"({_TRAINING} + {REFERENCE_PSEUDO_ROWS})\n"
        f"/ {many_to_one(labels.feature)}\n"
        f"({_M} + {REFERENCE_PSEUDO_ROWS} * {bins})",
    )
    for i, window in enumerate(timing.windows):
        expr = over_window(names.FEATURE_BIN.name, _LIVE, window, timing)
        yield series.BIN_ROWS.rule(
            f"{sum_by(labels.bin, expr)}\nand on ({labels.bin}) {_TRAINING}",
            first=i == 0,
            window=window.text,
        )
    for text, rows in last_batch(names.FEATURE_BIN, labels, timing):
        yield series.BIN_ROWS.rule(
            f"{rows}\nand on ({labels.bin}) {_TRAINING}", first=False, window=text
        )
    yield series.ROWS.rule(sum_by(labels.window, _LIVE))


def _compare_shares(labels: Labels) -> Iterator[Rule]:
    """Distances between the live and the training shares of all bins."""
    q = f"{many_to_one(labels.bin)} {_Q}"
    yield series.BIN_P.rule(
        f"({_LIVE} + {many_to_one(labels.bin)} ({PSEUDO_ROWS} * {_Q}))\n"
        f"/ {many_to_one(labels.window)}\n"
        f"({_live_rows(labels)} + {PSEUDO_ROWS})",
    )
    yield series.PSI.rule(sum_by(labels.window, f"({_P} - {q}) * ln({_P} / {q})"))
    yield series.KL.rule(sum_by(labels.window, f"{_P} * ln({_P} / {q})"))
    mixed = f"({_P} + {q})"
    divergence = (
        f"(\n{sum_by(labels.window, f'{_P} * ln({_P})')}\n"
        f"+ {many_to_one(labels.feature)}\n"
        f"{sum_by(labels.feature, f'{_Q} * ln({_Q})')}\n"
        f"- {sum_by(labels.window, f'{mixed} * ln({mixed} / 2)')}\n)\n"
        f"/ {2 * math.log(2)!r}"
    )
    yield series.JS_DISTANCE.rule(f"sqrt({at_least(divergence, '0')})")
    yield series.HELLINGER.rule(
        "sqrt("
        + sum_by(labels.window, f"(sqrt({_P}) - {many_to_one(labels.bin)} sqrt({_Q})) ^ 2")
        + " / 2)",
    )
    yield series.TVD.rule(f"{sum_by(labels.window, f'abs({_P} - {q})')} / 2")


def _test(labels: Labels) -> Iterator[Rule]:
    """How likely the difference is chance: the G test on raw counts, and the noise of PSI."""
    both = f"({_LIVE} + {many_to_one(labels.bin)} {_TRAINING})"
    n = _live_rows(labels)
    training = many_to_one(labels.feature)
    yield series.DF.rule(
        f"{at_least(f'count by ({labels.window}) ({both} > 0) - 1', '1')}\n"
        f"and on ({labels.window}) ({series.ROWS.name} > 0)\n"
        f"and on ({labels.feature}) {_M}",
    )
    psi, df = series.PSI.name, series.DF.name
    yield series.PSI_EXCESS.rule(
        f"{psi} - {df} * ({series.ROWS.name} ^ -1 + {training} {_M} ^ -1)",
    )
    n_and_m = f"({n} + {training} {_M})"
    g = (
        f"{sum_by(labels.window, x_log_x(_LIVE))}\n"
        f"- {sum_by(labels.window, x_log_x(both))}\n"
        f"- {x_log_x(n)}\n"
        f"+ {x_log_x(n_and_m)}\n"
        f"+ {training} ({sum_by(labels.feature, x_log_x(_TRAINING))} - {x_log_x(_M)})"
    )
    yield series.G.rule(at_least(f"2 * (\n{g}\n)", "0"))
    spread = f"2 / (9 * {df})"
    yield series.G_Z.rule(
        f"(({series.G.name} / {df}) ^ (1 / 3) - 1 + {spread})\n/ sqrt({spread})",
    )


def _compare_order(labels: Labels, timing: Timing, positions: int) -> Iterator[Rule]:
    """Distances between the cumulative shares of the bins that have an order."""
    p, q = f'{_P}{{ord!=""}}', f'{_Q}{{ord!=""}}'
    difference = series.BIN_SHARE_DIFF.name
    if positions < 2:
        return
    yield series.BIN_SHARE_DIFF.rule(
        f"{p} / {many_to_one(labels.window)} {sum_by(labels.window, p)}\n"
        f"- {many_to_one(labels.bin)}\n"
        f"({q} / {many_to_one(labels.feature)} {sum_by(labels.feature, q)})",
    )
    for position in range(positions - 1):
        below = f'{difference}{{ord=~"{positions_up_to(position)}"}}'
        yield series.BIN_CDF_DIFF.rule(
            f"{sum_by(labels.window, below)}\n"
            # Only where a bin follows: features have different numbers of bins.
            f'and on ({labels.window}) {difference}{{ord="{position + 1:02d}"}}',
            first=position == 0,
            ord=f"{position:02d}",
        )
    gap = names.REFERENCE_GAP
    gaps = f"last_over_time({gap.name}[{timing.memory}])"
    cumulative = f"abs({series.BIN_CDF_DIFF.name})"
    yield series.KS.rule(f"max by ({labels.window}) ({cumulative})")
    yield series.WASSERSTEIN.rule(
        sum_by(
            labels.window,
            f"\n{cumulative}\n* {many_to_one(labels.of(*gap.labels))}\n"
            f"max by ({labels.of(*gap.labels)}) ({gaps})\n",
        ),
    )


def _live_rows(labels: Labels) -> str:
    """Live rows of every feature and window; nothing where there are none.

    Added up from the bins, not the recorded sum: where one system shows a rule what others
    recorded only at the evaluation before, the parts of a formula must still be of one
    time. Training rows do not change.
    """
    return f"({sum_by(labels.window, _LIVE)} > 0)"

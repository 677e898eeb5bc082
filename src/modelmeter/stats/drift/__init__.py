"""How far live counts are from training counts, feature by feature.

Every function takes the rows per bin of one feature, live and in training, over the last
axis; leading axes (features, windows) broadcast. The recording rules
(`modelmeter.generate.rules`) compute the same in PromQL, to the last digits: tests hold
them equal, so a change here is a change there.

Shares are smoothed so that no statistic is ever infinite: half a row on each training bin,
and `PSEUDO_ROWS` live rows placed as training was. Without live rows (or without training
rows) there is nothing to compare and every statistic is NaN; PromQL records no sample.
"""

from modelmeter.stats.drift.divergences import (
    hellinger,
    js_distance,
    kl,
    psi,
    psi_excess,
    psi_floor,
    tvd,
)
from modelmeter.stats.drift.likelihood import degrees_of_freedom, g_test
from modelmeter.stats.drift.order import cdf_difference, ks, wasserstein
from modelmeter.stats.drift.shares import (
    PSEUDO_ROWS,
    REFERENCE_PSEUDO_ROWS,
    live_shares,
    reference_shares,
)
from modelmeter.stats.drift.single import DriftScores, drift
from modelmeter.stats.drift.together import DriftTable, TrainedFeature, Training

__all__ = [
    "PSEUDO_ROWS",
    "REFERENCE_PSEUDO_ROWS",
    "DriftScores",
    "DriftTable",
    "TrainedFeature",
    "Training",
    "cdf_difference",
    "degrees_of_freedom",
    "drift",
    "g_test",
    "hellinger",
    "js_distance",
    "kl",
    "ks",
    "live_shares",
    "psi",
    "psi_excess",
    "psi_floor",
    "reference_shares",
    "tvd",
    "wasserstein",
]

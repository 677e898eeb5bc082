"""The last batch that a scoring job pushed, as one more window of the recording rules.

A job that lives for minutes cannot be scraped. A Pushgateway shows the counts of its last batch
as gauges until the next one replaces them. They are taken as they are: `increase` over counters
that are pushed loses most of their rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from modelmeter import names
from modelmeter.generate.promql import Labels, sum_by
from modelmeter.generate.timing import BATCH, Timing
from modelmeter.names import Metric

KEPT: Final = 3
"""Periods after which a batch is forgotten: a gateway shows it for ever."""

PUSHED: Final = {
    names.FEATURE_BIN: names.BATCH_FEATURE_ROWS,
    names.FEATURE_ABSENT: names.BATCH_FEATURE_ABSENT_ROWS,
    names.CLASS_SCORE: names.BATCH_CLASS_SCORE_ROWS,
    names.LABEL_BIN: names.BATCH_LABEL_BIN_ROWS,
    names.CONFUSION: names.BATCH_CONFUSION_ROWS,
    names.ERROR_SUM: names.BATCH_ERROR_SUM,
    names.TARGET_SUM: names.BATCH_TARGET_SUM,
}
"""The gauge that is pushed instead of a counter that is scraped."""

PUSHERS: Final = "job, instance"
"""Labels of those that push, whatever they push: a job that has another name now is the same."""

_MODEL: Final = names.BATCH_LAST_SUCCESS.labels


def last_batch(counter: Metric, labels: Labels, timing: Timing) -> Iterator[tuple[str, str]]:
    """Yield the window of batches and what the last one counted; nothing without batches.

    Parts of a batch that are pushed with further labels are added up. Of each part it is the
    last push that counts, whoever did it: the largest of two would be a mixture.

    Parameters
    ----------
    counter
        What is read over the other windows.
    labels
        What to group by.
    timing
        How often batches come.
    """
    if timing.batch_every is None:
        return
    pushed = PUSHED[counter]
    own = ", ".join(label for label in pushed.labels if label not in _MODEL)
    success = names.BATCH_LAST_SUCCESS.name
    oldest = f"time() - {KEPT * timing.batch_every / 1000:.15g}"
    last = f"ignoring ({PUSHERS}) group_left () max without ({PUSHERS}) ({success})"
    part = f"{pushed.name} and ignoring ({own}) (({success} > {oldest}) == {last})"
    expr = f"\nmax without ({PUSHERS}) ({part})\n"
    yield BATCH, sum_by(labels.of(*pushed.labels), expr)

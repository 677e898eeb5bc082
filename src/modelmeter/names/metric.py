"""What is said of a metric, and the labels that many share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

MetricType = Literal["counter", "gauge", "histogram", "info"]
Merge = Literal["sum", "max"]


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric family.

    Parameters
    ----------
    name
        As it appears in the Prometheus text format, unit and ``_total`` included.
    type
        ``counter``, ``gauge``, ``histogram`` or ``info``.
    labels
        Label names, in the order in which label values are given everywhere.
    help
        One sentence for the ``# HELP`` line and the metric reference.
    merge
        How the values of several workers combine.
    buckets
        Upper bounds of a histogram's buckets, without ``+Inf``.
    integer
        Whether values are whole numbers (rendered without a fraction).
    live
        Whether a value says something only while its worker lives: those of dead workers
        are left out of the merge.
    """

    name: str
    type: MetricType
    labels: tuple[str, ...]
    help: str
    merge: Merge = "sum"
    buckets: tuple[float, ...] = ()
    integer: bool = True
    live: bool = False

    @property
    def outlasts(self) -> bool:
        """Whether a value still counts when its worker has ended.

        What was counted does, and when something last happened. What a worker says of the
        model that it serves (reference, versions) every other that serves it says too.
        """
        return not self.live and (self.merge == "sum" or self.name.endswith("_timestamp_seconds"))


MODEL: Final = ("model", "version")
SECONDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

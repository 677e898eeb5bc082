"""Every metric that modelmeter exports: the only place where a name is spelt.

A counter's name ends in ``_total``; durations are in seconds, sizes in bytes. ``merge``
says how the values of several workers of one service become one: counters add up, gauges
that every worker holds alike (reference counts, time stamps) take the largest.
"""

from typing import Final

from modelmeter.names import batch, features, performance, service
from modelmeter.names.batch import *
from modelmeter.names.features import *
from modelmeter.names.metric import Metric as Metric
from modelmeter.names.performance import *
from modelmeter.names.service import *

ALL: Final[tuple[Metric, ...]] = tuple(
    value
    for module in (features, performance, service, batch)
    for value in vars(module).values()
    if isinstance(value, Metric)
)
"""Every metric, in the order in which it is declared and exported."""

"""The months of the replay, each measured once when it is over."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

import httpx2

from modelmeter.demo.flights import ZONE
from modelmeter.demo.replay import MonthEnd, Progress
from modelmeter.demo.summary import Month

if TYPE_CHECKING:
    from modelmeter.demo.flights import Flights
    from modelmeter.demo.reading import Source


class Months:
    """Asks how the service did in each month, as soon as that can be known.

    Parameters
    ----------
    source
        Who measures.
    production
        The flights, with what became of them.
    lag
        Seconds until what was answered has been measured.
    """

    def __init__(self, source: Source, production: Flights, lag: float) -> None:
        self._source = source
        self._lag = lag
        number = production.departure.dt.tz_convert(ZONE).dt.month
        self._late = production.late.groupby(number).mean()
        self.known: list[Month] = []

    def update(self, progress: Progress) -> list[Month]:
        """Return the months that are over, in order.

        Parameters
        ----------
        progress
            How far the replay is.
        """
        over = progress.months if progress.done else progress.months[:-1]
        for end in over[len(self.known) :]:
            if time.time() < end.ended + self._lag:
                break
            try:
                self.known.append(self._measured(end))
            except httpx2.HTTPError:  # asked again next time
                break
        return self.known

    def _measured(self, end: MonthEnd) -> Month:
        return Month(
            label=f"{end.month:%b}",
            reading=self._source.read(end.ended + self._lag),
            late=float(self._late.get(end.month.month, math.nan)),
        )

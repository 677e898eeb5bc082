"""Failures of the monitoring itself: counted, logged once, never passed on."""

from __future__ import annotations

import logging

from modelmeter import names
from modelmeter.live.counts import Block, Counts

logger = logging.getLogger("modelmeter")


class Failures:
    """Counts failures by where they happened.

    Parameters
    ----------
    counts
        Where to count them.
    """

    def __init__(self, counts: Counts) -> None:
        self._counts = counts
        self._blocks: dict[str, Block] = {}

    def expect(self, where: str) -> None:
        """Export the series of a place from now on, at zero."""
        if where not in self._blocks:
            self._blocks[where] = self._counts.block(names.FAILURES, [(where,)])

    def count(self, where: str, error: BaseException) -> None:
        """Count a failure, and log the first of each place; never raises."""
        try:
            first = self.tally(where) == 1
        except Exception as worse:  # noqa: BLE001 - a full disk must not break a request
            error, first = worse, True
        if first:
            logger.warning(
                "monitoring failed in %s (logged once, counted in %s): %r",
                where,
                names.FAILURES.name,
                error,
                exc_info=error,
            )

    def tally(self, where: str) -> float:
        """Count a failure that has been logged already; return how many there were."""
        self.expect(where)
        block = self._blocks[where]
        with self._counts.lock:
            block.cells[0] += 1
            return block.cells[0]

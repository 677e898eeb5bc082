"""What became of the flights, told to the service when each has landed."""

from __future__ import annotations

import heapq
import math
import threading
import time
from collections import Counter
from collections.abc import Sequence

import httpx2
import numpy as np
from numpy.typing import NDArray

from modelmeter.live.ids import row_id

MAX_LABELS = 2_000
"""Outcomes per request at most."""

PAUSE = 0.1
"""Seconds between requests: what has landed meanwhile goes together."""


class Outcomes(threading.Thread):
    """Posts labels as flights land, on the replay's clock.

    Parameters
    ----------
    url
        Where ``POST /feedback`` is.

    Attributes
    ----------
    answers
        Labels by what the service said became of them; ``unanswered`` where it said nothing.
    """

    def __init__(self, url: str) -> None:
        super().__init__(name="outcomes", daemon=True)
        self._url = f"{url}/feedback"
        self._began = time.monotonic()
        self._landed: list[tuple[float, str, int]] = []
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._closing = threading.Event()
        self.answers: Counter[str] = Counter()

    def begin(self, began: float) -> None:
        """Take over the replay's clock.

        Parameters
        ----------
        began
            ``time.monotonic()`` at which the first flight left.
        """
        self._began = began

    def expect(self, call: str, due: NDArray[np.float64], late: NDArray[np.float64]) -> None:
        """Note flights that have been predicted, to tell what became of them.

        Parameters
        ----------
        call
            Id of the predictions, as the response said.
        due
            Seconds after the beginning at which each lands, shape (n_flights,); NaN for those
            whose outcome nobody will ever know.
        late
            1.0 where it is late, shape (n_flights,).
        """
        known = np.flatnonzero(~np.isnan(due) & ~np.isnan(late))
        with self._lock:
            for row in known.tolist():
                heapq.heappush(
                    self._landed, (float(due[row]), row_id(call, row, len(due)), int(late[row]))
                )

    def close(self) -> None:
        """Send all that is left, and end."""
        self._closing.set()

    def stop(self) -> None:
        """End after the request that is under way."""
        self._stopping.set()
        self._closing.set()

    def run(self) -> None:
        """Post labels; called by `start`."""
        with httpx2.Client(timeout=10, trust_env=False) as client:
            while not self._stopping.is_set():
                closing = self._closing.is_set()
                # The last flights land hours after the last has left: a moment on this clock.
                labels = self._due(math.inf if closing else time.monotonic() - self._began)
                if labels:
                    self._post(client, labels)
                elif closing:
                    return
                if len(labels) < MAX_LABELS and not closing:
                    self._closing.wait(PAUSE)

    def _due(self, elapsed: float) -> list[tuple[str, int]]:
        due: list[tuple[str, int]] = []
        with self._lock:
            while self._landed and self._landed[0][0] <= elapsed and len(due) < MAX_LABELS:
                _, prediction_id, late = heapq.heappop(self._landed)
                due.append((prediction_id, late))
        return due

    def _post(self, client: httpx2.Client, labels: Sequence[tuple[str, int]]) -> None:
        body = [{"prediction_id": id_, "y_true": late} for id_, late in labels]
        try:
            answer = client.post(self._url, json=body)
            answer.raise_for_status()
            self.answers.update(answer.json()["counts"])
        except (httpx2.HTTPError, KeyError, ValueError):
            self.answers["unanswered"] += len(labels)

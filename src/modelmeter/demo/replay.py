"""Nine months of flights through HTTP in the time there is, in the order they left."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import httpx2
import numpy as np

from modelmeter.demo.flights import ZONE, Flights
from modelmeter.demo.outcomes import Outcomes
from modelmeter.demo.traffic import JSON_HEADERS, encode
from modelmeter.live.ids import HEADER

if TYPE_CHECKING:
    import pandas as pd

MAX_BATCH = 1_000
"""Flights per request at most: as many as the app takes."""

PAUSE = 0.04
"""Seconds between requests while the service keeps up: they carry what left meanwhile."""

MAX_LAG = 2.0
"""Seconds that the replay may be behind before it leaves flights out."""


@dataclass(frozen=True)
class MonthEnd:
    """When the last flight of a month had been answered.

    Parameters
    ----------
    month
        Its first day.
    began, ended
        Unix time at which its first flight was sent and its last had been answered.
    """

    month: pd.Timestamp
    began: float
    ended: float


@dataclass(frozen=True)
class Progress:
    """How far the replay is.

    Parameters
    ----------
    simulated
        The time that it is in the replay, in New York.
    share
        Share of the simulated time that has passed, from 0 to 1.
    answered, failed, left_out
        Flights answered; sent but not answered well; not sent, to keep up.
    months
        The months that are over.
    labels
        Flights that have landed, by what the service said became of their label.
    done
        Whether the replay has come to its end.
    """

    simulated: pd.Timestamp
    share: float = 0.0
    answered: int = 0
    failed: int = 0
    left_out: int = 0
    months: tuple[MonthEnd, ...] = ()
    labels: Mapping[str, int] = field(default_factory=dict)
    done: bool = False

    @property
    def labelled(self) -> int:
        """Flights whose outcome the service has counted."""
        return self.labels.get("counted", 0)

    @property
    def sampled(self) -> float:
        """Share of the flights so far that were left out, from 0 to 1."""
        total = self.answered + self.failed + self.left_out
        return self.left_out / total if total else 0.0


class Replay(threading.Thread):
    """Sends flights as they left, and their outcomes as they landed, on a faster clock.

    The clock never waits for the service. When the service falls behind, requests carry
    more flights; when that is not enough, flights are left out, evenly over the time
    that has to be caught up, and counted.

    Parameters
    ----------
    url
        Where ``POST /predict/model`` is.
    flights
        Flights in the order of their departure.
    seconds
        How long the replay takes.
    """

    def __init__(self, url: str, flights: Flights, seconds: float) -> None:
        super().__init__(name="replay", daemon=True)
        self._url = f"{url}/predict/model"
        self._X = flights.X
        departure = flights.departure
        self._first = departure.iloc[0].tz_convert(ZONE)
        # Seconds of real time at which each flight leaves, and lands.
        simulated = (departure - self._first).dt.total_seconds().to_numpy()
        self.speed = max(simulated[-1], 1.0) / seconds
        self._due = simulated / self.speed
        landing = (flights.landing - self._first).dt.total_seconds().to_numpy()
        self._landing, self._late = landing / self.speed, flights.late.to_numpy()
        self._outcomes = Outcomes(url)
        local = departure.dt.tz_convert(ZONE).dt.tz_localize(None)
        self._month = local.to_numpy().astype("datetime64[M]")
        self._stopping = threading.Event()
        self.progress = Progress(simulated=self._first)

    def stop(self) -> None:
        """End after the request that is under way, at most a few seconds from now."""
        self._stopping.set()

    def run(self) -> None:
        """Send the flights; called by `start`."""
        began = time.monotonic()
        self._outcomes.begin(began)
        self._outcomes.start()
        try:
            self._send_all(began)
        finally:
            if self._stopping.is_set():
                self._outcomes.stop()
            self._outcomes.close()
            self._outcomes.join(20)
        self.progress = replace(self.progress, labels=dict(self._outcomes.answers))

    def _send_all(self, began: float) -> None:
        position, total = 0, len(self._due)
        with httpx2.Client(timeout=5, trust_env=False, headers=JSON_HEADERS) as client:
            while position < total and not self._stopping.is_set():
                elapsed = time.monotonic() - began
                due = int(np.searchsorted(self._due, elapsed, side="right"))
                if due == position:
                    self._stopping.wait(max(self._due[position] - elapsed, PAUSE))
                    continue
                rows, position_after = self._choose(position, due, elapsed)
                sent_at = time.time()
                ok = self._send(client, rows)
                self._note(rows, position, position_after, sent_at, ok=ok)
                position = position_after
                if position == due:
                    self._stopping.wait(PAUSE)
        self.progress = replace(self.progress, done=position >= total)

    def _choose(self, position: int, due: int, elapsed: float) -> tuple[slice, int]:
        """Return the flights to send next, and the position after them."""
        if elapsed - self._due[position] <= MAX_LAG:
            stop = min(due, position + MAX_BATCH)
            return slice(position, stop), stop
        # So far behind, every n-th flight stands for all: three requests are to make up for
        # what is due. A request ends with its month, so that no month is passed over.
        step = -(-(due - position) // (3 * MAX_BATCH))
        month_end = int(np.searchsorted(self._month, self._month[position], side="right"))
        stop = min(due, month_end, position + step * MAX_BATCH)
        return slice(position, stop, step), stop

    def _send(self, client: httpx2.Client, rows: slice) -> bool:
        try:
            answer = client.post(self._url, content=encode(self._X.iloc[rows]))
            call = answer.headers.get(HEADER, "").partition(";")[0]
            if answer.is_success and call:
                self._outcomes.expect(call, self._landing[rows], self._late[rows])
            return answer.is_success
        except httpx2.HTTPError:
            self._stopping.wait(0.2)  # a service that is down is not hammered
            return False

    def _note(self, rows: slice, position: int, after: int, sent_at: float, *, ok: bool) -> None:
        import pandas as pd

        now, before = time.time(), self.progress
        sent = len(range(rows.start, rows.stop, rows.step or 1))
        months = before.months
        first, last = (pd.Timestamp(self._month[i]) for i in (position, after - 1))
        if not months or months[-1].month != first:
            months = (*months, MonthEnd(first, sent_at, now))
        months = (*months[:-1], replace(months[-1], ended=now))
        if last != first:
            months = (*months, MonthEnd(last, sent_at, now))
        simulated = self._first + pd.Timedelta(seconds=float(self._due[after - 1] * self.speed))
        self.progress = Progress(
            simulated=simulated,
            share=float(self._due[after - 1] / max(self._due[-1], 1e-9)),
            answered=before.answered + sent * ok,
            failed=before.failed + sent * (not ok),
            left_out=before.left_out + (after - position - sent),
            months=months,
            labels=dict(self._outcomes.answers),
        )

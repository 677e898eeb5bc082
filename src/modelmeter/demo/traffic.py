"""Traffic for the talk's app: so many requests, for so long, and no more.

``python -m modelmeter.demo.traffic random`` and ``... model`` send it from a shell.
"""

from __future__ import annotations

import argparse
import asyncio
import ipaddress
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx2

from modelmeter._errors import ConfigurationError
from modelmeter.demo import flights

if TYPE_CHECKING:
    import pandas as pd

DEFAULT_URL = "http://127.0.0.1:5000"
MAX_REQUESTS = 1_000_000
MAX_SECONDS = 24 * 3600.0
NO_ANSWER = 0
"""The status under which requests without an answer are tallied."""


@dataclass(frozen=True)
class Bounds:
    """How much traffic there is at most; whatever comes first ends it.

    Parameters
    ----------
    requests
        Number of requests, from 1 to 1,000,000.
    seconds
        Time, from 0 to 24 hours (not 0).
    rate
        Requests per second, None for as fast as they are answered.
    at_once
        Requests under way at the same time, from 1 to 100.

    Raises
    ------
    ConfigurationError
        One of them is out of its range.
    """

    requests: int = 1_000
    seconds: float = 60.0
    rate: float | None = None
    at_once: int = 2

    def __post_init__(self) -> None:
        limits = {
            "requests": (1, self.requests, MAX_REQUESTS),
            "seconds": (1e-3, self.seconds, MAX_SECONDS),
            "rate": (1e-3, 1.0 if self.rate is None else self.rate, 1e6),
            "at_once": (1, self.at_once, 100),
        }
        for name, (low, value, high) in limits.items():
            if not low <= value <= high:
                raise ConfigurationError(f"{name} must be from {low:g} to {high:g}, not {value!r}")


@dataclass
class Tally:
    """What became of the traffic.

    Parameters
    ----------
    statuses
        Number of requests by HTTP status; 0 for those that were not answered.
    seconds
        How long it took.
    """

    statuses: Counter[int] = field(default_factory=Counter)
    seconds: float = 0.0

    @property
    def requests(self) -> int:
        """Requests sent."""
        return self.statuses.total()

    @property
    def failed(self) -> int:
        """Requests that were not answered, or with a status of 400 or above."""
        return sum(n for status, n in self.statuses.items() if status == 0 or status >= 400)

    def __str__(self) -> str:
        rate = self.requests / self.seconds if self.seconds else 0.0
        return (
            f"{self.requests:,} requests in {self.seconds:.1f} s ({rate:,.0f} per second), "
            f"{self.failed:,} failed"
        )


def random_traffic(
    url: str = DEFAULT_URL,
    *,
    bounds: Bounds | None = None,
    time_delay_scale: float = 0.1,
    error_rate: float = 0.01,
    remote: bool = False,
) -> Tally:
    """Send requests to ``GET /predict/random``.

    Parameters
    ----------
    url
        Where the app is; this machine unless `remote`.
    bounds
        How much, by default 1,000 requests or a minute.
    time_delay_scale
        Mean delay that is asked for, in seconds.
    error_rate
        Share of errors that is asked for, from 0 to 1.
    remote
        Whether `url` may be another machine.

    Returns
    -------
    Tally

    Raises
    ------
    ConfigurationError
        `url` is not on this machine and `remote` is false.
    """
    params = {"time_delay_scale": time_delay_scale, "error_rate": error_rate}
    base = _checked(url, remote=remote)

    def request(client: httpx2.AsyncClient, _: int) -> httpx2.Request:
        return client.build_request("GET", f"{base}/predict/random", params=params)

    return asyncio.run(_send(request, bounds or Bounds()))


def model_traffic(
    url: str = DEFAULT_URL,
    *,
    rows: pd.DataFrame | None = None,
    batch: int = 1,
    bounds: Bounds | None = None,
    remote: bool = False,
) -> Tally:
    """Send flights to ``POST /predict/model``, from the start again after the last.

    Parameters
    ----------
    url
        Where the app is; this machine unless `remote`.
    rows
        Flights to ask about, shape (n_flights, 14); by default those of April to December.
    batch
        Flights per request, from 1 to 1,000.
    bounds
        How much, by default 1,000 requests or a minute.
    remote
        Whether `url` may be another machine.

    Returns
    -------
    Tally

    Raises
    ------
    ConfigurationError
        `url` is not on this machine and `remote` is false, `batch` is out of its range, or
        there are no rows.
    """
    base = _checked(url, remote=remote)
    if not 1 <= batch <= 1_000:
        raise ConfigurationError(f"batch must be from 1 to 1000 flights, not {batch!r}")
    X = flights.production().X if rows is None else rows
    if X.empty:
        raise ConfigurationError("rows must hold at least one flight")
    starts = range(0, len(X), batch)

    def request(client: httpx2.AsyncClient, number: int) -> httpx2.Request:
        start = starts[number % len(starts)]
        body = encode(X.iloc[start : start + batch])
        return client.build_request(
            "POST", f"{base}/predict/model", content=body, headers=JSON_HEADERS
        )

    return asyncio.run(_send(request, bounds or Bounds()))


JSON_HEADERS = {"Content-Type": "application/json"}


def encode(X: pd.DataFrame) -> bytes:
    """Return flights as the JSON that ``POST /predict/model`` takes.

    Parameters
    ----------
    X
        Shape (n_flights, 14); NaN becomes null.

    Returns
    -------
    bytes
    """
    text: str = X.to_json(orient="records", double_precision=15)
    return text.encode()


def _checked(url: str, *, remote: bool) -> str:
    host = urlsplit(url).hostname or ""
    try:
        local = ipaddress.ip_address(host).is_loopback
    except ValueError:
        local = host == "localhost"
    if not (local or remote):
        raise ConfigurationError(
            f"traffic goes to this machine only, not to {host!r}; pass remote=True "
            "(--remote) if you may load that machine"
        )
    return url.rstrip("/")


async def _send(
    request: Callable[[httpx2.AsyncClient, int], httpx2.Request], bounds: Bounds
) -> Tally:
    tally = Tally()
    began = time.monotonic()
    numbers: Iterator[int] = iter(range(bounds.requests))
    async with httpx2.AsyncClient(timeout=70, trust_env=False) as client:

        async def sender() -> None:
            for number in numbers:
                if bounds.rate is not None:
                    ahead = began + number / bounds.rate - time.monotonic()
                    await asyncio.sleep(max(ahead, 0))
                try:
                    status = (await client.send(request(client, number))).status_code
                except httpx2.HTTPError:
                    status = NO_ANSWER
                    await asyncio.sleep(0.1)  # a service that is down is not hammered
                tally.statuses[status] += 1

        try:
            async with asyncio.timeout(bounds.seconds):
                await asyncio.gather(*(sender() for _ in range(bounds.at_once)))
        except TimeoutError:
            pass
    tally.seconds = time.monotonic() - began
    return tally


def main(arguments: Sequence[str] | None = None) -> int:
    """Send traffic from a shell.

    Returns
    -------
    int
        Exit status: 0, or 1 when no request was answered well.
    """
    parser = argparse.ArgumentParser(prog="python -m modelmeter.demo.traffic")
    parser.add_argument("endpoint", choices=("random", "model"))
    parser.add_argument("--url", default=DEFAULT_URL)
    parser.add_argument("--requests", type=int, default=1_000)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--rate", type=float, default=None, help="requests per second")
    parser.add_argument("--at-once", type=int, default=2)
    parser.add_argument("--remote", action="store_true", help="allow another machine")
    parser.add_argument("--time-delay-scale", type=float, default=0.1)
    parser.add_argument("--error-rate", type=float, default=0.01)
    parser.add_argument("--batch", type=int, default=1, help="flights per request")
    given = parser.parse_args(arguments)
    try:
        bounds = Bounds(given.requests, given.seconds, given.rate, given.at_once)
        if given.endpoint == "random":
            tally = random_traffic(
                given.url,
                bounds=bounds,
                time_delay_scale=given.time_delay_scale,
                error_rate=given.error_rate,
                remote=given.remote,
            )
        else:
            tally = model_traffic(given.url, batch=given.batch, bounds=bounds, remote=given.remote)
    except ConfigurationError as error:
        parser.error(str(error))
    sys.stdout.write(f"{tally}\n")
    return 0 if tally.failed < tally.requests else 1


if __name__ == "__main__":
    sys.exit(main())

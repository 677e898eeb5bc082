"""What runs while the demo does: the service, and Prometheus where there is one."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from modelmeter.demo import prometheus
from modelmeter.demo.model import Trained
from modelmeter.demo.processes import Children, free_port
from modelmeter.demo.reading import Source
from modelmeter.demo.scrape import ScrapeSource
from modelmeter.demo.signals import Interrupts
from modelmeter.demo.talk import DIRECTORY_VARIABLE
from modelmeter.generate.durations import format_duration
from modelmeter.generate.stack import PROMETHEUS_FILE, generate

SIMULATED_DAYS: Final = 275
"""From April to December."""

SIMULATED_MONTHS: Final = 9


@dataclass(frozen=True)
class Pace:
    """How fast time runs, and what intervals fit it.

    Parameters
    ----------
    seconds
        How long the nine months take.
    """

    seconds: float

    @property
    def scrape(self) -> int:
        """Milliseconds between two scrapes: twenty a month where time allows, 500 at least."""
        return min(max(round(self.seconds / 90) * 500, 500), 15_000)

    @property
    def window(self) -> int:
        """Milliseconds that statistics look back: a month, and six scrapes at least.

        And one scrape more, since between the first and the last scrape within a window
        there is one interval less than the window is long.
        """
        scrapes = round(self.seconds * 1_000 / SIMULATED_MONTHS / self.scrape)
        return max(scrapes + 1, 6) * self.scrape

    @property
    def lag(self) -> float:
        """Seconds until what was answered has been scraped and evaluated."""
        # A scrape and an evaluation, each half an interval late on average.
        return self.scrape / 1_000

    @property
    def days(self) -> float:
        """The window in simulated days."""
        return self.window / 1_000 / self.seconds * SIMULATED_DAYS


@dataclass(frozen=True)
class Stage:
    """Everything that runs.

    Parameters
    ----------
    service, prometheus
        Base URLs; of Prometheus None when there is none.
    source
        Who measures.
    children
        The processes.
    """

    service: str
    prometheus: str | None
    source: Source
    children: Children


@contextmanager
def set_up(
    trained: Trained, pace: Pace, interrupts: Interrupts, *, port: int, prometheus_port: int
) -> Iterator[Stage]:
    """Start everything, and end it and remove its files on leaving.

    Parameters
    ----------
    trained
        Model and profile to serve.
    pace
        How fast time runs.
    interrupts
        See `Children`.
    port, prometheus_port
        Where to listen, when it is free there.

    Yields
    ------
    Stage
        Everything answers.

    Raises
    ------
    ChildError
        A process did not come up.
    """
    with (
        tempfile.TemporaryDirectory(prefix="modelmeter-demo-") as name,
        Children(Path(name), interrupts) as children,
    ):
        directory = Path(name)
        trained.save(directory / "model")
        port = free_port(port)
        service = children.start(
            "service",
            [
                *(sys.executable, "-m", "uvicorn", "--factory", "modelmeter.demo.talk:create_app"),
                *("--host", "127.0.0.1", "--port", str(port), "--log-level", "warning"),
                *("--timeout-graceful-shutdown", "2"),
            ],
            # Batches are small: two cores that wait for each other would be slower than one.
            environment={DIRECTORY_VARIABLE: str(directory / "model"), "OMP_NUM_THREADS": "1"},
        )
        window = format_duration(pace.window)
        generate(
            trained.profile,
            directory / "prometheus",
            targets=(f"127.0.0.1:{port}",),
            windows=(window,),
            scrape_interval=format_duration(pace.scrape),
            evaluation_interval=format_duration(pace.scrape),
            # One that happens to run here is not to be told of the demo.
            alertmanagers=(),
        )
        local = f"http://127.0.0.1:{port}"
        program = prometheus.installed()
        if program is None:
            service.wait_for(f"{local}/")
            yield Stage(local, None, ScrapeSource(local, pace.window / 1_000), children)
            return
        prometheus_port = free_port(prometheus_port, taken=(port,))
        watcher = prometheus.start(
            children,
            program,
            directory / "prometheus" / PROMETHEUS_FILE,
            directory / "data",
            prometheus_port,
        )
        there = f"http://127.0.0.1:{prometheus_port}"
        service.wait_for(f"{local}/")
        watcher.wait_for(f"{there}/-/ready")
        prometheus.wait_for_scrapes(there, children)
        yield Stage(local, there, prometheus.PrometheusSource(there, window), children)

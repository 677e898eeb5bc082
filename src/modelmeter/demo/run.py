"""The demo from beginning to end."""

from __future__ import annotations

import importlib.util
import os
import time
import webbrowser
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from modelmeter._errors import ConfigurationError, MissingExtraError
from modelmeter.demo.signals import Interrupted, Interrupts

if TYPE_CHECKING:
    from rich.console import Console

    from modelmeter.demo.flights import Flights
    from modelmeter.demo.model import Trained
    from modelmeter.demo.months import Months
    from modelmeter.demo.reading import Reading, Source
    from modelmeter.demo.replay import Progress
    from modelmeter.demo.stage import Stage

DEFAULT_SECONDS: Final = 90.0
MIN_SECONDS: Final = 5.0
MAX_SECONDS: Final = 3600.0

_NEEDED = ("fastapi", "httpx2", "joblib", "pandas", "pyarrow", "rich", "sklearn", "uvicorn")
_FRAME = 0.25


def run(
    *,
    duration: float | None = None,
    port: int = 5000,
    prometheus_port: int = 9090,
    browser: bool = False,
) -> int:
    """Replay nine months of flights through a monitored service, and show the drift.

    Trains the model (or takes it from the cache), starts the talk's app and, where
    ``prometheus`` is installed, a Prometheus on generated rules; sends the flights of April
    to December 2013 in the order they left, and shows live what is measured. SIGINT and
    SIGTERM end it at any moment. No process and no temporary file is left.

    Parameters
    ----------
    duration
        Seconds that the replay takes, from 5 to 3,600; preparing (some ten seconds, more the
        first time) is extra. None for 90 seconds, after which everything keeps running
        to be looked at until Ctrl-C.
    port
        Where the service listens; another one is taken when it is not free.
    prometheus_port
        Where Prometheus listens; likewise.
    browser
        Whether to open the service's pages in a web browser.

    Returns
    -------
    int
        Exit status: 0; 1 when a process that the demo needs fails; 128 plus the number of
        the signal when it was stopped before its end.

    Raises
    ------
    ConfigurationError
        `duration` or a port is out of its range.
    MissingExtraError
        A library that the demo needs is not installed.
    """
    _check(duration, port, prometheus_port)
    # Training threads that wait must not spin: beside other work on the same cores that makes
    # training four times slower. OpenMP reads it when it is loaded, with scikit-learn.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    with Interrupts() as interrupts:
        # Importing pandas and scikit-learn takes a second: Ctrl-C is for that second too.
        try:
            from modelmeter.demo.processes import ChildError
            from modelmeter.demo.words import make_console, say

            console = make_console()
            demo = _Demo(console, interrupts, duration)
        except Interrupted as stop:
            return stop.exit_status
        try:
            demo.play(port, prometheus_port, browser=browser)
        except Interrupted as stop:
            say(console, "Stopped; nothing is left running.")
            return 0 if demo.finished else stop.exit_status
        except ChildError as error:
            say(console, f"The demo cannot go on: {error}", "bold red")
            return 1
    say(console, "The end; nothing is left running.")
    return 0


def _check(duration: float | None, port: int, prometheus_port: int) -> None:
    if duration is not None and not MIN_SECONDS <= duration <= MAX_SECONDS:
        raise ConfigurationError(
            f"duration must be from {MIN_SECONDS:g} to {MAX_SECONDS:g} seconds, not {duration!r}"
        )
    for name, number in (("port", port), ("prometheus_port", prometheus_port)):
        if not 0 <= number <= 65535:
            raise ConfigurationError(f"{name} must be from 0 to 65535, not {number!r}")
    for module in _NEEDED:
        if importlib.util.find_spec(module) is None:
            raise MissingExtraError(module, "demo")


class _Demo:
    """One run: what it has to hand, and how far it is."""

    def __init__(self, console: Console, interrupts: Interrupts, duration: float | None) -> None:
        from modelmeter.demo.stage import Pace

        self.finished = False
        self._console = console
        self._interrupts = interrupts
        self._pace = Pace(duration or DEFAULT_SECONDS)
        self._stays = duration is None

    def play(self, port: int, prometheus_port: int, *, browser: bool) -> None:
        """Prepare, replay, sum up, and stay when that is wanted."""
        from modelmeter.demo import flights
        from modelmeter.demo.months import Months
        from modelmeter.demo.stage import set_up

        trained = self._train()
        production = flights.production()
        with set_up(
            trained, self._pace, self._interrupts, port=port, prometheus_port=prometheus_port
        ) as stage:
            self._say_places(stage)
            if browser:
                webbrowser.open(f"{stage.service}/monitor")
            months = Months(stage.source, production, self._pace.lag)
            progress = self._replay(stage, production, months)
            self._sum_up(stage, progress, months)
            self.finished = True
            if self._stays:
                self._stay(stage)
            else:
                self._say("Without --duration the demo keeps serving after this, to be looked at.")

    def _train(self) -> Trained:
        from modelmeter.demo.model import trained

        self._say("modelmeter demo: will a flight from New York arrive more than 15 minutes late?")
        began = time.monotonic()
        made = trained()
        self._say(
            f"Model and profile of January to March 2013: {made.profile.rows:,} flights, "
            f"{len(made.profile.features)} features, {time.monotonic() - began:.1f} s"
        )
        return made

    def _say_places(self, stage: Stage) -> None:
        self._say(f"Service     {_local(stage.service)}/monitor, /docs, /metrics and /feedback")
        if stage.prometheus:
            self._say(f"Prometheus  {_local(stage.prometheus)}")
        else:
            self._say("Prometheus  not installed: the process's own /metrics is read instead")

    def _replay(self, stage: Stage, production: Flights, months: Months) -> Progress:
        from modelmeter.demo.reading import Reading
        from modelmeter.demo.replay import Replay
        from modelmeter.demo.screen import make_screen

        seconds = self._pace.seconds
        self._say(
            f"Replaying {len(production):,} flights of April to December 2013 in {seconds:g} s"
        )
        replay = Replay(stage.service, production, seconds)
        window = f"{self._pace.window / 1_000:g} s = {self._pace.days:.0f} days"
        reading, next_reading = Reading(time.time()), 0.0
        replay.start()
        try:
            with make_screen(self._console, stage.source.name, window, seconds) as screen:
                while replay.is_alive():
                    stage.children.check()
                    if time.monotonic() >= next_reading:
                        next_reading = time.monotonic() + self._pace.scrape / 1_000
                        reading = _read(stage.source) or reading
                    screen.update(replay.progress, reading, months.update(replay.progress))
                    replay.join(_FRAME)
                # What was answered last has yet to be scraped.
                time.sleep(self._pace.lag + self._pace.scrape / 1_000)
                _read(stage.source)
        finally:
            replay.stop()
            replay.join(10)
        return replay.progress

    def _sum_up(self, stage: Stage, progress: Progress, months: Months) -> None:
        from modelmeter.demo.closing import show

        self._say(
            f"{progress.answered:,} flights answered, {progress.failed:,} failed, "
            f"{progress.left_out:,} left out"
            + (" (evenly) because this machine is too slow" if progress.left_out else "")
        )
        self._say(
            f"{progress.labelled:,} labels counted as the flights landed"
            + _rest({k: n for k, n in progress.labels.items() if k != "counted"})
        )
        self._say("")
        show(self._console, months.update(progress), stage.source.name)
        self._say("")

    def _stay(self, stage: Stage) -> None:
        self._say("Still serving, until Ctrl-C:")
        self._say(f"  {_local(stage.service)}/monitor   how the model does")
        self._say(f"  {_local(stage.service)}/docs      try the model")
        self._say(f"  {_local(stage.service)}/metrics   what is counted")
        if stage.prometheus:
            self._say(
                f"  {_local(stage.prometheus)}/graph?g0.expr=model_feature:psi_excess&g0.tab=0"
                "   drift over time"
            )
        while True:
            stage.children.check()
            time.sleep(1)

    def _say(self, text: str) -> None:
        from modelmeter.demo.words import say

        say(self._console, text)


def _read(source: Source) -> Reading | None:
    """Return a reading, None when the source does not answer this time."""
    import httpx2

    try:
        return source.read()
    except httpx2.HTTPError:
        return None


def _rest(labels: Mapping[str, int]) -> str:
    """Say what became of the other labels."""
    found = sorted((outcome, number) for outcome, number in labels.items() if number)
    return "".join(f", {number:,} {outcome}" for outcome, number in found)


def _local(url: str) -> str:
    return url.replace("127.0.0.1", "localhost")

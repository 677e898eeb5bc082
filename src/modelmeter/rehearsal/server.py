"""A Prometheus of one's own for some minutes: on this machine only, and gone afterwards."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import ProxyHandler, build_opener

from modelmeter._errors import ConfigurationError, ModelmeterError

_LOOPBACK: Final = "127.0.0.1"
_MAX_SAMPLES: Final = 1_000_000_000

# Never through a proxy that the environment may name.
_OPENER: Final = build_opener(ProxyHandler({}))


class PrometheusError(ModelmeterError, RuntimeError):
    """Prometheus or promtool failed; the message has its words."""


def program(name: str) -> str:
    """Return the path of a program.

    Raises
    ------
    ConfigurationError
        It is not installed.
    """
    path = shutil.which(name)
    if path is None:
        raise ConfigurationError(
            f"the program {name!r} is needed and not on PATH: 'apt-get install prometheus' brings "
            "it, and so does https://prometheus.io/download"
        )
    return path


def promtool(*arguments: str | Path, folder: Path) -> str:
    """Run promtool in a folder and return what it printed.

    Raises
    ------
    PrometheusError
        It failed.
    """
    command = [program("promtool"), *map(str, arguments)]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )
    # Some failures end with status 0.
    if done.returncode or "level=error" in done.stderr:
        words = (done.stderr or done.stdout).strip().splitlines()[-5:]
        raise PrometheusError(f"promtool {arguments[0]} failed: " + "\n".join(words))
    return done.stdout


class Server:
    """A Prometheus that scrapes nothing and answers questions about a folder of blocks.

    Parameters
    ----------
    folder
        For its configuration and its log.
    data
        The blocks; read when it starts.
    lookback
        Milliseconds for which a sample is shown.
    """

    def __init__(self, folder: Path, data: Path, lookback: int) -> None:
        self._folder, self._data, self._lookback = folder, data, lookback
        self._process: subprocess.Popen[bytes] | None = None
        self._port = 0

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{_LOOPBACK}:{self._port}"

    def __enter__(self) -> Server:
        for attempt in range(5):
            try:
                self._start()
                return self
            except PrometheusError:
                # Somebody may have taken the port in the meantime.
                if attempt == 4:
                    raise
        raise AssertionError("unreachable")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop()

    def query_range(
        self, expr: str, *, start: float, end: float, step: float
    ) -> list[tuple[Mapping[str, str], list[float]]]:
        """Return the times at which an expression gives each series.

        Parameters
        ----------
        expr
            PromQL.
        start, end, step
            Unix time, and seconds.

        Raises
        ------
        PrometheusError
            It refuses.
        """
        data = self._get(
            "query_range", query=expr, start=f"{start:.3f}", end=f"{end:.3f}", step=f"{step:.3f}"
        )
        return [(one["metric"], [float(t) for t, _ in one["values"]]) for one in data["result"]]

    def _start(self) -> None:
        configuration = self._folder / "prometheus.yml"
        configuration.write_text("global: {}\n")
        with socket.socket() as probe:
            probe.bind((_LOOPBACK, 0))
            self._port = probe.getsockname()[1]
        command = [
            program("prometheus"),
            f"--config.file={configuration}",
            f"--storage.tsdb.path={self._data}",
            "--storage.tsdb.retention.time=100y",
            f"--web.listen-address={_LOOPBACK}:{self._port}",
            f"--query.lookback-delta={self._lookback}ms",
            f"--query.max-samples={_MAX_SAMPLES}",
            "--query.timeout=1h",
            "--log.level=warn",
        ]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
            )
        try:
            self._wait()
        except BaseException:
            self._stop()
            raise

    @property
    def _log(self) -> Path:
        return self._folder / "prometheus.log"

    def _wait(self, seconds: float = 60.0) -> None:
        assert self._process is not None
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                break
            try:
                with _OPENER.open(f"{self.url}/-/ready", timeout=5):
                    return
            except (URLError, OSError):
                time.sleep(0.02)
        words = self._log.read_text(errors="replace").splitlines()[-5:]
        raise PrometheusError("Prometheus did not start: " + "\n".join(words))

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _get(self, path: str, **parameters: str) -> Any:
        address = f"{self.url}/api/v1/{path}?{urlencode(parameters)}"
        try:
            with _OPENER.open(address, timeout=3600) as answer:
                return json.load(answer)["data"]
        except HTTPError as error:
            with error:
                words = error.read().decode(errors="replace")
            raise PrometheusError(f"Prometheus refused a question: {words}") from None
        except (URLError, OSError) as error:
            raise PrometheusError(f"Prometheus does not answer: {error}") from None

"""A real server for tests: started with an empty folder of its own, and gone afterwards."""

from __future__ import annotations

import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self


def wait_for(
    condition: Callable[[], Any], *, seconds: float, what: str, explain: Callable[[], str] = str
) -> Any:
    """Ask until the answer is true and return it; raise AssertionError at the deadline."""
    deadline = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds:g} s in vain for {what}\n{explain()}")
        time.sleep(0.05)


class Server:
    """A process, its folder and its log; a subclass says what is run and when it is ready.

    Parameters
    ----------
    start_seconds
        How long it may take until it is ready.
    """

    name = "server"

    def __init__(self, *, start_seconds: float = 30) -> None:
        self._start_seconds = start_seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._data: tempfile.TemporaryDirectory[str] | None = None

    @property
    def log(self) -> str:
        """What it wrote."""
        if self._data is None:
            return ""
        return (Path(self._data.name) / "log").read_text(errors="replace")

    def __enter__(self) -> Self:
        """Start, and wait until it is ready."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop, whatever happened."""
        self.stop()

    def start(self) -> None:
        """Start and wait until it is ready; RuntimeError with its log if not."""
        self._data = tempfile.TemporaryDirectory(prefix=f"{self.name.lower()}-test-")
        try:
            with (Path(self._data.name) / "log").open("wb") as log:
                command = self._command(Path(self._data.name) / "data")
                self._process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
            wait_for(self._is_ready, seconds=self._start_seconds, what=f"{self.name} to be ready")
        except BaseException as error:
            text = self.log
            self.stop()
            raise RuntimeError(f"{self.name} did not start: {error}\n{text}") from error

    def stop(self) -> None:
        """End the process and remove its folder; does nothing when it is not running."""
        process, self._process = self._process, None
        if process is not None and process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if self._data is not None:
            self._data.cleanup()
            self._data = None

    def _command(self, data: Path) -> Sequence[str]:
        """Return what is run; `data` is a folder that does not exist yet."""
        raise NotImplementedError

    def _answers(self) -> bool:
        """Tell whether it answers that it is ready."""
        raise NotImplementedError

    def _is_ready(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise RuntimeError(f"it ended with status {self._process.returncode}")
        try:
            return self._answers()
        except (RuntimeError, OSError):
            return False

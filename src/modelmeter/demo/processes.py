"""The processes that the demo starts, none of which outlives it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import httpx2

from modelmeter._errors import ModelmeterError
from modelmeter.demo.signals import Interrupts

_LOOPBACK = "127.0.0.1"

# On Linux the kernel ends a child whose parent is gone, however it went (kill -9 too). It
# is the child itself that has to ask for it, before it becomes the program wanted; asking
# in Popen's preexec_fn is not safe beside threads. The setting survives exec.
_WITH_PARENT = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG
if os.getppid() != int(sys.argv[1]):
    sys.exit(1)
os.execvp(sys.argv[2], sys.argv[2:])
"""


class ChildError(ModelmeterError, RuntimeError):
    """A process that the demo started has ended, or never answered."""


@dataclass(frozen=True)
class Child:
    """A process that was started.

    Parameters
    ----------
    name
        What to call it in messages.
    process
        The process.
    log
        File with what it printed.
    """

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def check(self) -> None:
        """Raise when the process has ended.

        Raises
        ------
        ChildError
            With the last lines that it printed.
        """
        status = self.process.poll()
        if status is not None:
            raise ChildError(f"{self.name} ended with status {status}:\n{self._last_lines()}")

    def wait_for(self, url: str, seconds: float = 30.0) -> None:
        """Wait until the process answers on `url` with a success.

        Parameters
        ----------
        url
            What to ask for.
        seconds
            How long to wait at most.

        Raises
        ------
        ChildError
            It ended before, or the time is over.
        """
        deadline = time.monotonic() + seconds
        with httpx2.Client(timeout=2, trust_env=False) as client:
            while time.monotonic() < deadline:
                self.check()
                try:
                    if client.get(url).is_success:
                        return
                except httpx2.TransportError:
                    pass
                time.sleep(0.05)
        raise ChildError(
            f"{self.name} did not answer on {url} within {seconds:g} s:\n{self._last_lines()}"
        )

    def _last_lines(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])


class Children:
    """Starts processes, and ends them all on leaving.

    Parameters
    ----------
    directory
        Where their logs go.
    interrupts
        Held back while a process is being started, ignored once they are being ended.
    """

    def __init__(self, directory: Path, interrupts: Interrupts) -> None:
        self._directory = directory
        self._interrupts = interrupts
        self._children: list[Child] = []

    def __enter__(self) -> Children:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._interrupts.ignore()
        self._stop()

    def start(
        self, name: str, command: Sequence[str], *, environment: Mapping[str, str] | None = None
    ) -> Child:
        """Start a process in a session of its own, so that Ctrl-C is for the demo alone.

        Call it on the main thread: the kernel ends the child with the thread that started
        it.

        Parameters
        ----------
        name
            What to call it.
        command
            Program and arguments.
        environment
            Variables to set besides those of this process.

        Returns
        -------
        Child
        """
        if sys.platform == "linux":
            here = [sys.executable, "-I", "-S", "-c", _WITH_PARENT, str(os.getpid())]
            command = [*here, *command]
        log = self._directory / f"{name}.log"
        with self._interrupts.held(), log.open("wb") as output:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(environment or {})},
                start_new_session=True,
            )
            child = Child(name, process, log)
            self._children.append(child)
        return child

    def check(self) -> None:
        """Raise when one of the processes has ended.

        Raises
        ------
        ChildError
            With the last lines that it printed.
        """
        for child in self._children:
            child.check()

    def _stop(self, patience: float = 5.0) -> None:
        running = [c.process for c in self._children if c.process.poll() is None]
        for process in running:
            process.terminate()
        deadline = time.monotonic() + patience
        for process in running:
            try:
                process.wait(max(deadline - time.monotonic(), 0.01))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def free_port(preferred: int, taken: Sequence[int] = ()) -> int:
    """Return a port of this machine on which nobody listens.

    Parameters
    ----------
    preferred
        The port to take when it is free; 0 for any.
    taken
        Ports that are given away already.

    Returns
    -------
    int
        `preferred`, or another port when that one is taken.
    """
    for port in (preferred, *([0] * 20)):
        with socket.socket() as probe:
            # As servers do: a port that is only winding down from the last run is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((_LOOPBACK, port))
            except OSError:
                continue
            number: int = probe.getsockname()[1]
            if number not in taken:
                return number
    raise ChildError("no free port on this machine")

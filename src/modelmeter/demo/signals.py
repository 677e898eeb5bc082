"""Ctrl-C and SIGTERM: stop at any moment, clean up undisturbed."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType

STOPPING = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)
"""The signals that end the demo."""


class Interrupted(BaseException):
    """Somebody asked the demo to stop.

    Like ``KeyboardInterrupt`` it is no ``Exception``, so that no handler of errors takes it.

    Parameters
    ----------
    signum
        Number of the signal.
    """

    def __init__(self, signum: int) -> None:
        super().__init__(signum)
        self.signum = signum

    @property
    def exit_status(self) -> int:
        """What a shell reports for a process that the signal ended."""
        return 128 + self.signum


class Interrupts:
    """While entered, the first stop signal raises `Interrupted` and later ones do nothing.

    Cleaning up thus starts at once and is never cut short by a second Ctrl-C. Handlers are
    put back on leaving. Off the main thread, where Python delivers no signals, nothing is
    changed.
    """

    def __init__(self) -> None:
        self._before: dict[int, signal._HANDLER] = {}
        self._held: int | None = None
        self._holding = False
        self._done = False

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():
            for signum in STOPPING:
                self._before[signum] = signal.signal(signum, self._handle)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for signum, handler in self._before.items():
            signal.signal(signum, handler)

    def ignore(self) -> None:
        """Ignore stop signals from here on: cleaning up has begun."""
        self._done = True

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep a signal back until the block is done, for what must not be cut in two.

        Yields
        ------
        None
        """
        self._holding = True
        try:
            yield
        finally:
            self._holding = False
            if self._held is not None:
                signum, self._held = self._held, None
                self._handle(signum, None)

    def _handle(self, signum: int, frame: FrameType | None) -> None:
        if self._done:
            return
        if self._holding:
            self._held = signum
            return
        self._done = True
        raise Interrupted(signum)

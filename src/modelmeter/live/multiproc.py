"""The user's own metrics in prometheus_client's multiprocess mode.

There every process writes files of its own too, named after the number of the process, and
somebody has to say when one has died: its "live" gauges are to go then. The workers here know.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

_DIRECTORY: Final = ("PROMETHEUS_MULTIPROC_DIR", "prometheus_multiproc_dir")


def multiproc_directory() -> str | None:
    """Return the directory of prometheus_client's multiprocess mode; None when it is off."""
    for name in _DIRECTORY:
        found = os.environ.get(name)
        if found and Path(found).is_dir():
            return found
    return None


def bury(pid: int) -> None:
    """Take away the live gauges that a worker which has ended left behind.

    Not while a process of that number runs: either it is that one, which just does not monitor
    any more, or it is another, which has taken over the file.
    """
    directory = multiproc_directory()
    if directory is None or pid <= 0 or _running(pid):
        return
    from prometheus_client.multiprocess import mark_process_dead

    mark_process_dead(pid, directory)  # type: ignore[no-untyped-call]


def _running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        # The name of the program, in brackets, may hold anything. A zombie only waits to be
        # noticed by its parent.
        state = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0]
    except OSError:
        return True
    return state not in (b"Z", b"X")

"""Tests of modelmeter.demo.processes, with real processes."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from modelmeter.demo.processes import ChildError, Children, free_port
from modelmeter.demo.signals import Interrupts

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]


def eventually(condition: Callable[[], bool], seconds: float = 10) -> bool:
    """Poll a condition until it holds."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False


def is_running(pid: int) -> bool:
    """Tell whether a process runs (and is not only waiting to be collected)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_children_end_on_leaving(tmp_path: Path):
    """Every process that was started has ended when the block is left, by an error too."""
    pids: list[int] = []

    def fail_half_way() -> None:
        with Children(tmp_path, Interrupts()) as children:
            pids.extend(children.start(name, SLEEP).process.pid for name in ("one", "two"))
            assert all(map(is_running, pids))
            raise KeyError

    with pytest.raises(KeyError):
        fail_half_way()
    assert not any(map(is_running, pids))


def test_stubborn_child_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A process that ignores SIGTERM is killed after a while."""
    program = "import signal, time; signal.signal(15, 1); print('up', flush=True); time.sleep(60)"
    with Children(tmp_path, Interrupts()) as children:
        child = children.start("stubborn", [sys.executable, "-c", program])
        assert eventually(lambda: "up" in child.log.read_text())
        children._stop(patience=0.1)
        assert child.process.returncode == -signal.SIGKILL


def test_child_is_in_a_session_of_its_own(tmp_path: Path):
    """Ctrl-C on the terminal is not sent to a child."""
    with Children(tmp_path, Interrupts()) as children:
        pid = children.start("one", SLEEP).process.pid
        assert os.getsid(pid) == pid != os.getsid(0)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends orphans")
def test_child_ends_with_a_parent_that_is_killed(tmp_path: Path):
    """After kill -9 of its parent no child is left."""
    program = f"""
import pathlib, time
from modelmeter.demo.processes import Children
from modelmeter.demo.signals import Interrupts
with Children(pathlib.Path({str(tmp_path)!r}), Interrupts()) as children:
    print(children.start("one", {SLEEP!r}).process.pid, flush=True)
    time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        # The child has asked for its end once it has become the program wanted.
        assert eventually(lambda: b"time.sleep" in Path(f"/proc/{pid}/cmdline").read_bytes()[:200])
        parent.kill()
        parent.wait()
    assert eventually(lambda: not is_running(pid))


def test_check_shows_what_the_child_said(tmp_path: Path):
    """A process that ended is reported with its status and its last lines."""
    with Children(tmp_path, Interrupts()) as children:
        child = children.start("broken", [sys.executable, "-c", "raise SystemExit('no luck')"])
        child.process.wait()
        with pytest.raises(ChildError, match="broken ended with status 1:\nno luck"):
            children.check()


def test_wait_for_gives_up(tmp_path: Path):
    """A process that never answers is reported after the time given."""
    port = free_port(0)
    with Children(tmp_path, Interrupts()) as children:
        child = children.start("silent", SLEEP)
        with pytest.raises(ChildError, match=r"silent did not answer on .* within 0\.2 s"):
            child.wait_for(f"http://127.0.0.1:{port}/", seconds=0.2)


def test_free_port_keeps_the_preferred_one():
    """A port on which nobody listens is taken as it is."""
    port = free_port(0)
    assert free_port(port) == port


def test_free_port_avoids_a_taken_one():
    """A port on which somebody listens, or that is given away, is not taken."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        assert free_port(port) != port
    assert free_port(port, taken=(port,)) != port

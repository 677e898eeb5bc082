"""Tests of modelmeter.demo.run: the demo as a user starts it, in a process of its own."""

import os
import pty
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from modelmeter._errors import ConfigurationError, MissingExtraError
from modelmeter.demo.model import Trained
from modelmeter.demo.run import run

MARK = "MODELMETER_TEST_MARK"
PROGRAM = "import sys; from modelmeter.demo.run import run; sys.exit(run({}))"


class Demo:
    """The demo in a process, all whose descendants can be found by a mark."""

    def __init__(self, directory: Path, arguments: str, *, path: str | None = None) -> None:
        self.mark = uuid.uuid4().hex
        self.directory = directory
        environment = {
            **os.environ,
            MARK: self.mark,
            "TMPDIR": str(directory),
            "PATH": os.environ["PATH"] if path is None else path,
            # Else joblib looks for programs on that PATH to count the cores.
            "LOKY_MAX_CPU_COUNT": "2",
        }
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM.format(arguments)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.lines: list[str] = []

    def read_until(self, text: str) -> None:
        """Read the output up to the line that holds the text."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)
            if text in line:
                return
        raise AssertionError(f"{text!r} not in\n{self.output}")

    def end(self, seconds: float = 60) -> int:
        """Read the rest, wait for the end, and return the exit status."""
        rest, _ = self.process.communicate(timeout=seconds)
        self.lines.append(rest)
        return self.process.returncode

    @property
    def output(self) -> str:
        """Everything printed so far."""
        return "".join(self.lines)

    def processes(self) -> dict[int, str]:
        """Return the command lines of the demo's processes that run, by id."""
        found = {}
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                if self.mark.encode() in (entry / "environ").read_bytes():
                    found[int(entry.name)] = (entry / "cmdline").read_text().replace("\0", " ")
            except OSError:
                continue
        return found

    def assert_nothing_left(self) -> None:
        """Check that no process and no file is left."""
        assert self.processes() == {}
        assert list(self.directory.iterdir()) == []


@pytest.fixture
def directory() -> Iterator[Path]:
    """Return a directory for temporary files with a short name."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


@pytest.fixture
def bare_path(directory: Path, tmp_path: Path) -> str:
    """Return a PATH on which there is no Prometheus."""
    return str(tmp_path)


def row(output: str, label: str) -> list[float]:
    """Return a row of the summary as numbers, shares as shares."""
    match = re.search(rf"^{label} +([\d.% -]+)$", output, flags=re.MULTILINE)
    assert match, f"no row {label!r} in\n{output}"
    return [float(n[:-1]) / 100 if n.endswith("%") else float(n) for n in match[1].split()]


def assert_drift_is_real(output: str, months: int = 9) -> None:
    """Check what the summary says of the drift that the data holds."""
    temperature = row(output, "temp")
    assert len(temperature) == months
    assert max(temperature) > 10
    assert max(row(output, "dewp")) > 8
    for control in ("hour", "carrier", "origin"):
        assert max(row(output, control)) < 0.05, control
    assert 0.003 < max(row(output, "dest unseen")) < 0.02
    assert max(row(output, "pressure missing")) > 0.14
    assert min(row(output, "pressure missing")) < 0.09
    assert max(row(output, "late in truth")) == pytest.approx(0.326, abs=1e-3)
    assert "All of it is what the data holds." in output


def test_demo_with_prometheus(trained: Trained, directory: Path):
    """Twenty seconds show, through a real Prometheus, the drift that the data holds."""
    demo = Demo(directory, "duration=20, port=0, prometheus_port=0")
    assert demo.end(120) == 0, demo.output
    assert "measured by Prometheus" in demo.output
    assert re.search(r"^Prometheus  http://localhost:\d+$", demo.output, flags=re.MULTILINE)
    assert_drift_is_real(demo.output)
    assert demo.output.isprintable() or "\x1b" not in demo.output
    assert re.search(r"^\d\d \w{3} 2013 .* controls: hour 0\.0", demo.output, flags=re.MULTILINE)
    demo.assert_nothing_left()


def test_demo_without_prometheus(trained: Trained, directory: Path, bare_path: str):
    """Without Prometheus the process's own metrics show the same; taken ports are avoided."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        demo = Demo(directory, f"duration=12, port={port}", path=bare_path)
        assert demo.end(120) == 0, demo.output
        assert f"localhost:{port}/" not in demo.output
    assert "Prometheus  not installed" in demo.output
    assert "measured by the process itself" in demo.output
    assert_drift_is_real(demo.output)
    demo.assert_nothing_left()


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_stopped_while_replaying(trained: Trained, directory: Path, signum: signal.Signals):
    """Ctrl-C, which a terminal sends to the whole group, ends the demo and all it started."""
    demo = Demo(directory, "duration=600, port=0, prometheus_port=0")
    demo.read_until("Replaying")
    assert len(demo.processes()) >= 2
    os.killpg(demo.process.pid, signum)
    assert demo.end(20) == 128 + signum, demo.output
    assert demo.output.endswith("Stopped; nothing is left running.\n")
    assert "Traceback" not in demo.output
    demo.assert_nothing_left()


@pytest.mark.parametrize("seconds", [0.0, 0.5, 1.5])
def test_stopped_while_preparing(trained: Trained, directory: Path, seconds: float):
    """Ctrl-C while the demo trains or starts its processes leaves nothing either."""
    demo = Demo(directory, "duration=600, port=0, prometheus_port=0")
    demo.read_until("modelmeter demo")
    time.sleep(seconds)  # any moment will do
    demo.process.send_signal(signal.SIGINT)
    assert demo.end(20) == 130, demo.output
    assert "Traceback" not in demo.output
    demo.assert_nothing_left()


def test_keeps_serving_until_stopped(
    trained: Trained, directory: Path, bare_path: str, monkeypatch: pytest.MonkeyPatch
):
    """Without a duration the demo stays after its summary; Ctrl-C then is its good end."""
    monkeypatch.setattr(
        sys.modules[__name__],
        "PROGRAM",
        "import sys; from modelmeter.demo import run as r; r.DEFAULT_SECONDS = 6.0; "
        "sys.exit(r.run({}))",
    )
    demo = Demo(directory, "port=0", path=bare_path)
    demo.read_until("Still serving")
    demo.process.send_signal(signal.SIGINT)
    assert demo.end(20) == 0, demo.output
    demo.assert_nothing_left()


def test_service_that_dies_ends_the_demo(trained: Trained, directory: Path):
    """When the service is killed the demo says so, with status 1, and leaves nothing."""
    demo = Demo(directory, "duration=600, port=0, prometheus_port=0")
    demo.read_until("Replaying")
    (service,) = (pid for pid, line in demo.processes().items() if "uvicorn" in line)
    os.kill(service, signal.SIGKILL)
    assert demo.end(30) == 1, demo.output
    assert "The demo cannot go on: service ended with status -9" in demo.output
    demo.assert_nothing_left()


def test_on_a_terminal(trained: Trained, tmp_path: Path):
    """On a terminal the demo draws, and gives the cursor back when it is stopped."""
    pid, terminal = pty.fork()
    if pid == 0:  # pragma: no cover
        os.environ.update(TERM="xterm-256color", PATH=str(tmp_path), COLUMNS="100", LINES="30")
        os.execv(sys.executable, [sys.executable, "-c", PROGRAM.format("duration=600, port=0")])
    seen, stopped = b"", False
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if select.select([terminal], [], [], 0.2)[0]:
            try:
                seen += os.read(terminal, 65_536)
            except OSError:  # the terminal is closed: the demo has ended
                break
        if b"flights/s" in seen and not stopped:
            os.write(terminal, b"\x03")
            stopped = True
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 130
    assert seen.rindex(b"\x1b[?25h") > seen.rindex(b"\x1b[?25l")
    assert b"nothing is left running" in seen
    assert b"Traceback" not in seen


@pytest.mark.parametrize("duration", [4.9, 3_601, float("nan")])
def test_duration_is_checked(duration: float):
    """A duration out of its range is refused before anything is started."""
    with pytest.raises(ConfigurationError, match="duration must be from 5 to 3600 seconds"):
        run(duration=duration)


@pytest.mark.parametrize("name", ["port", "prometheus_port"])
def test_ports_are_checked(name: str):
    """A port that is none is refused by name."""
    with pytest.raises(ConfigurationError, match=f"{name} must be from 0 to 65535, not 70000"):
        run(**{name: 70_000})


def test_missing_library_names_the_extra(monkeypatch: pytest.MonkeyPatch):
    """Without the demo's libraries the error says what to install."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'modelmeter\[demo\]'"):
        run()


def test_prometheus_is_found_on_the_path():
    """The suite says whether it ran the real Prometheus."""
    from modelmeter.demo import prometheus

    assert prometheus.installed() == shutil.which("prometheus")

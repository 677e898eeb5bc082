"""A real Prometheus for tests: started on a free port, asked, stopped.

Missing programs are an error, never a skip: a suite that did not run Prometheus has not
shown anything.
"""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import ProxyHandler, Request, build_opener

from real.server import Server, wait_for

# Never through a proxy that the environment may name: everything here is on loopback.
_OPENER = build_opener(ProxyHandler({}))


class Sample(NamedTuple):
    """One series of an answer, and its value at `time`."""

    labels: Mapping[str, str]
    time: float
    value: float


class Range(NamedTuple):
    """One series of an answer over time: pairs of time and value."""

    labels: Mapping[str, str]
    points: Sequence[tuple[float, float]]


def require(program: str) -> str:
    """Return the path of a program, or say how to install it."""
    path = shutil.which(program)
    if path is None:
        raise RuntimeError(
            f"these tests run a real {program} and it is not installed: "
            "apt-get install prometheus (Debian), or put it on PATH"
        )
    return path


def promtool(*arguments: str | Path) -> str:
    """Run promtool and return what it printed; raise AssertionError when it fails."""
    command = [require("promtool"), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    if done.returncode:
        raise AssertionError(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    return done.stdout + done.stderr


def free_port() -> int:
    """Return a loopback port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _unix_time(text: str) -> float:
    """Read an RFC 3339 time; Go writes nine digits of a second, Python reads six."""
    match = re.fullmatch(r"([^.Z+]+)(\.\d+)?(Z|[+-]\d\d:\d\d)", text)
    assert match is not None, text
    whole = datetime.fromisoformat(match[1] + match[3]).timestamp()
    return whole + float(match[2] or 0)


class Prometheus(Server):
    """A Prometheus server with a configuration of one's own and an empty database.

    Parameters
    ----------
    config_dir
        Holds ``prometheus.yml``; paths in it are relative to this directory.
    start_seconds
        How long it may take until it is ready.

    Examples
    --------
    ::

        with Prometheus(tmp_path) as prometheus:
            prometheus.wait_for("up == 1")
            prometheus.value("sum(up)")
    """

    name = "Prometheus"

    def __init__(self, config_dir: Path, *, start_seconds: float = 30) -> None:
        super().__init__(start_seconds=start_seconds)
        self._config = Path(config_dir) / "prometheus.yml"
        self.port = 0

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def query(self, expr: str, *, time: float | None = None) -> list[Sample]:
        """Evaluate an expression at one time, by default now.

        Returns
        -------
        list of Sample
            Empty when nothing matches. A scalar is one sample without labels.
        """
        parameters = {"query": expr} if time is None else {"query": expr, "time": repr(time)}
        data = self.api("query", **parameters)
        if data["resultType"] == "scalar":
            moment, value = data["result"]
            return [Sample({}, float(moment), float(value))]
        return [
            Sample(series["metric"], float(series["value"][0]), float(series["value"][1]))
            for series in data["result"]
        ]

    def query_range(self, expr: str, *, start: float, end: float, step: float = 1) -> list[Range]:
        """Evaluate an expression at every step from start to end."""
        data = self.api(
            "query_range", query=expr, start=repr(start), end=repr(end), step=repr(step)
        )
        return [
            Range(s["metric"], [(float(t), float(v)) for t, v in s["values"]])
            for s in data["result"]
        ]

    def value(self, expr: str, *, time: float | None = None) -> float:
        """Return the value of an expression that gives one series; AssertionError otherwise."""
        samples = self.query(expr, time=time)
        assert len(samples) == 1, f"{expr} gives {len(samples)} series: {samples}"
        return samples[0].value

    def wait_for(self, expr: str, *, seconds: float = 30) -> list[Sample]:
        """Wait until an expression gives anything (write a comparison), and return that."""
        found: list[Sample] = wait_for(
            lambda: self.query(expr), seconds=seconds, what=expr, explain=self.problems
        )
        return found

    def wait_for_evaluations(self, moment: float, *, seconds: float = 60) -> None:
        """Wait until the rule groups have done their evaluations of a time and before.

        Groups that are evaluated less often than every ten seconds are not waited for.
        """

        def last_began() -> float:
            groups = self.api("rules")["groups"]
            often = [group for group in groups if group["interval"] <= 10]
            return min(_unix_time(group["lastEvaluation"]) for group in often)

        # One that began later begins when those before it are done.
        wait_for(lambda: last_began() > moment, seconds=seconds, what="the rules")

    def problems(self) -> str:
        """Return what is wrong with targets and rules, as text; empty when nothing is."""
        targets = self.api("targets", state="active")["activeTargets"]
        groups = self.api("rules")["groups"]
        wrong = [f"{t['scrapeUrl']}: {t['lastError']}" for t in targets if t["lastError"]]
        rules = [rule for group in groups for rule in group["rules"]]
        wrong += [f"{r['name']}: {r['lastError']}" for r in rules if r.get("lastError")]
        return "\n".join(wrong)

    def reload(self) -> None:
        """Read the configuration again; RuntimeError with the reason when it is bad."""
        self._get("/-/reload", method="POST")

    def api(self, path: str, **parameters: str) -> Any:
        """Return the data of an answer of the HTTP API; RuntimeError with Prometheus's words."""
        answer = json.loads(self._get(f"/api/v1/{path}?{urlencode(parameters)}"))
        return answer["data"]

    def _get(self, path: str, *, method: str = "GET") -> bytes:
        try:
            with _OPENER.open(Request(self.url + path, method=method), timeout=30) as answer:
                return bytes(answer.read())
        except HTTPError as error:
            with error:
                text = error.read().decode(errors="replace")
            raise RuntimeError(f"Prometheus refused {path}: {error.code} {text}") from None

    def _command(self, data: Path) -> Sequence[str]:
        self.port = free_port()
        return [
            require("prometheus"),
            f"--config.file={self._config}",
            f"--storage.tsdb.path={data}",
            f"--web.listen-address=127.0.0.1:{self.port}",
            "--web.enable-lifecycle",
        ]

    def _answers(self) -> bool:
        return self._get("/-/ready") != b""

"""A real Alertmanager for tests: started on a free port, given alerts, asked, stopped."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import ProxyHandler, Request, build_opener

from real.prometheus import free_port
from real.server import Server

# Never through a proxy that the environment may name: everything here is on loopback.
_OPENER = build_opener(ProxyHandler({}))


def program() -> str:
    """Return the path of Alertmanager, which Debian calls otherwise, or say how to install it."""
    path = shutil.which("alertmanager") or shutil.which("prometheus-alertmanager")
    if path is None:
        raise RuntimeError(
            "these tests run a real Alertmanager and it is not installed: "
            "apt-get install prometheus-alertmanager (Debian), or put alertmanager on PATH"
        )
    return path


def amtool(*arguments: str | Path) -> str:
    """Run amtool and return what it printed; raise AssertionError when it fails."""
    done = subprocess.run(
        ["amtool", *map(str, arguments)], capture_output=True, text=True, check=False, timeout=60
    )
    if done.returncode:
        raise AssertionError(f"amtool {' '.join(map(str, arguments))}\n{done.stdout}{done.stderr}")
    return done.stdout


class Alertmanager(Server):
    """An Alertmanager with a configuration of one's own and no memory.

    Parameters
    ----------
    config_dir
        Holds ``alertmanager.yml``, which may be written as late as `start`.
    start_seconds
        How long it may take until it is ready.
    """

    name = "Alertmanager"

    def __init__(self, config_dir: Path, *, start_seconds: float = 30) -> None:
        super().__init__(start_seconds=start_seconds)
        self._config = Path(config_dir) / "alertmanager.yml"
        self.port = free_port()

    @property
    def address(self) -> str:
        """Where Prometheus sends alerts."""
        return f"127.0.0.1:{self.port}"

    def send(self, *alerts: Mapping[str, Any], resolved: bool = False) -> None:
        """Say that alerts fire, as Prometheus does: labels and annotations; or no longer do."""
        now = time.time()
        ends = now if resolved else now + 300
        body = [
            {
                "annotations": {},
                **alert,
                "startsAt": _moment(now),
                "endsAt": _moment(ends),
                "generatorURL": "http://prometheus.test/graph",
            }
            for alert in alerts
        ]
        self._ask("/api/v2/alerts", json.dumps(body).encode())

    def alerts(self, **parameters: str) -> Sequence[Mapping[str, Any]]:
        """Return the alerts that fire, with what inhibits or silences them."""
        found: list[Mapping[str, Any]] = json.loads(
            self._ask(f"/api/v2/alerts?{urlencode(parameters)}")
        )
        return found

    def states(self, label: str = "alertname") -> dict[str, set[str]]:
        """Return the states (``active``, ``suppressed``) of the alerts that fire, by a label."""
        found: dict[str, set[str]] = {}
        for alert in self.alerts():
            name = alert["labels"].get(label, "")
            found.setdefault(name, set()).add(alert["status"]["state"])
        return found

    def _ask(self, path: str, body: bytes | None = None) -> bytes:
        headers = {"Content-Type": "application/json"} if body is not None else {}
        request = Request(f"http://{self.address}{path}", data=body, headers=headers)
        with _OPENER.open(request, timeout=30) as answer:
            return bytes(answer.read())

    def _command(self, data: Path) -> Sequence[str]:
        return [
            program(),
            f"--config.file={self._config}",
            f"--storage.path={data}",
            f"--web.listen-address={self.address}",
            f"--web.external-url=http://{self.address}",
            "--cluster.listen-address=",
        ]

    def _answers(self) -> bool:
        return self._ask("/-/ready") != b""


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()

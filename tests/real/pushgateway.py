"""A real Pushgateway for tests: started on a free port, asked, stopped."""

from __future__ import annotations

import math
import shutil
from base64 import b64encode
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.request import ProxyHandler, Request, build_opener

from prometheus_client.parser import text_string_to_metric_families

from real.prometheus import free_port
from real.server import Server

# Never through a proxy that the environment may name: everything here is on loopback.
_OPENER = build_opener(ProxyHandler({}))


class Shown(NamedTuple):
    """One series that the gateway shows."""

    labels: dict[str, str]
    value: float


def program() -> str:
    """Return the path of the Pushgateway, which Debian calls otherwise, or say what to install."""
    path = shutil.which("pushgateway") or shutil.which("prometheus-pushgateway")
    if path is None:
        raise RuntimeError(
            "these tests run a real Pushgateway and it is not installed: "
            "apt-get install prometheus-pushgateway (Debian), or put pushgateway on PATH"
        )
    return path


class Pushgateway(Server):
    """A Pushgateway without memory.

    Parameters
    ----------
    web_config
        Its configuration of users and certificates, as text; None for none.
    basic_auth
        Name and password to ask it with.
    port
        A free one by default.
    start_seconds
        How long it may take until it is ready.
    """

    name = "Pushgateway"

    def __init__(
        self,
        web_config: str | None = None,
        *,
        basic_auth: tuple[str, str] | None = None,
        port: int | None = None,
        start_seconds: float = 30,
    ) -> None:
        super().__init__(start_seconds=start_seconds)
        self._web_config = web_config
        self._basic_auth = basic_auth
        self.port = free_port() if port is None else port

    @property
    def address(self) -> str:
        """Where it is scraped."""
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """Where to push to."""
        return f"http://{self.address}"

    def shown(self, name: str, **labels: str) -> list[Shown]:
        """Return the series of a name that it shows now, those that have these labels."""
        families = text_string_to_metric_families(self._get("/metrics"))
        return [
            Shown(sample.labels, sample.value)
            for family in families
            for sample in family.samples
            if sample.name == name
            and all(sample.labels.get(label, "") == value for label, value in labels.items())
        ]

    def value(self, name: str, **labels: str) -> float:
        """Return the value of the one series there is; NaN where there is none."""
        found = self.shown(name, **labels)
        assert len(found) < 2, found
        return found[0].value if found else math.nan

    def _get(self, path: str) -> str:
        request = Request(self.url + path)
        if self._basic_auth is not None:
            secret = b64encode(":".join(self._basic_auth).encode()).decode()
            request.add_header("Authorization", f"Basic {secret}")
        with _OPENER.open(request, timeout=30) as answer:
            return bytes(answer.read()).decode()

    def _command(self, data: Path) -> Sequence[str]:
        command = [program(), f"--web.listen-address={self.address}", "--persistence.file="]
        if self._web_config is not None:
            path = data.with_name("web.yml")
            path.write_text(self._web_config)
            command.append(f"--web.config.file={path}")
        return command

    def _answers(self) -> bool:
        self._get("/-/ready")
        return True

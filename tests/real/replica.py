"""A replica of a service for Prometheus to scrape: a thread that answers with a text."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from modelmeter.names import Metric
from real.server import wait_for

Table = dict[tuple[Metric, tuple[str, ...]], float]
"""Values by metric and label values, in the order of the metric's labels; a histogram has one
more, `le`, and its buckets are given cumulative."""


def render_table(*tables: Mapping[tuple[Metric, tuple[str, ...]], float]) -> bytes:
    """Return tables of series in Prometheus's text format, families together."""
    families: dict[Metric, list[str]] = {}
    for table in tables:
        for (metric, values), value in table.items():
            names = (*metric.labels, "le")[: len(values)]
            # Prometheus escapes label values as JSON does, as far as tests go.
            labels = ",".join(f"{n}={json.dumps(v)}" for n, v in zip(names, values, strict=True))
            suffix = "_bucket" if metric.type == "histogram" else ""
            families.setdefault(metric, []).append(f"{metric.name}{suffix}{{{labels}}} {value!r}")
    texts = (
        "\n".join([f"# TYPE {metric.name} {metric.type}", *lines])
        for metric, lines in families.items()
    )
    return ("\n".join(texts) + "\n").encode()


class Replica:
    """Serve what a function returns under every path of a loopback port.

    Parameters
    ----------
    render
        Returns the metrics in Prometheus's text format.
    port
        0 for any; give it the port of a replica that was stopped to restart that one.
    """

    def __init__(self, render: Callable[[], bytes], *, port: int = 0) -> None:
        self.scrapes = 0
        replica = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = render()
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
                replica.scrapes += 1

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    @property
    def target(self) -> str:
        """What Prometheus scrapes."""
        return f"127.0.0.1:{self.port}"

    def wait_for_scrapes(self, number: int, *, seconds: float = 20) -> None:
        """Wait until it was scraped so many times more."""
        wanted = self.scrapes + number
        wait_for(lambda: self.scrapes >= wanted, seconds=seconds, what=f"a scrape of {self.port}")

    def stop(self) -> None:
        """Stop answering, as a process that was killed."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Replica:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

"""``/metrics`` and ``/monitor`` on a port of their own, apart from the application's."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

from modelmeter._errors import ConfigurationError
from modelmeter.serving.scrape import Answer, Scrape
from modelmeter.serving.status import StatusPage


class MetricsServer:
    """A small HTTP server, in threads beside the application.

    Parameters
    ----------
    scrape
        Answers the scrapes.
    host
        Address to listen on.
    port
        Port to listen on; 0 for any that is free.
    path
        Where scrapes are answered.
    shared
        Whether all workers of a service may listen on the port, because each of them can
        answer for all.
    page
        Answers at its own path; None for no page.
    """

    def __init__(
        self,
        scrape: Scrape,
        *,
        host: str,
        port: int,
        path: str,
        shared: bool,
        page: StatusPage | None = None,
    ) -> None:
        self._scrape = scrape
        self._host = host
        self._port = port
        self._path = path
        self._shared = shared
        self._page = page
        self._server: ThreadingHTTPServer | None = None
        self._thread: threading.Thread | None = None
        self._pid = 0

    @property
    def port(self) -> int | None:
        """The port that is listened on; None while there is none."""
        return None if self._server is None else int(self._server.server_address[1])

    def start(self) -> None:
        """Listen from now on.

        Raises
        ------
        ConfigurationError
            When the address cannot be listened on.
        """
        if self._server is not None:
            if self._pid == os.getpid():
                return
            self._server.server_close()  # a forked child's copy: its thread is elsewhere
        try:
            self._server = self._listen()
        except OSError as error:
            raise ConfigurationError(
                f"cannot serve metrics on {self._host}:{self._port} ({error}); give another "
                "port, or, for several workers on one port, a directory for their counts"
            ) from error
        self._pid = os.getpid()
        self._thread = threading.Thread(
            target=self._server.serve_forever,
            kwargs={"poll_interval": 0.05},
            name="modelmeter-metrics",
            daemon=True,
        )
        self._thread.start()

    def stop(self) -> None:
        """Close the port."""
        server, self._server = self._server, None
        if server is None:
            return
        if self._pid == os.getpid() and self._thread is not None:
            server.shutdown()
            self._thread.join()
        server.server_close()

    def _listen(self) -> ThreadingHTTPServer:
        found = socket.getaddrinfo(
            self._host, self._port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        family, _, _, _, address = found[0]

        class Server(ThreadingHTTPServer):
            address_family = family
            allow_reuse_port = self._shared

        return Server(address[:2], self._handler())  # type: ignore[arg-type]

    def _answer(self, url: str, headers: Mapping[str, str]) -> Answer | None:
        """Answer a GET; None where there is nothing."""
        path, _, query = url.partition("?")
        if path == self._path:
            return self._scrape.answer(
                headers.get("accept", ""),
                headers.get("accept-encoding", ""),
                headers.get("authorization", ""),
            )
        page = self._page
        if page is not None and (path == page.path or path.startswith(f"{page.path}/")):
            rest = unquote(path.removeprefix(page.path).removeprefix("/"))
            return page.answer(rest, query, headers, slash=path.endswith("/"))
        return None

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        answer_of = self._answer

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 30  # seconds without a word from the client

            def do_GET(self) -> None:
                """Answer a scrape, or a reader of the page."""
                headers = {name.lower(): value for name, value in self.headers.items()}
                answer = answer_of(self.path, headers)
                if answer is None:
                    self.send_error(404)
                    return
                self.send_response(answer.status)
                for header in answer.headers:
                    self.send_header(*header)
                self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(answer.body)

            do_HEAD = do_GET

            def version_string(self) -> str:
                """Name the server, not the version of Python."""
                return "modelmeter"

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                """Log nothing: there is a scrape every few seconds."""

        return Handler

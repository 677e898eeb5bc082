"""Where notifications arrive in tests: an HTTP server for webhooks and Slack, an SMTP server."""

from __future__ import annotations

import email
import json
import threading
import time
from collections.abc import Callable
from email.message import EmailMessage
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from real.prometheus import free_port
from real.server import wait_for


class Post(NamedTuple):
    """One request: when, where to, with which token, and its JSON."""

    time: float
    path: str
    authorization: str | None
    body: Any


class Inbox:
    """Keep every POST of JSON to a loopback port."""

    def __init__(self) -> None:
        self.posts: list[Post] = []
        posts = self.posts

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                token = self.headers["Authorization"]
                posts.append(Post(time.time(), self.path, token, json.loads(body)))
                self.send_response(200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    def __enter__(self) -> Inbox:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def wait_for(
        self, wanted: Callable[[Post], Any], *, seconds: float, what: str, since: int = 0
    ) -> Post:
        """Return the first post that is wanted; AssertionError with what came at the deadline."""
        found: Post = wait_for(
            lambda: next(filter(wanted, self.posts[since:]), None),
            seconds=seconds,
            what=what,
            explain=lambda: "\n".join(json.dumps(post.body)[:2000] for post in self.posts[since:]),
        )
        return found


class Mailbox:
    """Keep every message to an SMTP server on a loopback port that asks for a password."""

    def __init__(self, user: str, password: str) -> None:
        self.messages: list[EmailMessage] = []
        messages, known = self.messages, (user.encode(), password.encode())

        class Handler:
            async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
                if not session.authenticated:
                    return "530 Authentication required"
                message = email.message_from_bytes(envelope.content, policy=default)
                assert isinstance(message, EmailMessage)
                message["X-Recipients"] = ", ".join(envelope.rcpt_tos)
                messages.append(message)
                return "250 OK"

        def check(server: Any, session: Any, envelope: Any, way: str, given: Any) -> AuthResult:
            return AuthResult(success=(given.login, given.password) == known)

        self._controller = Controller(
            Handler(),
            hostname="127.0.0.1",
            port=free_port(),
            authenticator=check,
            # Asks for the name in words of its own, which Alertmanager does not understand.
            auth_exclude_mechanism=["LOGIN"],
            auth_require_tls=False,
        )
        self.address = f"127.0.0.1:{self._controller.port}"

    def __enter__(self) -> Mailbox:
        self._controller.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._controller.stop()

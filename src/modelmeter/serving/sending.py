"""An answer that was made in a thread, sent to whoever asked."""

from __future__ import annotations

from modelmeter.serving.asgi import Scope, Send
from modelmeter.serving.scrape import Answer


async def send_answer(scope: Scope, send: Send, answer: Answer) -> None:
    """Send an answer with its length; to HEAD, all of it but the body."""
    length = ("Content-Length", str(len(answer.body)))
    await send(
        {
            "type": "http.response.start",
            "status": answer.status,
            "headers": [
                (name.lower().encode(), value.encode()) for name, value in (*answer.headers, length)
            ],
        }
    )
    body = b"" if scope["method"] == "HEAD" else answer.body
    await send({"type": "http.response.body", "body": body})

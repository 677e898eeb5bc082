"""What ``/monitor`` answers: the page, its files, and the findings that it draws.

Findings are made at most once a second however many pages are open, on the thread of whoever
asks first; the others get the same bytes.
"""

from __future__ import annotations

import gzip
import json
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qs

from modelmeter._errors import ConfigurationError, SourceUnavailableError
from modelmeter.generate.durations import format_duration, parse_duration
from modelmeter.live.merge import Family
from modelmeter.profile.profile import Profile
from modelmeter.report.counts import observed
from modelmeter.report.curves import history_of
from modelmeter.report.history import WINDOWS, History
from modelmeter.report.html import assets, live_page
from modelmeter.report.prometheus import Client, observe_prometheus
from modelmeter.report.schema import Findings
from modelmeter.report.summary import summarise
from modelmeter.serving.failures import Failures
from modelmeter.serving.scrape import Answer, Bearer, accepts_gzip

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
"""What the page may load: its own files and nothing else."""

PROMETHEUS: Final = "prometheus"
"""The source that is asked of Prometheus."""

PROMETHEUS_WINDOWS: Final = ("1h", "6h", "24h", "7d", "30d")
"""Windows that are offered where there is a Prometheus; any other may be asked for."""

_START: Final = "start"
_SHORTEST: Final = 1.0
_SHORTEST_OF_PROMETHEUS: Final = 10.0
_SHARE: Final = 10
_MOST_KEPT: Final = 32
_JSON: Final = ("Content-Type", "application/json")
_FRESH: Final = ("Cache-Control", "no-store")
_FOREVER: Final = ("Cache-Control", "public, max-age=31536000, immutable")
_COMMON: Final = (("X-Content-Type-Options", "nosniff"), ("Referrer-Policy", "no-referrer"))


@dataclass(frozen=True)
class _Body:
    """An answer that is kept for a while."""

    status: int
    plain: bytes
    packed: bytes
    until: float


@dataclass(frozen=True)
class _Wish:
    """Whose findings somebody wants, over which window, and from where."""

    model: str
    window: str
    source: str


class StatusPage:
    """Answers ``/monitor`` and what is below it.

    Parameters
    ----------
    read
        Returns all families as they are now.
    bearer
        Who may see findings; None for everybody. The page itself holds nothing, and anybody
        may load it: it asks for the token.
    failures
        Where to count failures.
    path
        Where the page is.
    prometheus_url
        A Prometheus to be asked as well; None for none.

    Raises
    ------
    ConfigurationError
        `prometheus_url` is no URL.
    """

    def __init__(
        self,
        read: Callable[[], list[Family]],
        bearer: Bearer | None,
        failures: Failures,
        *,
        path: str,
        prometheus_url: str | None = None,
    ) -> None:
        self.path = path
        self.history = History(read)
        self._bearer = bearer
        self._failures = failures
        self._client = None if prometheus_url is None else Client(prometheus_url)
        self._profiles: dict[str, tuple[Profile, str | None]] = {}
        self._kept: OrderedDict[_Wish, _Body] = OrderedDict()
        # One for each source: a Prometheus that is slow must not hold up the other.
        self._making = {"": threading.Lock(), PROMETHEUS: threading.Lock()}
        failures.expect("page")

    def add(self, profile: Profile, route: str | None = None) -> None:
        """Show one more model.

        Parameters
        ----------
        profile
            Of the model.
        route
            Where it predicts, for the example on the page of a service that did not yet.
        """
        name = f"{profile.name}/{profile.version}"
        known = self._profiles.get(name)
        self._profiles[name] = (profile, route or (known[1] if known else None))

    def start(self) -> None:
        """Remember counts from now on, for the windows."""
        self.history.start()

    def stop(self) -> None:
        """Remember no more."""
        self.history.stop()

    def answer(self, rest: str, query: str, headers: Mapping[str, str], *, slash: bool) -> Answer:
        """Return the response to a GET.

        Parameters
        ----------
        rest
            The path below the page's own; empty for the page.
        query
            As in the URL.
        headers
            Of the request, by name in small letters.
        slash
            Whether the page was asked for with a slash at the end: its files are then beside it.
        """
        if not rest:
            base = "" if slash else f"{self.path.rpartition('/')[2]}/"
            kind = ("Content-Type", "text/html; charset=utf-8")
            policy = ("Content-Security-Policy", POLICY)
            return Answer(200, [kind, policy, _FRESH, *_COMMON], live_page(base).encode())
        given = {name: values[-1] for name, values in parse_qs(query).items()}
        if rest in assets():
            return self._asset(rest, given.get("v", ""), headers)
        if rest not in ("about", "findings"):
            return _refuse(404, "there is nothing here")
        if self._bearer is not None and not self._bearer.allows(headers.get("authorization", "")):
            challenge = ("WWW-Authenticate", 'Bearer realm="monitor"')
            return _refuse(401, "a bearer token is needed here", challenge)
        if rest == "about":
            return Answer(200, [_JSON, _FRESH, *_COMMON], json.dumps(self._about()).encode())
        return self._findings(given, headers)

    def is_slow(self, query: str) -> bool:
        """Tell whether an answer may have to wait for another service."""
        return PROMETHEUS in query

    def _asset(self, name: str, tag: str, headers: Mapping[str, str]) -> Answer:
        asset = assets()[name]
        # Under another tag it is of another release, for as long as that is being replaced.
        caching = _FOREVER if tag == asset.tag else _FRESH
        body, encoding = asset.text.encode(), []
        if accepts_gzip(headers.get("accept-encoding", "")):
            body, encoding = _packed_asset(name), [("Content-Encoding", "gzip")]
        kind = ("Content-Type", asset.media_type)
        vary = ("Vary", "Accept-Encoding")
        return Answer(200, [kind, caching, vary, *encoding, *_COMMON], body)

    def _about(self) -> dict[str, Any]:
        """Return what there is to choose from."""
        windows = [
            {"window": _START if seconds is None else _name(seconds), "text": text}
            for text, seconds in WINDOWS.items()
        ]
        asked = None
        if self._client is not None:
            asked = {"where": self._client.name, "windows": PROMETHEUS_WINDOWS}
        models = [
            {"name": profile.name, "version": profile.version, "predict": route}
            for profile, route in self._profiles.values()
        ]
        return {
            "release": assets()["page.js"].tag,
            "path": self.path,
            "models": models,
            "windows": windows,
            "prometheus": asked,
        }

    def _findings(self, given: Mapping[str, str], headers: Mapping[str, str]) -> Answer:
        source = PROMETHEUS if given.get("source") == PROMETHEUS and self._client else ""
        first = next(iter(self._profiles), "")
        wish = _Wish(given.get("model") or first, given.get("window", ""), source)
        body = self._fresh(wish)
        if body is None:
            with self._making[source]:
                # Somebody else may have made it meanwhile.
                body = self._fresh(wish) or self._make(wish)
        content, encoding = body.plain, []
        if accepts_gzip(headers.get("accept-encoding", "")):
            content, encoding = body.packed, [("Content-Encoding", "gzip")]
        vary = ("Vary", "Accept-Encoding")
        return Answer(body.status, [_JSON, _FRESH, vary, *encoding, *_COMMON], content)

    def _fresh(self, wish: _Wish) -> _Body | None:
        body = self._kept.get(wish)
        return body if body is not None and time.monotonic() < body.until else None

    def _make(self, wish: _Wish) -> _Body:
        began = time.monotonic()
        status, found = self._found(wish)
        plain = _encoded(found)
        packed = gzip.compress(plain, compresslevel=1, mtime=0)
        # What takes long is made less often: a tenth of one thread's time at the most.
        now = time.monotonic()
        shortest = _SHORTEST_OF_PROMETHEUS if wish.source else _SHORTEST
        body = _Body(status, plain, packed, now + max(shortest, _SHARE * (now - began)))
        self._kept[wish] = body
        while len(self._kept) > _MOST_KEPT:
            self._kept.popitem(last=False)
        return body

    def _found(self, wish: _Wish) -> tuple[int, Findings | dict[str, str]]:
        known = self._profiles.get(wish.model)
        if known is None:
            names = ", ".join(self._profiles) or "none"
            return 404, {"detail": f"there is no model {wish.model!r} here, but {names}"}
        try:
            if wish.source:
                return 200, self._of_prometheus(known[0], wish.window)
            return 200, self._of_process(known[0], wish.window)
        except ConfigurationError as error:
            return 400, {"detail": str(error)}
        except SourceUnavailableError as error:
            return 502, {"detail": str(error)}
        except Exception as error:  # noqa: BLE001 - counted, logged once, and said to the reader
            self._failures.count("page", error)
            return 500, {"detail": f"findings could not be made: {type(error).__name__}"}

    def _of_process(self, profile: Profile, window: str) -> Findings:
        seconds = None
        if window not in ("", _START):
            seconds = parse_duration(window, field="window") / 1000
        found = self.history.window(seconds)
        counted = observed(
            profile,
            found.families,
            kind="process",
            window=found.text,
            since=found.since,
            until=found.until,
        )
        return summarise(profile, counted)

    def _of_prometheus(self, profile: Profile, window: str) -> Findings:
        assert self._client is not None
        counted = observe_prometheus(profile, self._client, window=window or PROMETHEUS_WINDOWS[0])
        findings = summarise(profile, counted)
        findings["history"] = history_of(profile, self._client, findings)
        return findings


def _encoded(found: Mapping[str, Any]) -> bytes:
    """Return JSON, written in small pieces: none of them holds up the event loop for long."""
    pieces = []
    for key, value in found.items():
        text = f"[{','.join(map(_piece, value))}]" if isinstance(value, list) else _piece(value)
        pieces.append(f"{_piece(key)}:{text}")
    return f"{{{','.join(pieces)}}}".encode()


def _piece(value: Any) -> str:
    return json.dumps(value, allow_nan=False, separators=(",", ":"))


def _name(seconds: float) -> str:
    return format_duration(int(1000 * seconds))


def _refuse(status: int, detail: str, *more: tuple[str, str]) -> Answer:
    body = json.dumps({"detail": detail}).encode()
    return Answer(status, [_JSON, _FRESH, *more, *_COMMON], body)


_packed: Final[dict[str, bytes]] = {}


def _packed_asset(name: str) -> bytes:
    if name not in _packed:
        _packed[name] = gzip.compress(assets()[name].text.encode(), mtime=0)
    return _packed[name]

"""A Pushgateway: where the counts of a batch are shown until the next one's replace them."""

from __future__ import annotations

import base64
import logging
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from http.client import HTTPException
from typing import Any, Final
from urllib.error import HTTPError
from urllib.parse import urlsplit

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric as PrometheusFamily
from prometheus_client.exposition import (
    basic_auth_handler,
    default_handler,
    push_to_gateway,
    pushadd_to_gateway,
)
from prometheus_client.registry import Collector

from modelmeter import names
from modelmeter._errors import ConfigurationError, PushError
from modelmeter.live.exposition import collected
from modelmeter.live.merge import Family

logger = logging.getLogger("modelmeter")

_TAKEN: Final = frozenset({"job", *(label for metric in names.ALL for label in metric.labels)})
_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 15.0


@dataclass(frozen=True)
class Gateway:
    """A Pushgateway, and the group in which a batch is shown there.

    Parameters
    ----------
    url
        Such as ``http://pushgateway:9091``.
    job
        The job's name.
    grouping
        Further labels that tell jobs apart which score with the same model and version.
    basic_auth
        Name and password.
    token
        Bearer token.
    timeout
        Seconds that one try may take.
    patience
        Seconds after which a gateway that cannot be reached is not tried again.

    Raises
    ------
    ConfigurationError
        One of these cannot work.
    """

    url: str
    _: KW_ONLY
    job: str = "modelmeter-batch"
    grouping: Mapping[str, str] | None = None
    basic_auth: tuple[str, str] | None = None
    token: str | None = None
    timeout: float = 30.0
    patience: float = 60.0

    def __post_init__(self) -> None:
        _check_url(self.url)
        if not self.job.strip("."):
            raise ConfigurationError(f"a job is called something, not {self.job!r}")
        if self.basic_auth is not None and self.token is not None:
            raise ConfigurationError("give either basic_auth or token")
        if not self.timeout > 0 or not self.patience >= 0:
            raise ConfigurationError(
                f"timeout is above 0 and patience not below, not {self.timeout!r} and "
                f"{self.patience!r}"
            )
        for name in self.grouping or {}:
            if name in _TAKEN or not re.fullmatch(r"(?!__)[a-zA-Z_][a-zA-Z0-9_]*", name):
                raise ConfigurationError(
                    f"a batch cannot be grouped by {name!r}: that is no label's name, or one that "
                    "modelmeter's metrics have"
                )

    def send(self, model: tuple[str, str], families: Iterable[Family], *, replace: bool) -> None:
        """Push metrics, and again while the gateway cannot be reached.

        Parameters
        ----------
        model
            Name and version.
        families
            What to push.
        replace
            Whether all of the group is replaced, or only metrics of the same names.

        Raises
        ------
        PushError
            The gateway refused it, or could not be reached.
        """
        registry = CollectorRegistry()
        registry.register(_Families(list(families)))
        group = {"model": model[0], "version": model[1], **(self.grouping or {})}
        push = push_to_gateway if replace else pushadd_to_gateway
        give_up = time.monotonic() + self.patience
        pause = _FIRST_PAUSE
        while True:
            try:
                push(
                    self.url,
                    self.job,
                    registry,
                    grouping_key=dict(_path_part(*one) for one in group.items()),
                    timeout=self.timeout,
                    handler=self._handler,
                )
                return
            except (OSError, HTTPException) as error:
                reason, passing = _why(error)
                if not passing or time.monotonic() + pause > give_up:
                    raise PushError(
                        f"the Pushgateway at {self.url} did not take the batch: {reason}"
                    ) from error
                logger.info("the Pushgateway at %s: %s; trying again", self.url, reason)
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _handler(
        self, url: str, method: str, timeout: float | None, headers: list[Any], data: bytes
    ) -> Callable[[], None]:
        """Return what makes the request, with the name or token that was given."""
        if self.basic_auth is not None:
            name, password = self.basic_auth
            return basic_auth_handler(url, method, timeout, headers, data, name, password)
        if self.token is not None:
            headers = [*headers, ("Authorization", f"Bearer {self.token}")]
        return default_handler(url, method, timeout, headers, data)


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        known = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # brackets, a port that is no number
        known = False
    if "@" in url:  # the message does not say it: it may hold a password
        raise ConfigurationError("a Pushgateway's URL has no name and password: give basic_auth")
    if not known or not re.fullmatch(r"[!-~]+", url):
        raise ConfigurationError(f"{url!r} is no URL of a Pushgateway: http://host:9091")


def gateway_of(given: str | Gateway, **settings: Any) -> Gateway:
    """Return a gateway as it is, and one of a URL with settings."""
    return given if isinstance(given, Gateway) else Gateway(given, **settings)


class _Families(Collector):
    """Families as a prometheus_client registry takes them."""

    def __init__(self, families: Sequence[Family]) -> None:
        self._families = families

    def collect(self) -> Iterator[PrometheusFamily]:
        """Yield them."""
        return map(collected, self._families)


def _path_part(label: str, value: str) -> tuple[str, str]:
    """Return a label as the gateway's path takes it: anything odd in base64.

    prometheus_client encodes slashes and spaces; dots alone would be taken for a folder.
    """
    if re.fullmatch(r"[\w-][\w.-]*", value, flags=re.ASCII):
        return label, value
    encoded = base64.urlsafe_b64encode(value.encode("utf-8", "backslashreplace")).decode()
    return f"{label}@base64", encoded or "="


def _why(error: OSError | HTTPException) -> tuple[str, bool]:
    """Say why a push failed, and whether it may be otherwise in a moment."""
    if isinstance(error, HTTPError):
        with error:
            text = error.read(500).decode(errors="replace").strip()
        return f"{error.code} {text or error.reason}", error.code >= 500 or error.code == 429
    return str(getattr(error, "reason", error)) or type(error).__name__, True

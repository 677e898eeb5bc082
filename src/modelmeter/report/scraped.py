"""What a service says at ``/metrics``, as the families that it was made from."""

from __future__ import annotations

import time
from base64 import b64encode
from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Final
from urllib.error import HTTPError, URLError
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit
from urllib.request import Request, urlopen

import numpy as np
from prometheus_client.parser import text_string_to_metric_families

from modelmeter import names
from modelmeter._errors import ConfigurationError, SourceUnavailableError
from modelmeter.live.merge import Family
from modelmeter.names import Metric
from modelmeter.profile.profile import Profile
from modelmeter.report.counts import Observed, Row, observed
from modelmeter.report.remembered import chosen_model, models_of, remembered_profile

TIMEOUT: Final = 15.0
"""Seconds that a service, or Prometheus, may take to answer."""

_METRICS: Final = "/metrics"
_KNOWN: Final = {metric.name: metric for metric in names.ALL}


def scrape(url: str, *, token: str | None = None) -> list[Family]:
    """Ask a service for its metrics; returns those of modelmeter, each once.

    Parameters
    ----------
    url
        Where it is; ``/metrics`` is added where the URL has no path.
    token
        Bearer token that it asks for.

    Raises
    ------
    SourceUnavailableError
        It does not answer, or answers something else.
    ConfigurationError
        `url` is none.
    """
    where = metrics_url(url)
    body = fetch(where, token=token)
    try:
        return parse(body.decode("utf-8", "replace"))
    except ValueError as error:
        raise SourceUnavailableError(
            f"{without_password(where)} answers no metrics: {error}"
        ) from error


def observe_url(
    families: Iterable[Family],
    url: str,
    *,
    profile: Profile | None = None,
    model: str | None = None,
) -> tuple[Profile, Observed]:
    """Return what a service counted since it started, and the profile to compare it with.

    Parameters
    ----------
    families
        As `scrape` gave them.
    url
        Where they are from.
    profile
        Of one of its models; None for what the metrics tell of it.
    model
        Which model, without a profile: ``name`` or ``name/version``; None where there is one.

    Raises
    ------
    ConfigurationError
        The service has no such model.
    """
    known = list(families)
    where = without_password(metrics_url(url))
    if profile is None:
        profile = remembered_profile(known, chosen_model(known, model))
    served = ["/".join(one) for one in models_of(known)]
    if f"{profile.name}/{profile.version}" not in served:
        raise ConfigurationError(
            f"{where} says nothing of {profile.name}/{profile.version}"
            + (f", but of {', '.join(served)}" if served else "")
        )
    since, until = _started(known), time.time()
    return profile, observed(profile, known, kind="url", where=where, since=since, until=until)


def parse(text: str) -> list[Family]:
    """Return the families of modelmeter in an exposition, each metric once.

    Parameters
    ----------
    text
        In the Prometheus text format.

    Raises
    ------
    ValueError
        It is in no such format.
    """
    values: dict[str, dict[Row, float]] = defaultdict(dict)
    lines: dict[str, dict[Row, np.ndarray]] = defaultdict(dict)
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            metric = _KNOWN.get(sample.name)
            if metric is not None and metric.type != "histogram":
                values[metric.name][_row(metric, sample.labels)] = float(sample.value)
            elif (histogram := _KNOWN.get(family.name)) is not None:
                _place(histogram, sample, lines[histogram.name])
    found = [_family(_KNOWN[name], series) for name, series in values.items()]
    for name, series in lines.items():
        for line in series.values():
            line[:-1] = np.diff(line[:-1], prepend=0.0)
        found.append(Family(_KNOWN[name], tuple(series), np.stack(list(series.values()))))
    return found


def fetch(url: str, *, token: str | None = None, timeout: float = TIMEOUT) -> bytes:
    """Return what a URL answers.

    Raises
    ------
    SourceUnavailableError
        Nothing answers, or it refuses; the message says the URL without its password.
    """
    shown = without_password(url)
    try:
        with urlopen(_request(url, token), timeout=timeout) as answer:
            body: bytes = answer.read()
            return body
    except HTTPError as error:
        with error:
            said = error.read(300).decode("utf-8", "replace").strip()
        hint = ": give the token that it asks for" if error.code in (401, 403) else f": {said}"
        raise SourceUnavailableError(f"{shown} answers {error.code}{hint}") from None
    except (URLError, OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise SourceUnavailableError(f"{shown} does not answer: {reason}") from None


def _request(url: str, token: str | None) -> Request:
    parts = urlsplit(url)
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    if parts.username is not None and token is None:
        given = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
        headers["Authorization"] = f"Basic {b64encode(given).decode()}"
    plain = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    return Request(plain, headers=headers)


def metrics_url(url: str) -> str:
    """Return where a service says its metrics, given where it is.

    Raises
    ------
    ConfigurationError
        It is no http or https URL.

    Examples
    --------
    >>> metrics_url("http://localhost:8000"), metrics_url("https://a/m/metrics")
    ('http://localhost:8000/metrics', 'https://a/m/metrics')
    """
    parts = check_url(url)
    path = parts.path if parts.path not in ("", "/") else _METRICS
    return urlunsplit(parts._replace(path=path, fragment=""))


def check_url(url: str) -> SplitResult:
    """Return the parts of a URL.

    Raises
    ------
    ConfigurationError
        It is no http or https URL.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise ConfigurationError(f"a URL begins with http:// or https://, not {url!r}")
    return parts


def without_password(url: str) -> str:
    """Return a URL as it may be shown.

    Examples
    --------
    >>> without_password("http://me:secret@localhost:9090/prometheus")
    'http://localhost:9090/prometheus'
    """
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _row(metric: Metric, labels: dict[str, str]) -> Row:
    return tuple(labels.get(name, "") for name in metric.labels)


def _place(metric: Metric, sample: Any, series: dict[Row, np.ndarray]) -> None:
    row = _row(metric, sample.labels)
    line = series.setdefault(row, np.zeros(len(metric.buckets) + 2))
    if sample.name.endswith("_sum"):
        line[-1] = sample.value
    elif sample.name.endswith("_bucket"):
        bounds = [*metric.buckets, float("inf")]
        bound = float(sample.labels["le"])
        if bound in bounds:
            line[bounds.index(bound)] = sample.value


def _family(metric: Metric, series: dict[Row, float]) -> Family:
    return Family(metric, tuple(series), np.asarray(list(series.values()), dtype=np.float64))


def _started(families: Iterable[Family]) -> float | None:
    """Return when the first worker started."""
    for family in families:
        if family.metric is names.PROCESS_START and len(family.values):
            return float(family.values.min())
    return None

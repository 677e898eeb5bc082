"""Everything that is generated from profiles, as files in one directory.

::

    out/
      prometheus.yml                     what is scraped, which rules are read
      rules/modelmeter.rules.yml         recording rules: drift, data quality, performance, traffic
      rules/modelmeter-alerts.rules.yml  alert rules
      alertmanager.yml                   who is told of which alerts; templates/, in which words
      grafana/                           dashboards, and where Grafana finds them and its data
      compose.yml                        what runs all of it, see `compose`
      kubernetes/                        the same for a cluster, see `kubernetes`

`files` makes the texts, `generate` writes them; a further part of the stack is one more entry
in `files`.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from modelmeter._errors import ConfigurationError
from modelmeter.generate.alertmanager import alertmanager_files
from modelmeter.generate.alerts.rules import alert_rules
from modelmeter.generate.compose import (
    COMPOSE_FILE,
    PROFILE_FILE,
    PROMETHEUS_INSIDE_FILE,
    compose_file,
    inside,
)
from modelmeter.generate.dashboards import dashboards
from modelmeter.generate.durations import format_duration
from modelmeter.generate.kubernetes import manifests
from modelmeter.generate.provisioning import provisioning
from modelmeter.generate.rulefile import header, quote, render
from modelmeter.generate.rules import recording_rules
from modelmeter.generate.settings import NAMES, PROMETHEUS_JOB, PUSHGATEWAY_JOB, Settings
from modelmeter.generate.tasks import Tasks
from modelmeter.profile.json import file_text
from modelmeter.profile.profile import Profile

PROMETHEUS_FILE: Final = "prometheus.yml"
RULES_FILE: Final = "rules/modelmeter.rules.yml"
ALERTS_FILE: Final = "rules/modelmeter-alerts.rules.yml"


def generate(
    profiles: Profile | Iterable[Profile],
    out_dir: str | Path,
    *,
    settings: Settings | None = None,
    **options: Any,
) -> list[Path]:
    """Write everything that is to run around models.

    Parameters
    ----------
    profiles
        The profile of each model and version that is served, one or several.
    out_dir
        Directory to write to, made when it is not there; files of the same name are
        replaced in one step, others left alone.
    settings
        How to scrape, how far back to look, and what is to be told to whom.
    **options
        Instead of `settings`: its fields by name.

    Returns
    -------
    list of Path
        The files written. The same arguments give the same bytes.

    Raises
    ------
    ConfigurationError
        A setting cannot work, there is no profile, two profiles share name and version, or
        `out_dir` cannot be written.

    Examples
    --------
    ::

        generate(profile, "deploy", targets=["api-1:5000", "api-2:5000"])
    """
    if settings is not None and options:
        raise ConfigurationError(f"give either settings or options, not both: {sorted(options)}")
    if unknown := sorted(set(options) - set(NAMES)):
        raise ConfigurationError(f"unknown settings {unknown}; there are {', '.join(NAMES)}")
    texts = files(profiles, settings or Settings(**options))
    out = Path(out_dir)
    try:
        return [_write(out, name, text) for name, text in texts.items()]
    except OSError as error:
        raise ConfigurationError(f"cannot write to out_dir {str(out)!r}: {error}") from error


def files(profiles: Profile | Iterable[Profile], settings: Settings) -> dict[str, str]:
    """Make the text of every file.

    Parameters
    ----------
    profiles
        One or several, see `generate`.
    settings
        How to scrape and how far back to look.

    Returns
    -------
    dict of str to str
        Text by path inside the directory.
    """
    several = (profiles,) if isinstance(profiles, Profile) else tuple(profiles)
    models = sorted({(profile.name, profile.version) for profile in several})
    if not several:
        raise ConfigurationError("profiles must hold at least one profile")
    if len(models) < len(several):
        raise ConfigurationError(f"two profiles share one name and version: {models}")
    what = ", ".join(f"{name!r} version {number!r}" for name, number in models)
    start = header(version("modelmeter"), f"For {what}.")
    rules = recording_rules(
        windows=settings.windows,
        scrape_interval=settings.scrape_interval,
        evaluation_interval=settings.evaluation_interval,
        positions=max(profile.ordered_positions for profile in several),
        tasks=Tasks.of(several),
        keep_labels=settings.keep_labels,
        job=settings.job,
        budget=settings.budget,
        levels=settings.levels,
        smallest_loss=settings.smallest_loss,
        batch_every=settings.batch_every,
    )
    texts = {
        PROMETHEUS_FILE: start + _prometheus(settings),
        RULES_FILE: start + render(rules),
        ALERTS_FILE: start + render(alert_rules(several, settings)),
        **(alertmanager_files(settings, start) if settings.alertmanagers else {}),
        **dashboards(several, settings),
        **provisioning(settings),
    }
    texts |= _compose(several, settings, texts, start)
    if settings.kubernetes:
        texts |= manifests(several, settings, texts, start)
    return texts


def _compose(
    profiles: tuple[Profile, ...], settings: Settings, texts: Mapping[str, str], start: str
) -> dict[str, str]:
    """Make the Compose file, and what only the containers in it read."""
    found = {PROMETHEUS_INSIDE_FILE: start + _prometheus(inside(settings))}
    if settings.image is not None:
        if len(profiles) > 1:
            raise ConfigurationError(
                f"image is that of one service, and there are {len(profiles)} profiles: leave it "
                "out, and name the targets of the services"
            )
        found[PROFILE_FILE] = file_text(profiles[0])
    found[COMPOSE_FILE] = start + compose_file(settings, {**texts, **found})
    return found


def _prometheus(settings: Settings) -> str:
    timing = settings.timing
    lines = [
        "global:",
        f"  scrape_interval: {format_duration(timing.scrape_interval)}",
        f"  evaluation_interval: {format_duration(timing.evaluation_interval)}",
        "",
        "rule_files:",
        f"  - {quote('rules/*.rules.yml')}",
        "",
        *_alerting(settings),
        "scrape_configs:",
        *(_services(settings) if settings.targets else ()),
        *_pushgateway(settings),
        *_itself(settings),
    ]
    return "\n".join(lines) + "\n"


def _services(settings: Settings) -> list[str]:
    lines = [
        f"  - job_name: {quote(settings.job)}",
        f"    scheme: {settings.scheme}",
        f"    metrics_path: {quote(settings.metrics_path)}",
    ]
    if settings.token_file is not None:
        lines += [
            "    authorization:",
            "      type: Bearer",
            f"      credentials_file: {quote(settings.token_file)}",
        ]
    lines += ["    static_configs:", "      - targets:"]
    # In the order given: the first target stays the first.
    return [*lines, *(f"          - {quote(target)}" for target in settings.targets)]


def _pushgateway(settings: Settings) -> list[str]:
    if settings.pushgateway is None:
        return []
    return [
        f"  - job_name: {quote(PUSHGATEWAY_JOB)}",
        "    # Whose series these are says the one that pushed them.",
        "    honor_labels: true",
        "    static_configs:",
        "      - targets:",
        f"          - {quote(settings.pushgateway)}",
    ]


def _itself(settings: Settings) -> list[str]:
    if settings.prometheus is None:
        return []
    return [
        f"  - job_name: {quote(PROMETHEUS_JOB)}",
        "    # Prometheus itself: whether rules are late or fail.",
        "    static_configs:",
        "      - targets:",
        f"          - {quote(settings.prometheus)}",
    ]


def _alerting(settings: Settings) -> list[str]:
    """Say where alerts are sent; every one of several Alertmanagers must hear of them."""
    if not settings.alertmanagers:
        return []
    return [
        "alerting:",
        "  alertmanagers:",
        "    - static_configs:",
        "        - targets:",
        *(f"            - {quote(host)}" for host in settings.alertmanagers),
        "",
    ]


def _write(out: Path, name: str, text: str) -> Path:
    """Write a file in one step: Prometheus may be reading it."""
    path = out / name
    out.mkdir(parents=True, exist_ok=True)
    for folder in reversed([parent for parent in path.parents if out in parent.parents]):
        if not folder.exists():
            folder.mkdir()
            # As for files: a container's user is yet another one.
            folder.chmod(0o755)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
        # mkstemp lets nobody else read; Prometheus runs as another user.
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return path

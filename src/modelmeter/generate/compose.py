"""A Compose file that runs everything that was generated.

::

    out/
      compose.yml             Prometheus, Alertmanager, Grafana; the model where there is an
                              image, a Pushgateway where there are batches
      prometheus.compose.yml  prometheus.yml as it must be inside a container
      model.profile.json      what the model's container is to compare with

Inside a container ``localhost`` is the container. What settings call ``localhost`` is therefore
the host, or the service of this file that stands for it; that is the only difference between
the two configurations. A service bears the hash of the files that it reads at its start, so
that ``docker compose up -d`` starts again what has changed and nothing else.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

from modelmeter.generate.alertmanager import ALERTMANAGER_FILE
from modelmeter.generate.container import DATA, PORT, PROFILE, READY, STORE, environment
from modelmeter.generate.dashboards.ids import OVERVIEW_UID
from modelmeter.generate.hosts import is_loopback
from modelmeter.generate.provisioning import DEFAULT_PATH
from modelmeter.generate.secrets import Secret, secrets_in
from modelmeter.generate.settings import Settings
from modelmeter.generate.yamlfile import dump

COMPOSE_FILE: Final = "compose.yml"
PROMETHEUS_INSIDE_FILE: Final = "prometheus.compose.yml"
PROFILE_FILE: Final = "model.profile.json"

HOST: Final = "host.docker.internal"
"""The machine that containers run on, as they see it."""

IMAGES: Final = {
    "prometheus": "prom/prometheus:v3.15.0",
    "alertmanager": "prom/alertmanager:v0.34.1",
    "grafana": "grafana/grafana:13.2.3",
    "pushgateway": "prom/pushgateway:v1.11.3",
}
"""What was current when this was written; a ``compose.override.yml`` may say otherwise."""

_DAY: Final = 24 * 3600 * 1000
_LEAST_DAYS: Final = 30
"""How long Prometheus keeps what it knows, unless a window is longer than half of that."""

_PASSWORD: Final = Secret("/run/secrets/grafana-admin-password")

_ABOUT: Final = f"""\
#
# Every secret is a file that you make, such as Grafana's password:
#
#   mkdir -m 700 secrets
#   openssl rand -base64 24 > {_PASSWORD.host[2:]}
#   docker compose up -d
#
# Changes of your own belong into compose.override.yml; ports and MODELMETER_BIND into .env.

"""

# A model's image has Python, and perhaps nothing else.
_READY: Final = f"from urllib.request import urlopen; urlopen('http://127.0.0.1:{PORT}{READY}')"
# Its certificate is for another name than 127.0.0.1.
_LISTENS: Final = f"import socket; socket.create_connection(('127.0.0.1', {PORT}))"

_Service = dict[str, Any]


def inside(settings: Settings) -> Settings:
    """Return the settings as they must be for the Prometheus of this Compose file.

    Parameters
    ----------
    settings
        As for a Prometheus on the host.
    """
    model = f"model:{PORT}" if settings.image else None
    targets = [_seen(target, model) for target in settings.targets]
    if model is not None and model not in targets:
        targets.insert(0, model)
    gateway = settings.pushgateway and _seen(settings.pushgateway, "pushgateway:9091")
    managers = [_seen(host, "alertmanager:9093") for host in settings.alertmanagers]
    return replace(
        settings,
        targets=tuple(dict.fromkeys(targets)),
        alertmanagers=tuple(dict.fromkeys(managers)),
        pushgateway=gateway,
    )


def compose_file(settings: Settings, texts: Mapping[str, str]) -> str:
    """Make the Compose file.

    Parameters
    ----------
    settings
        As for a Prometheus on the host.
    texts
        Every other file that was generated, by its path.

    Returns
    -------
    str
        YAML, without the comment that says who wrote it.
    """
    services = {"prometheus": _prometheus(settings, texts)}
    if any(map(is_loopback, settings.alertmanagers)):
        services["alertmanager"] = _alertmanager(texts)
    services["grafana"] = _grafana(settings, texts)
    if settings.pushgateway is not None and is_loopback(settings.pushgateway):
        services["pushgateway"] = _pushgateway(texts)
    if settings.image:
        services["model"] = _model(settings, texts)
    mounts = [mount for service in services.values() for mount in service["volumes"]]
    volumes = [mount.partition(":")[0] for mount in mounts if not mount.startswith("./")]
    secrets = {_PASSWORD, *secrets_in(texts[PROMETHEUS_INSIDE_FILE])}
    if "alertmanager" in services:
        secrets |= set(secrets_in(texts[ALERTMANAGER_FILE]))
    document = {
        "services": services,
        "volumes": {name: {} for name in volumes},
        "secrets": {secret.name: {"file": _literal(secret.host)} for secret in sorted(secrets)},
    }
    return _ABOUT + dump(document)


def _seen(host: str, service: str | None) -> str:
    """Return an address as a container sees it."""
    if not is_loopback(host):
        return host
    port = re.search(r":[0-9]+$", host)
    return service or HOST + (port[0] if port else "")


def _prometheus(settings: Settings, texts: Mapping[str, str]) -> _Service:
    longest = settings.timing.windows[-1].length
    days = max(_LEAST_DAYS, -(-2 * longest // _DAY))
    rules = [name for name in texts if name.startswith("rules/")]
    on_host = any(target.startswith(HOST) for target in inside(settings).targets)
    return {
        **_common("prometheus", texts, [PROMETHEUS_INSIDE_FILE, *rules], port=9090),
        "command": [
            "--config.file=/etc/prometheus/prometheus.yml",
            "--storage.tsdb.path=/prometheus",
            f"--storage.tsdb.retention.time={days}d",
            "--web.external-url=http://localhost:${PROMETHEUS_PORT:-9090}",
        ],
        # Docker on Linux does not know the name by itself.
        **({"extra_hosts": [f"{HOST}:host-gateway"]} if on_host else {}),
        "volumes": [
            f"./{PROMETHEUS_INSIDE_FILE}:/etc/prometheus/prometheus.yml:ro",
            "./rules:/etc/prometheus/rules:ro",
            "prometheus:/prometheus",
        ],
        **_secrets(secrets_in(texts[PROMETHEUS_INSIDE_FILE]), "/etc/prometheus"),
        # The program's own tool: an image may be without a shell and wget.
        **_health("promtool", "check", "ready", "--url=http://127.0.0.1:9090"),
    }


def _alertmanager(texts: Mapping[str, str]) -> _Service:
    templates = [name for name in texts if name.startswith("templates/")]
    return {
        **_common("alertmanager", texts, [ALERTMANAGER_FILE, *templates], port=9093),
        "command": [
            "--config.file=/etc/alertmanager/alertmanager.yml",
            "--storage.path=/alertmanager",
            # It is alone and looks for no others.
            "--cluster.listen-address=",
            "--web.external-url=http://localhost:${ALERTMANAGER_PORT:-9093}",
        ],
        "volumes": [
            f"./{ALERTMANAGER_FILE}:/etc/alertmanager/alertmanager.yml:ro",
            "./templates:/etc/alertmanager/templates:ro",
            "alertmanager:/alertmanager",
        ],
        **_secrets(secrets_in(texts[ALERTMANAGER_FILE]), "/etc/alertmanager"),
        **_health("amtool", "--alertmanager.url=http://127.0.0.1:9093", "cluster", "show"),
    }


def _pushgateway(texts: Mapping[str, str]) -> _Service:
    return {
        **_common("pushgateway", texts, [], port=9091),
        # It shows the last batch until the next comes, also when it was started again.
        "command": ["--persistence.file=/pushgateway/metrics", "--persistence.interval=1m"],
        "volumes": ["pushgateway:/pushgateway"],
        **_health("wget", "-q", "--spider", "http://127.0.0.1:9091/-/ready"),
    }


def _grafana(settings: Settings, texts: Mapping[str, str]) -> _Service:
    # Dashboards are not among them: Grafana reads these again by itself.
    files = [name for name in texts if name.startswith("grafana/provisioning/")]
    return {
        **_common("grafana", texts, files, port=3000),
        "environment": {
            "GF_SECURITY_ADMIN_PASSWORD__FILE": _PASSWORD.path,
            "GF_SERVER_ROOT_URL": _literal(settings.grafana_url),
            "GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH": f"{DEFAULT_PATH}/{OVERVIEW_UID}.json",
            "GF_AUTH_ANONYMOUS_ENABLED": "false",
            "GF_USERS_ALLOW_SIGN_UP": "false",
            # It asks nobody outside, and tells nobody anything.
            "GF_ANALYTICS_REPORTING_ENABLED": "false",
            "GF_ANALYTICS_CHECK_FOR_UPDATES": "false",
            "GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES": "false",
            "GF_NEWS_NEWS_FEED_ENABLED": "false",
            "GF_SECURITY_DISABLE_GRAVATAR": "true",
        },
        "volumes": [
            "./grafana/provisioning:/etc/grafana/provisioning:ro",
            f"./grafana/dashboards:{DEFAULT_PATH}:ro",
            "grafana:/var/lib/grafana",
        ],
        **_secrets([_PASSWORD], "/"),
        **_health("wget", "-q", "--spider", "http://127.0.0.1:3000/api/health"),
    }


def _model(settings: Settings, texts: Mapping[str, str]) -> _Service:
    token = None if settings.token_file is None else Secret(settings.token_file)
    where = None if token is None else f"/run/secrets/{token.name}"
    return {
        **_common("model", texts, [PROFILE_FILE], port=PORT),
        "image": _literal(settings.image or ""),
        "environment": {**environment(token_file=where), "MODELMETER_STORE": STORE},
        "read_only": True,
        "tmpfs": ["/tmp"],  # the container's own
        "volumes": [f"./{PROFILE_FILE}:{PROFILE}:ro", f"model:{DATA}"],
        **({} if token is None else {"secrets": [{"source": token.name, "target": where}]}),
        **_health("python", "-c", _READY if settings.scheme == "http" else _LISTENS),
    }


def _common(name: str, texts: Mapping[str, str], files: Iterable[str], *, port: int) -> _Service:
    """Return what all services have in common."""
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"{file}\0{texts[file]}\0".encode())
    return {
        "image": IMAGES.get(name, ""),
        "restart": "unless-stopped",
        # Compose starts again what looks different: what it reads at its start has changed.
        "labels": {"modelmeter.files": digest.hexdigest()[:16]},
        "ports": [f"${{MODELMETER_BIND:-127.0.0.1}}:${{{name.upper()}_PORT:-{port}}}:{port}"],
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
    }


def _secrets(secrets: Iterable[Secret], directory: str) -> _Service:
    mounts = [{"source": s.name, "target": _literal(s.inside(directory))} for s in secrets]
    return {"secrets": mounts} if mounts else {}


def _health(*command: str) -> _Service:
    test = ["CMD", *map(_literal, command)]
    times = {"interval": "15s", "timeout": "10s", "retries": 5, "start_period": "60s"}
    return {"healthcheck": {"test": test, **times}}


def _literal(text: str) -> str:
    """Return a text in which Compose replaces nothing."""
    return text.replace("$", "$$")

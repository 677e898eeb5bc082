"""A model as a service in a cluster: Deployment, Service, and a place for what waits for labels."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from modelmeter.generate import container
from modelmeter.generate.kubernetes.objects import (
    LABELS,
    MAX_DATA,
    PART_OF,
    TOKEN_KEY,
    TOKEN_SECRET,
    kustomization,
    label_value,
    make,
    service_names,
)
from modelmeter.generate.settings import Settings
from modelmeter.generate.yamlfile import dump
from modelmeter.profile.json import file_text
from modelmeter.profile.profile import Profile

USER: Final = 10001
"""Who runs the container, whoever its image would rather have."""

_TOKEN: Final = "/run/secrets/modelmeter"
_STORE_KEY: Final = "url"


def service_files(profiles: Iterable[Profile], settings: Settings) -> dict[str, str]:
    """Make the services of models.

    Parameters
    ----------
    profiles
        Of every model and version that is served.
    settings
        Image, token and store.

    Returns
    -------
    dict of str to str
        Text by file name, with a ``kustomization.yaml``.
    """
    several = sorted(profiles, key=lambda profile: (profile.name, profile.version))
    names = service_names(several)
    found, generated = {}, []
    for profile in several:
        name = names[profile.name, profile.version]
        text = file_text(profile)
        # A larger one is for the image to bring, which then says where it is.
        fits = len(text.encode()) <= MAX_DATA
        if fits:
            found[f"{name}.profile.json"] = text
            generated.append(
                {"name": f"{name}-profile", "files": [f"profile.json={name}.profile.json"]}
            )
        found[f"{name}-deployment.yaml"] = dump(_deployment(profile, name, settings, fits))
        found[f"{name}-service.yaml"] = dump(_service(profile, name, settings))
        if settings.store_secret is None:
            found[f"{name}-labels.yaml"] = dump(_claim(profile, name))
    resources = [file for file in found if file.endswith(".yaml")]
    # A generated ConfigMap's name has the hash of what is in it: a new profile is rolled out.
    fields = (
        {"configMapGenerator": generated, "generatorOptions": {"labels": LABELS}}
        if generated
        else {}
    )
    return {"kustomization.yaml": kustomization(resources, **fields), **found}


def _selector(name: str) -> dict[str, str]:
    # These can never be changed, so that the version must not be among them.
    return {"app.kubernetes.io/name": "modelmeter-service", "app.kubernetes.io/instance": name}


def _labels(profile: Profile, name: str) -> dict[str, str]:
    version = label_value(profile.version)
    return {**_selector(name), **({"app.kubernetes.io/version": version} if version else {})}


def _service(profile: Profile, name: str, settings: Settings) -> dict[str, Any]:
    port = {"name": "http", "port": container.PORT, "targetPort": "http"}
    if settings.scheme == "https":
        port["appProtocol"] = "https"
    spec = {"selector": _selector(name), "ports": [port]}
    return make("v1", "Service", name, labels=_labels(profile, name), spec=spec)


def _claim(profile: Profile, name: str) -> dict[str, Any]:
    spec = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "1Gi"}},
    }
    return make(
        "v1", "PersistentVolumeClaim", f"{name}-labels", labels=_labels(profile, name), spec=spec
    )


def _deployment(profile: Profile, name: str, settings: Settings, fits: bool) -> dict[str, Any]:
    # A file can be written from one place only: the old one goes before the new one comes.
    alone = settings.store_secret is None
    strategy = (
        {"type": "Recreate"}
        if alone
        else {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}
    )
    pod = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 30,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_container(profile, name, settings, fits)],
        "volumes": _volumes(name, settings, fits),
    }
    labels = _labels(profile, name)
    return make(
        "apps/v1",
        "Deployment",
        name,
        labels=labels,
        annotations={"modelmeter/model": profile.name, "modelmeter/version": profile.version},
        spec={
            "replicas": 1 if alone else 2,
            "strategy": strategy,
            "selector": {"matchLabels": _selector(name)},
            "template": {"metadata": {"labels": {**PART_OF, **labels}}, "spec": pod},
        },
    )


def _container(profile: Profile, name: str, settings: Settings, fits: bool) -> dict[str, Any]:
    with_token = settings.token_file is not None
    variables = container.environment(token_file=f"{_TOKEN}/{TOKEN_KEY}" if with_token else None)
    if not fits:
        del variables["MODELMETER_PROFILE"]
    environment: list[dict[str, Any]] = [{"name": k, "value": v} for k, v in variables.items()]
    if settings.store_secret is None:
        environment.append({"name": "MODELMETER_STORE", "value": container.STORE})
    else:
        key = {"name": settings.store_secret, "key": _STORE_KEY}
        environment.append({"name": "MODELMETER_STORE", "valueFrom": {"secretKeyRef": key}})
    mounts: list[dict[str, Any]] = [{"name": "tmp", "mountPath": "/tmp"}]
    if fits:
        folder = container.PROFILE.rpartition("/")[0]
        mounts.append({"name": "profile", "mountPath": folder, "readOnly": True})
    if settings.store_secret is None:
        mounts.append({"name": "labels", "mountPath": container.DATA})
    if with_token:
        mounts.append({"name": "token", "mountPath": _TOKEN, "readOnly": True})
    return {
        "name": "model",
        "image": settings.image or f"{name}:{label_value(profile.version) or 'latest'}",
        "ports": [{"name": "http", "containerPort": container.PORT}],
        "env": environment,
        "volumeMounts": mounts,
        # A guess: measure yours. There is no limit of processor time, which only adds waiting.
        "resources": {"requests": {"cpu": "250m", "memory": "256Mi"}, "limits": {"memory": "1Gi"}},
        "startupProbe": _probe(container.READY, settings, period=2, failures=60),
        "readinessProbe": _probe(container.READY, settings, period=5, failures=3),
        "livenessProbe": _probe(container.HEALTH, settings, period=10, failures=3),
        # Until everyone knows that it is going, requests still come.
        "lifecycle": {"preStop": {"sleep": {"seconds": 5}}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }


def _volumes(name: str, settings: Settings, fits: bool) -> list[dict[str, Any]]:
    # Workers keep their counts in files under /tmp; these need not outlive the container.
    volumes: list[dict[str, Any]] = [{"name": "tmp", "emptyDir": {}}]
    if fits:
        volumes.append({"name": "profile", "configMap": {"name": f"{name}-profile"}})
    if settings.store_secret is None:
        claim = {"claimName": f"{name}-labels"}
        volumes.append({"name": "labels", "persistentVolumeClaim": claim})
    if settings.token_file is not None:
        volumes.append({"name": "token", "secret": {"secretName": TOKEN_SECRET}})
    return volumes


def _probe(path: str, settings: Settings, *, period: int, failures: int) -> dict[str, Any]:
    get = {"path": path, "port": "http", "scheme": settings.scheme.upper()}
    return {
        "httpGet": get,
        "periodSeconds": period,
        "timeoutSeconds": 3,
        "failureThreshold": failures,
    }

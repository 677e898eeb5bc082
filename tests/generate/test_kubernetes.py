"""Manifests: valid by the published schemas, complete, and named as Kubernetes wants it."""

from __future__ import annotations

import json
import re
from copy import deepcopy
from dataclasses import replace
from pathlib import PurePosixPath

import pytest

from generate.conftest import make_profile
from generate.published import kubernetes_faults
from modelmeter._errors import ConfigurationError
from modelmeter.generate.dashboards.ids import model_uid
from modelmeter.generate.kubernetes import monitoring, service
from modelmeter.generate.kubernetes.monitoring import monitoring_files
from modelmeter.generate.kubernetes.objects import label_value, service_names
from modelmeter.generate.kubernetes.service import service_files
from modelmeter.generate.settings import Settings
from modelmeter.generate.stack import ALERTS_FILE, RULES_FILE, files, generate
from modelmeter.generate.yamlfile import dump, load
from real.kustomize import kustomize

UID = model_uid("flight-delay")
LABEL = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")


def objects(texts):
    """Return every object by kind and name."""
    found = [load(text) for name, text in texts.items() if name.endswith(".yaml")]
    found = [document for document in found if document["kind"] != "Kustomization"]
    named = {(document["kind"], document["metadata"]["name"]): document for document in found}
    assert len(named) == len(found)
    return named


@pytest.fixture(scope="module")
def written(profile):
    """Every file for one model, with the default settings."""
    return files(profile, Settings(kubernetes=True))


@pytest.fixture(scope="module")
def default(written):
    """Every object for one model, with the default settings."""
    return objects({k: text for k, text in written.items() if k.startswith("kubernetes/")})


@pytest.fixture(scope="module")
def replicated(profile):
    """Every object for one model with a token, an image and a PostgreSQL."""
    settings = Settings(
        token_file="t", image="registry.example/m:1", store_secret="labels", job="a $job"
    )
    return objects({**monitoring_files(settings, {}), **service_files([profile], settings)})


def test_all_that_a_cluster_needs_is_there(default):
    """A target, rules, alerts and dashboards; a service with a place for labels."""
    assert set(default) == {
        ("ServiceMonitor", "modelmeter"),
        ("PrometheusRule", "modelmeter"),
        ("PrometheusRule", "modelmeter-alerts"),
        ("ConfigMap", "modelmeter-overview"),
        ("ConfigMap", UID),
        ("Deployment", UID),
        ("Service", UID),
        ("PersistentVolumeClaim", f"{UID}-labels"),
    }


@pytest.mark.parametrize("name", ["default", "replicated"])
def test_every_object_is_valid(name, request):
    """Kubernetes and the Prometheus Operator take it, by their published schemas."""
    for key, document in request.getfixturevalue(name).items():
        assert kubernetes_faults(document) == [], key


@pytest.mark.parametrize(
    ("kind", "path", "value"),
    [
        ("Deployment", ["spec", "template", "spec", "containers", 0, "imagee"], "x"),
        ("Service", ["spec", "ports", 0, "port"], "http"),
        ("ServiceMonitor", ["spec", "endpoints", 0, "interval"], "soon"),
        ("ServiceMonitor", ["spec", "endpoint"], []),
        ("PrometheusRule", ["spec", "groups", 0, "rules", 0, "comment"], "x"),
    ],
)
def test_the_schemas_find_faults(default, kind, path, value):
    """A wrong type, a field that is not known and a duration that is none are faults."""
    document = deepcopy(next(found for (k, _), found in default.items() if k == kind))
    place = document
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    assert str(path[-1]) in " ".join(kubernetes_faults(document))


def test_kustomizations_list_every_file(written):
    """Each lists what is beside it, all of it, once; a profile is generated into a ConfigMap."""
    found = [name.removeprefix("kubernetes/") for name in written if name.startswith("kubernetes/")]
    for folder in ("", "monitoring/", "service/"):
        kustomization = load(written[f"kubernetes/{folder}kustomization.yaml"])
        assert kustomization["apiVersion"] == "kustomize.config.k8s.io/v1beta1"
        listed = list(kustomization["resources"])
        for generator in kustomization.get("configMapGenerator", ()):
            listed += [file.partition("=")[2] for file in generator["files"]]
        beside = {
            name.removeprefix(folder).split("/")[0]
            for name in found
            if name.startswith(folder) and name != f"{folder}kustomization.yaml"
        }
        assert sorted(listed) == sorted(beside)


@pytest.mark.parametrize("name", ["default", "replicated"])
def test_what_a_pod_refers_to_exists(name, request, written):
    """Volumes are declared and come from objects of the base, or from documented Secrets."""
    found = request.getfixturevalue(name)
    pod = found["Deployment", UID]["spec"]["template"]["spec"]
    container = pod["containers"][0]
    volumes = {volume.pop("name"): volume for volume in deepcopy(pod["volumes"])}
    assert {mount["name"] for mount in container["volumeMounts"]} == set(volumes)
    assert volumes["profile"] == {"configMap": {"name": f"{UID}-profile"}}
    generated = load(written["kubernetes/service/kustomization.yaml"])["configMapGenerator"]
    assert [generator["name"] for generator in generated] == [f"{UID}-profile"]
    store = {env["name"]: env for env in container["env"]}["MODELMETER_STORE"]
    if name == "replicated":
        assert volumes["token"] == {"secret": {"secretName": "modelmeter-metrics"}}
        assert store["valueFrom"] == {"secretKeyRef": {"name": "labels", "key": "url"}}
        assert "labels" not in volumes
    else:
        claim = volumes["labels"]["persistentVolumeClaim"]["claimName"]
        assert ("PersistentVolumeClaim", claim) in found
        assert store["value"].startswith(
            next(m["mountPath"] for m in container["volumeMounts"] if m["name"] == "labels")
        )


def test_a_file_of_labels_is_written_from_one_place(default, replicated):
    """One replica that goes before the next comes; with a PostgreSQL several, and no gap."""
    spec = default["Deployment", UID]["spec"]
    assert (spec["replicas"], spec["strategy"]["type"]) == (1, "Recreate")
    spec = replicated["Deployment", UID]["spec"]
    assert (spec["replicas"], spec["strategy"]["rollingUpdate"]["maxUnavailable"]) == (2, 0)
    assert not [key for key in replicated if key[0] == "PersistentVolumeClaim"]


def test_a_service_may_do_nothing_that_it_need_not(default):
    """It passes the restricted pod security standard, and can write to its volumes only."""
    pod = default["Deployment", UID]["spec"]["template"]["spec"]
    container = pod["containers"][0]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] > 0
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    writable = {m["mountPath"] for m in container["volumeMounts"] if not m.get("readOnly")}
    assert writable == {"/tmp", "/var/lib/modelmeter"}


def test_prometheus_finds_the_service(default, replicated):
    """The ServiceMonitor selects the Service, by a port that it has, and gives it our job."""
    for found, job in ((default, "modelmeter"), (replicated, "a $$job")):
        spec = found["ServiceMonitor", "modelmeter"]["spec"]
        target = found["Service", UID]
        assert spec["selector"]["matchLabels"].items() <= target["metadata"]["labels"].items()
        endpoint = spec["endpoints"][0]
        assert endpoint["port"] in {port["name"] for port in target["spec"]["ports"]}
        assert endpoint["relabelings"] == [{"targetLabel": "job", "replacement": job}]
        pod = found["Deployment", UID]["spec"]["template"]["metadata"]["labels"]
        assert target["spec"]["selector"].items() <= pod.items()
        assert found["Deployment", UID]["spec"]["selector"]["matchLabels"].items() <= pod.items()
    credentials = endpoint["authorization"]["credentials"]
    assert credentials == {"name": "modelmeter-metrics", "key": "token"}
    assert "authorization" not in default["ServiceMonitor", "modelmeter"]["spec"]["endpoints"][0]


def test_rules_and_dashboards_are_those_of_the_files(written, default):
    """Not a character of a rule, an annotation or a dashboard is changed on the way."""
    for name, path in (("modelmeter", RULES_FILE), ("modelmeter-alerts", ALERTS_FILE)):
        assert default["PrometheusRule", name]["spec"] == load(written[path])
    for uid in ("modelmeter-overview", UID):
        found = default["ConfigMap", uid]
        assert found["data"] == {f"{uid}.json": written[f"grafana/dashboards/{uid}.json"]}
        assert found["metadata"]["labels"]["grafana_dashboard"] == "1"


@pytest.mark.parametrize("folder", ["monitoring", "service"])
def test_kustomize_builds_what_is_written(folder, profile, default, tmp_path):
    """The real kustomize reads every value as it was, and adds the hash to the profile's name.

    Not the folder above: what Debian 12 packages cannot yet list folders among resources.
    """
    generate(profile, tmp_path, kubernetes=True)
    built = kustomize(tmp_path / "kubernetes" / folder)
    assert [fault for document in built for fault in kubernetes_faults(document)] == []
    profiles = [d for d in built if d["metadata"]["name"].startswith(f"{UID}-profile-")]
    if folder == "service":
        text = (tmp_path / "kubernetes/service" / f"{UID}.profile.json").read_text()
        assert profiles[0]["data"] == {"profile.json": text}
    for document in (d for d in built if d not in profiles):
        expected = deepcopy(default[document["kind"], document["metadata"]["name"]])
        if document["kind"] == "Deployment":
            volumes = expected["spec"]["template"]["spec"]["volumes"]
            for volume in (v for v in volumes if v["name"] == "profile"):
                volume["configMap"]["name"] = profiles[0]["metadata"]["name"]
        assert document == expected


def test_a_new_version_replaces_the_old_one(profile):
    """The same names, so that its labels are found; the selector does not change."""
    profiles = (profile, make_profile("2"))
    old, new = (objects(service_files([profile], Settings())) for profile in profiles)
    assert set(old) == set(new)
    selectors = [found["Deployment", UID]["spec"]["selector"] for found in (old, new)]
    assert selectors[0] == selectors[1]
    image = new["Deployment", UID]["spec"]["template"]["spec"]["containers"][0]["image"]
    assert image == f"{UID}:2"


def test_versions_side_by_side_are_apart(profile):
    """Each has a service of its own, and none selects the pods of another."""
    found = objects(service_files([profile, make_profile("2")], Settings()))
    deployments = [document for (kind, _), document in found.items() if kind == "Deployment"]
    selectors = [document["spec"]["selector"]["matchLabels"] for document in deployments]
    assert len(deployments) == 2
    assert selectors[0] != selectors[1]


@pytest.mark.parametrize("name", ["x", "9 lives", "航班/延误", "A" * 300, "-._", "a\nb"])
def test_any_name_makes_valid_names_and_labels(profile, name):
    """Models and versions may be called anything: names are DNS labels, label values short."""
    odd = [replace(profile, name=name, version=version) for version in (name, "1.0+git/é", "")]
    assert len(set(service_names(odd).values())) == 3
    for profiles in (odd, odd[:1]):
        for (_, found), document in objects(service_files(profiles, Settings())).items():
            assert LABEL.fullmatch(found)
            assert all(VALUE.fullmatch(v) for v in document["metadata"]["labels"].values())
            assert kubernetes_faults(document) == []


def test_label_values_keep_what_they_can():
    """A version stays readable."""
    assert label_value("2026.11+git/abc_") == "2026.11-git-abc"
    assert len(label_value("1" * 100)) == 63


def test_large_rule_files_are_split_between_groups(monkeypatch, default):
    """What the operator would refuse becomes several objects, in the order of the groups."""
    groups = default["PrometheusRule", "modelmeter"]["spec"]["groups"]
    largest = max(len(dump(group).encode()) for group in groups)
    monkeypatch.setattr(monitoring, "MAX_RULES", largest)
    text = dump({"groups": groups})
    found = monitoring_files(Settings(), {RULES_FILE: text})
    names = [name for name in found if name.startswith("prometheusrule-")]
    assert names[:2] == ["prometheusrule-modelmeter.yaml", "prometheusrule-modelmeter-2.yaml"]
    parts = [load(found[name])["spec"]["groups"] for name in names]
    assert [group for part in parts for group in part] == groups
    monkeypatch.setattr(monitoring, "MAX_RULES", largest - 1)
    with pytest.raises(ConfigurationError, match="the rule group"):
        monitoring_files(Settings(), {RULES_FILE: text})


def test_large_dashboards_lose_their_spaces_or_are_refused(monkeypatch):
    """A dashboard that a ConfigMap cannot hold as it is written is written without spaces."""
    board = {"uid": "u", "panels": list(range(100))}
    texts = {"grafana/dashboards/u.json": json.dumps(board, indent=2) + "\n"}
    short = len(json.dumps(board, separators=(",", ":"))) + 1
    monkeypatch.setattr(monitoring, "MAX_DATA", short)
    data = load(monitoring_files(Settings(), texts)["dashboard-u.yaml"])["data"]
    assert (len(data["u.json"]), json.loads(data["u.json"])) == (short, board)
    monkeypatch.setattr(monitoring, "MAX_DATA", short - 1)
    with pytest.raises(ConfigurationError, match="the dashboard u takes"):
        monitoring_files(Settings(), texts)


def test_a_profile_that_does_not_fit_is_left_to_the_image(monkeypatch, profile):
    """Then it is neither mounted nor named: the image brings it and says where it is."""
    monkeypatch.setattr(service, "MAX_DATA", 10)
    found = service_files([profile], Settings())
    assert "configMapGenerator" not in load(found["kustomization.yaml"])
    pod = load(found[f"{UID}-deployment.yaml"])["spec"]["template"]["spec"]
    assert "profile" not in {volume["name"] for volume in pod["volumes"]}
    assert "MODELMETER_PROFILE" not in {env["name"] for env in pod["containers"][0]["env"]}


def test_generating_again_gives_the_same_bytes(profile, tmp_path):
    """Nor does the order of the profiles matter, and files of one's own stay."""
    other = make_profile("2")
    first = {
        path: path.read_bytes() for path in generate([profile, other], tmp_path, kubernetes=True)
    }
    mine = tmp_path / "kubernetes" / "overlay" / "kustomization.yaml"
    mine.parent.mkdir()
    mine.write_text("mine")
    again = generate([other, profile], tmp_path, kubernetes=True)
    assert {path: path.read_bytes() for path in again} == first
    assert mine.read_text() == "mine"
    folders = {PurePosixPath(path.relative_to(tmp_path)).parts[0] for path in again}
    assert "kubernetes" in folders


@pytest.mark.parametrize("name", ["", "A", "a b", "-a", "a-"])
def test_names_of_secrets_that_cannot_be_are_refused(name):
    """The error names the setting."""
    with pytest.raises(ConfigurationError, match="store_secret must be"):
        Settings(store_secret=name)

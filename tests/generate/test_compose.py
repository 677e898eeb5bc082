"""The Compose file: valid, closed to the outside, and started again when something changed."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

import pytest

from generate.conftest import make_profile
from generate.published import compose_faults
from modelmeter._errors import ConfigurationError
from modelmeter.generate.compose import (
    COMPOSE_FILE,
    IMAGES,
    PROFILE_FILE,
    PROMETHEUS_INSIDE_FILE,
    inside,
)
from modelmeter.generate.hosts import is_loopback
from modelmeter.generate.notify import Notify
from modelmeter.generate.settings import Settings
from modelmeter.generate.stack import PROMETHEUS_FILE, files, generate
from modelmeter.generate.yamlfile import load
from real.prometheus import promtool

EVERYTHING = {
    "image": "registry.example/$model:1",
    "token_file": "/run/secrets/metrics-token",
    "batch_every": "24h",
    "pushgateway": "localhost:9091",
    "notify": Notify.of(
        {
            "slack": {"team": {"api_url_file": "/run/secrets/slack-url", "channel": "#ml"}},
            "webhook": {"desk": {"url_file": "/etc/keys/desk"}},
        }
    ),
}


def compose(profile, **options):
    return load(files(profile, Settings(**options))[COMPOSE_FILE])


@pytest.fixture(scope="module")
def everything(profile):
    """Every file, with all that a Compose file can hold."""
    return files(profile, Settings(**EVERYTHING))


@pytest.mark.parametrize(
    "options",
    [{}, EVERYTHING, {"alertmanagers": []}, {"targets": ["a:1"], "windows": ["1h", "90d"]}],
)
def test_the_compose_file_is_valid(profile, options):
    """It follows the published schema of the Compose Specification."""
    assert compose_faults(compose(profile, **options)) == []


def test_the_schema_finds_faults(profile):
    """A field that the specification does not know, or a wrong type, is a fault."""
    document = compose(profile)
    document["services"]["grafana"] |= {"imagee": "x", "restart": 1}
    faults = " ".join(compose_faults(document))
    assert "imagee" in faults
    assert "restart" in faults


def test_everything_that_is_mounted_is_there(everything):
    """Mounted files and folders are generated, read-only; volumes and secrets are declared."""
    document = load(everything[COMPOSE_FILE])
    folders = {str(parent) for name in everything for parent in PurePosixPath(name).parents}
    volumes, secrets = set(), set()
    for service in document["services"].values():
        for mount in service["volumes"]:
            source, _, target = mount.partition(":")
            if source.startswith("./"):
                assert source[2:] in {*everything, *folders}, source
                assert target.endswith(":ro")
            else:
                volumes.add(source)
        secrets |= {secret["source"] for secret in service.get("secrets", ())}
    assert volumes == set(document["volumes"]) == {*IMAGES, "model"}
    assert secrets == set(document["secrets"])
    assert {"./secrets/metrics-token", "./secrets/slack-url", "/etc/keys/desk"} < {
        secret["file"] for secret in document["secrets"].values()
    }


def test_nobody_outside_gets_in(everything):
    """Ports are those of this machine only, nobody sees Grafana unknown, no password is written."""
    document = load(everything[COMPOSE_FILE])
    for name, service in document["services"].items():
        assert all(port.startswith("${MODELMETER_BIND:-127.0.0.1}:") for port in service["ports"])
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
    grafana = document["services"]["grafana"]["environment"]
    assert grafana["GF_AUTH_ANONYMOUS_ENABLED"] == "false"
    assert grafana["GF_SECURITY_ADMIN_PASSWORD__FILE"] == "/run/secrets/grafana-admin-password"
    assert not [name for name in grafana if name.endswith("PASSWORD")]


def test_every_service_is_pinned_restarted_and_asked_how_it_is(everything):
    """Images have exact versions; services start again and are asked for their health."""
    services = load(everything[COMPOSE_FILE])["services"]
    assert all(re.fullmatch(r"[a-z/]+:v?\d+\.\d+\.\d+", image) for image in IMAGES.values())
    assert {name: services[name]["image"] for name in IMAGES} == IMAGES
    for service in services.values():
        assert service["restart"] == "unless-stopped"
        assert service["healthcheck"]["test"][0] == "CMD"


@pytest.mark.parametrize(
    ("options", "targets"),
    [
        ({}, ["host.docker.internal:5000"]),
        ({"targets": ["127.0.0.1:1", "[::1]:1", "api:2"]}, ["host.docker.internal:1", "api:2"]),
        ({"image": "x"}, ["model:5000"]),
        ({"image": "x", "targets": ["localhost:5001", "api:2"]}, ["model:5000", "api:2"]),
        ({"image": "x", "targets": ["api:2"]}, ["model:5000", "api:2"]),
    ],
)
def test_localhost_is_the_host_or_the_service(profile, options, targets):
    """What is localhost outside is, for a container, the host or the service that stands for it."""
    written = files(profile, Settings(**options))
    config = load(written[PROMETHEUS_INSIDE_FILE])
    assert config["scrape_configs"][0]["static_configs"] == [{"targets": targets}]
    service = load(written[COMPOSE_FILE])["services"]["prometheus"]
    assert ("extra_hosts" in service) == any("host.docker" in target for target in targets)
    assert {is_loopback(target) for target in targets} == {False}


def test_only_addresses_differ_inside(profile):
    """The Prometheus in a container reads the same as one outside, but for the addresses."""
    written = files(profile, Settings())
    changed = written[PROMETHEUS_FILE].replace("localhost:9093", "alertmanager:9093")
    assert (
        changed.replace("localhost:5000", "host.docker.internal:5000")
        == (written[PROMETHEUS_INSIDE_FILE])
    )


def test_an_alertmanager_that_is_elsewhere_is_not_run(profile):
    """There is a service only for what is called localhost; other addresses stay."""
    services = compose(profile, alertmanagers=["alerts.example:9093"])["services"]
    assert list(services) == ["prometheus", "grafana"]
    assert inside(Settings(alertmanagers=["a.example:1"])).alertmanagers == ("a.example:1",)
    assert list(compose(profile, alertmanagers=[])["services"]) == ["prometheus", "grafana"]


def test_prometheus_accepts_the_configuration_inside(profile, tmp_path):
    """Promtool finds no fault with it, in the folder where the Compose file is."""
    (tmp_path / "token").write_text("secret")
    generate(profile, tmp_path, token_file="token")
    promtool("check", "config", tmp_path / PROMETHEUS_INSIDE_FILE)


def test_the_service_is_told_what_it_needs(everything, profile, tmp_path):
    """The model's container has its profile, a place for labels and the token, by environment."""
    document = load(everything[COMPOSE_FILE])
    model = document["services"]["model"]
    assert model["image"] == "registry.example/$$model:1"  # $$ is a dollar sign for Compose
    assert model["environment"] == {
        "MODELMETER_HOST": "0.0.0.0",
        "MODELMETER_PORT": "5000",
        "MODELMETER_WORKERS": "1",
        "MODELMETER_PROFILE": "/etc/modelmeter/profile.json",
        "MODELMETER_TOKEN_FILE": "/run/secrets/metrics-token",
        "MODELMETER_STORE": "/var/lib/modelmeter/labels.db",
    }
    assert model["read_only"] is True
    profile.save(tmp_path / "profile.json")
    assert everything[PROFILE_FILE] == (tmp_path / "profile.json").read_text()
    assert "model" not in compose(profile)["services"]


def test_services_start_again_when_their_files_change(profile):
    """The label of a service changes with the files that it reads at its start, and only then."""

    def labels(**options):
        services = compose(profile, **options)["services"]
        return {name: service["labels"]["modelmeter.files"] for name, service in services.items()}

    before = labels()
    assert labels() == before
    changed = labels(targets=["api:5000"])
    assert {name for name in before if changed[name] != before[name]} == {"prometheus"}
    notify = Notify.of({"webhook": {"desk": {"url": "http://desk.example"}}})
    changed = labels(notify=notify)
    assert {name for name in before if changed[name] != before[name]} == {"alertmanager"}


@pytest.mark.parametrize(("windows", "days"), [(("1h", "24h"), 30), (("1h", "30d"), 60)])
def test_prometheus_remembers_longer_than_it_looks_back(profile, windows, days):
    """It keeps a month, or twice the longest window."""
    command = compose(profile, windows=windows)["services"]["prometheus"]["command"]
    assert f"--storage.tsdb.retention.time={days}d" in command


def test_one_image_is_one_model(profile):
    """An image for several profiles is refused: each needs its own."""
    with pytest.raises(ConfigurationError, match="image is that of one service"):
        files([profile, make_profile("2")], Settings(image="x"))


@pytest.mark.parametrize("image", ["", "a b", "two\nlines", 5])
def test_images_that_cannot_be_are_refused(image):
    """The error names the setting."""
    with pytest.raises(ConfigurationError, match="image must be"):
        Settings(image=image)

"""What a service says at /metrics: the same findings as from within."""

from __future__ import annotations

from dataclasses import replace

import pytest

from modelmeter import names
from modelmeter._errors import ConfigurationError, SourceUnavailableError
from modelmeter.live.counts import Counts, merged
from modelmeter.live.exposition import render
from modelmeter.live.reference import export_reference
from modelmeter.report.counts import observed as observed_of
from modelmeter.report.judging import judge_window
from modelmeter.report.scraped import fetch, metrics_url, observe_url, parse, scrape
from modelmeter.report.summary import summarise
from real.replica import Replica
from real.web import free_port
from report import example


@pytest.fixture(scope="module")
def exposition(profile):
    """The example's families as a service exports them, with the reference beside them."""
    reference = Counts()
    export_reference(profile, reference)
    own = {one.metric.name for one in example.make_families(profile)}
    counts = Counts()
    everything = [*example.make_families(profile), *merged([reference])]
    seen = set()
    for family in everything:
        if family.metric.name in seen or not len(family.rows):
            continue
        seen.add(family.metric.name)
        counts.block(family.metric, family.rows).values[:] = family.values
    assert own <= seen
    return render([counts])


@pytest.fixture
def service(exposition):
    """A service that answers scrapes."""
    replica = Replica(lambda: exposition)
    yield f"http://{replica.target}"
    replica.stop()


def comparable(findings):
    """Return findings without what says where and when they are from."""
    return {k: v for k, v in findings.items() if k not in ("created", "source", "window")}


def test_a_scrape_gives_the_findings_of_the_process(profile, observed, exposition):
    """From the text of /metrics follow the very findings that follow from the counts."""
    found = observed_of(profile, parse(exposition.decode()), kind="process")
    found = replace(found, since=observed.since, until=observed.until)
    assert comparable(summarise(profile, found)) == comparable(summarise(profile, observed))


def test_a_service_is_asked_by_its_url(profile, service):
    """A URL without a path means /metrics; the window is the life of the oldest worker."""
    found = observe_url(scrape(service), service, profile=profile)[1]
    assert (found.kind, found.where) == ("url", f"{service}/metrics")
    assert found.since == example.SINCE
    assert found.seconds > 86_400


def test_without_a_profile_the_metrics_tell_it(profile, service, observed):
    """Drift and rates need no profile: training's counts are exported beside the live ones."""
    remembered, found = observe_url(scrape(service), service)
    found = replace(found, since=observed.since, until=observed.until)
    judging = judge_window(86_400)
    findings = summarise(remembered, found, judging=judging)
    known = summarise(profile, observed, judging=judging)
    assert findings["judging"] == known["judging"]
    parts = {part["name"]: part for part in findings["features"] + findings["predictions"]}
    for part in known["features"] + known["predictions"]:
        mine = parts[part["name"]]
        assert mine["rates"] == part["rates"]
        assert mine["bins"] == part["bins"]
        for name in ("state", "psi_excess", "z", "threshold", "ks"):
            assert mine["drift"][name] == part["drift"][name], (part["name"], name)
        assert mine["drift"]["wasserstein"] == pytest.approx(part["drift"]["wasserstein"])
    assert findings["model"]["profile_hash"] == profile.hash
    realised = {
        (m["metric"], m["class"]): m["realised"]["value"]
        for m in findings["performance"]["metrics"]
        if m["realised"]
    }
    main = next(m for m in known["performance"]["metrics"] if m["metric"] == "accuracy")
    assert realised["accuracy", None] == pytest.approx(main["realised"]["value"])


def test_other_models_are_named(profile, service):
    """A service without this model says which it has; without a profile one must be meant."""
    other = replace(profile, version="8")
    with pytest.raises(ConfigurationError, match=r"nothing of flight-delay/8, but of flight-del"):
        observe_url(scrape(service), service, profile=other)
    with pytest.raises(ConfigurationError, match="which model is 'x'"):
        observe_url(scrape(service), service, model="x")
    with pytest.raises(ConfigurationError, match="there is no model"):
        observe_url([], service)


def test_a_service_that_does_not_answer_is_said():
    """Nobody there, and something else there, are one line that names the URL, never a password."""
    url = f"http://me:secret@127.0.0.1:{free_port()}"
    with pytest.raises(SourceUnavailableError, match="does not answer") as caught:
        scrape(url)
    assert "secret" not in str(caught.value)
    replica = Replica(lambda: b"<html>hello</html>")
    try:
        with pytest.raises(SourceUnavailableError, match="answers no metrics"):
            scrape(f"http://{replica.target}")
    finally:
        replica.stop()
    for wrong in ("localhost:8000", "file:///etc/passwd"):
        with pytest.raises(ConfigurationError, match="begins with http://"):
            metrics_url(wrong)


def test_a_password_in_the_url_is_sent(service):
    """User and password of a URL become a header, and the host is called without them."""
    assert fetch(service.replace("http://", "http://me:secret@")).startswith(b"# HELP")


def test_metrics_of_others_are_passed_over():
    """Families that are not ours, and buckets that we do not know, do no harm."""
    name = names.PREDICTION_SECONDS.name
    text = (
        "# TYPE other gauge\nother 1\n"
        f'# TYPE {name} histogram\n{name}_bucket{{model="m",version="1",le="0.7"}} 3\n'
        f'{name}_bucket{{model="m",version="1",le="+Inf"}} 3\n'
        f'{name}_sum{{model="m",version="1"}} 1\n'
    )
    [family] = parse(text)
    assert family.rows == (("m", "1"),)
    assert family.values[0, -2:].tolist() == [3.0, 1.0]

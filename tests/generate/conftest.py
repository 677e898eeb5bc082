"""Profiles small enough to read, made without a model."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from modelmeter.profile.profile import QUANTILES, FeatureProfile, ModelFacts, Profile
from modelmeter.stats.bins import CategoricalBins, NumericBins
from modelmeter.stats.edges import quantile_edges, score_edges


def numeric(name, values, edges):
    bins = NumericBins(edges)
    present = values[~np.isnan(values)]
    middles = [(low + high) / 2 for low, high in pairwise(edges)]
    return FeatureProfile(
        name,
        "float64",
        "numeric",
        bins,
        tuple(map(int, bins.count(values))),
        centers=(edges[0], *middles, edges[-1]),
        min=float(present.min()),
        max=float(present.max()),
        mean=float(present.mean()),
        std=float(present.std()),
        quantiles=tuple(map(float, np.quantile(present, QUANTILES))),
    )


def categorical(name, values, categories):
    bins = CategoricalBins(categories, "str")
    return FeatureProfile(name, "str", "categorical", bins, tuple(map(int, bins.count(values))))


def make_profile(version="1"):
    """A model of three features and two outputs; no bin layout is like another."""
    random = np.random.default_rng(0)
    temperature = random.normal(10, 5, 3000)
    pressure = np.where(random.random(3000) < 0.02, np.nan, random.normal(1013, 9, 3000))
    scores = random.beta(2, 5, 3000)
    return Profile(
        name="flight-delay",
        version=version,
        model=ModelFacts("sklearn.Pipeline", "binary", ("no", "yes"), "predict_proba", 0.5),
        features=(
            numeric("temperature", temperature, quantile_edges(temperature, 12)),
            numeric("pressure", pressure, quantile_edges(pressure[~np.isnan(pressure)], 4)),
            categorical("destination", random.choice(["LAX", "ORD", "ATL"], 3000), ("LAX", "ORD")),
        ),
        predictions=(
            categorical("y_pred", np.where(scores > 0.5, "yes", "no"), ("no", "yes")),
            numeric("y_score", scores, score_edges(0.5, 5)),
        ),
        rows=3000,
    )


@pytest.fixture(scope="session")
def profile():
    """The profile of version 1."""
    return make_profile()

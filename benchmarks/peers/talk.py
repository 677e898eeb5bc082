"""Counting transformers as people write them in talks: a metric per column, cell by cell.

Our reconstruction of what issue 6 calls "the talk's transformers": a step of a pipeline that
passes its input on, with a histogram of every number and a counter of every text.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram
from sklearn.base import BaseEstimator, TransformerMixin


class CountingStep(TransformerMixin, BaseEstimator):
    """Counts every cell of a frame, and passes it on."""

    def fit(self, X, y=None):
        """Make the metrics, with buckets from the training data."""
        registry = CollectorRegistry()
        self.histograms_, self.counters_ = {}, {}
        for name in X.columns:
            if X[name].dtype.kind == "f":
                buckets = sorted(set(X[name].quantile([i / 12 for i in range(1, 12)])))
                self.histograms_[name] = Histogram(
                    f"{name}_value", "Values.", buckets=buckets, registry=registry
                )
            else:
                self.counters_[name] = Counter(
                    f"{name}_value", "Values.", ["value"], registry=registry
                )
        return self

    def transform(self, X):
        """Count every cell."""
        for name, histogram in self.histograms_.items():
            for value in X[name]:
                histogram.observe(value)
        for name, counter in self.counters_.items():
            for value in X[name]:
                counter.labels(value).inc()
        return X

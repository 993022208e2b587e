"""What kube-proxy's /metrics says at one moment."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from prometheus_client.parser import text_string_to_metric_families

from conformance.kube_proxy.process.told import METRICS, told
from conformance.vocabulary import Node

PREFIX = "kubeproxy_"
"""How the names of kube-proxy's own metrics begin."""


class Sample(NamedTuple):
    """One number of a metric: of a histogram there are several names."""

    name: str
    labels: frozenset[tuple[str, str]]


@dataclass(frozen=True)
class Scrape:
    """All metrics at one moment."""

    types: Mapping[str, str]
    """The type of each metric."""
    values: Mapping[Sample, float]

    def __call__(self, name: str, **labels: str) -> float:
        """The sum of all samples of that name, without ``PREFIX``, that have these labels; 0 where
        there is none.
        """
        wanted = labels.items()
        return sum(
            value
            for sample, value in self.values.items()
            if sample.name == PREFIX + name and wanted <= set(sample.labels)
        )

    def labels(self, metric: str) -> frozenset[str]:
        """The names of the labels that a metric's samples have, without a histogram's own."""
        return frozenset(
            name
            for sample in self.values
            if sample.name.removesuffix("_count") == metric
            for name, _ in sample.labels
        )

    def families(self) -> dict[str, frozenset[str]]:
        """The families that samples of kube-proxy's own metrics are told of, by their name."""
        labelled = [
            (sample.name, value)
            for sample in self.values
            for label, value in sample.labels
            if label == "ip_family" and sample.name.startswith(PREFIX)
        ]
        return {
            name: frozenset(value for other, value in labelled if other == name)
            for name, _ in labelled
        }

    @property
    def written(self) -> bool:
        """Whether the last sync ended after kube-proxy had heard of the last change, in each family
        that it tells of.
        """
        queued = {
            sample: value
            for sample, value in self.values.items()
            if sample.name == f"{PREFIX}sync_proxy_rules_last_queued_timestamp_seconds"
        }
        done = f"{PREFIX}sync_proxy_rules_last_timestamp_seconds"
        return bool(queued) and all(
            self.values.get(sample._replace(name=done), -math.inf) >= value
            for sample, value in queued.items()
        )

    def cumulative(self) -> dict[Sample, float]:
        """What can only grow: counters, and the counts of histograms."""
        counters = {name for name, kind in self.types.items() if kind == "counter"}
        histograms = {name for name, kind in self.types.items() if kind == "histogram"}
        counts = {f"{name}_{part}" for name in histograms for part in ("count", "bucket")}
        return {
            each: value for each, value in self.values.items() if each.name in counters | counts
        }


def scrape(node: Node) -> Scrape:
    """What the kube-proxy of a node says now."""
    types: dict[str, str] = {}
    values: dict[Sample, float] = {}
    for metric in text_string_to_metric_families(told(node, METRICS, "/metrics").body):
        # the parser takes the ending off a counter's name
        counted = metric.type == "counter" and any(
            each.name == f"{metric.name}_total" for each in metric.samples
        )
        types[f"{metric.name}_total" if counted else metric.name] = metric.type
        for each in metric.samples:
            values[Sample(each.name, frozenset(each.labels.items()))] = each.value
    return Scrape(types, values)

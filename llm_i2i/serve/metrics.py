"""Counts and times for Prometheus."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from llm_i2i.serve.publications import Publications

if TYPE_CHECKING:
    from llm_i2i.serve.merge import Recommendation

BUCKETS = (.0005, .001, .002, .003, .005, .0075, .01, .02, .05, .1, .25, 1.0)  # fmt: skip


class Metrics:
    """The metrics of one service."""

    def __init__(self, publications: Publications) -> None:
        from prometheus_client import (
            GC_COLLECTOR,
            PLATFORM_COLLECTOR,
            PROCESS_COLLECTOR,
            CollectorRegistry,
            Counter,
            Histogram,
        )

        self.registry = CollectorRegistry()
        for collector in (GC_COLLECTOR, PLATFORM_COLLECTOR, PROCESS_COLLECTOR):
            self.registry.register(collector)
        self.registry.register(_Publications(publications))
        self._requests = Counter(
            "llmi2i_requests", "Requests answered.", ("route", "status"), registry=self.registry
        )
        self._seconds = Histogram(
            "llmi2i_request_seconds",
            "Time from a request's head to its answer.",
            ("route",),
            buckets=BUCKETS,
            registry=self.registry,
        )
        self._queries = Counter(
            "llmi2i_queries",
            "Histories answered, by what answered: the index, or popular items and why.",
            ("answered_by",),
            registry=self.registry,
        )
        self._unknown = Counter(
            "llmi2i_unknown_items",
            "Items of histories that the index did not know.",
            registry=self.registry,
        )

    def request(self, route: str, status: int, seconds: float) -> None:
        self._requests.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def query(self, answer: Recommendation) -> None:
        self._queries.labels(answer.fallback or "index").inc()
        if answer.unknown:
            self._unknown.inc(len(answer.unknown))

    def text(self) -> tuple[bytes, str]:
        """The exposition, and its content type."""
        from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

        return generate_latest(self.registry), CONTENT_TYPE_LATEST


class _Publications:
    """What is served, read when somebody asks."""

    def __init__(self, publications: Publications) -> None:
        self._publications = publications

    def collect(self) -> Iterator[Any]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily

        now, index = self._publications, self._publications.served
        yield InfoMetricFamily(
            "llmi2i_index",
            "The version that is served.",
            {"environment": now.environment.name, "version": index.version},
        )
        yield GaugeMetricFamily("llmi2i_index_items", "Items of the version.", index.n_items)
        yield GaugeMetricFamily("llmi2i_index_pairs", "Pairs of the version.", index.n_pairs)
        yield GaugeMetricFamily(
            "llmi2i_index_age_seconds",
            "Since the version is served.",
            time.time() - now.served_since,
        )
        yield GaugeMetricFamily(
            "llmi2i_publication_refused",
            "1 while a newer publication is not served.",
            float(bool(now.refused)),
        )
        outcomes = CounterMetricFamily(
            "llmi2i_publications", "Publications met, by outcome.", labels=["outcome"]
        )
        for outcome, count in now.outcomes.items():
            outcomes.add_metric([outcome], count)
        yield outcomes

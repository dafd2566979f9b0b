"""Counts and times, in the text format of Prometheus (prometheus.io/docs/instrumenting/exposition_formats).

The format is small; prometheus_client brings web servers and a URL opener with it, 1.4 MB of the service's memory.
"""

from __future__ import annotations

import itertools
import os
import time
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from llm_i2i.serve.publications import Publications

if TYPE_CHECKING:
    from llm_i2i.serve.merge import Recommendation

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
BUCKETS = (.0005, .001, .002, .003, .005, .0075, .01, .02, .05, .1, .25, 1.0)  # fmt: skip
PROC = Path("/proc/self")
Sample = tuple[str, dict[str, str], float]  # what follows the family's name; labels; value


class Metrics:
    """The metrics of one service. Only the thread of the event loop counts, so nothing is locked."""

    def __init__(self, publications: Publications) -> None:
        self._publications = publications
        self._started = time.time()
        self._requests = Counter[tuple[str, int]]()
        self._seconds = defaultdict[str, _Histogram](_Histogram)
        self._queries = Counter[str]()
        self._unknown = 0

    def request(self, route: str, status: int, seconds: float) -> None:
        self._requests[route, status] += 1
        self._seconds[route].observe(seconds)

    def query(self, answer: Recommendation) -> None:
        self._queries[answer.fallback or "index"] += 1
        self._unknown += len(answer.unknown)

    def text(self) -> str:
        """The exposition."""
        return "".join(itertools.chain(self._of_requests(), self._of_index(), self._of_process()))

    def _of_requests(self) -> Iterator[str]:
        yield _family(
            "llmi2i_requests_total",
            "counter",
            "Requests answered.",
            (
                ("", {"route": route, "status": str(status)}, count)
                for (route, status), count in self._requests.items()
            ),
        )
        yield _family(
            "llmi2i_request_seconds",
            "histogram",
            "Time from a request's head to its answer.",
            (
                (suffix, {"route": route, **labels}, value)
                for route, histogram in self._seconds.items()
                for suffix, labels, value in histogram.samples()
            ),
        )
        yield _family(
            "llmi2i_queries_total",
            "counter",
            "Histories answered, by what answered: the index, or popular items and why.",
            (("", {"answered_by": by}, count) for by, count in self._queries.items()),
        )
        yield _single(
            "llmi2i_unknown_items_total",
            "counter",
            "Items of histories that the index did not know.",
            self._unknown,
        )

    def _of_index(self) -> Iterator[str]:
        now, index = self._publications, self._publications.served
        about = {"environment": now.environment.name, "version": index.version}
        yield _family("llmi2i_index_info", "gauge", "The version that is served.", [("", about, 1)])
        age = time.time() - now.served_since
        yield _single("llmi2i_index_items", "gauge", "Items of the version.", index.n_items)
        yield _single("llmi2i_index_pairs", "gauge", "Pairs of the version.", index.n_pairs)
        yield _single("llmi2i_index_age_seconds", "gauge", "Since the version is served.", age)
        yield _single(
            "llmi2i_publication_refused",
            "gauge",
            "1 while a newer publication is not served.",
            bool(now.refused),
        )
        yield _family(
            "llmi2i_publications_total",
            "counter",
            "Publications met, by outcome.",
            (("", {"outcome": outcome}, count) for outcome, count in now.outcomes.items()),
        )

    def _of_process(self) -> Iterator[str]:
        """Under the names that all Prometheus clients use."""
        yield _single("process_start_time_seconds", "gauge", "In Unix time.", self._started)
        yield _single("process_cpu_seconds_total", "counter", "Spent so far.", time.process_time())
        if PROC.is_dir():
            resident = int((PROC / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
            yield _single("process_resident_memory_bytes", "gauge", "In memory now.", resident)
            yield _single("process_open_fds", "gauge", "Files open.", len(os.listdir(PROC / "fd")))


class _Histogram:
    """Times of one route.

    Attributes:
        counts: How many were at most each of `BUCKETS` and above the one before; the last: above all.
    """

    def __init__(self) -> None:
        self.counts = [0] * (len(BUCKETS) + 1)
        self.sum = 0.0

    def observe(self, seconds: float) -> None:
        self.counts[bisect_left(BUCKETS, seconds)] += 1
        self.sum += seconds

    def samples(self) -> Iterator[Sample]:
        bounds = [*map(str, BUCKETS), "+Inf"]
        for bound, count in zip(bounds, itertools.accumulate(self.counts), strict=True):
            yield "_bucket", {"le": bound}, count
        yield "_sum", {}, self.sum
        yield "_count", {}, sum(self.counts)


def _single(name: str, kind: str, about: str, value: float) -> str:
    """A family of one value without labels."""
    return _family(name, kind, about, [("", {}, value)])


def _family(name: str, kind: str, about: str, samples: Iterable[Sample]) -> str:
    lines = [f"# HELP {name} {about}", f"# TYPE {name} {kind}"]
    for suffix, labels, value in samples:
        pairs = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
        lines.append(f"{name}{suffix}{{{pairs}}} {float(value)!r}")
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")

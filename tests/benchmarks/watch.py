"""The machine while a benchmark runs: who else used it, and what is installed on it; and what git knows of our changes."""

from __future__ import annotations

import datetime
import functools
import os
import platform
import re
import subprocess
import time
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from llm_i2i.udf.processes import cpu_seconds
from tests.benchmarks.ratios import FILE, Run

ROOT = Path(__file__).parents[2]
LIBRARIES = (
    "duckdb", "numpy", "pyarrow", "sqlglot", "scipy", "numba", "implicit", "torch", "transformers", "tokenizers", "pydantic",
    "starlette", "uvicorn", "redis",
)  # fmt: skip


class Watch:
    """Begins when it is made; `stop` tells how the run went. Child processes that have not ended count as others."""

    def __init__(self) -> None:
        self._load = os.getloadavg()[0]
        self._started, self._busy, self._own = time.monotonic(), busy_seconds(), cpu_seconds()

    def stop(self) -> Run:
        seconds = time.monotonic() - self._started
        busy = busy_seconds()
        others = None
        if busy is not None and self._busy is not None:
            others = max(0.0, busy - self._busy - (cpu_seconds() - self._own)) / seconds
        return Run(
            date=datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%MZ"),
            commit=git("rev-parse", "HEAD").strip(),
            machine=machine(),
            cores=os.cpu_count() or 1,
            python=platform.python_version(),
            libraries=versions(),
            load=(round(self._load, 2), round(os.getloadavg()[0], 2)),
            others=None if others is None else round(others, 2),
            seconds=round(seconds, 1),
            uncommitted=bool(changed_files((":!project/docs",))),
        )


def busy_seconds(stat: Path = Path("/proc/stat")) -> float | None:
    """CPU seconds of all cores since the machine started, but for idle ones; None where the kernel does not say."""
    if not stat.exists():
        return None
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, stat.read_text().split()[1:9])  # fmt: skip
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def machine() -> str:
    """The kind of processor, `x86_64 AMD EPYC`."""
    info = Path("/proc/cpuinfo")
    model = re.search(r"^model name\s*: (.+)", info.read_text(), re.M) if info.exists() else None
    return f"{platform.machine()} {model[1] if model else platform.processor()}".strip()


def versions() -> dict[str, str]:
    """Of the libraries that are installed."""
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = metadata.version(name).partition("+")[
                0
            ]  # torch 2.13.0+cpu is the pinned 2.13.0
        except metadata.PackageNotFoundError:
            continue
    return found


def git(*arguments: str) -> str:
    """What git prints; nothing without git, outside a repository, or for a commit that is not there."""
    try:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True)
    except FileNotFoundError:
        return ""
    return done.stdout if done.returncode == 0 else ""


@functools.cache
def committed() -> str:
    """The ratios as HEAD has them; where there is no git, as they lay there when this was first asked."""
    if git("rev-parse", "HEAD"):
        return git("show", f"HEAD:{FILE.relative_to(ROOT)}")
    return FILE.read_text(encoding="utf-8") if FILE.exists() else ""


def changed_files(paths: Sequence[str]) -> list[str]:
    """Files under these paths that differ from HEAD."""
    return [line[3:] for line in git("status", "--porcelain", "--", *paths).splitlines()]


def commits_since(run: Run, paths: Sequence[str]) -> list[str]:
    """Hash and subject of the commits after a run that touch these paths, latest first; by the run's date where its commit is gone."""
    known = run.commit and git("cat-file", "-t", run.commit)
    since = [f"{run.commit}..HEAD"] if known else [f"--since={run.date}"]
    lines = git("log", "--no-merges", "--format=%h %s", *since, "--", *paths).splitlines()
    uncommitted = [f"not committed: {name}" for name in changed_files(paths)]
    return uncommitted + lines

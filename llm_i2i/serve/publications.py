"""Follows an environment: each publication is packed, checked, tried, and only then served, by the change of one reference."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from llm_i2i.errors import LlmI2iError
from llm_i2i.serve.index import SMOKE_ITEMS, ServingIndex, open_index
from llm_i2i.serve.merge import recommend
from llm_i2i.serve.pack import packed_folder, sweep
from llm_i2i.store.environment import Environment

SECONDS = 1.0  # between two looks at the environment
Log = Callable[[str], None]


class Publications:
    """The version that is served now, and the watch for the next.

    Attributes:
        served: Replaced in one step; a request reads it once and so sees one version only.
        refused: Why the newest publication is not served; "" if it is.
        outcomes: How many publications were served and refused.
    """

    def __init__(
        self,
        target_dir: Path,
        env: str,
        index: str = "i2i_index",
        *,
        log: Log = lambda line: None,
    ) -> None:
        """Open what is published now.

        Raises:
            LlmI2iError: There is none, or it is damaged or fails its smoke queries.
        """
        self.environment = Environment(target_dir, env)
        self._target_dir = target_dir
        self._index = index
        self._log = log
        self._pointers_file = target_dir / "envs" / f"{env}.json"
        self._seen = self._stamp()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self.refused = ""
        self.outcomes = {"served": 0, "refused": 0}
        self.served: ServingIndex = self._load()
        self.served_since = time.time()
        self.outcomes["served"] += 1

    def look(self) -> bool:
        """Serve what was published since the last look; False if nothing changed or it was refused."""
        stamp = self._stamp()
        if stamp == self._seen:
            return False
        self._seen = stamp
        try:
            folder = packed_folder(self._target_dir, self.environment, self._index)
            if folder.name == self.served.version:
                self.refused = ""
                return False
            index = self._load()
        except LlmI2iError as error:
            self._refuse(error.what + (f" ({error.found})" if error.found else ""), error.render())
            return False
        except Exception as error:
            # the watch must outlive whatever a publication holds: the old version is still good.
            self._refuse("it cannot be read", f"{type(error).__name__}: {error}")
            return False
        self.served = index
        self.served_since = time.time()
        self.refused = ""
        self.outcomes["served"] += 1
        self._log(f"now serving version {index.version}")
        sweep(self._target_dir, [folder])
        return True

    def start(self) -> None:
        """Look every second, in the background."""
        self._thread = threading.Thread(target=self._watch, name="publications", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        if self._thread:
            self._thread.join(timeout=5)

    def _watch(self) -> None:
        while not self._stopped.wait(SECONDS):
            self.look()

    def _refuse(self, why: str, details: str) -> None:
        self.refused = why
        self.outcomes["refused"] += 1
        self._log(f"a publication was refused, version {self.served.version} stays\n{details}")

    def _load(self) -> ServingIndex:
        index = open_index(self._pack())
        smoke(index)
        return index

    def _pack(self) -> Path:
        """The folder of the present publication, packed by a process of its own."""
        folder = packed_folder(self._target_dir, self.environment, self._index)
        if folder.is_dir():
            return folder
        command = [sys.executable, "-m", "llm_i2i.serve.pack", str(self._target_dir), self.environment.name, self._index]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            message = done.stderr.strip() or f"the packing process ended with {done.returncode}"
            raise LlmI2iError("the index cannot be packed", found=message.removeprefix("error: "))
        return Path(done.stdout.strip())

    def _stamp(self) -> tuple[int, int, int] | None:
        try:
            status = self._pointers_file.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_ino, status.st_size


def smoke(index: ServingIndex) -> None:
    """Ask an index a few queries before it is served.

    Raises:
        LlmI2iError: An answer is empty, unordered or names no item.
    """
    has_list = np.flatnonzero(np.diff(index.related.offsets))
    spread = has_list[:: max(1, len(has_list) // SMOKE_ITEMS)][:SMOKE_ITEMS]
    for number in spread.tolist():
        item = index.ids[number]
        answer = recommend(index, [item], 10, exclude_seen=True)
        scores, items = answer.ranking.scores, answer.ranking.items
        is_well = (
            answer.fallback is None
            and np.isfinite(scores).all()
            and (np.diff(scores) <= 0).all()
            and len(set(items.tolist()) - {number}) == len(items)
            and bool((index.find(index.ids.many(items)) == items).all())
        )
        if not is_well:
            raise LlmI2iError(
                "a smoke query failed", found=f"the answer for item {item!r} is not a ranking"
            )
    if not len(spread):
        raise LlmI2iError("a smoke query failed", found="no item has related items")

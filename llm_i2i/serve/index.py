"""`ServingIndex`: an index packed for serving, memory-mapped and immutable.

A packed index is a folder, `target/serving/<fingerprint>/`, of plain arrays (`.npy`), texts (`.txt` and where each begins) and
`manifest.json` with the checksum of every file. Opening one maps the files and reads next to nothing, however large they are;
processes that serve the same folder share its pages. Items are numbers here, in the order of `item_id`, so that a tie that goes
by number goes by item, as in SQL.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import threading
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llm_i2i.errors import LlmI2iError
from llm_i2i.fingerprint import fingerprint

FORMAT = 2  # of the folder; part of its fingerprint
MANIFEST = "manifest.json"
SMOKE_ITEMS = 20
Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class ServingSettings:
    """How a query is merged unless it says otherwise: what the index was evaluated with.

    Attributes:
        triggers: Most recent items that query the index.
        decay: A trigger weighs decay ^ its age.
        exclude_seen: Leave out the items of the query.
    """

    triggers: int = 10
    decay: float = 0.5
    exclude_seen: bool = True


@dataclass(frozen=True)
class Texts:
    """Many texts in one mapped file."""

    blob: mmap.mmap
    offsets: NDArray[np.int64]

    def __getitem__(self, number: int) -> str:
        return self.blob[self.offsets[number] : self.offsets[number + 1]].decode()

    def many(self, numbers: NDArray[np.integer[Any]]) -> list[str]:
        return [text.decode() for text in self.raw(numbers)]

    def raw(self, numbers: NDArray[np.integer[Any]]) -> list[bytes]:
        """In UTF-8."""
        begins = self.offsets[numbers].tolist()
        ends = self.offsets[numbers + 1].tolist()
        blob = self.blob
        return [blob[begin:end] for begin, end in zip(begins, ends, strict=True)]


@dataclass(frozen=True)
class Related:
    """The lists of an index: that of item `i` is `pairs[offsets[i]:offsets[i + 1]]`, best first.

    Attributes:
        pairs: Fields `item` (int32) and `score` (float32 or float64), side by side: a list is read from one place.
    """

    offsets: NDArray[np.int64]
    pairs: NDArray[np.void]

    @property
    def items(self) -> NDArray[np.int32]:
        return self.pairs["item"]

    @property
    def scores(self) -> NDArray[np.floating[Any]]:
        return self.pairs["score"]


@dataclass(frozen=True)
class ServingIndex:
    """One version of an index. Safe to share between threads.

    Attributes:
        version: Fingerprint of what it was packed from.
        tables: Name -> fingerprint of the published tables it was packed from.
        baseline: The index without augmentation, where the environment has one.
        titles: Title of each item, "" where it has none; None if the environment has no table of items.
        popular: Items to fall back to, best first, and their scores.
        local: What a thread keeps between queries.

    `_by_hash` has the items in the order of their ids' CRC-32, `_buckets` where those begin whose first bits are 0, 1, 2, ...
    """

    version: str
    tables: dict[str, str]
    settings: ServingSettings
    n_items: int
    ids: Texts
    related: Related
    baseline: Related | None
    titles: Texts | None
    is_long_tail: NDArray[np.bool_] | None
    n_interactions: NDArray[np.int64] | None
    popular: Numbers
    popular_scores: NDArray[np.float64]
    _buckets: NDArray[np.int32]
    _by_hash: NDArray[np.int32]
    _search: Texts
    local: threading.local = field(default_factory=threading.local)

    @property
    def n_pairs(self) -> int:
        return len(self.related.pairs)

    def find(self, items: Sequence[str]) -> Numbers:
        """The number of each item, -1 where the index does not know it."""
        keys = [item.encode() for item in items]
        hashes = np.fromiter(map(zlib.crc32, keys), np.uint32, len(keys))
        buckets = hashes >> bucket_shift(len(self._buckets) - 1)
        guesses = self._by_hash[np.minimum(self._buckets[buckets], self.n_items - 1)]
        numbers: list[int] = guesses.tolist()
        ids = self.ids.raw(guesses)
        if ids != keys:
            for place, key in enumerate(keys):
                if ids[place] != key:
                    numbers[place] = self._find_further(key, int(buckets[place]))
        return np.array(numbers, np.int64)

    def _find_further(self, key: bytes, bucket: int) -> int:
        """Look through all items of a bucket; -1 if none of them is it."""
        begin, end = self._buckets[bucket : bucket + 2].tolist()
        numbers = self._by_hash[begin:end]
        for number, other in zip(numbers.tolist(), self.ids.raw(numbers), strict=True):
            if other == key:
                return int(number)
        return -1

    def search(self, text: str, limit: int) -> Numbers:
        """Items whose id or title has every word of the text: the item of that very id first, then by interactions."""
        words = [word.encode() for word in searchable(text).split()]
        exact = self.find([text.strip()])
        exact = exact[exact >= 0]
        if not words:
            return exact
        longest = max(words, key=len)
        blob, offsets = self._search.blob, self._search.offsets
        found: list[int] = []
        place = blob.find(longest)
        while place >= 0 and len(found) < 100 * limit:
            number = int(np.searchsorted(offsets, place, side="right")) - 1
            line = blob[offsets[number] : offsets[number + 1]]
            if all(word in line for word in words):
                found.append(number)
            place = blob.find(longest, int(offsets[number + 1]))
        numbers = np.array(found, np.int64)
        if self.n_interactions is not None:
            numbers = numbers[np.lexsort((numbers, -self.n_interactions[numbers]))]
        best: Numbers = np.concatenate([exact, numbers[~np.isin(numbers, exact)]])[:limit]
        return best


def bucket_shift(n_buckets: int) -> int:
    """How far to shift a CRC-32 to have its bucket; their number is a power of two."""
    return 33 - n_buckets.bit_length()


def searchable(text: str) -> str:
    """Text as `search` compares it: without case, on one line."""
    return " ".join(text.casefold().split())


def open_index(folder: Path, *, verify: bool = True) -> ServingIndex:
    """Map a packed index.

    Args:
        verify: Read every file once and compare its checksum.

    Raises:
        LlmI2iError: A file is missing, cut short or not what was written.
    """
    manifest = _manifest(folder)
    if verify:
        for name, expected in manifest["files"].items():
            _check_file(folder, name, expected)
    has = manifest["files"].keys()

    def array(name: str) -> NDArray[Any]:
        return np.asarray(np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False))

    def texts(name: str) -> Texts:
        with (folder / f"{name}.txt").open("rb") as file:
            blob = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        return Texts(blob, array(f"{name}_offsets"))

    def related(prefix: str) -> Related:
        return Related(array(f"{prefix}_offsets"), array(f"{prefix}_pairs"))

    return ServingIndex(
        version=manifest["fingerprint"],
        tables=manifest["tables"],
        settings=ServingSettings(**manifest["settings"]),
        n_items=manifest["n_items"],
        ids=texts("ids"),
        related=related("related"),
        baseline=related("baseline") if "baseline_pairs.npy" in has else None,
        titles=texts("titles") if "titles.txt" in has else None,
        is_long_tail=array("is_long_tail") if "is_long_tail.npy" in has else None,
        n_interactions=array("n_interactions") if "n_interactions.npy" in has else None,
        popular=array("popular") if "popular.npy" in has else np.zeros(0, np.int64),
        popular_scores=array("popular_scores") if "popular.npy" in has else np.zeros(0),
        _buckets=array("buckets"),
        _by_hash=array("by_hash"),
        _search=texts("search"),
    )


def manifest_digest(manifest: dict[str, Any]) -> str:
    """What a manifest says of itself."""
    return fingerprint({key: value for key, value in manifest.items() if key != "digest"})


def checksum(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _manifest(folder: Path) -> dict[str, Any]:
    try:
        manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        if manifest["digest"] != manifest_digest(manifest):
            raise ValueError("its digest is another")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _damaged(folder, f"{MANIFEST}: {error}") from error
    if manifest.get("format") != FORMAT:
        raise _damaged(folder, f"format {manifest.get('format')}, this version reads {FORMAT}")
    return manifest


def _check_file(folder: Path, name: str, expected: dict[str, Any]) -> None:
    path = folder / name
    try:
        size = path.stat().st_size
        if size != expected["bytes"]:
            raise _damaged(folder, f"{name} has {size} bytes, {expected['bytes']} were written")
        if checksum(path) != expected["sha256"]:
            raise _damaged(folder, f"{name}: its checksum is another than when it was written")
    except OSError as error:
        raise _damaged(folder, f"{name}: {error.strerror}") from error


def _damaged(folder: Path, found: str) -> LlmI2iError:
    return LlmI2iError(
        "a packed index is damaged",
        where=str(folder),
        found=found,
        fix="remove this folder: it is packed again from the environment",
    )

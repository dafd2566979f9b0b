"""Canonical JSON and its SHA-256: the one way anything here is named by its content."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

# One encoder for all: `json.dumps` with options makes a new one at each call, and builds name each of a million calls.
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)
LENGTH = 16  # hex characters kept: 64 bits, far beyond the number of results one project ever has


def canonical_json(value: Any) -> str:
    """`value` as JSON with sorted keys and no spaces, so that equal values give equal text."""
    return _ENCODER.encode(value)


def fingerprint(value: Any) -> str:
    """Hex digest (16 characters) of a JSON-like value; equal values, equal digest."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()[:LENGTH]


def file_digest(path: Path) -> str:
    """Hex digest (16 characters) of a file's bytes."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()[:LENGTH]

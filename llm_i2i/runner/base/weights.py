"""What the names of pretrained models stand for on this machine, as digests that become part of every fingerprint."""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping
from pathlib import Path
from typing import Any

from llm_i2i.errors import LlmI2iError
from llm_i2i.fingerprint import LENGTH, fingerprint
from llm_i2i.lm.weights import Weights, locate


def weights_digests(
    language_models: Mapping[str, Mapping[str, Any]],
    project_dir: Path,
    digest_of: Callable[[Path], str],
    known: MutableMapping[str, Any],
) -> dict[str, str]:
    """Digest of each name under `pretrained:` and `tokenizer:` whose files are here, or were.

    Weights that are gone keep the digest they had last: a checkpoint made of them needs them no more.

    Args:
        digest_of: Digest of a file's bytes.
        known: `name|digest` of what was found, the latest last; new findings are added.
    """
    named = [
        entry.get(key) for entry in language_models.values() for key in ("pretrained", "tokenizer")
    ]
    found = {}
    for name in dict.fromkeys(str(one) for one in named if one):
        try:
            digest = _digest(locate(name, project_dir), digest_of)
        except (LlmI2iError, OSError):
            digest = ""  # whoever trains it says what is missing
        if digest:
            known.setdefault(f"{name}|{digest}", "")
        else:
            before = [key for key in known if key.rpartition("|")[0] == name]
            digest = before[-1].rpartition("|")[2] if before else ""
        if digest:
            found[name] = digest
    return found


def _digest(weights: Weights, digest_of: Callable[[Path], str]) -> str:
    snapshot = weights.snapshot
    if snapshot is not None:
        return snapshot.name[:LENGTH]  # the commit: no need to read gigabytes
    files = weights.files
    return fingerprint([[path.name, digest_of(path)] for path in files]) if files else ""

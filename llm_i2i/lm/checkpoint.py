"""A checkpoint folder: config.json, model.safetensors, tokenizer files, and llmi2i.json with what we add to them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from llm_i2i.errors import LlmI2iError
from llm_i2i.lm.items import Vocabulary
from llm_i2i.lm.settings import LanguageModelSettings, settings_from
from llm_i2i.lm.tokenizer import ITEMS, TokenizerVocabulary, load_tokenizer_vocabulary

METADATA = "llmi2i.json"
WEIGHTS = "model.safetensors"
TOKENIZER = "tokenizer.json"
FORMAT = 1
DIGEST_LENGTH = (
    12  # hex characters: enough to tell the few thousand checkpoints of one project apart
)
REBUILD = "rebuild it: llmi2i build --full-refresh -s <the model that trains it>"

# sequence: every item of a sequence is a target; labels: the answer is one of a few words; completion: any other answer.
TrainingKind = Literal["sequence", "labels", "completion"]
# words: `lm.items.Vocabulary`, one token per item and word; tokenizer: `lm.tokenizer.TokenizerVocabulary`, items in items.json.
VocabularyKind = Literal["words", "tokenizer"]


@dataclass(frozen=True)
class Metadata:
    """What llmi2i.json holds.

    Attributes:
        n_items: Number of valid items; in a vocabulary of words their tokens have the ids 4 to 3 + n_items.
        labels: The answers it was trained to tell apart, sorted; empty unless `kind` is `labels`.
        words: The whole vocabulary; only a fake checkpoint, which has no tokenizer, keeps it here.
        vocabulary: `words`: one token an item and a word (lm.items); `tokenizer`: a tokenizer of its own (lm.tokenizer).
    """

    settings: LanguageModelSettings
    kind: TrainingKind
    n_items: int
    labels: tuple[str, ...]
    random_seed: int
    words: tuple[str, ...] = ()
    vocabulary: VocabularyKind = "words"

    @property
    def is_fake(self) -> bool:
        return self.settings.architecture == "fake"


def save_metadata(folder: Path, metadata: Metadata) -> None:
    """Write llmi2i.json; equal metadata gives equal bytes."""
    values: dict[str, Any] = {
        "format": FORMAT,
        "kind": metadata.kind,
        "vocabulary": metadata.vocabulary,
        "n_items": metadata.n_items,
        "labels": list(metadata.labels),
        "random_seed": metadata.random_seed,
        "settings": metadata.settings.dump(),
    }
    if metadata.vocabulary == "words":
        values["item_token_ids"] = {"first": 4, "count": metadata.n_items}
    if metadata.words:
        values["words"] = list(metadata.words)
    (folder / METADATA).write_text(
        json.dumps(values, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )


def load_metadata(folder: Path) -> Metadata:
    """Read llmi2i.json.

    Raises:
        LlmI2iError: It is missing, not readable, or of another format.
    """
    values = _load_json(folder, METADATA)
    if values.get("format") != FORMAT:
        raise LlmI2iError(
            "the checkpoint has another format",
            where=str(folder / METADATA),
            found=str(values.get("format")),
            fix=REBUILD,
        )
    return Metadata(
        settings=settings_from(values["settings"]),
        kind=values["kind"],
        # Checkpoints of the first days have neither `n_items` nor `vocabulary`.
        n_items=values["n_items"] if "n_items" in values else values["item_token_ids"]["count"],
        labels=tuple(values["labels"]),
        random_seed=values["random_seed"],
        words=tuple(values.get("words", ())),
        vocabulary=values.get("vocabulary", "words"),
    )


def load_vocabulary(folder: Path, metadata: Metadata) -> Vocabulary:
    """The vocabulary of words of a checkpoint, read from its tokenizer (or from llmi2i.json if it is fake).

    Raises:
        LlmI2iError: The checkpoint was fine-tuned from a model with a tokenizer of its own.
    """
    if metadata.vocabulary != "words":
        raise LlmI2iError(
            "the checkpoint has a tokenizer of its own, not a vocabulary of words",
            where=str(folder),
            found=f"fine-tuned from {metadata.settings.pretrained}",
            fix="give the language model that starts from it the same pretrained",
        )
    if metadata.words:
        return Vocabulary(metadata.words, metadata.n_items)
    ids: dict[str, int] = _load_json(folder, TOKENIZER)["model"]["vocab"]
    return Vocabulary(tuple(sorted(ids, key=ids.__getitem__)), metadata.n_items)


def open_vocabulary(folder: Path, metadata: Metadata) -> Vocabulary | TokenizerVocabulary:
    """The vocabulary of a checkpoint, of either kind.

    Raises:
        LlmI2iError: A file of it is missing or damaged.
    """
    if metadata.vocabulary == "tokenizer":
        return load_tokenizer_vocabulary(folder)
    return load_vocabulary(folder, metadata)


def checkpoint_digest(folder: Path) -> str:
    """First 12 hex characters of the SHA-256 of the weights (of llmi2i.json where a fake checkpoint has none)."""
    path = folder / WEIGHTS
    with (path if path.exists() else folder / METADATA).open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()[:DIGEST_LENGTH]


def check_complete(folder: Path) -> Metadata:
    """Metadata of a checkpoint of which every file is there and of full length.

    Raises:
        LlmI2iError: A file is missing or cut short.
    """
    metadata = load_metadata(folder)
    if not metadata.is_fake:
        own = (ITEMS,) if metadata.vocabulary == "tokenizer" else ()
        for name in ("config.json", TOKENIZER, "tokenizer_config.json", *own):
            _load_json(folder, name)
        _check_weights(folder / WEIGHTS)
    return metadata


def _check_weights(path: Path) -> None:
    # The header of a safetensors file (8 bytes of length, then JSON) says how long the file has to be.
    if not path.exists():
        raise _missing(path)
    size = path.stat().st_size
    with path.open("rb") as handle:
        header_length = int.from_bytes(handle.read(8), "little")
        expected = 8 + header_length
        if size >= expected > 8:
            try:
                header = json.loads(handle.read(header_length))
                expected += max(
                    t["data_offsets"][1] for k, t in header.items() if k != "__metadata__"
                )
            except (ValueError, KeyError, TypeError) as error:
                raise LlmI2iError(
                    "the checkpoint's weights are damaged", where=str(path), fix=REBUILD
                ) from error
    if size != expected:
        raise LlmI2iError(
            "the checkpoint's weights are cut short"
            if size < expected
            else "the checkpoint's weights are damaged",
            where=str(path),
            found=f"{size:,} bytes instead of {expected:,}",
            fix=REBUILD,
        )


def _load_json(folder: Path, name: str) -> dict[str, Any]:
    path = folder / name
    if not path.exists():
        raise _missing(path)
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise LlmI2iError(
            "a file of the checkpoint is damaged", where=str(path), found=str(error), fix=REBUILD
        ) from error
    if not isinstance(values, dict):
        raise LlmI2iError(
            "a file of the checkpoint is damaged",
            where=str(path),
            found="no JSON object",
            fix=REBUILD,
        )
    return values


def _missing(path: Path) -> LlmI2iError:
    there = sorted(p.name for p in path.parent.iterdir()) if path.parent.is_dir() else []
    return LlmI2iError(
        f"the checkpoint has no {path.name}",
        where=str(path.parent),
        found=", ".join(there) or ("an empty folder" if path.parent.is_dir() else "no such folder"),
        fix=REBUILD,
    )
